import { posix } from 'node:path';
import { expandAssemblies } from '../compile/expand-assemblies.ts';
import { validateDescriptions } from '../compile/validate-descriptions.ts';
import type { PackedPlace } from '../model/packing-list.ts';
import type { Description, Source } from '../model/source.ts';

/** A text that a description is or names. */
export type FileToPack = {
  readonly kind: 'description' | 'file';
  readonly text: string;
  /** For people: relative to the working folder. */
  readonly shown: string;
};

/** Everything of a source that is packed as it is, and what is packed as layers. */
export type SourceFiles = {
  /** By path in the packed folder: `application.yaml`, `appliances/php/1.0.0/site.njk`. */
  readonly files: ReadonlyMap<string, FileToPack>;
  /** By path in the packed folder. */
  readonly places: ReadonlyMap<string, PackedPlace>;
  /** Content folders: absolute, by path in the packed folder. */
  readonly folders: ReadonlyMap<string, string>;
};

/** The folder of an appliance or assembly in the packed folder; the lock finds each version there. */
export function packedFolderOf(name: string, version: string): string {
  return `appliances/${name}/${version}`;
}

/**
 * Lists the descriptions that a source chose, with all that they name: the packed folder is an application's own, with
 * every appliance in its `appliances/`, so that it compiles like any other.
 *
 * @param source - without errors
 */
export function filesToPack(source: Source): SourceFiles {
  const ignore = () => {};
  const tree = expandAssemblies(source, validateDescriptions(source, ignore), ignore);
  const files = new Map<string, FileToPack>();
  const places = new Map<string, PackedPlace>();
  const folders = new Map<string, string>();
  const add = (description: Description, base: string): void => {
    const { text, kind, attachments } = description;
    const path = posix.join(base, `${kind}.yaml`);
    if (files.has(path)) return;
    files.set(path, { kind: 'description', text: text.text, shown: text.file });
    for (const [key, attachment] of attachments) {
      const written = key.slice(key.indexOf(' ') + 1);
      const inside = posix.join(base, written);
      switch (attachment.kind) {
        case 'text': {
          const shown = posix.join(posix.dirname(text.file), written);
          files.set(inside, { kind: 'file', text: attachment.text, shown });
          break;
        }
        case 'disk':
        case 'folder':
          if (attachment.kind === 'folder') folders.set(inside.replace(/\/+$/, ''), attachment.folder);
          places.set(inside.replace(/\/+$/, ''), { kind: attachment.kind, digest: attachment.digest });
          break;
        case 'refused':
          break; // an error, which a source to pack does not have
        default:
          attachment satisfies never;
      }
    }
  };
  add(source.root, '');
  for (const { described } of [...(tree?.scopes ?? []).slice(1), ...(tree?.parts ?? [])]) {
    add(described.description, packedFolderOf(described.model.name, described.model.version));
  }
  return { files, places, folders };
}
