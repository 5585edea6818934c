import type { ProblemCode } from '../problem-table.ts';
import { createLineTable } from './line-table.ts';
import { eventOffset, type YamlEvent, type YamlFault, yamlEventId, yamlEvents, yamlValue } from './yaml.ts';
import { checkAliases } from './yaml-aliases.ts';
import { duplicateKeys } from './yaml-duplicates.ts';

/** What bounds hostile YAML. */
export type YamlLimits = {
  /** UTF-8 bytes of the text. */
  readonly maxBytes: number;
  /** Copies that aliases stand for, those inside of other copies included. */
  readonly maxAliases: number;
  /** Levels of mappings and sequences. */
  readonly maxDepth: number;
};

/** The limits for descriptions and locks. */
export const descriptionLimits: YamlLimits = { maxBytes: 32 * 2 ** 20, maxAliases: 100, maxDepth: 64 };

/** Something wrong with the YAML itself; line and column count from 1. */
export type YamlProblem = {
  readonly code: ProblemCode;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
};

/** The one document of a text, undefined when none could be read, and everything that is wrong with its YAML. */
export type ParsedYaml = { readonly value: unknown; readonly problems: readonly YamlProblem[] };

// Each of these characters begins at most two events, so 800 MB of events at the worst.
const maxMarks = 2_000_000;

/**
 * Reads one YAML 1.2 document (core schema: no tags, no merge keys, no dates).
 *
 * Mappings become plain objects, in which `__proto__` is an own member like any other; aliased values are shared. A
 * duplicate key does not end the reading: the last one counts. Never throws.
 */
export function parseYaml(text: string, limits: YamlLimits): ParsedYaml {
  const excess = excessOf(text, limits);
  if (excess !== undefined) {
    return refused(
      'TEXT_TOO_LARGE',
      `the file ${excess}`,
      { line: 1, column: 1 },
      'Split it into assemblies.',
    );
  }
  const parsed = yamlEvents(text, limits.maxDepth);
  if ('fault' in parsed) return broken(text, parsed.fault);
  const events = parsed.ok;
  const second = secondDocument(events);
  if (second !== undefined) {
    const place = createLineTable(text).placeOf(second);
    return refused(
      'YAML_MANY',
      'the file holds more than one document',
      place,
      'Keep one description in each file.',
    );
  }
  const aliases = checkAliases(events, text, limits.maxAliases);
  if (aliases !== undefined) {
    const place = createLineTable(text).placeOf(aliases.offset);
    return refused('YAML_ALIASES', aliases.message, place, 'Write the value out.');
  }
  const built = yamlValue(events, text, false);
  if ('ok' in built)
    return built.ok === undefined || built.ok === null ? empty : { value: built.ok, problems: [] };
  const problems = duplicateProblems(events, text);
  const rebuilt = problems.length === 0 ? built : yamlValue(events, text, true);
  return 'ok' in rebuilt ? { value: rebuilt.ok, problems } : broken(text, rebuilt.fault);
}

const empty = refused(
  'YAML_EMPTY',
  'the file holds no description',
  { line: 1, column: 1 },
  'Begin with apiVersion: sheaf/v1 and a kind.',
);

function refused(
  code: ProblemCode,
  message: string,
  place: { readonly line: number; readonly column: number },
  hint?: string,
): ParsedYaml {
  return { value: undefined, problems: [{ code, ...place, message, ...(hint !== undefined && { hint }) }] };
}

function excessOf(text: string, limits: YamlLimits): string | undefined {
  // A UTF-16 unit is at most three bytes, so most texts need no count.
  if (text.length * 3 > limits.maxBytes && Buffer.byteLength(text) > limits.maxBytes) {
    return `has more than ${limits.maxBytes / 2 ** 20} MiB`;
  }
  return text.length > maxMarks && countMarks(text) > maxMarks
    ? 'has more values than are allowed'
    : undefined;
}

function countMarks(text: string): number {
  let marks = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    // Line feed, carriage return, comma, colon, opening bracket and brace: every node but the first follows one.
    if (code === 10 || code === 13 || code === 44 || code === 58 || code === 91 || code === 123) marks += 1;
  }
  return marks;
}

function secondDocument(events: readonly YamlEvent[]): number | undefined {
  const first = events.findIndex((event) => event.type === yamlEventId.DOCUMENT);
  const second = events.findIndex((event, index) => index > first && event.type === yamlEventId.DOCUMENT);
  if (second < 0) return undefined;
  // An empty document stands nowhere; then the next thing that is written, or the end, stands for it.
  return (
    events
      .slice(second)
      .map(eventOffset)
      .find((offset) => offset >= 0) ?? Number.POSITIVE_INFINITY
  );
}

function duplicateProblems(events: readonly YamlEvent[], text: string): readonly YamlProblem[] {
  const lines = createLineTable(text);
  return duplicateKeys(events, text).map(({ key, offset }) => ({
    code: 'KEY_DUPLICATE',
    ...lines.placeOf(offset),
    message: `"${key}" stands twice in this mapping`,
    hint: 'Remove one of the two.',
  }));
}

function broken(text: string, fault: YamlFault): ParsedYaml {
  const place = createLineTable(text).placeOf(fault.offset);
  return refused('YAML_BROKEN', `broken YAML: ${fault.reason}`, place, hintFor(fault.reason));
}

function hintFor(reason: string): string | undefined {
  if (/ tag\b/.test(reason)) return 'Remove the tag; descriptions have none.';
  if (reason.includes('alias'))
    return 'An alias (*) names an anchor (&) that stands before it; put a text in quotes.';
  if (/indentation|end of the stream|separator/.test(reason)) {
    return 'Look for a tab, an unclosed bracket or quote, or a line that is not indented like its neighbours.';
  }
  if (reason.includes('maxDepth')) return 'Nest lists and mappings less deep.';
  if (reason.includes('null byte')) return 'Remove the null byte; descriptions are plain text.';
  return undefined;
}
