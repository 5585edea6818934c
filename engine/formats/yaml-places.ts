import type { JsonPath } from '../model/finding.ts';
import { createLineTable } from './line-table.ts';
import { eventOffset, scalarText, type YamlEvent, yamlEventId, yamlEvents } from './yaml.ts';

/** What is looked for: a value, or the key before it. */
export type WantedPlace = { readonly path: JsonPath; readonly part: 'key' | 'value' };

/** A tree of all wanted paths; offsets are -1 until the text was found to have such a node. */
type Node = { readonly children: Map<string, Node>; keyOffset: number; valueOffset: number };

type Frame = {
  /** Absent below whatever nobody wants. */
  readonly node: Node | undefined;
  readonly kind: 'document' | 'mapping' | 'sequence';
  index: number;
  /** In a mapping, between a key and its value: where the key stands and what it leads to. */
  key: { readonly node: Node | undefined; readonly offset: number } | undefined;
};

/**
 * Finds where paths stand in a text that was parsed before.
 *
 * A path that leads nowhere is placed at the key of the deepest ancestor that exists. Of duplicate keys the last
 * counts; a path through an alias ends at the alias. Reads the text once for all paths, since nobody kept the events.
 *
 * @param maxDepth - as when it was parsed
 * @returns one place for each wanted one, in their order; line and column from 1
 */
export function findPlaces(
  text: string,
  wanted: readonly WantedPlace[],
  maxDepth: number,
): readonly { readonly line: number; readonly column: number }[] {
  const root = createNode();
  for (const { path } of wanted) {
    let node = root;
    for (const step of path) {
      const child = node.children.get(String(step)) ?? createNode();
      node.children.set(String(step), child);
      node = child;
    }
  }
  const parsed = yamlEvents(text, maxDepth);
  if ('ok' in parsed) markOffsets(parsed.ok, text, root);
  const lines = createLineTable(text);
  return wanted.map((place) => lines.placeOf(Math.max(0, offsetOf(root, place))));
}

function createNode(): Node {
  return { children: new Map(), keyOffset: -1, valueOffset: -1 };
}

function offsetOf(root: Node, { path, part }: WantedPlace): number {
  let node = root;
  for (const step of path) {
    const child = node.children.get(String(step));
    if (child === undefined || child.valueOffset < 0) return node.keyOffset;
    node = child;
  }
  return part === 'key' ? node.keyOffset : node.valueOffset;
}

function markOffsets(events: readonly YamlEvent[], text: string, root: Node): void {
  const open: Frame[] = [];
  for (const event of events) {
    if (event.type === yamlEventId.POP) {
      open.pop();
      continue;
    }
    const frame = open.at(-1);
    const node = frame === undefined ? root : enter(frame, event, text);
    if (event.type === yamlEventId.SCALAR || event.type === yamlEventId.ALIAS) continue;
    const kind =
      event.type === yamlEventId.DOCUMENT
        ? 'document'
        : event.type === yamlEventId.MAPPING
          ? 'mapping'
          : 'sequence';
    open.push({ node, kind, index: 0, key: undefined });
  }
}

/** Takes the next child of an open node, marks it when it is wanted, and gives its place in the tree. */
function enter(frame: Frame, event: YamlEvent, text: string): Node | undefined {
  if (frame.node === undefined) return undefined;
  const offset = eventOffset(event);
  if (frame.kind === 'mapping' && frame.key === undefined) {
    const name = event.type === yamlEventId.SCALAR ? scalarText(text, event) : undefined;
    frame.key = { node: name === undefined ? undefined : frame.node.children.get(name), offset };
    return undefined;
  }
  const child =
    frame.kind === 'document'
      ? frame.node
      : frame.kind === 'mapping'
        ? frame.key?.node
        : frame.node.children.get(String(frame.index));
  frame.index += 1;
  if (child !== undefined) {
    child.keyOffset = frame.key?.offset ?? offset;
    // An empty value stands nowhere, so its key, or what holds it, stands for it.
    child.valueOffset = offset >= 0 ? offset : (frame.key?.offset ?? frame.node.valueOffset);
  }
  frame.key = undefined;
  return child;
}
