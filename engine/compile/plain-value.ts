import { nearestName } from '../formats/nearest-name.ts';
import { compilePattern, type Pattern } from '../formats/pattern.ts';
import type { Property, PropertyType } from '../model/property.ts';
import type { PlainValue } from '../model/value.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../units.ts';

/** A settled value, or why there is none; a secret's value never stands in the message. */
export type PlainOutcome =
  | { readonly value: PlainValue }
  | { readonly message: string; readonly hint: string };

/** Patterns that were compiled before, by their text. */
export type PatternMemo = Map<string, Pattern | { readonly fault: string }>;

/** Reads a value of a description by the type of its property: sizes become bytes, durations milliseconds. */
export function readPlain(type: PropertyType, value: unknown): PlainOutcome {
  switch (type) {
    case 'string':
    case 'secret':
      if (typeof value === 'string') return { value };
      return { message: 'is not text', hint: 'Put it in quotes.' };
    case 'integer':
      if (Number.isSafeInteger(value)) return { value: Number(value) };
      return { message: 'is not a whole number', hint: 'Write digits only, without quotes.' };
    case 'number':
      if (typeof value === 'number' && Number.isFinite(value)) return { value };
      return { message: 'is not a number', hint: 'Write a number without quotes.' };
    case 'boolean':
      if (typeof value === 'boolean') return { value };
      return { message: 'is neither true nor false', hint: 'Write true or false, without quotes.' };
    case 'duration':
      return readQuantity(value, parseDuration, 'a duration', 'Write a number and a unit, such as 30s.');
    case 'size':
      return readQuantity(value, parseSize, 'a size', 'Write a number and a unit, such as 64MiB.');
    case 'list':
      if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
        return { value: [...value] };
      return { message: 'is not a list of texts', hint: 'Write a list, such as [one, two].' };
    default:
      return type satisfies never;
  }
}

/** Reads a value given as text, such as one of `--set`; the items of a list are separated by commas. */
export function readPlainText(type: PropertyType, text: string): PlainOutcome {
  switch (type) {
    case 'integer':
      return readPlain(type, /^-?\d+$/.test(text) ? Number(text) : undefined);
    case 'number':
      return readPlain(type, /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined);
    case 'boolean':
      return readPlain(type, text === 'true' ? true : text === 'false' ? false : undefined);
    case 'list':
      return { value: text === '' ? [] : text.split(',').map((item) => item.trim()) };
    case 'string':
    case 'secret':
    case 'duration':
    case 'size':
      return readPlain(type, text);
    default:
      return type satisfies never;
  }
}

/** Checks a settled value against its declaration. @returns undefined when it fits */
export function misfitOf(
  property: Property,
  value: PlainValue,
  patterns: PatternMemo,
): { readonly message: string; readonly hint: string } | undefined {
  if (property.enum !== undefined && !property.enum.includes(value)) {
    const allowed = property.enum.map(String);
    const meant = nearestName(String(value), allowed);
    return {
      message: `is ${show(property, value)}, not one of ${allowed.join(', ')}`,
      hint: meant === undefined ? `Choose one of ${allowed.join(', ')}.` : `Did you mean ${meant}?`,
    };
  }
  if (typeof value === 'number') {
    const { min, max } = property;
    if (min !== undefined && value < min) {
      return {
        message: `is ${show(property, value)}, below ${show(property, min)}`,
        hint: `Give at least ${show(property, min)}.`,
      };
    }
    if (max !== undefined && value > max) {
      return {
        message: `is ${show(property, value)}, above ${show(property, max)}`,
        hint: `Give at most ${show(property, max)}.`,
      };
    }
  }
  return property.pattern === undefined ? undefined : unmatched(property, property.pattern, value, patterns);
}

function unmatched(property: Property, expression: string, value: PlainValue, patterns: PatternMemo) {
  const pattern = patterns.get(expression) ?? compilePattern(expression);
  patterns.set(expression, pattern);
  if ('fault' in pattern) return undefined;
  const texts = Array.isArray(value) ? value : [String(value)];
  if (texts.every((text) => pattern.matches(text))) return undefined;
  return {
    message:
      property.type === 'secret'
        ? 'does not match its pattern'
        : `is ${show(property, value)}, which its pattern does not match`,
    hint: `The whole value must match ${expression}.`,
  };
}

function show(property: Property, value: PlainValue): string {
  if (property.type === 'secret') return 'secret';
  if (property.type === 'size') return formatSize(Number(value));
  if (property.type === 'duration') return formatDuration(Number(value));
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function readQuantity(value: unknown, parse: typeof parseSize, what: string, hint: string): PlainOutcome {
  if (typeof value !== 'string') return { message: `is not ${what}`, hint };
  const parsed = parse(value);
  return 'value' in parsed ? parsed : { message: `is not ${what}: ${parsed.message}`, hint: parsed.hint };
}
