import { canonicalJson } from '../digest.ts';
import { EngineError } from '../errors.ts';
import {
  type BlockRange,
  type ListedEntry,
  pathText,
  type ReadBlock,
  type VolumeAccess,
  type VolumeChange,
  type VolumeEntry,
} from '../model/volume.ts';
import type { CopyVolume, PassFigures, VolumePair } from './context.ts';
import { differingBlocks, sizeOfBlock } from './file-difference.ts';

/** By path: how a file looked when it was copied; whoever changes it gives it another time. */
type Known = Map<string, string>;

/** What a pass has found to do: entries of the source that are not so at the target, and what is there too much. */
type Work = {
  readonly removed: readonly string[];
  readonly changed: readonly ListedEntry[];
  /** Files whose blocks have to be looked at. */
  readonly suspect: readonly ListedEntry[];
};

// two changes within one tick of the guest's clock look like one
const tickNs = 2_000_000_000n;
const blocksInFlight = 16;

/**
 * Makes a copier of volumes that remembers what it has copied, so that a later pass looks only at what was touched since.
 *
 * Every block is held against its mark where it is written; afterwards the marks of all files that were written are compared
 * on both sides, as long as nobody changes them: in the last pass whatever differs then is an error.
 *
 * @param newKey - makes a random key of marks, which no guest can know before
 */
export function volumeCopier(newKey: () => string): CopyVolume {
  const memory = new Map<string, Known>();
  return async (pair, isLast) => {
    const place = `${pair.from.deployment.id} ${pair.to.deployment.id} ${pair.key}`;
    const known: Known = memory.get(place) ?? new Map();
    memory.set(place, known);
    const { from, to, key, signal } = pair;
    const source = await from.driver.openVolume(from.deployment, key, signal);
    try {
      const target = await to.driver.openVolume(to.deployment, key, signal);
      try {
        return await copyOnce(pair, { source, target, known, isLast, newKey });
      } catch (cause) {
        memory.delete(place);
        throw cause;
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  };
}

type Pass = {
  readonly source: VolumeAccess;
  readonly target: VolumeAccess;
  readonly known: Known;
  readonly isLast: boolean;
  readonly newKey: () => string;
};

async function copyOnce(pair: VolumePair, pass: Pass): Promise<PassFigures> {
  const { source, target, known, isLast, newKey } = pass;
  const [wanted, found] = await Promise.all([listOf(source), listOf(target)]);
  const work = workOf(wanted, found, known);
  const key = newKey();
  const blocks = await differingBlocks(source, target, key, work.suspect);
  let bytesCarried = 0;
  const carried = (bytes: number): void => {
    bytesCarried += bytes;
    pair.progress(bytesCarried);
  };
  await target.apply(key, changesOf(pair, pass, key, work, blocks, carried));
  const written = work.suspect.filter(({ path }) => blocks.has(path));
  if (written.length > 0) {
    const again = newKey();
    const differs = await differingBlocks(source, target, again, written);
    const [path] = differs.keys();
    if (isLast && path !== undefined) throw differing(pair, path);
    // somebody works on these
    for (const one of differs.keys()) known.delete(one);
  }
  if (isLast) await compareEntries(pair, wanted, target);
  return { filesChanged: work.changed.length + work.removed.length, bytesCarried };
}

async function listOf(access: VolumeAccess): Promise<readonly ListedEntry[]> {
  const entries: ListedEntry[] = [];
  for await (const entry of access.list()) entries.push(entry);
  return entries;
}

function workOf(wanted: readonly ListedEntry[], found: readonly ListedEntry[], known: Known): Work {
  const there = new Map(found.map((entry) => [entry.path, entry]));
  const kept = new Set<string>();
  for (const entry of wanted) {
    const other = there.get(entry.path);
    if (other && isAlike(entry, other)) kept.add(entry.path);
  }
  // with a folder goes what is in it
  const removed: string[] = [];
  for (const { path } of found) {
    const above = removed.at(-1);
    if (kept.has(path) || (above !== undefined && path.startsWith(`${above}/`))) continue;
    removed.push(path);
  }
  const newest = wanted.reduce((time, { ctime }) => (BigInt(ctime) > time ? BigInt(ctime) : time), 0n);
  const changed: ListedEntry[] = [];
  const suspect: ListedEntry[] = [];
  for (const entry of wanted) {
    const other = kept.has(entry.path) ? there.get(entry.path) : undefined;
    const isFile = entry.kind === 'file' && entry.linkTo === undefined;
    const look = signOf(entry);
    const isUntouched =
      other !== undefined && known.get(entry.path) === look && textOf(entry) === textOf(other);
    if (isFile && isUntouched) continue;
    if (isFile) {
      suspect.push(entry);
      if (newest - BigInt(entry.ctime) > tickNs) known.set(entry.path, look);
      else known.delete(entry.path);
    }
    if (isFile || other === undefined || textOf(entry) !== textOf(other)) changed.push(entry);
  }
  const paths = new Set(wanted.map(({ path }) => path));
  for (const path of known.keys()) if (!paths.has(path)) known.delete(path);
  return { removed, changed: withFolders(changed, removed, wanted), suspect };
}

/** Adds the folders whose time changes because something in them comes or goes. */
function withFolders(
  changed: readonly ListedEntry[],
  removed: readonly string[],
  wanted: readonly ListedEntry[],
): readonly ListedEntry[] {
  const touched = new Set([...changed.map(({ path }) => path), ...removed].map(folderOf));
  const paths = new Set(changed.map(({ path }) => path));
  return wanted.filter(({ path, kind }) => paths.has(path) || (kind === 'folder' && touched.has(path)));
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Lists what the target has to do, reading from the source as it goes. */
async function* changesOf(
  pair: VolumePair,
  pass: Pass,
  key: string,
  { removed, changed }: Work,
  blocks: ReadonlyMap<string, readonly number[]>,
  carried: (bytes: number) => void,
): AsyncGenerator<VolumeChange> {
  for (const path of removed) yield { kind: 'remove', path };
  const reader = pass.source.read(key, rangesToRead(changed, blocks))[Symbol.asyncIterator]();
  const open: VolumeEntry[] = [];
  for (const entry of changed) {
    // folders are settled when all in them is done
    while (open.length > 0 && !isWithin(entry.path, open.at(-1)?.path ?? '')) yield* settled(open.pop());
    const plain = plainOf(entry);
    if (entry.kind !== 'file' || entry.linkTo !== undefined) {
      // the top folder is always there
      if (entry.path !== '') yield { kind: 'make', entry: plain };
      if (entry.kind === 'folder') open.push(plain);
      else if (entry.linkTo === undefined) yield { kind: 'settle', entry: plain };
      continue;
    }
    yield { kind: 'open', path: entry.path, size: entry.size };
    for (const range of runsOf(entry.path, blocks.get(entry.path) ?? [])) {
      const read = await reader.next();
      const found: readonly ReadBlock[] = read.done ? [] : read.value;
      for (let at = 0; at < range.count; at++) {
        const block = found[at];
        const index = range.first + at;
        if (block === undefined || block.size !== sizeOfBlock(entry.size, index)) {
          // it was changed since it was listed, so the next pass finds it
          pass.known.delete(entry.path);
          if (pass.isLast) throw differing(pair, entry.path);
          continue;
        }
        carried(block.bytes.length);
        yield block.mark === '' ? { kind: 'clear', index, count: 1 } : { kind: 'write', index, block };
      }
    }
    yield { kind: 'settle', entry: plain };
  }
  while (open.length > 0) yield* settled(open.pop());
  await reader.next();
}

function* settled(entry: VolumeEntry | undefined): Generator<VolumeChange> {
  if (entry) yield { kind: 'settle', entry };
}

function isWithin(path: string, folder: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`);
}

async function* rangesToRead(
  changed: readonly ListedEntry[],
  blocks: ReadonlyMap<string, readonly number[]>,
): AsyncGenerator<BlockRange> {
  for (const { path } of changed) yield* runsOf(path, blocks.get(path) ?? []);
}

/** Joins neighbouring blocks to ranges. */
function* runsOf(path: string, blocks: readonly number[]): Generator<BlockRange> {
  let [first] = blocks;
  let count = 0;
  for (const index of blocks) {
    if (first !== undefined && index === first + count && count < blocksInFlight) {
      count += 1;
      continue;
    }
    if (first !== undefined && count > 0) yield { path, first, count };
    first = index;
    count = 1;
  }
  if (first !== undefined && count > 0) yield { path, first, count };
}

/** Compares everything but blocks. @throws EngineError VOLUME_UNUSABLE */
async function compareEntries(
  pair: VolumePair,
  wanted: readonly ListedEntry[],
  target: VolumeAccess,
): Promise<void> {
  const found = await listOf(target);
  const there = new Map(found.map((entry) => [entry.path, textOf(entry)]));
  const other =
    wanted.find((entry) => there.get(entry.path) !== textOf(entry)) ??
    (found.length === wanted.length
      ? undefined
      : found.find(({ path }) => !wanted.some((one) => one.path === path)));
  if (other) throw differing(pair, other.path);
}

function differing({ key }: VolumePair, path: string): EngineError {
  return new EngineError(
    'VOLUME_UNUSABLE',
    `${pathText(path) || 'the top folder'} of ${key} is not the same on both sides`,
    {
      hint: 'Run the same command again. If it stays so, something writes to the volume that does not belong there.',
      details: { volume: key },
    },
  );
}

// what cannot be changed into each other goes first
function isAlike(a: VolumeEntry, b: VolumeEntry): boolean {
  return a.kind === b.kind && a.linkTo === b.linkTo && a.target === b.target;
}

function plainOf({ ctime: _c, inode: _i, ...entry }: ListedEntry): VolumeEntry {
  return entry;
}

function textOf(entry: ListedEntry): string {
  return canonicalJson(plainOf(entry));
}

function signOf({ size, mtime, ctime, inode }: ListedEntry): string {
  return `${size} ${mtime} ${ctime} ${inode}`;
}
