import { distance } from 'fastest-levenshtein';

/**
 * Finds the name that somebody probably meant.
 *
 * @returns the closest of the names (the first of equally close ones), or undefined when even that one is unlike
 * Cost O(names); names beyond the first 10,000 are not looked at.
 */
export function nearestName(word: string, names: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  let count = 0;
  for (const name of names) {
    count += 1;
    if (count > 10_000) break;
    if (Math.abs(name.length - word.length) > limit) continue;
    const step = stepsBetween(word, name);
    if (step < bestDistance) {
      best = name;
      bestDistance = step;
    }
  }
  return best;
}

/** Levenshtein's distance, but letters out of order count once: they are the commonest mistake of all. */
function stepsBetween(word: string, name: string): number {
  if (name.toLowerCase() === word.toLowerCase()) return 0;
  const isShuffled = name.length === word.length && [...name].sort().join('') === [...word].sort().join('');
  return isShuffled ? 1 : distance(word, name);
}

/** Writes the hint for an unknown name: the nearest one, else the names that exist when they are few. */
export function nameHint(word: string, names: readonly string[]): string {
  const nearest = nearestName(word, names);
  if (nearest !== undefined) return `Did you mean ${nearest}?`;
  if (names.length === 0) return 'There are none here.';
  const shown = names.slice(0, 8).join(', ');
  return `There ${names.length === 1 ? 'is' : 'are'} ${shown}${names.length > 8 ? ' and others' : ''}.`;
}
