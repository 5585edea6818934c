import { eventOffset, type YamlEvent, yamlEventId } from './yaml.ts';

/** Why a document's aliases are refused; the offset is that of the alias that went too far. */
export type AliasRefusal = { readonly offset: number; readonly message: string };

type Anchor = { readonly aliases: number; readonly nodes: number; readonly isOpen: boolean };

// A description that repeats whole appliances by alias is legal; one that repeats a million nodes is a bomb.
const maxRepeatedNodes = 100_000;

/**
 * Checks how far the aliases of a document would expand, without expanding them.
 *
 * The parser's own limit counts aliases as written, and nine lines of ten aliases each expand to a thousand million
 * nodes. Here an alias counts once for itself and again for every alias inside what it stands for.
 */
export function checkAliases(
  events: readonly YamlEvent[],
  text: string,
  maxAliases: number,
): AliasRefusal | undefined {
  if (!events.some((event) => event.type === yamlEventId.ALIAS)) return undefined;
  const anchors = new Map<string, Anchor>();
  const open: { name: string | undefined; aliases: number; nodes: number }[] = [];
  let aliases = 0;
  let nodes = 0;
  let repeated = 0;
  for (const event of events) {
    if (event.type === yamlEventId.DOCUMENT) {
      open.push({ name: undefined, aliases, nodes });
    } else if (event.type === yamlEventId.POP) {
      const frame = open.pop();
      if (frame?.name !== undefined) {
        anchors.set(frame.name, {
          aliases: aliases - frame.aliases,
          nodes: nodes - frame.nodes,
          isOpen: false,
        });
      }
    } else if (event.type === yamlEventId.ALIAS) {
      const anchor = anchors.get(text.slice(event.anchorStart, event.anchorEnd));
      // An alias without an anchor is refused by the constructor.
      if (anchor === undefined) continue;
      if (anchor.isOpen)
        return { offset: eventOffset(event), message: 'the alias stands for a node that holds it' };
      aliases += 1 + anchor.aliases;
      nodes += anchor.nodes;
      repeated += anchor.nodes;
      if (aliases > maxAliases || repeated > maxRepeatedNodes) {
        return { offset: eventOffset(event), message: `the aliases expand beyond ${maxAliases} copies` };
      }
    } else {
      const name = event.anchorStart < 0 ? undefined : text.slice(event.anchorStart, event.anchorEnd);
      const isScalar = event.type === yamlEventId.SCALAR;
      if (name !== undefined) anchors.set(name, { aliases: 0, nodes: 1, isOpen: !isScalar });
      if (!isScalar) open.push({ name, aliases, nodes });
      nodes += 1;
    }
  }
  return undefined;
}
