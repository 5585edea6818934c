import { RE2JS } from 're2js';

/** A regular expression of the linear-time kind. */
export type Pattern = {
  /** Tells whether the whole text matches. Cost O(text). */
  matches(text: string): boolean;
};

/** Compiles RE2 syntax; patterns come with hostile bundles, and JavaScript's own engine can be made to run for hours. */
export function compilePattern(expression: string): Pattern | { readonly fault: string } {
  try {
    const compiled = RE2JS.compile(expression);
    return { matches: (text) => compiled.matches(text) };
  } catch (error) {
    return {
      fault: error instanceof Error ? error.message.replaceAll('\n', ' ') : 'not a regular expression',
    };
  }
}
