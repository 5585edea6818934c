import { memberOf } from '../../engine/model/members.ts';
import { type OpenContents, partsOf } from '../trust/sign-bundle.ts';
import type { CatalogEntry } from './catalog-index.ts';
import { offeredTerminals, readDescription } from './offered-terminals.ts';

/** Describes a bundle for a catalog's index, from its packing list and descriptions. @param now - milliseconds since 1970 */
export async function describeEntry(bundle: OpenContents, now: number): Promise<CatalogEntry> {
  const { contents } = bundle;
  const { list, root, manifest } = contents;
  const own = await readDescription(bundle, `${list.packs}.yaml`);
  const text = memberOf(own, 'description');
  return {
    name: list.name,
    version: list.version,
    packs: list.packs,
    ...(list.title !== undefined && { title: list.title.slice(0, 200) }),
    ...(typeof text === 'string' && { description: text.slice(0, 10_000) }),
    manifest: { digest: root.digest, size: root.size },
    identity: manifest.config.digest,
    bytes: partsOf(contents).reduce((sum, { size }) => sum + size, 0),
    terminals: await offeredTerminals(bundle, own),
    published: new Date(now).toISOString(),
  };
}
