import pLimit from 'p-limit';
import { digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import type { Blobs, Descriptor } from '../../model/blob.ts';
import type { Observation } from '../../model/observation.ts';
import type { Capabilities, Server } from '../../model/pool.ts';
import type { Pruned } from '../../model/pruned.ts';
import { isExit, type Step } from '../../model/step.ts';
import type { Recorded } from '../../model/store.ts';
import type { VolumeAccess } from '../../model/volume.ts';
import type { DeploymentIdentity, Driver, ExecRequest, FoundDeployment, StepContext } from '../driver.ts';
import { executeOver } from '../guest-exec.ts';
import { quiesceGuest, resumeGuest } from '../guest-hold.ts';
import type { DriverContext } from './context.ts';
import { type EngineAddress, EngineApi } from './engine-api.ts';
import { stopInstance } from './instance.ts';
import { doorName, labelNames, objectName } from './labels.ts';
import { observeDeployment } from './observe.ts';
import { performStep } from './perform.ts';
import { probeIsolation } from './probe.ts';
import { leaveNote, readRecords, recordOf, recordsOf } from './records.ts';
import { engineServer, overhead } from './servers.ts';
import { supervisorOf } from './supervisor-of.ts';
import { openVolumeProgram } from './volume-access.ts';

/** What the docker driver is opened with. */
export type DockerDriverOptions = {
  readonly pool: string;
  /** Folder of the state: whose objects are whose, where several use one Engine. */
  readonly home: string;
  readonly address: EngineAddress;
  readonly blobs: Blobs;
  /** This installation's own attendant, stored. */
  readonly attendant: (signal: AbortSignal) => Promise<Descriptor>;
};

const haltsAtOnce = 16;

/** Opens the driver that runs instances as containers of a Docker Engine, by its API alone. */
export function openDockerDriver(options: DockerDriverOptions): Driver {
  const { pool, blobs, attendant } = options;
  return new DockerDriver({
    pool,
    home: digestOf(options.home).slice('sha256:'.length, 'sha256:'.length + 16),
    api: new EngineApi(options.address),
    blobs,
    attendant,
    loading: pLimit(1),
    keeping: pLimit(1),
    choosing: pLimit(1),
  });
}

class DockerDriver implements Driver {
  readonly name = 'docker';
  readonly #context: DriverContext;
  #refusal: Promise<string | undefined> | undefined;

  constructor(context: DriverContext) {
    this.#context = context;
  }

  async capabilities(signal: AbortSignal): Promise<Capabilities> {
    const facts = await this.#context.api.facts(signal);
    this.#refusal ??= probeIsolation(this.#context, signal);
    this.#refusal.catch(() => {
      this.#refusal = undefined; // an interrupted trial found nothing
    });
    const refusal = await this.#refusal;
    const { limitsCpu: cpu, limitsMemory: memory } = facts;
    return {
      runs: 'container',
      isolates: refusal === undefined,
      ...(refusal !== undefined && { isolationReason: refusal }),
      isElsewhere: true,
      accelerator: { name: 'none', reason: 'containers run on the kernel of their server' },
      snapshots: false,
      limits: {
        cpu,
        memory,
        ...(!(cpu && memory) && { reason: 'the kernel of the Docker Engine has no control group for it' }),
      },
      overhead,
    };
  }

  async servers(signal: AbortSignal): Promise<readonly Server[]> {
    return [await engineServer(this.#context, signal)];
  }

  async observe(deployment: DeploymentIdentity, signal: AbortSignal): Promise<Observation> {
    return await observeDeployment(this.#context, deployment.id, signal);
  }

  async perform(step: Step, context: StepContext): Promise<void> {
    await performStep(this.#context, step, context);
  }

  async halt(deployment: DeploymentIdentity): Promise<void> {
    const limit = pLimit(haltsAtOnce);
    const instances = recordsOf(await readRecords(this.#context, deployment.id), 'instance');
    await Promise.all(
      instances.map(({ key, state }) => limit(() => stopInstance(this.#context, deployment.id, key, state))),
    );
  }

  async quiesce(
    deployment: DeploymentIdentity,
    instance: string,
    holdMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#requireInstance(deployment, instance);
    await quiesceGuest(supervisorOf(this.#context, deployment.id, instance), holdMs, signal);
  }

  async resume(deployment: DeploymentIdentity, instance: string, signal: AbortSignal): Promise<boolean> {
    await this.#requireInstance(deployment, instance);
    return await resumeGuest(supervisorOf(this.#context, deployment.id, instance), signal);
  }

  async leaveNote(deployment: DeploymentIdentity, text: string | null): Promise<void> {
    await leaveNote(this.#context, deployment, text);
  }

  async find(signal: AbortSignal): Promise<readonly FoundDeployment[]> {
    const { api, home } = this.#context;
    const containers = await api.containers(
      [`${labelNames.home}=${home}`, `${labelNames.role}=records`],
      signal,
    );
    const ids = [...new Set(containers.map(({ labels }) => labels[labelNames.deployment] ?? ''))].sort();
    return await Promise.all(
      ids.map(async (id) => {
        const { note, objects } = await readRecords(this.#context, id);
        return {
          id,
          note,
          objects: objects.map(
            ({ kind, key, state, generation, fingerprint }) =>
              // a record's state is of the record's kind
              ({ kind, key, state, generation, isSettled: fingerprint !== null }) as Recorded,
          ),
        };
      }),
    );
  }

  async adopt(): Promise<readonly string[]> {
    return []; // all that is known lies at the Engine
  }

  async exec(deployment: DeploymentIdentity, request: ExecRequest): Promise<number> {
    await this.#requireInstance(deployment, request.instance);
    return await executeOver(supervisorOf(this.#context, deployment.id, request.instance), request);
  }

  async openVolume(deployment: DeploymentIdentity, key: string, signal: AbortSignal): Promise<VolumeAccess> {
    await this.#requireInstance(deployment, key.slice(0, key.lastIndexOf('/')));
    return await openVolumeProgram(this.#context, deployment, key, signal);
  }

  async *logs(
    deployment: DeploymentIdentity,
    instance: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const exit = recordOf(await readRecords(this.#context, deployment.id), 'endpoint', instance);
    if (exit && isExit(exit.state)) {
      yield* this.#context.api.logs(doorName(deployment.id, instance), options);
      return;
    }
    await this.#requireInstance(deployment, instance);
    yield* this.#context.api.logs(objectName(deployment.id, instance), options);
  }

  async prune(): Promise<Pruned> {
    return { count: 0, bytes: 0 }; // an Engine does not tell when an image was used last, and homes share images
  }

  async close(): Promise<void> {
    this.#context.api.close();
  }

  async #requireInstance(deployment: DeploymentIdentity, instance: string): Promise<void> {
    const container = await this.#context.api.container(objectName(deployment.id, instance));
    if (container?.labels[labelNames.role] === 'appliance') return;
    throw new EngineError('INSTANCE_MISSING', `${deployment.name} has no instance ${instance}`, {
      hint: `See \`sheaf status ${deployment.name}\`.`,
    });
  }
}
