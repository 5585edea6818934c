import semver from 'semver';

/** Tells whether a text is a semantic version, written without `v` or spaces. */
export function isVersion(text: string): boolean {
  return semver.valid(text) === text;
}

/** Tells whether a text is a range such as `^1`, `>=1.2 <2` or `1.0.0`. */
export function isVersionRange(text: string): boolean {
  return semver.validRange(text) !== null;
}

/** Tells whether a version is in a range; a prerelease only when the range names one of its own version. */
export function isInRange(version: string, range: string): boolean {
  return semver.satisfies(version, range);
}

/** Sorts versions, newest first. Returns a new list. */
export function newestFirst(versions: readonly string[]): readonly string[] {
  return versions.toSorted(semver.rcompare);
}
