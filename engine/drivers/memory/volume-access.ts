import { createHmac } from 'node:crypto';
import { EngineError } from '../../errors.ts';
import type {
  BlockRange,
  ListedEntry,
  Mark,
  ReadBlock,
  VolumeAccess,
  VolumeChange,
} from '../../model/volume.ts';
import type { Files } from './files.ts';

/** What a pretended volume is reached through. */
export type MemoryVolume = {
  readonly key: string;
  readonly sizeBytes: number;
  /** Files as they are now; fails when nobody has the volume mounted. */
  readonly load: () => Promise<Files>;
  readonly save: (files: Files) => Promise<void>;
  /** Whether the instance that has it mounted is held. */
  readonly isHeld: () => Promise<boolean>;
  /** Is waited for at each moment of an act, such as `amid read volume db.1/data`. */
  readonly moment: (moment: string) => Promise<void>;
};

/** Opens the way to a pretended volume. Every change lies in the world before the next one begins. */
export function openMemoryVolume(volume: MemoryVolume): VolumeAccess {
  const at = (when: string, act: string): Promise<void> =>
    volume.moment(`${when} ${act} volume ${volume.key}`);
  return {
    async *list(): AsyncGenerator<ListedEntry> {
      await at('before', 'list');
      yield* (await volume.load()).list();
    },
    async *marks(key, ranges) {
      await at('before', 'mark');
      const files = await volume.load();
      for await (const range of ranges) yield blocksOf(files, key, range).map(({ mark }) => mark);
    },
    async *read(key, ranges) {
      await at('before', 'read');
      for await (const range of ranges) {
        await at('amid', 'read');
        yield blocksOf(await volume.load(), key, range);
      }
    },
    async apply(key, changes: AsyncIterable<VolumeChange>) {
      await at('before', 'apply');
      if (!(await volume.isHeld())) {
        throw new EngineError('VOLUME_BUSY', `the volume ${volume.key} is in use: its instance is not held`);
      }
      const files = await volume.load();
      for await (const change of changes) {
        if (change.kind === 'write' && markOf(key, change.block.bytes) !== change.block.mark)
          throw new EngineError(
            'VOLUME_UNUSABLE',
            `a block for the volume ${volume.key} came with other bytes`,
          );
        files.apply(change);
        if (files.bytes() > volume.sizeBytes)
          throw new EngineError('VOLUME_FULL', `the volume ${volume.key} is full`, {
            hint: 'Make it larger.',
          });
        await volume.save(files);
        await at('amid', 'apply');
      }
      await at('after', 'apply');
    },
    async close() {},
  };
}

function blocksOf(files: Files, key: string, { path, first, count }: BlockRange): readonly ReadBlock[] {
  return Array.from({ length: count }, (_, index) => files.block(path, first + index)).flatMap((bytes) =>
    bytes === undefined ? [] : [readBlock(key, bytes)],
  );
}

function readBlock(key: string, bytes: Buffer): ReadBlock {
  const mark = markOf(key, bytes);
  return { mark, bytes: mark === '' ? new Uint8Array() : bytes, size: bytes.length };
}

function markOf(key: string, bytes: Uint8Array): Mark {
  if (bytes.every((byte) => byte === 0)) return '';
  return createHmac('sha256', key).update(bytes).digest('hex').slice(0, 32);
}
