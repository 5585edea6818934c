import { eventOffset, scalarText, type YamlEvent, yamlEventId } from './yaml.ts';

/** A key that its mapping already has. */
export type DuplicateKey = { readonly key: string; readonly offset: number };

/** Lists every key that stands again in one mapping, in the order of the text. */
export function duplicateKeys(events: readonly YamlEvent[], text: string): readonly DuplicateKey[] {
  const found: DuplicateKey[] = [];
  const open: { keys: Set<string> | undefined; expectsKey: boolean }[] = [];
  for (const event of events) {
    if (event.type === yamlEventId.POP) {
      open.pop();
      continue;
    }
    const frame = open.at(-1);
    if (frame?.keys !== undefined) {
      if (frame.expectsKey && event.type === yamlEventId.SCALAR) {
        const key = scalarText(text, event);
        if (frame.keys.has(key)) found.push({ key, offset: eventOffset(event) });
        frame.keys.add(key);
      }
      frame.expectsKey = !frame.expectsKey;
    }
    if (event.type === yamlEventId.MAPPING) open.push({ keys: new Set(), expectsKey: true });
    else if (event.type === yamlEventId.SEQUENCE || event.type === yamlEventId.DOCUMENT) {
      open.push({ keys: undefined, expectsKey: false });
    }
  }
  return found;
}
