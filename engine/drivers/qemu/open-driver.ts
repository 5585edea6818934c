import { dirname, join } from 'node:path';
import pLimit from 'p-limit';
import type { Digest } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import type { Blobs, Descriptor } from '../../model/blob.ts';
import type { Observation } from '../../model/observation.ts';
import type { Capabilities, Server } from '../../model/pool.ts';
import type { Pruned, PruneLimits } from '../../model/pruned.ts';
import { isExit, type Step } from '../../model/step.ts';
import type { VolumeAccess } from '../../model/volume.ts';
import { requireOwnPath } from '../../own-path.ts';
import { closeProcessFolder, openProcessFolder } from '../../process-folder.ts';
import { currentUser } from '../../user-namespace.ts';
import { makeFolder, removeEmptyFolders } from '../../whole-file.ts';
import type { DeploymentIdentity, Driver, ExecRequest, FoundDeployment, StepContext } from '../driver.ts';
import { quiesceGuest, resumeGuest } from '../guest-hold.ts';
import type { Connect } from '../line-socket.ts';
import { type Accelerator, findAccelerator } from './accelerator.ts';
import { consoleOf } from './console.ts';
import type { DriverContext } from './context.ts';
import { openControlGroups } from './control-groups.ts';
import { isServed } from './endpoint.ts';
import { execute } from './exec.ts';
import { findMachines } from './find-machines.ts';
import { findDeployments, leaveNote, restoreRecords } from './found.ts';
import { haltInstances } from './halt.ts';
import { type IsolationRefusal, isolationRefusal } from './isolation.ts';
import { type Layout, layoutOf, runtimeFiles } from './layout.ts';
import { readConsole } from './logs.ts';
import { overheadOf } from './machine.ts';
import { observeDeployment } from './observe.ts';
import { performStep } from './perform.ts';
import { pruneDisks } from './prune.ts';
import { type ObjectRecord, readRecord } from './record.ts';
import { rescueVolumes } from './rescue.ts';
import { findRights, type Rights } from './rights.ts';
import { localServer } from './servers.ts';
import { unixSocket } from './unix-socket.ts';
import { uplinkLogFile } from './uplink.ts';
import { openVolumePort } from './volume-access.ts';

/** What the qemu driver is opened with. */
export type QemuDriverOptions = {
  /** Name of the pool, and of its one server, this machine. */
  readonly pool: string;
  /** The driver's own folder for disks, volumes, logs and records; made (0700) when absent. */
  readonly home: string;
  /** Folder for sockets and seeds, in memory and of a short path, such as `/run/sheaf`; made (0700) when absent. */
  readonly runtime: string;
  readonly blobs: Blobs;
  /** The kit with which KVM is tried before any instance names one; undefined while none is built. */
  readonly kit: () => Promise<Digest | undefined>;
  /** This installation's own attendant, stored; it runs with all our rights. */
  readonly attendant: (signal: AbortSignal) => Promise<Descriptor>;
};

/** Opens the driver that runs instances as virtual machines on this machine, without any daemon. */
export async function openQemuDriver(options: QemuDriverOptions): Promise<Driver> {
  const layout = layoutOf(options.home, options.runtime);
  await makeFolder(layout.home);
  await makeFolder(layout.runtime);
  const user = currentUser();
  await requireOwnPath(layout.runtime, user.id);
  const { pool, blobs, kit, attendant } = options;
  const drafts = await openProcessFolder(draftsFolder(layout));
  const rights = await findRights(user);
  const findings = new Map<Digest | undefined, Promise<Accelerator>>();
  const accelerator: DriverContext['accelerator'] = async (kitDigest, signal) => {
    const known = findings.get(kitDigest);
    if (known !== undefined) return await known;
    const finding = findAccelerator({ layout, blobs, drafts, attendant }, kitDigest, signal);
    findings.set(kitDigest, finding);
    finding.catch(() => findings.delete(kitDigest)); // an interrupted trial found nothing
    return await finding;
  };
  // two layers at once keep two processors busy; more would only take memory
  const context: DriverContext = {
    pool,
    layout,
    namespaces: rights.namespaces,
    groups: openControlGroups(),
    drafts,
    blobs,
    kit,
    attendant,
    heavy: pLimit(2),
    disksInMaking: new Map(),
    rules: pLimit(1),
    accelerator,
  };
  return new QemuDriver(context, rights);
}

function draftsFolder({ home }: Layout): string {
  return join(home, 'drafts');
}

class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly #context: DriverContext;
  readonly #rights: Rights;
  #refusal: Promise<IsolationRefusal | undefined> | undefined;

  constructor(context: DriverContext, rights: Rights) {
    this.#context = context;
    this.#rights = rights;
  }

  async capabilities(signal: AbortSignal): Promise<Capabilities> {
    this.#refusal ??= isolationRefusal(this.#rights.unprivileged, signal);
    this.#refusal.catch(() => {
      this.#refusal = undefined; // a missing tool may be installed meanwhile
    });
    const refusal = await this.#refusal;
    const accelerator = await this.#context.accelerator(await this.#context.kit(), signal);
    return {
      runs: 'vm',
      isolates: refusal === undefined,
      ...(refusal && { isolationReason: refusal.reason }),
      ...(refusal?.remedy !== undefined && { isolationRemedy: refusal.remedy }),
      confinement: this.#rights.confinement,
      accelerator,
      snapshots: true,
      limits: await this.#context.groups.limits(),
      overhead: overheadOf(accelerator.name),
    };
  }

  async servers(signal: AbortSignal): Promise<readonly Server[]> {
    return [await localServer(this.#context, signal)];
  }

  async observe(deployment: DeploymentIdentity, signal: AbortSignal): Promise<Observation> {
    return await observeDeployment(this.#context, deployment.id, signal);
  }

  async perform(step: Step, context: StepContext): Promise<void> {
    await performStep(this.#context, step, context);
  }

  async halt(deployment: DeploymentIdentity, signal: AbortSignal): Promise<void> {
    await haltInstances(this.#context, deployment.id, signal);
  }

  async quiesce(
    deployment: DeploymentIdentity,
    instance: string,
    holdMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#requireInstance(deployment, instance);
    await quiesceGuest(this.#controlOf(deployment, instance), holdMs, signal);
  }

  async resume(deployment: DeploymentIdentity, instance: string, signal: AbortSignal): Promise<boolean> {
    await this.#requireInstance(deployment, instance);
    return await resumeGuest(this.#controlOf(deployment, instance), signal);
  }

  async leaveNote(deployment: DeploymentIdentity, text: string | null): Promise<void> {
    await leaveNote(this.#context.layout, deployment.id, text);
  }

  async find(): Promise<readonly FoundDeployment[]> {
    return await findDeployments(this.#context.layout);
  }

  async adopt(deployment: DeploymentIdentity, signal: AbortSignal): Promise<readonly string[]> {
    await restoreRecords(this.#context.layout, deployment.id);
    return await rescueVolumes(this.#context, deployment.id, signal);
  }

  async exec(deployment: DeploymentIdentity, request: ExecRequest): Promise<number> {
    const { state } = await this.#requireInstance(deployment, request.instance);
    if (state.boot !== undefined)
      throw new EngineError(
        'EXEC_FAILED',
        `${request.instance} boots a disk of its own, in which nothing takes commands`,
        {
          hint: 'Reach it over the network, as by SSH, or put the command under image.run of its appliance.',
          details: { instance: request.instance },
        },
      );
    return await execute(runtimeFiles(this.#context.layout, deployment.id, request.instance), request);
  }

  async openVolume(deployment: DeploymentIdentity, key: string, signal: AbortSignal): Promise<VolumeAccess> {
    const instance = key.slice(0, key.lastIndexOf('/'));
    const { state } = await this.#requireInstance(deployment, instance);
    const volume = state.volumes.find((one) => one.key === key);
    if (volume === undefined || state.boot !== undefined)
      throw new EngineError(
        'VOLUME_UNUSABLE',
        volume === undefined
          ? `${instance} has no volume ${key}`
          : `${instance} boots a disk of its own, so nothing in it leads into its volumes`,
        { details: { volume: key } },
      );
    return await openVolumePort(runtimeFiles(this.#context.layout, deployment.id, instance), volume, signal);
  }

  async *logs(
    deployment: DeploymentIdentity,
    instance: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const exit = await readRecord(this.#context.layout, deployment.id, 'endpoint', instance);
    if (exit && isExit(exit.state)) {
      const isClosed = (): boolean => !isServed(deployment.id, instance);
      const file = uplinkLogFile(this.#context.layout, deployment.id, instance);
      yield* readConsole(file, { ...options, isOver: isClosed });
      return;
    }
    await this.#requireInstance(deployment, instance);
    const isOver = (): boolean => findMachines(deployment.id, instance).length === 0;
    const { file } = consoleOf(this.#context, deployment.id, instance);
    yield* readConsole(file, { ...options, isOver });
  }

  async prune(limits: PruneLimits): Promise<Pruned> {
    return await pruneDisks(this.#context, limits);
  }

  async close(): Promise<void> {
    const { layout } = this.#context;
    await closeProcessFolder(draftsFolder(layout));
    // the one above belongs to a home, and those of homes that are gone would pile up
    await removeEmptyFolders(layout.runtime, dirname(dirname(layout.runtime)));
  }

  #controlOf({ id }: DeploymentIdentity, instance: string): Connect {
    return unixSocket(runtimeFiles(this.#context.layout, id, instance).control);
  }

  async #requireInstance(
    deployment: DeploymentIdentity,
    instance: string,
  ): Promise<ObjectRecord<'instance'>> {
    const record = await readRecord(this.#context.layout, deployment.id, 'instance', instance);
    if (record !== undefined) return record;
    throw new EngineError('INSTANCE_MISSING', `${deployment.name} has no instance ${instance}`, {
      hint: `See \`sheaf status ${deployment.name}\`.`,
    });
  }
}
