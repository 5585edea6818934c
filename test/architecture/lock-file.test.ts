import { readFileSync } from 'node:fs';
import test from 'ava';

interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The lock file's entries by folder, as npm writes them. */
function lockedPackages(): Readonly<Record<string, LockedPackage>> {
  const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { packages: Record<string, LockedPackage> }).packages;
}

// npm leaves entries out that a mirror does not hold, and then refuses its own lock file.
test('the lock file names the optional packages of every platform', (t) => {
  const packages = lockedPackages();
  const missing = Object.values(packages)
    .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    .filter((name) => packages[`node_modules/${name}`] === undefined);
  t.deepEqual(missing, []);
});
