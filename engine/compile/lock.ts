import { canonicalJson, type Digest } from '../digest.ts';
import type { Appliance } from '../model/appliance.ts';
import type { ImagePins, Lock, LockedAppliance } from '../model/lock.ts';
import type { Source } from '../model/source.ts';
import type { Described } from './described.ts';
import { expandAssemblies } from './expand-assemblies.ts';
import { validateDescriptions } from './validate-descriptions.ts';

/** What a lock also pins, when it is known. */
export type LockAdditions = { readonly kit?: Digest; readonly platforms?: Lock['platforms'] };

/**
 * Chooses a version for every path of a source, as {@link compile} does, and pins it.
 *
 * What the source's lock says of the kit and of packages is kept as far as it is still of use, unless it is replaced or
 * was let go by name: an appliance, a suite, `kit`.
 *
 * @param source - without errors
 */
export function lockOf(source: Source, additions: LockAdditions = {}): Lock {
  const ignore = () => {};
  const tree = expandAssemblies(source, validateDescriptions(source, ignore), ignore);
  const chosen = [...(tree?.scopes ?? []).filter(({ parent }) => parent !== null), ...(tree?.parts ?? [])];
  const entries = chosen
    .map(({ path, described }) => [path, pin(described)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const built = chosen.filter(({ described }) => described.description.published === undefined);
  const used = new Set(built.flatMap(({ described }) => imageKeys(described.model)));
  const before = source.lock?.lock;
  const kit = additions.kit ?? (source.unlocked.has('kit') ? undefined : before?.kit);
  const platforms = [
    ...new Set([...Object.keys(before?.platforms ?? {}), ...Object.keys(additions.platforms ?? {})]),
  ]
    .map((platform) => {
      const kept = Object.entries(before?.platforms?.[platform] ?? {}).filter(
        ([key]) => !isLetGo(source, key),
      );
      const images = { ...Object.fromEntries(kept), ...additions.platforms?.[platform] };
      return [platform, pick(images, used)] as const;
    })
    .filter(([, images]) => Object.keys(images).length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    apiVersion: 'sheaf/v1',
    kind: 'Lock',
    appliances: Object.fromEntries(entries),
    ...(kit !== undefined && { kit }),
    ...(platforms.length > 0 && { platforms: Object.fromEntries(platforms) }),
  };
}

/** Names the appliances, assemblies and suites of which a lock says something else than the one before it, and `kit`; sorted. */
export function changedNames(before: Lock | null, after: Lock): readonly string[] {
  const changed = new Set<string>();
  for (const path of keysOf(before?.appliances, after.appliances)) {
    const old = before?.appliances[path];
    const now = after.appliances[path];
    if (
      old?.name === now?.name &&
      old?.version === now?.version &&
      old?.digest === now?.digest &&
      old?.bundle === now?.bundle
    )
      continue;
    for (const entry of [old, now]) if (entry !== undefined) changed.add(entry.name);
  }
  for (const platform of keysOf(before?.platforms, after.platforms)) {
    const [old, now] = [before?.platforms?.[platform], after.platforms?.[platform]];
    for (const key of keysOf(old, now))
      if (canonicalJson(old?.[key] ?? null) !== canonicalJson(now?.[key] ?? null)) changed.add(nameIn(key));
  }
  if (before?.kit !== after.kit) changed.add('kit');
  return [...changed].sort();
}

function keysOf(...records: readonly (object | undefined)[]): ReadonlySet<string> {
  return new Set(records.flatMap((record) => Object.keys(record ?? {})));
}

/** Gives the name in the key of an image: `php` of `php@1.0.0`, a suite as it is. */
function nameIn(key: string): string {
  return key.replace(/@.*/, '');
}

/** Writes a lock as the text of `sheaf.lock`: indented JSON, so that changes read as a diff. */
export function lockText(lock: Lock): string {
  return `${JSON.stringify(lock, null, 2)}\n`;
}

function pin({ model, description }: Described): LockedAppliance {
  const { published } = description;
  return {
    ...{ name: model.name, version: model.version, digest: description.digest },
    ...(published?.isRoot && { bundle: published.identity }),
  };
}

/** Takes out of a lock where its appliances came from: once packed, all of them lie in one bundle. */
export function withoutBundles(lock: Lock): Lock {
  const entries = Object.entries(lock.appliances).map(
    ([path, { name, version, digest }]) => [path, { name, version, digest }] as const,
  );
  return { ...lock, appliances: Object.fromEntries(entries) };
}

/** Gives the packages that the lock demands of an appliance's image; undefined when it names none. */
export function pinsOf(
  { lock, unlocked }: Source,
  { name, version, image }: Appliance,
): ImagePins | undefined {
  if (image.kind !== 'packages' || unlocked.has(image.suite)) return undefined;
  const images = lock?.lock.platforms?.[guestPlatform];
  const base = images?.[image.suite];
  const own = unlocked.has(name) ? undefined : images?.[`${name}@${version}`];
  return base && { base, ...(own && { own }) };
}

function imageKeys(model: Described['model']): readonly string[] {
  if (model.kind !== 'appliance') return [];
  const suites = model.image.kind === 'packages' ? [model.image.suite] : [];
  return [`${model.name}@${model.version}`, ...suites];
}

function isLetGo({ unlocked }: Source, key: string): boolean {
  return unlocked.has(nameIn(key));
}

/** The platform of all guests. */
export const guestPlatform = 'linux/amd64';

function pick<T>(
  record: Readonly<Record<string, T>>,
  keys: ReadonlySet<string>,
): Readonly<Record<string, T>> {
  const picked = Object.entries(record).filter(([key]) => keys.has(key));
  return Object.fromEntries(picked.sort(([a], [b]) => (a < b ? -1 : 1)));
}
