import { canonicalJson, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import type { Observation } from '../../model/observation.ts';
import type { Capabilities, Resources, Server } from '../../model/pool.ts';
import type { Pruned } from '../../model/pruned.ts';
import { type InstanceState, isExit, type Step } from '../../model/step.ts';
import type { Recorded } from '../../model/store.ts';
import type { VolumeAccess } from '../../model/volume.ts';
import type { DeploymentIdentity, Driver, ExecRequest, FoundDeployment, StepContext } from '../driver.ts';
import { type Cells, memoryCells } from './cells.ts';
import { runCommandLine } from './exec.ts';
import { observationOf } from './observe.ts';
import { refusalToEnsure, refusalToRemove } from './rules.ts';
import { openMemoryVolume } from './volume-access.ts';
import { type Thing, World } from './world.ts';

/** What the memory driver is opened with. */
export type MemoryDriverOptions = {
  /** Where its world lies; in this process alone when absent. */
  readonly cells?: Cells;
  readonly servers?: readonly Server[];
  readonly capabilities?: Partial<Capabilities>;
  /**
   * Is waited for at each moment of an act, such as `before ensure instance web.1`, `amid …` and `after …`. What it throws the
   * driver throws, so it can fail, be slow, lose an answer, or never return.
   */
  /** Tells of instances that run whether they are well; all are when absent. */
  readonly isWell?: (state: InstanceState) => boolean;
  readonly interfere?: (moment: string, signal: AbortSignal) => Promise<void>;
};

/** One large server. */
const memoryServer: Server = {
  name: 'memory',
  capacity: { cpuMillicores: 64_000, memoryBytes: 2 ** 40, diskBytes: 2 ** 44 },
  used: { cpuMillicores: 0, memoryBytes: 0, diskBytes: 0 },
  labels: {},
  isOpen: true,
};

const overhead: Resources = { cpuMillicores: 0, memoryBytes: 2 ** 24, diskBytes: 0 };

/**
 * Opens a driver whose provider is pretended: it passes the drivers' contract and refuses what a real one refuses,
 * in no time. For trying the engine out, and for tests that fail it at any moment.
 */
export function openMemoryDriver(options: MemoryDriverOptions = {}): Driver {
  return new MemoryDriver(options);
}

class MemoryDriver implements Driver {
  readonly name = 'memory';
  readonly #options: MemoryDriverOptions;
  readonly #world: World;

  constructor(options: MemoryDriverOptions) {
    this.#options = options;
    this.#world = new World(options.cells ?? memoryCells());
  }

  async capabilities(): Promise<Capabilities> {
    return {
      runs: 'vm',
      isolates: true,
      accelerator: { name: 'none', reason: 'nothing is run' },
      limits: { cpu: true, memory: true },
      snapshots: true,
      overhead,
      ...this.#options.capabilities,
    };
  }

  async servers(): Promise<readonly Server[]> {
    return this.#options.servers ?? [memoryServer];
  }

  async observe(deployment: DeploymentIdentity, signal: AbortSignal): Promise<Observation> {
    await this.#moment('before observe', signal);
    return observationOf(await this.#world.things(deployment.id), this.#options.isWell);
  }

  async perform(step: Step, context: StepContext): Promise<void> {
    const act = `${step.action} ${step.kind} ${step.key}`;
    const { signal } = context;
    await this.#moment(`before ${act}`, signal);
    const everything = await this.#world.things();
    const { id } = context.deployment;
    const things = everything.filter((thing) => thing.deployment === id);
    if (step.action === 'remove') {
      const refusal = refusalToRemove(step, things);
      if (refusal) throw refusal;
      if (step.kind !== 'volume' || step.deletesData) {
        await this.#world.take({ deployment: id, kind: step.kind, key: step.key });
      }
    } else {
      const others = everything.filter((thing) => thing.deployment !== id);
      const refusal = refusalToEnsure(step, things, others);
      if (refusal) throw refusal;
      const known = things.find((thing) => thing.kind === step.kind && thing.key === step.key);
      const made = thingOf(step, context, known);
      await this.#world.put({ ...made, fingerprint: null });
      await this.#moment(`amid ${act}`, signal);
      // it is of the moment when it was taken, whoever asks again
      if (made.kind === 'snapshot' && known?.fingerprint !== made.fingerprint)
        await this.#world.keepFiles(id, step.key, made.state.volumes);
      if (made.kind === 'volume' && isToRestore(made, known))
        await this.#world.restoreFiles(id, made.state.restored ?? '', step.key);
      if (made.kind === 'instance') await this.#migrate(id, made.state);
      await this.#world.put(made);
    }
    await this.#moment(`after ${act}`, signal);
  }

  async halt(deployment: DeploymentIdentity, signal: AbortSignal): Promise<void> {
    await this.#moment('before halt', signal);
    for (const thing of await this.#world.things(deployment.id))
      if (thing.kind === 'instance') await this.#world.put({ ...thing, isOn: false });
  }

  async quiesce(
    deployment: DeploymentIdentity,
    name: string,
    holdMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#moment(`before quiesce ${name}`, signal);
    const instance = await this.#instance(deployment, name);
    await this.#world.put({ ...instance, heldUntil: Date.now() + holdMs });
  }

  async resume(deployment: DeploymentIdentity, name: string, signal: AbortSignal): Promise<boolean> {
    await this.#moment(`before resume ${name}`, signal);
    const { heldUntil, ...instance } = await this.#instance(deployment, name);
    await this.#world.put(instance);
    return heldUntil !== undefined && heldUntil > Date.now();
  }

  async leaveNote(deployment: DeploymentIdentity, text: string | null): Promise<void> {
    await this.#world.leaveNote(deployment.id, text);
  }

  async find(signal: AbortSignal): Promise<readonly FoundDeployment[]> {
    await this.#moment('before find', signal);
    const notes = await this.#world.notes();
    const things = Map.groupBy(await this.#world.things(), (thing) => thing.deployment);
    return [...new Set([...notes.keys(), ...things.keys()])].toSorted().map((id) => ({
      id,
      note: notes.get(id),
      objects: (things.get(id) ?? []).map(
        // a thing's state is of the thing's kind
        ({ kind, key, state, generation, fingerprint }) =>
          ({ kind, key, state, generation, isSettled: fingerprint !== null }) as Recorded,
      ),
    }));
  }

  async adopt(): Promise<readonly string[]> {
    return [];
  }

  async exec(deployment: DeploymentIdentity, request: ExecRequest): Promise<number> {
    const instance = await this.#instance(deployment, request.instance);
    return await runCommandLine(instance, request, {
      read: async (volume) => await this.#world.files(deployment.id, volume),
      write: async (volume, files) => await this.#world.putFiles(deployment.id, volume, files),
    });
  }

  async openVolume(deployment: DeploymentIdentity, key: string, signal: AbortSignal): Promise<VolumeAccess> {
    const mounted = async () => {
      const name = key.slice(0, key.lastIndexOf('/'));
      const instance = await this.#instance(deployment, name);
      const volume = instance.state.volumes.find((one) => one.key === key);
      if (volume) return { isHeld: instance.state.isHeld === true, sizeBytes: volume.sizeBytes };
      throw new EngineError('VOLUME_UNUSABLE', `${name} has no volume ${key}`);
    };
    const { sizeBytes } = await mounted();
    return openMemoryVolume({
      key,
      sizeBytes,
      load: async () => {
        await mounted();
        return await this.#world.files(deployment.id, key);
      },
      save: async (files) => await this.#world.putFiles(deployment.id, key, files),
      isHeld: async () => (await mounted()).isHeld,
      moment: async (moment) => await this.#moment(moment, signal),
    });
  }

  async prune(): Promise<Pruned> {
    return { count: 0, bytes: 0 };
  }

  async close(): Promise<void> {}

  async *logs(
    deployment: DeploymentIdentity,
    instance: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array> {
    const things = await this.#world.things(deployment.id);
    if (things.some((one) => one.kind === 'endpoint' && isExit(one.state) && one.key === instance)) return;
    const { key, generation } = await this.#instance(deployment, instance);
    yield new TextEncoder().encode(`${key} started, generation ${generation}\n`);
    if (options.follow && !options.signal.aborted) {
      await new Promise<void>((resolve) =>
        options.signal.addEventListener('abort', () => resolve(), { once: true }),
      );
    }
  }

  /** Leaves the mark of a version that an instance's hook has brought its data to, as the kit does. */
  async #migrate(deployment: string, { hooks, uses, volumes }: InstanceState): Promise<void> {
    const [volume] = volumes.filter(({ kind }) => kind === 'data');
    if (hooks.migrate === undefined || volume === undefined) return;
    const files = await this.#world.files(deployment, volume.key);
    files.write('.sheaf/migrate', Buffer.from(`${uses.version}\n`));
    await this.#world.putFiles(deployment, volume.key, files);
  }

  async #instance(
    deployment: DeploymentIdentity,
    name: string,
  ): Promise<Extract<Thing, { kind: 'instance' }>> {
    for (const thing of await this.#world.things(deployment.id)) {
      if (thing.kind === 'instance' && thing.key === name && thing.isOn) return thing;
    }
    throw new EngineError('INSTANCE_MISSING', `${name} does not run`, {
      hint: `See what runs with: sheaf status ${deployment.name}`,
    });
  }

  async #moment(moment: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new EngineError('OPERATION_INTERRUPTED', `stopped ${moment}`);
    await this.#options.interfere?.(moment, signal);
  }
}

// once only: what was written since then stays
function isToRestore({ state }: Extract<Thing, { kind: 'volume' }>, known: Thing | undefined): boolean {
  if (state.restored === undefined || known?.kind !== 'volume') return false;
  return known.fingerprint === null || known.state.restored !== state.restored;
}

function thingOf(
  step: Extract<Step, { action: 'ensure' }>,
  context: StepContext,
  known: Thing | undefined,
): Thing {
  const { kind, key, generation, desired } = step;
  // a step's kind is that of its state
  return {
    deployment: context.deployment.id,
    kind,
    key,
    generation,
    fingerprint: digestOf(canonicalJson(desired)),
    state: desired,
    isOn: kind === 'instance',
    files: context.files,
    born: known?.born ?? generation,
  } as Thing;
}
