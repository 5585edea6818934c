import { nameHint } from '../formats/nearest-name.ts';
import type { PlacedContent } from '../model/closure.ts';
import type { FindingSink } from '../model/finding.ts';
import { attachmentKey } from '../model/source.ts';
import { lookUp } from './boundary.ts';
import { isAssembly, wasRemoved } from './described.ts';
import { membersOutermostFirst, type Part, type Tree, useSpot } from './tree.ts';

/** Finds the folder for every content place; what an outer description gives counts before what an inner one gives. */
export function settleContents(tree: Tree, sink: FindingSink): ReadonlyMap<Part, readonly PlacedContent[]> {
  const filled = new Map<Part, Map<string, PlacedContent | null>>();
  for (const { member, parent } of membersOutermostFirst(tree)) {
    if (parent.use.contents.size === 0) continue;
    for (const [name, path] of parent.use.contents) {
      const found = lookUp(member, 'contents', name);
      if (found === 'silent') continue;
      if ('missing' in found) {
        sink({
          code: 'CONTENT_UNKNOWN',
          at: useSpot(parent, ['content', name]),
          message: `${parent.use.name} has no content place ${name}`,
          hint: nameHint(name, found.known),
        });
        continue;
      }
      const { attachments, published } = parent.scope.described.description;
      const attachment = attachments.get(attachmentKey('folder', path));
      if (attachment?.kind === 'refused') {
        const { code, message, hint } = attachment;
        sink({ code, at: useSpot(parent, ['content', name], 'value'), message, hint });
      }
      const ofPart = filled.get(found.part) ?? new Map<string, PlacedContent | null>();
      filled.set(found.part, ofPart);
      const place = found.part.described.model.contents.get(found.name);
      if (ofPart.has(found.name) || place === undefined) continue;
      const packed =
        attachment?.kind === 'folder'
          ? published?.contents.find(({ digest, to }) => digest === attachment.digest && to === place.to)
          : undefined;
      ofPart.set(
        found.name,
        attachment?.kind === 'folder'
          ? {
              appliance: found.part.path,
              name: found.name,
              folder: attachment.folder,
              to: place.to,
              digest: attachment.digest,
              entries: attachment.entries,
              ...(packed &&
                published && { published: { identity: published.identity, layer: packed.layer } }),
            }
          : null,
      );
    }
  }
  reportEmpty(tree, filled, sink);
  return new Map(
    [...filled].map(([part, places]) => [part, [...places.values()].filter((content) => content !== null)]),
  );
}

function reportEmpty(
  tree: Tree,
  filled: ReadonlyMap<Part, ReadonlyMap<string, unknown>>,
  sink: FindingSink,
): void {
  const open = placesOnRootBoundary(tree);
  for (const part of tree.parts) {
    for (const place of part.described.model.contents.values()) {
      if (place.optional || filled.get(part)?.has(place.name) || open.has(`${part.path}.${place.name}`))
        continue;
      const { scope, use } = part.parent;
      if (wasRemoved(scope.described, ['appliances', use.name, 'content', place.name])) continue;
      sink({
        code: 'CONTENT_MISSING',
        at: useSpot(part.parent),
        message: `${use.name} needs files for its content place ${place.name}`,
        hint: `Add content: {${place.name}: ./FOLDER}.`,
      });
    }
  }
}

/** Content places that the root, an assembly, leaves to whoever uses it. */
function placesOnRootBoundary({ root }: Tree): ReadonlySet<string> {
  if (!isAssembly(root.described)) return new Set();
  const names = [...root.described.model.contents.keys()].flatMap((name) => {
    const found = lookUp(root, 'contents', name);
    return found === 'silent' || 'missing' in found ? [] : [`${found.part.path}.${found.name}`];
  });
  return new Set(names);
}
