import type { OuterName } from '../model/blueprint.ts';
import type { FindingSink, JsonPath } from '../model/finding.ts';
import { takesNames } from '../model/terminal.ts';
import type { Wire } from './connect-wires.ts';
import { spotAt } from './described.ts';
import { parseOuterName } from './parse-outer-name.ts';

/** What each wire that leads to the outer world may reach; other wires are absent. */
export type SettledNames = ReadonlyMap<Wire, readonly OuterName[]>;

/**
 * Reads the names that wires list, and refuses those that do not fit.
 *
 * In an instance a name leads to one place, so no two wires of one appliance may bring it to different ones.
 */
export function settleNames(wires: readonly Wire[], sink: FindingSink): SettledNames {
  const settled = new Map<Wire, readonly OuterName[]>();
  const places = new Map<string, string>();
  for (const wire of wires) {
    const { scope, index, from, to } = wire;
    const described = scope.described.model.wires[index];
    if (described === undefined) continue;
    const refuse = (path: JsonPath, message: string, hint: string): void =>
      sink({ code: 'WIRE_NAMES', at: spotAt(scope.described, ['wires', index, ...path]), message, hint });
    const toName = `${to.part.parent.use.name}.${to.terminal.name}`;
    if (!takesNames(to.terminal)) {
      if (described.names !== undefined || described.isPrivate)
        refuse(
          [described.names === undefined ? 'private' : 'names'],
          `${toName} does not lead to names of the outer world`,
          'Leave it out, or wire the out to an egress.',
        );
      continue;
    }
    if (described.names === undefined) {
      if ([...scope.described.removed].some((one) => one.startsWith(`wires/${index}/names`))) continue;
      refuse(
        [],
        `${toName} leads to the outer world, and the wire does not say to which names`,
        `Write {wire: ${described.text.trim()}, names: [api.example.com:443]}.`,
      );
      continue;
    }
    const names = new Map<string, OuterName>();
    for (const [entry, text] of described.names.entries()) {
      const parsed = parseOuterName(text);
      const path = ['names', entry];
      if ('message' in parsed) {
        refuse(path, parsed.message, parsed.hint);
        continue;
      }
      const key = `${from.part.path} ${parsed.name}`;
      const place = places.get(key) ?? to.part.path;
      places.set(key, place);
      if (names.has(text)) refuse(path, `${text} stands here twice`, 'Remove one of them.');
      else if (place !== to.part.path)
        refuse(
          path,
          `another wire of ${from.part.path} leads ${parsed.name} through ${place}`,
          'A name leads to one place: list it on one of the wires.',
        );
      else names.set(text, { ...parsed, ...(described.isPrivate && { isPrivate: true }) });
    }
    settled.set(wire, [...names.values()]);
  }
  return settled;
}
