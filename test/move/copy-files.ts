import type { ListedEntry, VolumeAccess, VolumeChange } from '../../engine/model/volume.ts';
import type { CopyVolume } from '../../engine/move/context.ts';

/** Copies a small volume whole, in whatever way; stands for the copying that knows what has changed. */
export const copyFiles: CopyVolume = async ({ key, from, to, signal }) => {
  const source = await from.driver.openVolume(from.deployment, key, signal);
  const target = await to.driver.openVolume(to.deployment, key, signal);
  const wanted = await listOf(source);
  const found = await listOf(target);
  const changes: VolumeChange[] = found
    .filter(({ path }) => !wanted.some((one) => one.path === path))
    .map(({ path }) => ({ kind: 'remove', path }));
  for (const { ctime: _c, inode: _i, ...entry } of wanted) {
    if (entry.kind !== 'file') {
      changes.push({ kind: 'make', entry });
      continue;
    }
    const ranges = async function* () {
      yield { path: entry.path, first: 0, count: 1 };
    };
    for await (const [block] of source.read('key', ranges())) {
      // whoever works may have written since it was listed
      const size = block?.size ?? 0;
      changes.push({ kind: 'open', path: entry.path, size });
      if (block && block.bytes.length > 0) changes.push({ kind: 'write', index: 0, block });
      changes.push({ kind: 'settle', entry: { ...entry, size } });
    }
  }
  const all = async function* () {
    yield* changes;
  };
  await target.apply('key', all());
  return { filesChanged: changes.length, bytesCarried: 0 };
};

async function listOf(access: VolumeAccess): Promise<readonly ListedEntry[]> {
  const entries: ListedEntry[] = [];
  for await (const entry of access.list()) entries.push(entry);
  return entries;
}
