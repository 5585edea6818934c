import {
  CORE_SCHEMA,
  constructFromEvents,
  dump,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml';

/** A node's beginning, an alias, or the end of the innermost open node; offsets count UTF-16 units of the text. */
export type YamlEvent = Event;

/** The kinds of {@link YamlEvent}. */
export const yamlEventId = EVENT_ID;

/** What the YAML library found wrong, and where. */
export type YamlFault = { readonly reason: string; readonly offset: number };

/** The result of a call into the YAML library, which throws for bad input. */
export type YamlOutcome<T> = { readonly ok: T } | { readonly fault: YamlFault };

/** Splits a text into events: some 190 bytes of memory for each node. */
export function yamlEvents(text: string, maxDepth: number): YamlOutcome<readonly YamlEvent[]> {
  return caught(() => parseEvents(text, { maxDepth }));
}

/**
 * Builds the first document's value: YAML 1.2 core schema, no tags, no merge keys.
 *
 * `__proto__` becomes an own member like any other. Aliased nodes are shared, not copied.
 *
 * @param lastKeyWins - whether a duplicate key is taken instead of refused
 */
export function yamlValue(
  events: readonly YamlEvent[],
  text: string,
  lastKeyWins: boolean,
): YamlOutcome<unknown> {
  return caught(
    () =>
      constructFromEvents(events as YamlEvent[], { source: text, schema: CORE_SCHEMA, json: lastKeyWins })[0],
  );
}

/** Writes a value as block YAML that YAML 1.1 and 1.2 readers take for the same value; keys keep their order. */
export function writeYaml(value: unknown): string {
  return dump(value, { noRefs: true, lineWidth: -1 });
}

/** Gives the decoded text of a scalar. */
export function scalarText(text: string, event: ScalarEvent): string {
  return getScalarValue(text, event);
}

/** Gives where an event's node begins, its anchor, tag and quote included; -1 when nothing is written for it. */
export function eventOffset(event: YamlEvent): number {
  if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) return -1;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
  const isQuoted = event.type === EVENT_ID.SCALAR && (event.style === 2 || event.style === 3);
  const start = event.type === EVENT_ID.SCALAR ? event.valueStart - (isQuoted ? 1 : 0) : event.start;
  const anchor = event.anchorStart < 0 ? start : event.anchorStart - 1;
  const tag = event.tagStart < 0 ? start : event.tagStart;
  return Math.min(start, anchor, tag);
}

function caught<T>(act: () => T): YamlOutcome<T> {
  try {
    return { ok: act() };
  } catch (error) {
    // The library's safety notes ask to catch everything: hostile text may also end in a RangeError.
    if (!(error instanceof YAMLException)) return { fault: { reason: 'the text cannot be read', offset: 0 } };
    return { fault: { reason: error.reason, offset: error.mark?.position ?? 0 } };
  }
}
