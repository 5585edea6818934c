import type { Range } from '../model/appliance.ts';
import { parseDuration, parseSize } from '../units.ts';
import type { RangeText } from './description-text.ts';

/** Gives the bytes of a size that the schema has accepted. */
export function bytesOf(text: string): number {
  const parsed = parseSize(text);
  return 'value' in parsed ? parsed.value : 0;
}

/** Gives the milliseconds of a duration that the schema has accepted. */
export function millisecondsOf(text: string): number {
  const parsed = parseDuration(text);
  return 'value' in parsed ? parsed.value : 0;
}

/** Gives the millicores of a number of cores. */
export function millicoresOf(cores: number): number {
  return Math.round(cores * 1000);
}

/** Settles the units of a range; a bound that is absent does not bind. */
export function rangeOf<T>(text: RangeText<T>, settle: (value: T) => number): Range {
  return {
    min: text.min === undefined ? 0 : settle(text.min),
    default: settle(text.default),
    max: text.max === undefined ? Number.MAX_SAFE_INTEGER : settle(text.max),
  };
}
