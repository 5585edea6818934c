/** What a filter takes and gives; templates hold nothing else. */
type Value = unknown;

/** A filter or an output was given what it cannot take. It never leaves the rendering: it becomes a fault with a place. */
export class ValueRefused extends Error {}

type Filter = {
  /** How many arguments it takes besides what is filtered. */
  readonly takes: readonly [min: number, max: number];
  readonly apply: (value: Value, ...args: readonly Value[]) => Value;
};

/**
 * The filters of templates, by name. The list is closed: nothing of nunjucks' own is reachable.
 *
 * Each throws {@link ValueRefused} when it is given what it cannot take; the renderer adds the place.
 */
export const filters: Readonly<Record<string, Filter>> = {
  default: { takes: [1, 1], apply: (value, other) => (isEmpty(value) ? other : value) },
  first: { takes: [0, 0], apply: (value) => memberOf(listOf(value), 0) },
  indent: {
    takes: [1, 1],
    apply: (value, width) =>
      textOf(value).replaceAll(
        '\n',
        `\n${' '.repeat(Math.min(80, Math.max(0, Math.trunc(numberOf(width)))))}`,
      ),
  },
  join: {
    takes: [0, 1],
    apply: (value, separator = '') => listOf(value).map(textOf).join(textOf(separator)),
  },
  json: { takes: [0, 0], apply: (value) => JSON.stringify(value) },
  last: { takes: [0, 0], apply: (value) => memberOf(listOf(value), -1) },
  length: {
    takes: [0, 0],
    apply: (value) => (typeof value === 'string' ? value.length : listOf(value).length),
  },
  lower: { takes: [0, 0], apply: (value) => textOf(value).toLowerCase() },
  replace: {
    takes: [2, 2],
    apply: (value, search, replacement) =>
      textOf(value).replaceAll(textOf(search), () => textOf(replacement)),
  },
  shellquote: {
    takes: [0, 0],
    apply: (value) => `'${withoutNul(textOf(value)).replaceAll("'", `'\\''`)}'`,
  },
  sort: { takes: [0, 0], apply: (value) => listOf(value).map(textOf).sort() },
  // PostgreSQL's and standard SQL's: a quote is doubled and a backslash means itself
  sqlquote: { takes: [0, 0], apply: (value) => `'${withoutNul(textOf(value)).replaceAll("'", "''")}'` },
  trim: { takes: [0, 0], apply: (value) => textOf(value).trim() },
  upper: { takes: [0, 0], apply: (value) => textOf(value).toUpperCase() },
};

/** Writes a value as it appears in a file. @throws ValueRefused when it is a list, a group of values, or no number */
export function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || Number.isFinite(value)) return String(value);
  if (typeof value === 'number') throw new ValueRefused('the result of this sum is not a number');
  throw new ValueRefused(
    Array.isArray(value)
      ? 'this is a list; write it with a loop, or with | join'
      : 'this is not a text, a number or a truth value',
  );
}

function numberOf(value: Value): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new ValueRefused('a number is needed here');
}

function listOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  throw new ValueRefused('a list is needed here');
}

function memberOf(list: readonly Value[], index: 0 | -1): Value {
  if (list.length === 0) throw new ValueRefused('this list is empty');
  return list.at(index);
}

function isEmpty(value: Value): boolean {
  return value === '' || (Array.isArray(value) && value.length === 0);
}

function withoutNul(text: string): string {
  if (text.includes('\0')) throw new ValueRefused('a text with a NUL character cannot be quoted');
  return text;
}
