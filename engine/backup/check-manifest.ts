import { instancesOf } from '../model/blueprint.ts';
import type { BackupManifest } from './archive.ts';
import { unreadable } from './archive.ts';
import type { Archive } from './open-archive.ts';

/**
 * Checks that a backup's parts belong together: its instances are those of its blueprint, its volumes theirs.
 *
 * What it runs is believed, as whoever made it is: it could as well have been changed before. A guest can hurt nobody by it.
 *
 * @throws EngineError BACKUP_UNREADABLE
 */
export function checkManifest({ file, manifest, index }: Archive): void {
  let isSound = false;
  try {
    isSound = belongsTogether(manifest, index.volumes);
  } catch {
    // something in it is of another shape
  }
  if (!isSound) throw unreadable(file, 'its parts do not belong together');
}

function belongsTogether(
  { blueprint, instances, volumes, bases }: BackupManifest,
  saved: Archive['index']['volumes'],
): boolean {
  const names = instancesOf(blueprint).map(({ name }) => name);
  const found = new Map(instances.map((one) => [one.key, one.state]));
  if (blueprint.kind !== 'Blueprint' || names.length === 0 || !Array.isArray(bases)) return false;
  if (!names.every((name) => found.has(name)) || found.size !== names.length) return false;
  const data = [...found.values()].flatMap((state) =>
    state.volumes.filter(({ kind }) => kind === 'data').map(({ key }) => key),
  );
  const keys = volumes.map(({ key }) => key);
  return (
    sameNames(data, keys) &&
    sameNames(
      keys,
      saved.map(({ key }) => key),
    ) &&
    volumes.every(({ marksKey }) => /^[0-9a-f]{64}$/.test(marksKey)) &&
    saved.every(
      ({ entries, youngest }) =>
        /^volumes\/\d{1,4}\.entries\.zst$/.test(entries) && /^-?\d{1,20}$/.test(youngest),
    )
  );
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.toSorted().join('\n') === other.toSorted().join('\n');
}
