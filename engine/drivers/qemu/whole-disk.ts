import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { orDiskFull } from '../../disk-full.ts';
import { EngineError } from '../../errors.ts';
import type { Descriptor } from '../../model/blob.ts';
import type { InstanceState } from '../../model/step.ts';
import { settle } from '../../whole-file.ts';
import { plainText } from '../channel.ts';
import type { GuestReport } from '../supervisor.ts';
import type { DriverContext } from './context.ts';
import { soundDisk } from './disks.ts';
import { objectPath } from './layout.ts';
import type { Namespace } from './namespaces.ts';
import { ensureAttendant } from './programs.ts';
import type { Disk } from './qemu-arguments.ts';

/** What a probe of an instance needs to know of it. */
export type ProbeTarget = { readonly address: string; readonly transport: 'tcp'; readonly port: number };

/** Gives the file that takes what an instance writes to the disk that it boots from; it is lost at the next start. */
export function topPath(
  { layout }: Pick<DriverContext, 'layout'>,
  deployment: string,
  instance: string,
): string {
  return objectPath(layout, deployment, 'instance', instance, '.qcow2');
}

/**
 * Makes the disk that an instance boots from: its image, never written, below an empty one of at least `sizeBytes`.
 *
 * @throws EngineError BLOB_CORRUPT when the image is no disk that stands alone; DISK_FULL
 */
export async function makeTop(
  context: DriverContext,
  place: { readonly deployment: string; readonly instance: string; readonly sizeBytes: number },
  image: Descriptor,
  signal: AbortSignal,
): Promise<Disk> {
  const sizeBytes = Math.max(await soundDisk(context, image.digest), place.sizeBytes);
  const path = topPath(context, place.deployment, place.instance);
  const draft = join(context.drafts, crypto.randomUUID());
  try {
    await runCommand('qemu-img', ['create', '-q', '-f', 'qcow2', draft, String(sizeBytes)], { signal });
    await chmod(draft, 0o600);
    await settle(draft, path);
  } catch (error) {
    throw orDiskFull(error, context.drafts);
  } finally {
    await rm(draft, { force: true });
  }
  const below = context.blobs.path(image.digest);
  return { serial: 'system', file: path, format: 'qcow2', isReadOnly: false, sizeBytes, below };
}

/** Lists what the host may connect to in order to know how an instance is that has no supervisor. */
export function probeTargets({ boot, health, address }: InstanceState): readonly ProbeTarget[] {
  if (boot === undefined || health === undefined || health.probe.kind === 'command') return [];
  return [{ address, transport: 'tcp', port: health.probe.port }];
}

/**
 * Tells how a running instance is that has no supervisor: by a probe from outside, made now.
 *
 * @param isYoung - whether it may still be booting
 */
export async function probe(
  context: DriverContext,
  namespace: Namespace,
  state: InstanceState,
  isYoung: boolean,
  signal: AbortSignal,
): Promise<GuestReport> {
  const [target] = probeTargets(state);
  if (target === undefined || state.health === undefined)
    return { condition: 'running', healthy: null, message: '' };
  const { probe: how, timeoutMs } = state.health;
  const [enter = '', ...words] = namespace.enter;
  const asked = ['probe', '--address', `${target.address}:${target.port}`];
  const page = how.kind === 'http' ? ['--path', how.path] : [];
  const limit = Math.min(timeoutMs, longestProbeMs);
  try {
    const program = await ensureAttendant(context, signal);
    await runCommand(enter, [...words, program, ...asked, ...page, '--timeout', `${limit}ms`], {
      signal,
      timeoutMs: limit + 2000,
    });
    return { condition: 'running', healthy: true, message: '' };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code === 'TOOL_MISSING') return { condition: 'running', healthy: null, message: error.message };
    if (error.code !== 'TOOL_FAILED') throw error;
    const reason = plainText(error.message.replace(/^\S+ ended with 1: /, ''));
    return isYoung
      ? { condition: 'starting', healthy: null, message: 'boots' }
      : { condition: 'running', healthy: false, message: `health: ${reason}` };
  }
}

// whoever asks for the state of a deployment waits for the slowest of its instances
const longestProbeMs = 1500;

/** Removes what an instance has written to the disk that it boots from. */
export async function removeTop(context: DriverContext, deployment: string, instance: string): Promise<void> {
  await rm(topPath(context, deployment, instance), { force: true });
}
