import type { Digest } from '../digest.ts';
import type { Lock, LockedAppliance } from '../model/lock.ts';
import type { Source } from '../model/source.ts';
import type { Described } from './described.ts';
import { expandAssemblies } from './expand-assemblies.ts';
import { validateDescriptions } from './validate-descriptions.ts';

/** What a lock also pins, when it is known. */
export type LockAdditions = { readonly kit?: Digest; readonly platforms?: Lock['platforms'] };

/**
 * Chooses a version for every path of a source, as {@link compile} does, and pins it.
 *
 * What the source's lock says of the kit and of packages is kept, unless it is replaced, as far as it is still of use.
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
  const used = new Set(entries.map(([, { name, version }]) => `${name}@${version}`));
  const before = source.lock?.lock;
  const kit = additions.kit ?? before?.kit;
  const platforms = Object.entries(additions.platforms ?? before?.platforms ?? {})
    .map(([platform, images]) => [platform, pick(images, used)] as const)
    .filter(([, images]) => Object.keys(images).length > 0);
  return {
    apiVersion: 'sheaf/v1',
    kind: 'Lock',
    appliances: Object.fromEntries(entries),
    ...(kit !== undefined && { kit }),
    ...(platforms.length > 0 && { platforms: Object.fromEntries(platforms) }),
  };
}

/** Names the appliances and assemblies of which a lock says something else than the one before it; sorted. */
export function changedNames(before: Lock | null, after: Lock): readonly string[] {
  const paths = new Set([...Object.keys(before?.appliances ?? {}), ...Object.keys(after.appliances)]);
  const changed = new Set<string>();
  for (const path of paths) {
    const old = before?.appliances[path];
    const now = after.appliances[path];
    if (old?.name === now?.name && old?.version === now?.version && old?.digest === now?.digest) continue;
    for (const entry of [old, now]) if (entry !== undefined) changed.add(entry.name);
  }
  return [...changed].sort();
}

/** Writes a lock as the text of `sheaf.lock`: indented JSON, so that changes read as a diff. */
export function lockText(lock: Lock): string {
  return `${JSON.stringify(lock, null, 2)}\n`;
}

function pin({ model, description }: Described): LockedAppliance {
  return { name: model.name, version: model.version, digest: description.digest };
}

function pick<T>(
  record: Readonly<Record<string, T>>,
  keys: ReadonlySet<string>,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => keys.has(key)));
}
