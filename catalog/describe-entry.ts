import { descriptionLimits, parseYaml } from '../engine/formats/parse-yaml.ts';
import { memberOf } from '../engine/model/members.ts';
import type { CatalogEntry, OfferedTerminal } from './catalog-index.ts';
import { type OpenContents, partsOf } from './sign-bundle.ts';

const maxTerminals = 200;
const directions: readonly unknown[] = ['in', 'out', 'external'];

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
    terminals: list.packs === 'appliance' ? terminalsOf(own) : await doorsOf(bundle),
    published: new Date(now).toISOString(),
  };
}

/** Gives the doors to the world of all appliances that are packed with an application. */
async function doorsOf(bundle: OpenContents): Promise<readonly OfferedTerminal[]> {
  const doors = new Map<string, OfferedTerminal>();
  const paths = Object.keys(bundle.contents.list.files).filter((path) => path.endsWith('/appliance.yaml'));
  for (const path of paths.sort()) {
    const value = await readDescription(bundle, path);
    const appliance = String(memberOf(value, 'name'));
    for (const terminal of terminalsOf(value))
      if (terminal.direction === 'external') {
        const name = `${appliance}.${terminal.name}`.slice(0, 100);
        doors.set(name, { ...terminal, name });
      }
  }
  return [...doors.values()].slice(0, maxTerminals);
}

function terminalsOf(value: unknown): readonly OfferedTerminal[] {
  const terminals = memberOf(value, 'terminals');
  if (typeof terminals !== 'object' || terminals === null) return [];
  return Object.entries(terminals)
    .slice(0, maxTerminals)
    .flatMap(([name, terminal]): OfferedTerminal[] => {
      const direction = memberOf(terminal, 'direction');
      const protocol = memberOf(terminal, 'protocol');
      if (typeof protocol !== 'string' || !directions.includes(direction)) return [];
      return [
        {
          name: name.slice(0, 100),
          direction: direction as OfferedTerminal['direction'],
          protocol: protocol.slice(0, 100),
        },
      ];
    });
}

async function readDescription({ contents, source }: OpenContents, path: string): Promise<unknown> {
  const part = contents.list.files[path];
  if (part === undefined || part.size > descriptionLimits.maxBytes) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.open(part)) chunks.push(chunk);
  return parseYaml(Buffer.concat(chunks).toString('utf8'), descriptionLimits).value;
}
