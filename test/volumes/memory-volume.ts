import { Files } from '../../engine/drivers/memory/files.ts';
import { openMemoryVolume } from '../../engine/drivers/memory/volume-access.ts';
import type { VolumeAccess, VolumeEntry } from '../../engine/model/volume.ts';

/** A volume of a pretended instance that is held. */
export type TestVolume = {
  readonly files: () => Files;
  /** Changes what lies in it as its services would. */
  readonly change: (act: (files: Files) => void) => void;
  readonly access: VolumeAccess;
  /** Paths with sizes, in order. */
  readonly paths: () => readonly string[];
};

/** Makes an empty volume. @param interfere - is called at each moment of an act; what it throws the act throws */
export function testVolume(interfere: (moment: string) => void = () => undefined): TestVolume {
  let text: string | undefined;
  const access = openMemoryVolume({
    key: 'db.1/data',
    sizeBytes: 2 ** 30,
    load: async () => new Files(text),
    save: async (files) => {
      text = files.text();
    },
    isHeld: async () => true,
    moment: async (moment) => interfere(moment),
  });
  return {
    files: () => new Files(text),
    access,
    change: (act) => {
      const files = new Files(text);
      act(files);
      text = files.text();
    },
    paths: () =>
      new Files(text).list().map(({ path, kind, size, linkTo }) => `${path} ${kind} ${size} ${linkTo ?? ''}`),
  };
}

/** Gives an entry with all that the test does not say. */
export function entryOf(entry: Pick<VolumeEntry, 'path' | 'kind'> & Partial<VolumeEntry>): VolumeEntry {
  return { mode: 0o644, uid: 0, gid: 0, mtime: '1', size: 0, ...entry };
}

/** Gives a list as a stream. */
export async function* streamOf<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
