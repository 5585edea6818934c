import { access, constants, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../command.ts';
import { type Digest, digestOf } from '../../digest.ts';
import { EngineError } from '../../errors.ts';
import { currentBoot, processIdentity } from '../../process-identity.ts';
import { systemCode } from '../../system-code.ts';
import { currentUser } from '../../user-namespace.ts';
import { makeFolder, writeWhole } from '../../whole-file.ts';
import { openChannel, plainText } from '../channel.ts';
import { readKit } from '../read-kit.ts';
import { consoleIn } from './console.ts';
import type { DriverContext } from './context.ts';
import { endConsole, startMachine } from './launch.ts';
import { userIdOf } from './marks.ts';
import { endProcess } from './processes.ts';
import { ensureAttendant } from './programs.ts';
import type { Machine } from './qemu-arguments.ts';
import { unixSocket } from './unix-socket.ts';

/** How instances are executed on this machine, and why. */
export type Accelerator = { readonly name: 'kvm' | 'tcg'; readonly reason: string };

const device = '/dev/kvm';
/** Where KVM works the kit answers within two seconds; this leaves room for a busy machine. */
const probeTimeoutMs = 12_000;

/**
 * Finds out whether guests really boot under KVM, by booting one.
 *
 * A device that opens proves nothing: there are machines on which KVM makes a guest that never runs. The finding is
 * kept until the machine restarts or QEMU, the kit or the device changes.
 *
 * @param kit - undefined while there is none to try with: then the answer is for now only
 */
export async function findAccelerator(
  context: Pick<DriverContext, 'layout' | 'blobs' | 'drafts' | 'attendant'>,
  kit: Digest | undefined,
  signal: AbortSignal,
): Promise<Accelerator> {
  const number = await deviceNumber();
  if (number === undefined) return { name: 'tcg', reason: `there is no ${device}` };
  if (!(await mayUse())) return { name: 'tcg', reason: `this user may not use ${device}. ${groupRemedy()}` };
  if (kit === undefined)
    return { name: 'tcg', reason: `${device} is not tried yet: the guest kit is not built` };
  const version = (await runCommand('qemu-system-x86_64', ['--version'], { signal })).stdout;
  const circumstances = digestOf([currentBoot(), version, kit, number].join('\n'));
  const path = join(context.layout.home, 'accelerator.json');
  const known = await readFinding(path);
  if (known?.circumstances === circumstances) return { name: known.name, reason: known.reason };
  const finding = await probe(context, kit, signal);
  await writeWhole(path, JSON.stringify({ ...finding, circumstances }));
  return finding;
}

async function probe(
  context: Pick<DriverContext, 'layout' | 'blobs' | 'drafts' | 'attendant'>,
  kitDigest: Digest,
  signal: AbortSignal,
): Promise<Accelerator> {
  const kit = await readKit(context.blobs, kitDigest);
  const attendant = await ensureAttendant(context, signal);
  await removeOldProbes(context.layout.runtime);
  await makeFolder(context.layout.runtime); // another process that ends may have taken an empty one away
  const folder = await mkdtemp(join(context.layout.runtime, `probe-${process.pid}-`));
  const kept = consoleIn(join(folder, 'console'));
  const machine: Machine = {
    mark: `guest=sheaf-probe-${process.pid}`,
    uuid: crypto.randomUUID(),
    accelerator: 'kvm',
    cpus: 1,
    memoryMebibytes: 256,
    kernel: {
      file: context.blobs.path(kit.kernel.digest),
      initramfs: context.blobs.path(kit.initramfs.digest),
    },
    disks: [],
    sockets: { qmp: join(folder, 'qmp.sock'), control: join(folder, 'control.sock'), exec: [] },
    // a kit may come in a bundle: its kernel gets no machine that is root's
    ...(process.geteuid?.() === 0 && { user: userIdOf('probe', folder), root: folder }),
  };
  try {
    const guest = await startMachine(machine, { attendant, console: kept, signal });
    try {
      const channel = await openChannel(unixSocket(machine.sockets.control), {
        timeoutMs: probeTimeoutMs,
        signal,
      });
      channel.close();
      return { name: 'kvm', reason: 'a probe guest booted under KVM' };
    } finally {
      await endProcess(guest, 0);
      await endConsole(kept);
    }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    if (error.code !== 'INSTANCE_SILENT' && error.code !== 'INSTANCE_FAILED') throw error;
    const why =
      error.code === 'INSTANCE_SILENT'
        ? `it did not answer within ${probeTimeoutMs / 1000} s`
        : plainText(error.message);
    return { name: 'tcg', reason: `${device} is there, but a probe guest did not boot under KVM: ${why}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the folders of probes whose process was killed; their guests died with it. */
async function removeOldProbes(runtime: string): Promise<void> {
  await makeFolder(runtime);
  for (const name of await readdir(runtime)) {
    const pid = /^probe-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && processIdentity(Number(pid)) === undefined)
      await rm(join(runtime, name), { recursive: true, force: true });
  }
}

async function mayUse(): Promise<boolean> {
  return await access(device, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

function groupRemedy(): string {
  return `As root: usermod --append --groups kvm ${currentUser().name}`;
}

async function deviceNumber(): Promise<string | undefined> {
  try {
    return String((await stat(device)).rdev);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function readFinding(
  path: string,
): Promise<(Accelerator & { readonly circumstances: Digest }) | undefined> {
  try {
    // written by us alone, into a folder that nobody else may enter
    return JSON.parse(await readFile(path, 'utf8')) as Accelerator & { readonly circumstances: Digest };
  } catch {
    return undefined; // absent or unreadable: the probe tells again
  }
}
