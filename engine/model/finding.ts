import type { ProblemCode } from '../problem-table.ts';
import type { Place } from '../problems.ts';

/** The text of a description and its name for people, relative to the working folder. */
export type FileText = { readonly file: string; readonly text: string };

/** The way from a document's root to a value: keys and positions. */
export type JsonPath = readonly (string | number)[];

/**
 * Somewhere in a description. The line is found only when somebody asks, because positions cost more than the whole
 * check.
 */
export type Spot = {
  readonly text: FileText;
  readonly path: JsonPath;
  /** The value itself, or the key before it. */
  readonly part: 'key' | 'value';
};

/** A problem whose place may not be looked up yet. */
export type Finding = {
  readonly code: ProblemCode;
  readonly at: Spot | Place;
  readonly message: string;
  readonly hint?: string;
};

/** Takes findings as they are made. */
export type FindingSink = (finding: Finding) => void;
