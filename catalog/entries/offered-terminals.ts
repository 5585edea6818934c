import { descriptionLimits, parseYaml } from '../../engine/formats/parse-yaml.ts';
import { memberOf } from '../../engine/model/members.ts';
import type { OpenContents } from '../trust/sign-bundle.ts';
import type { OfferedTerminal } from './catalog-index.ts';

const maxTerminals = 200;
const maxNesting = 16;
const directions: readonly unknown[] = ['in', 'out', 'external'];

/**
 * Tells what a bundle offers and needs: an appliance and an assembly by the terminals of its boundary, and whatever is made of
 * others by the doors to the world of the appliances in it.
 *
 * @param own - the bundle's description
 */
export async function offeredTerminals(
  bundle: OpenContents,
  own: unknown,
): Promise<readonly OfferedTerminal[]> {
  switch (bundle.contents.list.packs) {
    case 'appliance':
      return terminalsOf(own);
    case 'assembly':
      return [...(await boundaryOf(bundle, own)), ...(await doorsOf(bundle))].slice(0, maxTerminals);
    case 'application':
      return await doorsOf(bundle);
    default:
      return bundle.contents.list.packs satisfies never;
  }
}

/** Reads a description by its path in the packed folder; undefined when it is not there. */
export async function readDescription({ contents, source }: OpenContents, path: string): Promise<unknown> {
  const part = contents.list.files[path];
  if (part === undefined || part.size > descriptionLimits.maxBytes) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.open(part)) chunks.push(chunk);
  return parseYaml(Buffer.concat(chunks).toString('utf8'), descriptionLimits).value;
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

/** Gives an assembly's terminals, each as the appliance has it from whose boundary it is. @param path - of the assembly */
async function boundaryOf(
  bundle: OpenContents,
  value: unknown,
  path: readonly string[] = [],
): Promise<readonly OfferedTerminal[]> {
  const found: OfferedTerminal[] = [];
  for (const [name, terminal] of entriesOf(memberOf(value, 'terminals'))) {
    const inner = memberOf(terminal, 'inner');
    const [part = '', innerName] = typeof inner === 'string' ? inner.split('.') : [];
    const place = [...path, part];
    const used = bundle.contents.list.lock.appliances[place.join('/')];
    if (used === undefined || place.length > maxNesting) continue;
    const folder = `appliances/${used.name}/${used.version}`;
    const appliance = await readDescription(bundle, `${folder}/appliance.yaml`);
    const inside =
      appliance === undefined
        ? await boundaryOf(bundle, await readDescription(bundle, `${folder}/assembly.yaml`), place)
        : terminalsOf(appliance);
    const meant = inside.find((each) => each.name === innerName);
    if (meant !== undefined) found.push({ ...meant, name: name.slice(0, 100) });
  }
  return found;
}

function terminalsOf(value: unknown): readonly OfferedTerminal[] {
  return entriesOf(memberOf(value, 'terminals')).flatMap(([name, terminal]): OfferedTerminal[] => {
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

function entriesOf(terminals: unknown): readonly (readonly [string, unknown])[] {
  if (typeof terminals !== 'object' || terminals === null) return [];
  return Object.entries(terminals).slice(0, maxTerminals);
}
