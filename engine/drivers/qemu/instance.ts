import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { canonicalJson, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { diskOf } from '../../model/disk-image.ts';
import type { GuestFile } from '../../model/guest-file.ts';
import type { Kit } from '../../model/kit.ts';
import type { InstanceState } from '../../model/step.ts';
import type { ProcessIdentity } from '../../process-identity.ts';
import { seedOf } from '../../render/seed.ts';
import { makeFolder, removeEmptyFolders } from '../../whole-file.ts';
import { readKit } from '../read-kit.ts';
import { appliedFiles, applyFiles, rememberFiles } from './apply.ts';
import { consoleOf } from './console.ts';
import type { DriverContext } from './context.ts';
import { diskSources } from './disk-source.ts';
import { ensureDisk, exists } from './disks.ts';
import { findMachines, isSame } from './find-machines.ts';
import { firmwareFor } from './firmware.ts';
import { endConsole, startMachine } from './launch.ts';
import { type RuntimeFiles, runtimeFiles } from './layout.ts';
import { bootShareOf, machineDigest, machineOf, readOnlyDisk, shareOf } from './machine.ts';
import { tapName } from './marks.ts';
import { connectedTaps, ensureTap, openTap, removeTap } from './namespace.ts';
import { applyRules, requireNamespace } from './network.ts';
import { endProcess } from './processes.ts';
import { ensureAttendant } from './programs.ts';
import type { Disk, Machine } from './qemu-arguments.ts';
import { type ObjectRecord, readRecord, removeRecord, writeRecord } from './record.ts';
import { rescueVolumesOf } from './rescue.ts';
import { writeSeedDisk } from './seed-disk.ts';
import { stopMachine } from './stop.ts';
import { makeVolume, volumePath, volumeSize } from './volumes.ts';
import { makeTop, removeTop } from './whole-disk.ts';

/** What an instance is brought to. */
export type InstanceGoal = {
  readonly deployment: string;
  readonly record: ObjectRecord<'instance'>;
  readonly files: readonly GuestFile[];
  /** True when a machine of an earlier generation shall go even if it could be kept. */
  readonly isReplaced: boolean;
  readonly signal: AbortSignal;
};

/**
 * Brings an instance to its state: changes a running machine in place where only its files differ, else starts a new one.
 *
 * The record loses its fingerprint before the first act and gets it back after the last. A machine that runs without
 * being recorded was started by somebody who was killed right then; it is stopped, and a new one takes its place.
 */
export async function ensureInstance(context: DriverContext, goal: InstanceGoal): Promise<void> {
  const { deployment, record, signal } = goal;
  const before = await readRecord(context.layout, deployment, 'instance', record.key);
  const machines = findMachines(deployment, record.key);
  const namespace = await context.namespaces.find(deployment);
  const kept = machines.find((machine) => isKept(goal, before, machine));
  const isConnected =
    kept !== undefined &&
    (await canChange(context, goal)) &&
    (await connectedTaps(namespace, signal)).has(tapName(record.key));
  if (isConnected && machines.length === 1) {
    await changeInPlace(context, goal, before, kept);
    return;
  }
  await writeRecord(context.layout, deployment, { ...record, fingerprint: null });
  const files = runtimeFiles(context.layout, deployment, record.key);
  await stopAll(context, deployment, record.key, before?.state ?? record.state, signal);
  const machine = await start(context, goal, files);
  await rememberFiles(files, goal.files);
  await writeRecord(context.layout, deployment, { ...record, process: machine });
}

/** Stops an instance and removes everything of it but its volumes. */
export async function removeInstance(
  context: DriverContext,
  deployment: string,
  instance: string,
  signal: AbortSignal,
): Promise<void> {
  const { layout } = context;
  const namespace = await context.namespaces.find(deployment);
  const files = runtimeFiles(layout, deployment, instance);
  const record = await readRecord(layout, deployment, 'instance', instance);
  await stopAll(context, deployment, instance, record?.state, signal);
  if (namespace !== undefined) await removeTap(namespace, instance, signal);
  await rm(files.folder, { recursive: true, force: true });
  await removeEmptyFolders(dirname(files.folder), dirname(layout.runtime));
  await context.groups.remove(deployment, instance);
  await rm(consoleOf(context, deployment, instance).folder, { recursive: true, force: true });
  await removeTop(context, deployment, instance);
  await removeRecord(layout, deployment, 'instance', instance);
}

/** Stops an instance's machines, and the attendant that may be about to start another one for somebody who was killed. */
export async function stopAll(
  context: DriverContext,
  deployment: string,
  instance: string,
  state: InstanceState | undefined,
  signal: AbortSignal,
): Promise<void> {
  const files = runtimeFiles(context.layout, deployment, instance);
  const record = await readRecord(context.layout, deployment, 'instance', instance);
  // with the machine would go what it alone still has
  if (record !== undefined) await rescueVolumesOf(context, deployment, record, signal);
  for (const machine of findMachines(deployment, instance)) await stopMachine(machine, files, state, signal);
  await endConsole(consoleOf(context, deployment, instance));
  for (const machine of findMachines(deployment, instance)) await endProcess(machine, 0);
}

function isKept(
  goal: InstanceGoal,
  before: ObjectRecord<'instance'> | undefined,
  machine: ProcessIdentity,
): boolean {
  return (
    before !== undefined &&
    isSame(before.process, machine) &&
    machineDigest(before.state) === machineDigest(goal.record.state) &&
    !(goal.isReplaced && before.generation !== goal.record.generation)
  );
}

/** Tells whether new files can be brought into a running machine: nobody takes them where no supervisor is. */
async function canChange(
  context: DriverContext,
  { deployment, record, files }: InstanceGoal,
): Promise<boolean> {
  if (record.state.boot === undefined) return true;
  const applied = await appliedFiles(runtimeFiles(context.layout, deployment, record.key));
  return applied === digestOf(canonicalJson(files));
}

async function changeInPlace(
  context: DriverContext,
  goal: InstanceGoal,
  before: ObjectRecord<'instance'> | undefined,
  machine: ProcessIdentity,
): Promise<void> {
  const { deployment, record, signal } = goal;
  const files = runtimeFiles(context.layout, deployment, record.key);
  const finished = { ...record, process: machine };
  if (before?.state.cpuMillicores !== record.state.cpuMillicores) {
    const { name: accelerator } = await context.accelerator(record.state.kit, signal);
    await context.groups.ensure(deployment, record.key, shareOf(record.state, accelerator));
  }
  if ((await appliedFiles(files)) !== digestOf(canonicalJson(goal.files))) {
    // the generation stays the old one until it is done, so that a replacement is not mistaken for done
    await writeRecord(context.layout, deployment, {
      ...finished,
      generation: before?.generation ?? record.generation,
      fingerprint: null,
    });
    await applyFiles(files, goal.files, signal);
    await rememberFiles(files, goal.files);
  }
  await writeRecord(context.layout, deployment, finished);
}

async function start(
  context: DriverContext,
  goal: InstanceGoal,
  files: RuntimeFiles,
): Promise<ProcessIdentity> {
  const { deployment, record, signal } = goal;
  const { key: instance, state } = record;
  const kit = await readKit(context.blobs, state.kit);
  const { name: accelerator } = await context.accelerator(state.kit, signal);
  const system = await openSystem(context, goal, kit);
  const volumes = await openVolumes(context, deployment, state, signal);

  await rm(files.folder, { recursive: true, force: true });
  await makeFolder(files.folder);
  const instanceId = `${deployment}.${instance.replaceAll('/', '-')}`;
  await writeSeedDisk(files.seed, seedOf(state, goal.files, instanceId));
  const namespace = await requireNamespace(context, deployment);
  await ensureTap(namespace, instance, signal); // down until the rules are in force
  await context.rules(() => applyRules(context, deployment, signal));
  await openTap(namespace, { ...state, instance }, signal);

  const machine = machineOf(deployment, instance, state, {
    accelerator,
    ...system,
    volumes,
    files,
    user: context.namespaces.userOf(deployment, instance),
  });
  const attendant = await ensureAttendant(context, signal);
  const kept = consoleOf(context, deployment, instance);
  try {
    // what holds in the end is set first, so that what it means is known when the boot ends
    const groups = await context.groups.ensure(deployment, instance, shareOf(state, accelerator));
    await context.groups.ensure(deployment, instance, bootShareOf(state, accelerator));
    return await startMachine(machine, { attendant, console: kept, enter: namespace.enter, groups, signal });
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'INSTANCE_FAILED') throw error;
    throw new EngineError(error.code, `${instance}: ${error.message}`, {
      hint: 'Look at its log.',
      details: { instance },
      cause: error,
    });
  }
}

/** Gives what an instance boots from: layers under the kit, or a disk of its own. */
async function openSystem(
  context: DriverContext,
  { deployment, record, signal }: InstanceGoal,
  kit: Kit,
): Promise<Pick<Machine, 'kernel' | 'firmware'> & { readonly system: readonly Disk[] }> {
  const { key: instance, state } = record;
  const disk = diskOf(state.layers);
  if (disk !== undefined) {
    const firmware = await firmwareFor(context.blobs.path(disk.digest), instance);
    const place = { deployment, instance, sizeBytes: state.boot?.sizeBytes ?? 0 };
    return { ...firmware, system: [await makeTop(context, place, disk, signal)] };
  }
  const system: Disk[] = [];
  for (const [index, source] of diskSources(state).entries())
    system.push(readOnlyDisk(`layer${index}`, await ensureDisk(context, source, signal)));
  const { blobs } = context;
  return {
    kernel: { file: blobs.path(kit.kernel.digest), initramfs: blobs.path(kit.initramfs.digest) },
    system: [...system, readOnlyDisk('modules', blobs.path(kit.modules.digest))],
  };
}

type OpenVolume = { readonly serial: string; readonly file: string; readonly sizeBytes: number };

async function openVolumes(
  context: DriverContext,
  deployment: string,
  state: InstanceState,
  signal: AbortSignal,
): Promise<readonly OpenVolume[]> {
  const opened: OpenVolume[] = [];
  for (const { name, key, kind, sizeBytes } of state.volumes) {
    const file = volumePath(context, deployment, key);
    if (kind === 'scratch') await makeVolume(context, file, sizeBytes, signal); // empty at each start, as its kind says
    if (await exists(file)) await volumeSize(file); // that it is missing, QEMU tells
    opened.push({ serial: `vol-${name}`, file, sizeBytes });
  }
  return opened;
}
