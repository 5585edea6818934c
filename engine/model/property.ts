import type { PlainValue } from './value.ts';

/** The types of properties and parameters; `list` is a list of texts. */
const propertyTypes = [
  'string',
  'integer',
  'number',
  'boolean',
  'duration',
  'size',
  'secret',
  'list',
] as const;

/** One of {@link propertyTypes}. */
export type PropertyType = (typeof propertyTypes)[number];

/** A typed setting on a boundary. Sizes are bytes, durations milliseconds. */
export type Property = {
  readonly name: string;
  readonly type: PropertyType;
  /** Absent when the property is mandatory; never there for a secret. */
  readonly default?: PlainValue;
  readonly enum?: readonly PlainValue[];
  /** RE2 syntax; the whole value, or each item of a list, must match. */
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
  /** For a secret: how many random characters it is made of when nobody gives it. */
  readonly generate?: number;
};

/** Declared settings by name, in the order of the description. */
export type Properties = ReadonlyMap<string, Property>;
