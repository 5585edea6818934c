import { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestFn } from 'ava';
import { digestOf } from '../../engine/digest.ts';
import type { DeploymentIdentity } from '../../engine/drivers/driver.ts';
import type { InstanceState, Step } from '../../engine/model/step.ts';
import {
  type BlockRange,
  blockBytes,
  type ListedEntry,
  type ReadBlock,
  type VolumeAccess,
  type VolumeChange,
  type VolumeEntry,
} from '../../engine/model/volume.ts';
import { type ContractSubject, ensures, objects, removals } from './driver.ts';

/**
 * The contract of every driver's way to data volumes, as tests that build on each other: an instance is held, its volume
 * written, listed and read, and let go.
 */
export function volumeContract(test: TestFn, open: () => Promise<ContractSubject>): void {
  const signal = new AbortController().signal;
  const deployment: DeploymentIdentity = {
    id: `v${Math.random().toString(36).slice(2).padEnd(11, '0').slice(0, 11)}`,
    name: 'volumes',
    owner: 'default',
    blueprint: digestOf('volumes'),
  };
  const key = 'ab'.repeat(32);
  let subject: ContractSubject;

  const perform = async (step: Step): Promise<void> => {
    const isInstance = step.kind === 'instance' && step.action === 'ensure';
    const files = isInstance ? subject.files(step.desired, deployment, step.generation, []) : [];
    await subject.driver.perform(step, { deployment, files, signal, report: () => undefined });
  };
  const until = async (condition: string): Promise<void> => {
    const deadline = Date.now() + subject.startTimeoutMs;
    for (;;) {
      const { objects: seen } = await subject.driver.observe(deployment, signal);
      const instance = seen.find((one) => one.kind === 'instance');
      if (instance?.kind === 'instance' && instance.condition === condition) return;
      if (Date.now() > deadline) throw new Error(`never ${condition}: ${JSON.stringify(instance)}`);
      await pause(50);
    }
  };
  const bring = async (isHeld: boolean, generation: number): Promise<void> => {
    for (const one of objects(subject, 'volumes')) {
      if (one.kind !== 'instance') continue;
      const state: InstanceState = isHeld ? { ...one.state, isHeld: true } : one.state;
      for (const step of ensures([{ ...one, state }], generation))
        await perform({ ...step, change: 'update' });
    }
    await until(isHeld ? 'held' : 'running');
  };
  const withVolume = async <T>(use: (volume: VolumeAccess) => Promise<T>): Promise<T> => {
    const volume = await subject.driver.openVolume(deployment, 'box.1/data', signal);
    try {
      return await use(volume);
    } finally {
      await volume.close();
    }
  };
  const list = async (): Promise<readonly ListedEntry[]> =>
    await withVolume(async (volume) => {
      const entries: ListedEntry[] = [];
      for await (const entry of volume.list()) entries.push(entry);
      return entries.filter(({ path }) => path !== '.sheaf' && !path.startsWith('.sheaf/'));
    });
  const read = async (...ranges: readonly BlockRange[]): Promise<readonly (readonly ReadBlock[])[]> =>
    await withVolume(async (volume) => {
      const runs: (readonly ReadBlock[])[] = [];
      for await (const run of volume.read(key, streamOf(ranges))) runs.push(run);
      return runs;
    });

  test.before(async () => {
    subject = await open();
    for (const step of ensures(objects(subject, 'volumes'), 1)) await perform(step);
    await until('running');
  });
  test.after.always(async () => {
    if (!subject) return;
    for (const step of removals(objects(subject, 'volumes'))) await perform(step).catch(() => undefined);
    await subject.driver.leaveNote(deployment, null);
    await subject.close();
  });

  test.serial('a volume that nobody has is refused', async (t) => {
    await t.throwsAsync(subject.driver.openVolume(deployment, 'box.2/data', signal), {
      code: 'INSTANCE_MISSING',
    });
    await t.throwsAsync(subject.driver.openVolume(deployment, 'box.1/other', signal), {
      code: 'VOLUME_UNUSABLE',
    });
  });

  test.serial('a volume of an instance that is not held is read and not written', async (t) => {
    const [top, ...others] = await list();

    t.like(top, { path: '', kind: 'folder' });
    t.deepEqual(others, []);
    await t.throwsAsync(
      withVolume(async (volume) => await volume.apply(key, streamOf([{ kind: 'remove', path: 'x' }]))),
      { code: 'VOLUME_BUSY' },
    );
  });

  test.serial('an instance that is held is told so, without a restart', async (t) => {
    await bring(true, 2);
    await bring(true, 2);

    t.pass();
  });

  const folder: VolumeEntry = { ...plain, path: 'd', kind: 'folder', mode: 0o2750, gid: 7 };
  const odd = `d/${Buffer.from('a\nb \u{1f40c}').toString('latin1')}\xff`;
  const file: VolumeEntry = {
    ...plain,
    path: odd,
    kind: 'file',
    mode: 0o4711,
    uid: 33,
    size: 3 * blockBytes + 5,
    mtime: '1700000000123456789',
    attributes: { 'user.note': Buffer.from('kept').toString('base64') },
  };
  const made: readonly VolumeEntry[] = [
    { ...plain, path: '', kind: 'folder', mode: 0o755 },
    folder,
    file,
    { ...file, path: 'd/second', linkTo: odd },
    { ...plain, path: 'd-', kind: 'symlink', mode: 0o777, target: '/etc/\xfe nowhere' },
    { ...plain, path: 'pipe', kind: 'fifo', mode: 0o600 },
  ];

  test.serial('what is written is there, whatever its name, kind and owner', async (t) => {
    const [one, other] = [Buffer.alloc(blockBytes, 'x'), Buffer.from('hello')];
    const marks = await marksOf(one, other);

    await withVolume(async (volume) => {
      await volume.apply(
        key,
        streamOf<VolumeChange>([
          { kind: 'make', entry: folder },
          { kind: 'open', path: odd, size: file.size },
          { kind: 'write', index: 0, block: { mark: marks[0] ?? '', bytes: one, size: one.length } },
          { kind: 'clear', index: 1, count: 2 },
          { kind: 'write', index: 3, block: { mark: marks[1] ?? '', bytes: other, size: other.length } },
          { kind: 'settle', entry: file },
          ...made.slice(3).map((entry): VolumeChange => ({ kind: 'make', entry })),
          ...made.slice(4).map((entry): VolumeChange => ({ kind: 'settle', entry })),
          { kind: 'settle', entry: folder },
          ...made.slice(0, 1).map((entry): VolumeChange => ({ kind: 'settle', entry })),
        ]),
      );
    });

    t.deepEqual((await list()).map(withoutMoment), made);
  });

  test.serial('blocks are read and marked, and one of zeros is told apart', async (t) => {
    const ranges = [
      { path: odd, first: 0, count: 9 },
      { path: 'd/second', first: 3, count: 1 },
      { path: 'gone', first: 0, count: 2 },
    ];

    const runs = await read(...ranges);
    const marks = await withVolume(async (volume) => {
      const found: (readonly string[])[] = [];
      for await (const run of volume.marks(key, streamOf(ranges))) found.push(run);
      return found;
    });

    t.deepEqual(
      runs.map((run) => run.map(({ size, mark, bytes }) => [size, mark === '', bytes.length])),
      [
        [
          [blockBytes, false, blockBytes],
          [blockBytes, true, 0],
          [blockBytes, true, 0],
          [5, false, 5],
        ],
        [[5, false, 5]],
        [],
      ],
    );
    t.is(Buffer.from(runs[1]?.[0]?.bytes ?? []).toString(), 'hello');
    t.deepEqual(
      marks,
      runs.map((run) => run.map(({ mark }) => mark)),
    );
  });

  test.serial('a block that is not what its mark says is not written', async (t) => {
    const wrong: ReadBlock = { mark: '0'.repeat(32), bytes: Buffer.from('wrong'), size: 5 };

    await t.throwsAsync(
      withVolume(
        async (volume) =>
          await volume.apply(
            key,
            streamOf<VolumeChange>([
              { kind: 'open', path: 'w', size: 5 },
              { kind: 'write', index: 0, block: wrong },
            ]),
          ),
      ),
      { code: 'VOLUME_UNUSABLE' },
    );
  });

  test.serial('more than fits is refused', async (t) => {
    const full = withVolume(
      async (volume) =>
        await volume.apply(key, streamOf<VolumeChange>([{ kind: 'open', path: 'w', size: 2 ** 45 }])),
    );

    await t.throwsAsync(full, { code: 'VOLUME_FULL' });
  });

  test.serial('what is removed is gone, with all in it', async (t) => {
    await withVolume(async (volume) => {
      await volume.apply(
        key,
        streamOf<VolumeChange>(['d', 'd-', 'pipe', 'w', 'never'].map((path) => ({ kind: 'remove', path }))),
      );
    });

    t.deepEqual(
      (await list()).map(({ path }) => path),
      [''],
    );
  });

  test.serial('an instance that is let go runs on', async (t) => {
    await bring(false, 3);

    t.pass();
  });

  /** Finds the marks of blocks by writing them, which only the driver can tell. */
  async function marksOf(...blocks: readonly Buffer[]): Promise<readonly string[]> {
    const marks: string[] = [];
    for (const block of blocks) {
      const request = {
        instance: 'box.1',
        command: ['sh', '-c', 'cat > /data/probe'],
        stdin: Readable.from([block]),
        stdout: new Ignored(),
        stderr: new Ignored(),
        signal,
        timeoutMs: 30_000,
      };
      await subject.driver.exec(deployment, request);
      const [run] = await read({ path: 'probe', first: 0, count: 1 });
      marks.push(run?.[0]?.mark ?? '');
    }
    await withVolume(async (volume) => {
      await volume.apply(key, streamOf<VolumeChange>([{ kind: 'remove', path: 'probe' }]));
    });
    return marks;
  }
}

class Ignored extends Writable {
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

const plain = { uid: 0, gid: 0, mtime: '1600000000000000000', size: 0 } as const;

function withoutMoment({ ctime: _ctime, inode: _inode, ...entry }: ListedEntry): VolumeEntry {
  return entry;
}

async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
