import { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestFn } from 'ava';
import { canonicalJson, digestOf } from '../../engine/digest.ts';
import type { DeploymentIdentity, Driver, ExecRequest } from '../../engine/drivers/driver.ts';
import type { GuestFile } from '../../engine/model/guest-file.ts';
import type { Observed, ObservedInstance } from '../../engine/model/observation.ts';
import type { Desired, ImageState, InstanceState, Step } from '../../engine/model/step.ts';

/** A driver under test, and what it needs to run one small instance. */
export type ContractSubject = {
  readonly driver: Driver;
  /** An image that has `sh`, `cat` and `echo`. */
  readonly image: ImageState;
  /** What the instance runs and gets. */
  readonly instance: Pick<InstanceState, 'services' | 'cpuMillicores' | 'memoryBytes'>;
  /** Name of a server of the pool. */
  readonly server: string;
  /** A /24 that nobody uses, without its last number, such as `10.99.7`. */
  readonly network: string;
  /** A free loopback port. */
  readonly port: number;
  /** Adds the files that the driver's supervisor needs to those of the test. */
  readonly files: (
    state: InstanceState,
    deployment: DeploymentIdentity,
    generation: number,
    files: readonly GuestFile[],
  ) => readonly GuestFile[];
  /** How long an instance may take until it runs. */
  readonly startTimeoutMs: number;
  /** Lets go of everything. */
  readonly close: () => Promise<void>;
};

const path = '/etc/contract.txt';
const stranger: DeploymentIdentity = {
  id: 'nobody000000',
  name: 'nobody',
  owner: 'default',
  blueprint: digestOf('nobody'),
};

/**
 * The contract of every driver, as tests that build on each other: one instance with a data volume and an endpoint comes
 * up, changes, and goes.
 */
export function contract(test: TestFn, open: () => Promise<ContractSubject>): void {
  const signal = new AbortController().signal;
  const deployment: DeploymentIdentity = {
    id: `c${Math.random().toString(36).slice(2).padEnd(11, '0').slice(0, 11)}`,
    name: 'contract',
    owner: 'default',
    blueprint: digestOf('contract'),
  };
  let subject: ContractSubject;

  const perform = async (step: Step, content = 'first', stop = signal): Promise<void> => {
    const isInstance = step.kind === 'instance' && step.action === 'ensure';
    const file: GuestFile = { path, content, mode: '0644' };
    const files = isInstance ? subject.files(step.desired, deployment, step.generation, [file]) : [];
    await subject.driver.perform(step, { deployment, files, signal: stop, report: () => undefined });
  };
  const observe = async (): Promise<readonly (Observed | ObservedInstance)[]> => {
    const { objects } = await subject.driver.observe(deployment, signal);
    return objects.toSorted((a, b) => (`${a.kind} ${a.key}` < `${b.kind} ${b.key}` ? -1 : 1));
  };
  const untilRunning = async (): Promise<ObservedInstance> => {
    const deadline = Date.now() + subject.startTimeoutMs;
    for (;;) {
      const seen = (await observe()).find((one) => one.kind === 'instance');
      if (seen?.condition === 'running') return seen;
      if (Date.now() > deadline) throw new Error(`${seen?.condition}: ${seen?.message}`);
      await pause(50);
    }
  };
  const run = async (command: readonly string[], parts: Partial<ExecRequest> = {}) => {
    const stdout = new Collected();
    const stderr = new Collected();
    const request = { instance: 'box.1', command, stdout, stderr, signal, timeoutMs: 30_000, ...parts };
    const exitCode = await subject.driver.exec(deployment, request);
    return { exitCode, stdout: stdout.text, stderr: stderr.text };
  };

  test.before(async () => {
    subject = await open();
  });
  test.after.always(async () => {
    if (!subject) return;
    for (const step of removals(objects(subject, 'first'))) await perform(step).catch(() => undefined);
    await subject.driver.leaveNote(deployment, null);
    await subject.close();
  });

  test.serial('the driver tells what its pool can do and lists its servers', async (t) => {
    const capabilities = await subject.driver.capabilities(signal);
    const servers = await subject.driver.servers(signal);

    t.true(capabilities.isolates, capabilities.isolationReason);
    t.true(servers.some((server) => server.name === subject.server && server.isOpen));
  });

  test.serial('nothing is found of a deployment that never was', async (t) => {
    t.deepEqual(await subject.driver.observe(stranger, signal), { objects: [] });
  });

  test.serial('steps bring an instance up, and everything carries its fingerprint', async (t) => {
    const wanted = objects(subject, 'first');

    for (const step of ensures(wanted, 1)) await perform(step);
    const instance = await untilRunning();
    const seen = await observe();

    t.is(instance.key, 'box.1');
    t.deepEqual(seen.map(marks), wanted.map((one) => marksOf(one, 1)).sort());
    t.true(seen.every((one) => one.kind === 'instance' || one.works));
  });

  test.serial('a step that is repeated changes nothing', async (t) => {
    const start = await run(['cat', '/proc/sys/kernel/random/boot_id']);

    for (const step of ensures(objects(subject, 'first'), 1)) await perform(step);
    const seen = await observe();
    await untilRunning();

    t.deepEqual(await run(['cat', '/proc/sys/kernel/random/boot_id']), start);

    t.deepEqual(
      seen.map(marks),
      objects(subject, 'first')
        .map((one) => marksOf(one, 1))
        .sort(),
    );
  });

  test.serial('a command in an instance gives its output and its exit code', async (t) => {
    t.deepEqual(await run(['cat', path]), { exitCode: 0, stdout: 'first', stderr: '' });
    t.like(await run(['sh', '-c', 'exit 7']), { exitCode: 7 });
    t.like(await run(['cat', '/no/such/file']), { exitCode: 1, stdout: '' });
    t.like(await run(['no-such-program']), { exitCode: 127 });
  });

  test.serial('a command in an instance that does not exist is refused', async (t) => {
    await t.throwsAsync(run(['echo'], { instance: 'box.2' }), { code: 'INSTANCE_MISSING' });
  });

  test.serial('an instance has a log', async (t) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of subject.driver.logs(deployment, 'box.1', { follow: false, signal }))
      chunks.push(chunk);

    t.true(Buffer.concat(chunks).length > 0);
  });

  test.serial('changed files reach an instance that runs', async (t) => {
    const changed = objects(subject, 'second').filter((one) => one.kind === 'instance');

    for (const step of ensures(changed, 2)) await perform({ ...step, change: 'update' }, 'second');
    await untilRunning();

    t.like(await run(['cat', path]), { exitCode: 0, stdout: 'second' });
    const instance = (await observe()).find((one) => one.kind === 'instance');
    t.deepEqual(
      instance && [marks(instance)],
      changed.map((one) => marksOf(one, 2)),
    );
  });

  test.serial('data are held still until they are resumed, or for as long as was asked for', async (t) => {
    await subject.driver.quiesce(deployment, 'box.1', 60_000, signal);
    const held = await subject.driver.resume(deployment, 'box.1', signal);
    const isHeldStill = await subject.driver.resume(deployment, 'box.1', signal);
    await subject.driver.quiesce(deployment, 'box.1', 1, signal);
    await pause(100);

    t.true(held);
    t.false(isHeldStill);
    t.false(await subject.driver.resume(deployment, 'box.1', signal));
    await t.throwsAsync(subject.driver.quiesce(deployment, 'box.2', 1000, signal), {
      code: 'INSTANCE_MISSING',
    });
  });

  test.serial('an address where somebody listens already is refused', async (t) => {
    const wanted = objects(subject, 'first').filter((one) => one.kind === 'endpoint');

    for (const step of ensures(wanted, 2)) {
      await t.throwsAsync(perform({ ...step, key: 'box.other' } as Step), { code: 'ADDRESS_TAKEN' });
      await perform({ ...removalOf(step), key: 'box.other' } as Step);
    }
  });

  test.serial('a step that is told to stop before it begins does nothing', async (t) => {
    const [step] = ensures(
      objects(subject, 'third').filter((one) => one.kind === 'instance'),
      3,
    );

    await t.throwsAsync(perform(step as Step, 'third', AbortSignal.abort()));

    t.like(await run(['cat', path]), { stdout: 'second' });
  });

  test.serial(
    'a deployment is found with what was left with it, and adopting it changes nothing',
    async (t) => {
      await subject.driver.leaveNote(deployment, 'first note');
      await subject.driver.leaveNote(deployment, 'second note');
      const before = await observe();

      const found = (await subject.driver.find(signal)).find(({ id }) => id === deployment.id);
      const losses = await subject.driver.adopt(deployment, signal);

      t.is(found?.note, 'second note');
      t.deepEqual(
        found?.objects.map(({ kind, key, isSettled }) => `${kind} ${key} ${isSettled}`).sort(),
        before.map(({ kind, key }) => `${kind} ${key} true`),
      );
      t.deepEqual(losses, []);
      t.deepEqual(await observe(), before);
    },
  );

  test.serial('a halt stops the instance and nothing else, and its step starts it again', async (t) => {
    const before = await observe();

    await subject.driver.halt(deployment, signal);
    const halted = await observe();
    await subject.driver.halt(deployment, signal);
    const wanted = objects(subject, 'second').filter((one) => one.kind === 'instance');
    for (const step of ensures(wanted, 3)) await perform({ ...step, change: 'replace' }, 'second');
    await untilRunning();

    t.deepEqual(
      halted.map((one) => (one.kind === 'instance' ? one.condition : `${one.kind} ${one.works}`)),
      before.map((one) => (one.kind === 'instance' ? 'stopped' : `${one.kind} ${one.works}`)),
    );
    t.deepEqual(await run(['cat', path]), { exitCode: 0, stdout: 'second', stderr: '' });
  });

  test.serial(
    'data are taken back to a snapshot once, though the volume grew since, and it goes without a trace',
    async (t) => {
      if (!(await subject.driver.capabilities(signal)).snapshots) {
        t.pass('this pool takes none');
        return;
      }
      const write = async (word: string): Promise<void> => {
        await run(['sh', '-c', 'cat > /data/word'], { stdin: Readable.from([word]) });
      };
      const sizeBytes = 96 * 2 ** 20;
      const wanted = objects(subject, 'second', sizeBytes);
      const [instance] = ensures(
        wanted.filter((one) => one.kind === 'instance'),
        5,
      );
      const [volume] = wanted.filter((one) => one.kind === 'volume');
      const [grown] = ensures([volume as Desired], 5);
      const state = { instance: 'box.1', server: subject.server, volumes: ['box.1/data'] };
      const [snapshot] = ensures([{ kind: 'snapshot', key: 'box.1@4', state }], 4);
      const [restore] = ensures(
        [{ ...volume, state: { ...volume?.state, restored: 'box.1@4' } } as Desired],
        5,
      );

      await write('before');
      await perform(snapshot as Step);
      await write('after');
      await perform(snapshot as Step);
      await perform(removalOf(instance as Step));
      await perform(grown as Step);
      await perform(restore as Step);
      await perform(instance as Step, 'second');
      await untilRunning();
      const restored = await run(['cat', '/data/word']);
      await write('later');
      await perform(restore as Step);
      const kept = (await observe()).filter((one) => one.kind === 'snapshot').map(marks);
      await perform(removalOf(snapshot as Step));

      t.like(restored, { exitCode: 0, stdout: 'before' });
      t.like(await run(['cat', '/data/word']), { exitCode: 0, stdout: 'later' });
      t.deepEqual(kept, [marksOf({ kind: 'snapshot', key: 'box.1@4', state }, 4)]);
      t.false((await observe()).some((one) => one.kind === 'snapshot'));
    },
  );

  test.serial('removal leaves nothing but the data, until its deletion is asked for', async (t) => {
    const steps = removals(objects(subject, 'second'));
    const [volume] = steps.filter((step) => step.kind === 'volume');

    for (const step of steps) if (step.kind !== 'volume') await perform(step);
    await perform({ ...volume, deletesData: false } as Step);
    const kept = await observe();
    for (const step of steps) await perform(step);
    await subject.driver.leaveNote(deployment, null);
    const found = await subject.driver.find(signal);

    t.false(found.some(({ id }) => id === deployment.id));
    t.deepEqual(
      kept.map((one) => `${one.kind} ${one.key}`),
      ['volume box.1/data'],
    );
    t.deepEqual(await observe(), []);
  });
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function marks({ kind, key, generation, fingerprint }: Observed | ObservedInstance): string {
  return `${kind} ${key} ${generation} ${fingerprint}`;
}

function marksOf({ kind, key, state }: Desired, generation: number): string {
  return `${kind} ${key} ${generation} ${digestOf(canonicalJson(state))}`;
}

/** Makes the steps that bring objects to be. */
export function ensures(wanted: readonly Desired[], generation: number): readonly Step[] {
  return wanted.map(({ kind, key, state }, index) => {
    const common = {
      id: String(index + 1),
      kind,
      key,
      generation,
      change: 'create',
      after: [],
      before: null,
    };
    return { ...common, action: 'ensure', desired: state } as unknown as Step;
  });
}

/** Makes the steps that take objects away, and their data. */
export function removals(wanted: readonly Desired[]): readonly Step[] {
  return ensures(wanted, 9).toReversed().map(removalOf);
}

function removalOf(step: Step): Step {
  const { id, kind, key, generation } = step;
  const common = { id, kind, key, generation, change: 'remove', after: [], before: step.desired };
  return { ...common, action: 'remove', desired: null, deletesData: kind === 'volume' } as unknown as Step;
}

/** Lists the objects of the contract's deployment, in an order in which they can be made. */
export function objects(
  subject: ContractSubject,
  title: string,
  sizeBytes = 64 * 2 ** 20,
): readonly Desired[] {
  const address = `${subject.network}.2`;
  const gateway = `${subject.network}.1`;
  const mac = '02:5e:af:00:00:02';
  const volume = { server: subject.server, kind: 'data', sizeBytes } as const;
  const state: InstanceState = {
    ...subject.instance,
    appliance: 'box',
    uses: { name: 'box', version: '1.0.0' },
    server: subject.server,
    image: 'box@1.0.0',
    kit: subject.image.kit,
    layers: subject.image.layers,
    hostname: 'box-1',
    address,
    prefix: 24,
    gateway,
    mac,
    volumes: [{ name: 'data', key: 'box.1/data', kind: 'data', mount: '/data', sizeBytes: volume.sizeBytes }],
    files: [],
    scope: {
      application: { name: 'contract', version: '1.0.0' },
      deployment: { name: 'contract' },
      instance: { name: 'box.1', number: 1, appliance: 'box', hostname: 'box-1', address },
      properties: { title },
      terminals: {},
      volumes: { data: { mount: '/data', sizeBytes: volume.sizeBytes } },
      endpoint: {},
    },
    waits: [],
    hooks: {},
  };
  return [
    { kind: 'network', key: 'network', state: { subnet: `${subject.network}.0/24`, gateway } },
    { kind: 'policy', key: 'wires', state: { rules: [], members: [{ instance: 'box.1', address, mac }] } },
    { kind: 'image', key: 'box@1.0.0', state: subject.image },
    { kind: 'volume', key: 'box.1/data', state: volume },
    { kind: 'instance', key: 'box.1', state },
    {
      kind: 'endpoint',
      key: 'box.web',
      state: {
        appliance: 'box',
        terminal: 'web',
        protocol: 'http',
        transport: 'tcp',
        listen: { address: '127.0.0.1', port: subject.port },
        targets: [{ name: 'box.1', address, port: 80 }],
      },
    },
  ];
}
