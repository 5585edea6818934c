import { EngineError } from '../errors.ts';
import { type PassMemory, syncVolume } from '../volumes/sync-volume.ts';
import type { CopyVolume } from './context.ts';

/** What a copier takes. */
export type CopierParts = {
  /** Makes 64 random hex digits, which no guest can know before. */
  readonly newKey: () => string;
  /** Gives the folder of this process for lists. */
  readonly scratch: () => Promise<string>;
};

/**
 * Makes a copier of volumes that remembers what it has seen, so that a later pass looks only at what was touched since.
 *
 * The `whole` pass looks at everything again, on both sides, while there is time for it. The `last` one is followed by
 * another look at all that it had to look at, which must find nothing.
 *
 * @throws EngineError VOLUME_UNUSABLE when both sides are not the same though nobody works; of `syncVolume`
 */
export function volumeCopier({ newKey, scratch }: CopierParts): CopyVolume {
  const memories = new Map<string, { readonly key: string; readonly seen?: PassMemory }>();
  return async ({ key: volume, from, to, signal, progress }, kind) => {
    const place = `${from.deployment.id} ${to.deployment.id} ${volume}`;
    const { key, seen } = memories.get(place) ?? { key: newKey() };
    memories.delete(place);
    const told = ({ phase, bytes }: { readonly phase: string; readonly bytes: number }): void => {
      if (phase === 'carrying') progress(bytes);
    };
    const source = await from.driver.openVolume(from.deployment, volume, signal);
    try {
      const target = await to.driver.openVolume(to.deployment, volume, signal);
      try {
        const parts = { source, target, key, scratch: await scratch(), progress: told };
        const previous = kind === 'whole' ? {} : seen && { previous: seen };
        const { memory, carriedBytes } = await syncVolume({ ...parts, ...previous });
        if (kind === 'last') {
          await memory.list.remove();
          const again = await syncVolume({ ...parts, ...previous });
          await again.memory.list.remove();
          if (again.carriedBytes > 0) throw differing(volume);
        } else memories.set(place, { key, seen: memory });
        return { bytesCarried: carriedBytes };
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
      await seen?.list.remove();
    }
  };
}

function differing(volume: string): EngineError {
  return new EngineError(
    'VOLUME_UNUSABLE',
    `${volume} is not the same on both sides, though nobody works on it`,
    {
      hint: 'Run the same command again. If it stays so, something writes to the volume that does not belong there.',
      details: { volume },
    },
  );
}
