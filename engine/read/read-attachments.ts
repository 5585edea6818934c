import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOf } from '../digest.ts';
import { memberOf, valuesOf } from '../model/members.ts';
import { type Attachment, attachmentKey, type DescriptionKind } from '../model/source.ts';
import { findInside } from './find-inside.ts';
import { listFolder } from './list-folder.ts';
import { readText } from './read-text.ts';

const maxTextBytes = 2 ** 20;
/**
 * Where a packed source's content folders and disks would lie: their digests, by absolute path of the empty folder or
 * file. What they hold travels beside.
 */
export type PackedPlaces = ReadonlyMap<string, Digest>;

// Schemas bound what one appliance may name, but they are checked later.
const maxAttachments = 10_000;

/**
 * Reads what a description names besides itself: templates, setup script, disk, content folders.
 *
 * @param value - the parsed description, of any shape
 * @param folder - absolute; nothing outside of it is read
 */
export async function readAttachments(
  kind: DescriptionKind,
  value: unknown,
  folder: string,
  signal?: AbortSignal,
  packed: PackedPlaces = new Map(),
): Promise<ReadonlyMap<string, Attachment>> {
  const found = new Map<string, Attachment>();
  for (const [form, path] of kind === 'appliance' ? ownPaths(value) : contentPaths(value)) {
    const key = attachmentKey(form, path);
    if (!found.has(key) && found.size < maxAttachments)
      found.set(key, await readAttachment(form, path, folder, signal, packed));
  }
  return found;
}

type Refusal = Omit<Extract<Attachment, { readonly kind: 'refused' }>, 'kind'>;
type AttachmentForm = 'text' | 'folder' | 'disk';
type AttachmentPath = readonly [AttachmentForm, string];

function ownPaths(value: unknown): readonly AttachmentPath[] {
  const image = memberOf(value, 'image');
  const files = memberOf(value, 'files');
  const templates = Array.isArray(files) ? files.map((file: unknown) => memberOf(file, 'template')) : [];
  return [
    ...[...templates, memberOf(image, 'setup')].flatMap((path) => pathOf('text', path)),
    ...pathOf('disk', memberOf(image, 'disk')),
  ];
}

function contentPaths(value: unknown): readonly AttachmentPath[] {
  return valuesOf(memberOf(value, 'appliances'))
    .flatMap((use) => valuesOf(memberOf(use, 'content')))
    .flatMap((path) => pathOf('folder', path));
}

function pathOf(form: AttachmentForm, path: unknown): readonly AttachmentPath[] {
  return typeof path === 'string' ? [[form, path]] : [];
}

async function readAttachment(
  form: AttachmentForm,
  path: string,
  folder: string,
  signal: AbortSignal | undefined,
  packed: PackedPlaces,
): Promise<Attachment> {
  const inside = await findInside(folder, path);
  if ('code' in inside) return { kind: 'refused', ...inside };
  const refused = (refusal: Refusal): Attachment => ({
    kind: 'refused',
    ...refusal,
    message: `${JSON.stringify(path)} ${refusal.message}`,
  });
  switch (form) {
    case 'text': {
      const outcome = await readText(inside.file, maxTextBytes);
      if ('code' in outcome) return refused(outcome);
      return { kind: 'text', text: outcome.text, digest: digestOf(outcome.text) };
    }
    case 'folder': {
      const digest = packed.get(inside.file);
      if (digest !== undefined) return { kind: 'folder', folder: inside.file, digest, entries: [] };
      const outcome = await listFolder(inside.file, signal);
      return 'code' in outcome ? refused(outcome) : { kind: 'folder', folder: inside.file, ...outcome };
    }
    case 'disk': {
      const digest = packed.get(inside.file);
      if (digest !== undefined) return { kind: 'disk', file: inside.file, digest };
      const facts = await stat(inside.file);
      if (!facts.isFile()) {
        return refused({ code: 'FILE_UNFIT', message: 'is not a regular file', hint: 'Name a disk image.' });
      }
      const hash = createHash('sha256');
      await pipeline(createReadStream(inside.file), hash, { ...(signal && { signal }) });
      return { kind: 'disk', file: inside.file, digest: `sha256:${hash.digest('hex')}` };
    }
    default:
      return form satisfies never;
  }
}
