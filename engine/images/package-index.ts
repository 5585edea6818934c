import { runCommand } from '../command.ts';
import { EngineError } from '../errors.ts';
import type { LockedPackage, LockedPackages } from '../model/lock.ts';
import type { Apt } from './apt.ts';
import type { InstalledPackage } from './packages.ts';

/** The versions of packages that the fetched lists offer, by name; each version with its digests. */
export type PackageIndex = ReadonlyMap<string, readonly LockedPackage[]>;

/** Looks packages up in the lists that a build has fetched. Names that are not there are left out. */
export async function readIndex(
  apt: Apt,
  names: readonly string[],
  signal: AbortSignal,
): Promise<PackageIndex> {
  const index = new Map<string, LockedPackage[]>();
  if (names.length === 0) return index;
  // it ends with an error when one name of many is unknown; what is known it has printed
  const script = 'apt-cache show -- "$@" 2>/dev/null || [ $? -eq 100 ]';
  const { stdout } = await runCommand('sh', ['-c', script, 'sh', ...names], {
    signal,
    environment: { APT_CONFIG: apt.config },
  });
  for (const stanza of stdout.split(/\n\n+/)) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
    const [name, version, sha256] = [field('Package'), field('Version'), field('SHA256')];
    if (name === undefined || version === undefined || sha256 === undefined) continue;
    index.set(name, [...(index.get(name) ?? []), { version, sha256 }]);
  }
  return index;
}

/** Adds to installed packages the digest of the archive that each came from, as far as the lists still name it. */
export function withDigests(
  packages: readonly InstalledPackage[],
  index: PackageIndex,
): readonly InstalledPackage[] {
  return packages.map((each) => {
    const sha256 = index.get(each.name)?.find(({ version }) => version === each.version)?.sha256;
    return sha256 === undefined ? each : { ...each, sha256 };
  });
}

/**
 * Makes sure that the mirror still has every package that a lock pins, with the same bytes.
 *
 * @throws EngineError PACKAGE_GONE, naming the nearest version; IMAGE_FAILED when a version has other bytes than it had
 */
export function requirePinned(pins: LockedPackages, index: PackageIndex): void {
  for (const [name, { version, sha256 }] of Object.entries(pins)) {
    const offered = index.get(name) ?? [];
    const same = offered.filter((each) => each.version === version);
    if (same.length === 0)
      throw gone(
        name,
        version,
        offered.map((each) => each.version),
      );
    if (same.some((each) => each.sha256 === sha256)) continue;
    throw new EngineError(
      'IMAGE_FAILED',
      `the mirror's ${name} ${version} is not the one that the lock pins`,
      {
        hint: 'Find out why: a version of a package never changes. sheaf lock --update NAME takes what is there.',
        details: { package: name, version, pinned: sha256, offered: same.map((each) => each.sha256) },
      },
    );
  }
}

/**
 * Makes sure that a root holds exactly the packages that a lock pins.
 *
 * @throws EngineError IMAGE_FAILED
 */
export function requireInstalled(pins: LockedPackages, installed: readonly InstalledPackage[]): void {
  const found = new Map(installed.map(({ name, version }) => [name, version]));
  const names = [...new Set([...Object.keys(pins), ...found.keys()])].sort();
  const wrong = names.filter((name) => pins[name]?.version !== found.get(name));
  const [first] = wrong;
  if (first === undefined) return;
  const has = found.get(first);
  throw new EngineError(
    'IMAGE_FAILED',
    `the lock pins ${first} ${pins[first]?.version ?? 'not at all'}, and the image has ${has ?? 'none'}`,
    {
      hint: 'The lock does not fit its appliance: write it anew with sheaf lock --update NAME.',
      details: { packages: wrong },
    },
  );
}

/** Picks what a lock pins out of a list of packages. @returns undefined when one of them has no digest */
export function pinsOfPackages(packages: readonly InstalledPackage[]): LockedPackages | undefined {
  const pins = packages.flatMap(({ name, version, sha256 }) =>
    sha256 === undefined ? [] : [[name, { version, sha256 }] as const],
  );
  return pins.length === packages.length ? Object.fromEntries(pins) : undefined;
}

function gone(name: string, version: string, offered: readonly string[]): EngineError {
  const nearest = nearestVersion(version, offered);
  return new EngineError('PACKAGE_GONE', `the mirror no longer has ${name} ${version}, which the lock pins`, {
    hint:
      nearest === undefined
        ? `It has no version of ${name} at all: build from a mirror that keeps old ones, or take it out of the image.`
        : `The nearest that it has is ${nearest}: sheaf lock --update NAME takes it.`,
    details: { package: name, version, ...(nearest !== undefined && { nearest }), offered },
  });
}

/** Gives the version that shares the longest beginning with the wanted one. */
function nearestVersion(wanted: string, offered: readonly string[]): string | undefined {
  const shared = (version: string): number => {
    let length = 0;
    while (length < version.length && version[length] === wanted[length]) length += 1;
    return length;
  };
  return offered.toSorted((a, b) => shared(b) - shared(a))[0];
}
