import { createColors } from 'picocolors';

/** How texts for people are dressed: colours that may be off, and marks that every font of the terminal has. */
export type Style = {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly marks: {
    readonly done: string;
    readonly failed: string;
    readonly spinner: readonly string[];
    readonly more: string;
  };
};

const unicodeMarks = { done: '✓', failed: '✗', spinner: [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'], more: '…' };
const plainMarks = { done: '+', failed: 'x', spinner: [...'|/-\\'], more: '...' };

/** Chooses colours and marks. Colours need a terminal and no NO_COLOR (https://no-color.org); marks a UTF-8 locale. */
export function chooseStyle(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): Style {
  const { bold, dim, red, green, yellow, cyan } = createColors(isTerminal && !environment['NO_COLOR']);
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  const marks = /utf-?8/i.test(locale) ? unicodeMarks : plainMarks;
  return { bold, dim, red, green, yellow, cyan, marks };
}
