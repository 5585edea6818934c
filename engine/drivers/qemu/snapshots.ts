import { link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { orDiskFull } from '../../disk-full.ts';
import { EngineError } from '../../errors.ts';
import type { Report } from '../../model/event.ts';
import type { SnapshotState } from '../../model/step.ts';
import { settle } from '../../whole-file.ts';
import { quiesceGuest, resumeGuest } from '../guest-hold.ts';
import { isMessage } from '../line-socket.ts';
import type { DriverContext } from './context.ts';
import { exists } from './disks.ts';
import { findMachines } from './find-machines.ts';
import { objectPath, type RuntimeFiles, runtimeFiles } from './layout.ts';
import { shortHash } from './marks.ts';
import { withMonitor } from './monitor.ts';
import { readRecord } from './record.ts';
import { unixSocket } from './unix-socket.ts';
import { volumePath, volumeSize } from './volumes.ts';
import { takeBack, withoutRights } from './without-rights.ts';

/** The volumes of an instance, and the snapshot of them that is meant. */
export type SnapshotWork = {
  readonly deployment: string;
  readonly key: string;
  readonly state: SnapshotState;
  readonly signal: AbortSignal;
  readonly report: Report;
};

// QEMU answers when what was under way has been written
const monitorTimeoutMs = 60_000;
const holdMs = 120_000;
const copyTimeoutMs = 3_600_000;

/**
 * Freezes the data volumes of an instance as of one moment, in their own files: what is written later goes elsewhere.
 *
 * One that a killed attempt has left is taken anew. A machine that runs is asked to bring its data to rest before; one that
 * cannot is frozen as a power cut would leave it, which is told.
 */
export async function takeSnapshot(context: DriverContext, work: SnapshotWork): Promise<void> {
  const { deployment, key, state, signal } = work;
  const name = innerName(key);
  if (findMachines(deployment, state.instance).length === 0) {
    for (const volume of state.volumes)
      await onFile(
        await soundVolume(context, deployment, volume),
        `qemu-img snapshot -d ${name} "$VOLUME" 2>/dev/null; qemu-img snapshot -c ${name} "$VOLUME"`,
        signal,
      );
    return;
  }
  const files = runtimeFiles(context.layout, deployment, state.instance);
  await dropFromMachine(files, state.volumes, name, signal);
  await whileStill(context, work, files, () => takeOfMachine(files, state.volumes, name, signal));
}

/** Drops a snapshot, wherever it lies; one that is not there is dropped already. */
export async function dropSnapshot(
  context: DriverContext,
  { deployment, key, state, signal }: Omit<SnapshotWork, 'report'>,
): Promise<void> {
  const name = innerName(key);
  if (findMachines(deployment, state.instance).length > 0)
    await dropFromMachine(
      runtimeFiles(context.layout, deployment, state.instance),
      state.volumes,
      name,
      signal,
    );
  for (const volume of state.volumes) {
    await rm(asidePath(context, deployment, volume, key), { force: true });
    if (findMachines(deployment, state.instance).length > 0) continue;
    if (!(await exists(volumePath(context, deployment, volume)))) continue;
    const file = await soundVolume(context, deployment, volume);
    await onFile(file, `qemu-img snapshot -d ${name} "$VOLUME" 2>/dev/null || :`, signal);
  }
}

/** Takes a volume that nobody uses back to a snapshot. @throws EngineError VOLUME_UNUSABLE when it is not there any more */
export async function restoreVolume(
  context: DriverContext,
  deployment: string,
  volume: string,
  snapshot: string,
  signal: AbortSignal,
): Promise<void> {
  const name = innerName(snapshot);
  const aside = asidePath(context, deployment, volume, snapshot);
  const path = volumePath(context, deployment, volume);
  if (await exists(aside)) {
    // kept, so that it can be done again after a kill; it goes with the snapshot
    const draft = join(context.drafts, `${crypto.randomUUID()}.qcow2`);
    try {
      await runCommand('cp', ['--reflink=auto', '--sparse=always', aside, draft], {
        signal,
        timeoutMs: copyTimeoutMs,
      });
      await settle(draft, path);
    } catch (error) {
      throw orDiskFull(error, context.drafts);
    } finally {
      await rm(draft, { force: true });
    }
  }
  try {
    const file = await soundVolume(context, deployment, volume);
    await onFile(file, `qemu-img snapshot -a ${name} "$VOLUME"`, signal);
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new EngineError('VOLUME_UNUSABLE', `the volume ${volume} cannot be taken back to ${snapshot}`, {
      hint: 'Its data are as they were; see whether its file is still there and whole.',
      cause,
    });
  }
}

/** Keeps the file of a volume that is about to be copied into another one, which takes no snapshots along. */
export async function setAside(
  context: DriverContext,
  deployment: string,
  volume: string,
  snapshots: readonly string[],
): Promise<void> {
  for (const snapshot of snapshots) {
    const aside = asidePath(context, deployment, volume, snapshot);
    if (!(await exists(aside))) await link(volumePath(context, deployment, volume), aside);
  }
}

function asidePath(context: DriverContext, deployment: string, volume: string, snapshot: string): string {
  return objectPath(context.layout, deployment, 'volume', volume, `.${innerName(snapshot)}.qcow2`);
}

/** The name within the file: it stands in scripts, so it is made of harmless characters. */
function innerName(snapshot: string): string {
  return `sheaf-${shortHash(snapshot, 16)}`;
}

async function soundVolume(context: DriverContext, deployment: string, volume: string): Promise<string> {
  const path = volumePath(context, deployment, volume);
  await volumeSize(path); // it names no other file
  return path;
}

async function onFile(path: string, script: string, signal: AbortSignal): Promise<void> {
  try {
    const [program = '', ...args] = await withoutRights({ VOLUME: { path, isWritable: true } }, script);
    await runCommand(program, args, { signal, timeoutMs: copyTimeoutMs });
  } finally {
    await takeBack(path);
  }
}

async function whileStill(
  context: DriverContext,
  { deployment, state, signal, report }: SnapshotWork,
  files: RuntimeFiles,
  act: () => Promise<void>,
): Promise<void> {
  const record = await readRecord(context.layout, deployment, 'instance', state.instance);
  const control = unixSocket(files.control);
  const isStill =
    record?.state.boot === undefined &&
    (await quiesceGuest(control, holdMs, signal).then(
      () => true,
      (cause: unknown) => {
        if (signal.aborted) throw cause;
        return false;
      },
    ));
  let wasHeld = false;
  try {
    await act();
  } finally {
    if (isStill)
      wasHeld = await resumeGuest(control, AbortSignal.timeout(monitorTimeoutMs)).catch(() => false);
  }
  if (wasHeld) return;
  report({
    type: 'warning',
    code: 'NOTE',
    message: `${state.instance} did not stand still for its snapshot, which is as a power cut would leave it`,
  });
}

async function takeOfMachine(
  { qmp }: RuntimeFiles,
  volumes: readonly string[],
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const actions = volumes.map((volume) => ({
    type: 'blockdev-snapshot-internal-sync',
    data: { device: nodeOf(volume), name },
  }));
  await withMonitor(qmp, { timeoutMs: monitorTimeoutMs, signal }, (ask) => ask('transaction', { actions }));
}

async function dropFromMachine(
  { qmp }: RuntimeFiles,
  volumes: readonly string[],
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await withMonitor(qmp, { timeoutMs: monitorTimeoutMs, signal }, async (ask) => {
    const nodes = await ask('query-named-block-nodes', { flat: true });
    for (const device of volumes.map(nodeOf))
      if (hasSnapshot(nodes, device, name))
        await ask('blockdev-snapshot-delete-internal-sync', { device, name });
  });
}

function hasSnapshot(nodes: unknown, device: string, name: string): boolean {
  const list: readonly unknown[] = Array.isArray(nodes) ? nodes : [];
  return list.filter(isMessage).some((node) => {
    const image = node['image'];
    const snapshots = isMessage(image) ? image['snapshots'] : undefined;
    if (node['node-name'] !== device || !Array.isArray(snapshots)) return false;
    return snapshots.some((one: unknown) => isMessage(one) && one['name'] === name);
  });
}

/** The name under which QEMU knows a volume's disk. */
function nodeOf(volume: string): string {
  return `vol-${volume.slice(volume.lastIndexOf('/') + 1)}`;
}
