import type { Appliance } from '../model/appliance.ts';
import type { Application, Assembly } from '../model/assembly.ts';
import type { JsonPath, Spot } from '../model/finding.ts';
import type { Description } from '../model/source.ts';

/** What a description says, in the words of the model. */
export type Model = Appliance | Assembly | Application;

/** A description and what it says, as far as its schema accepts it. */
export type Described<T extends Model = Model> = {
  readonly description: Description;
  readonly model: T;
  /** What the model was made of: the description's value without what was left out. */
  readonly value: unknown;
  /** What was left out because it broke the schema: paths joined by `/`. Nothing more is said about it. */
  readonly removed: ReadonlySet<string>;
};

/** What became of each description; null when nothing of it could be used. */
export type DescribedBy = ReadonlyMap<Description, Described | null>;

/** Gives the place of a value in its description. */
export function spotAt(
  described: { readonly description: Description },
  path: JsonPath,
  part: Spot['part'] = 'value',
): Spot {
  return { text: described.description.text, path, part };
}

/** Tells whether something, or what holds it, was left out, so that its absence is no news. */
export function wasRemoved(described: Described, path: JsonPath): boolean {
  if (described.removed.size === 0) return false;
  return path.some((_, index) => described.removed.has(path.slice(0, index + 1).join('/')));
}

/** Tells whether a description describes an appliance. */
export function isAppliance(described: Described): described is Described<Appliance> {
  return described.model.kind === 'appliance';
}

/** Tells whether a description describes an assembly. */
export function isAssembly(described: Described): described is Described<Assembly> {
  return described.model.kind === 'assembly';
}
