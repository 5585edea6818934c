import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../../command.ts';
import { EngineError } from '../../errors.ts';
import { settle } from '../../whole-file.ts';
import { isMessage } from '../line-socket.ts';
import { consoleOf } from './console.ts';
import type { DriverContext } from './context.ts';
import { exists } from './disks.ts';
import { isMachine } from './find-machines.ts';
import { runtimeFiles } from './layout.ts';
import { type AskMonitor, withMonitor } from './monitor.ts';
import { findProcesses } from './processes.ts';
import { listRecords, type ObjectRecord } from './record.ts';
import { volumePath } from './volumes.ts';

const answerTimeoutMs = 30_000;
const copyTimeoutMs = 3_600_000;

/**
 * Saves the volumes of a deployment whose files were removed while their machines run.
 *
 * @returns what could not be saved, each as a sentence for people
 */
export async function rescueVolumes(
  context: DriverContext,
  deployment: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const losses: string[] = [];
  for (const record of await listRecords(context.layout, deployment, 'instance')) {
    try {
      await rescueVolumesOf(context, deployment, record, signal);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code === 'OPERATION_INTERRUPTED') throw error;
      losses.push(`${error.message}: copy them before it stops`);
    }
  }
  for (const { key, state } of await listRecords(context.layout, deployment, 'volume')) {
    if (state.kind === 'scratch' || (await volumeExists(context, deployment, key))) continue;
    losses.push(`the volume ${key} is lost: its file is gone, and no machine runs that has it open`);
  }
  return losses;
}

/**
 * Gives the volumes of one instance a file again whose files were removed while its machine runs.
 *
 * A removed file lives on as long as somebody has it open. QEMU copies its disk to another file and goes on there; the guest
 * notices nothing.
 *
 * @throws EngineError TOOL_FAILED when that is not possible; OPERATION_INTERRUPTED
 */
export async function rescueVolumesOf(
  context: DriverContext,
  deployment: string,
  record: ObjectRecord<'instance'>,
  signal: AbortSignal,
): Promise<void> {
  if (!runs(deployment, record)) return;
  for (const { name, key, kind } of record.state.volumes) {
    if (kind === 'scratch' || (await exists(volumePath(context, deployment, key)))) continue;
    try {
      await rescue(context, { deployment, instance: record.key, name, key }, signal);
    } catch (cause) {
      if (!(cause instanceof EngineError) || cause.code === 'OPERATION_INTERRUPTED') throw cause;
      const what = `the file of volume ${key} was removed; its data live in the machine of ${record.key} alone`;
      throw new EngineError('TOOL_FAILED', `${what} and could not be saved (${cause.message})`, {
        hint: 'Copy the data out of the instance before it is stopped.',
        cause,
      });
    }
  }
}

/** Tells whether a volume's data are there: in its file, or in a machine that has it open though its name is gone. */
export async function volumeExists(
  context: DriverContext,
  deployment: string,
  key: string,
): Promise<boolean> {
  if (await exists(volumePath(context, deployment, key))) return true;
  const instances = await listRecords(context.layout, deployment, 'instance');
  return instances.some(
    (record) => record.state.volumes.some((one) => one.key === key) && runs(deployment, record),
  );
}

function runs(deployment: string, record: ObjectRecord<'instance'>): boolean {
  return isMachine(record.process, deployment, record.key);
}

type Subject = {
  readonly deployment: string;
  readonly instance: string;
  /** Of the volume in its instance. */
  readonly name: string;
  readonly key: string;
};

async function rescue(
  context: DriverContext,
  { deployment, instance, name, key }: Subject,
  signal: AbortSignal,
): Promise<void> {
  const monitor = runtimeFiles(context.layout, deployment, instance).qmp;
  const patience = { timeoutMs: answerTimeoutMs, signal };
  const path = volumePath(context, deployment, key);
  const draft = join(context.drafts, `${crypto.randomUUID()}.qcow2`);
  const from = `vol-${name}`;
  // named after the copy, so that one that was cut off is in nobody's way
  const to = `copy-${crypto.randomUUID().slice(0, 8)}`;
  const sizeBytes = await withMonitor(monitor, patience, (ask) => sizeOf(ask, from));
  try {
    await runCommand('qemu-img', ['create', '-q', '-f', 'qcow2', draft, String(sizeBytes)], { signal });
    const lend = ['lend', '--monitor', monitor, '--file', draft, '--node', to];
    await runCommand(attendantOf(context, deployment, instance), lend, { signal });
    await withMonitor(monitor, patience, async (ask) => {
      const copy = { 'job-id': to, device: from, target: to, sync: 'full', 'auto-dismiss': false };
      await ask('blockdev-mirror', copy);
      await untilJob(ask, to, 'ready', signal);
      // the copy is kept equal from here on, so it may have the volume's name before QEMU goes on in it alone
      await settle(draft, path);
      await ask('job-complete', { id: to });
      await untilJob(ask, to, 'concluded', signal);
      await ask('job-dismiss', { id: to });
    });
  } finally {
    await rm(draft, { force: true });
  }
}

/** The program of the attendant that stands beside the machine; it may have lost its file too. */
function attendantOf(context: DriverContext, deployment: string, instance: string): string {
  const { folder, user } = consoleOf(context, deployment, instance);
  const [attendant] = findProcesses((args) => args[1] === 'machine' && args[3] === folder, user);
  if (attendant) return `/proc/${attendant.pid}/exe`;
  throw new EngineError('TOOL_FAILED', `the attendant of ${instance} is gone`, { hint: 'Look at its log.' });
}

async function sizeOf(ask: AskMonitor, node: string): Promise<number> {
  const nodes = await ask('query-named-block-nodes', { flat: true });
  const found = (Array.isArray(nodes) ? nodes : [])
    .filter(isMessage)
    .find((one) => one['node-name'] === node);
  const image = found?.['image'];
  const size = isMessage(image) ? image['virtual-size'] : undefined;
  if (typeof size === 'number' && Number.isSafeInteger(size)) return size;
  throw new EngineError('TOOL_FAILED', `its machine has no disk ${node}`, { hint: 'Look at its log.' });
}

async function untilJob(
  ask: AskMonitor,
  job: string,
  status: 'ready' | 'concluded',
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + copyTimeoutMs;
  for (;;) {
    const jobs = await ask('query-jobs');
    const found = (Array.isArray(jobs) ? jobs : []).filter(isMessage).find((one) => one['id'] === job);
    if (found?.['status'] === status && typeof found['error'] !== 'string') return;
    if (found === undefined || found['status'] === 'concluded' || Date.now() > deadline) {
      const reason = typeof found?.['error'] === 'string' ? found['error'] : 'it did not end';
      throw new EngineError('TOOL_FAILED', `copying its disk failed: ${reason}`, { hint: 'Is there room?' });
    }
    try {
      await delay(100, undefined, { signal });
    } catch {
      throw new EngineError('OPERATION_INTERRUPTED', 'copying a disk was stopped on request');
    }
  }
}
