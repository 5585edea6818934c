import type { Digest } from '../../digest.ts';
import { canonicalJson, digestOf } from '../../digest.ts';
import type { Resources } from '../../model/pool.ts';
import type { InstanceState } from '../../model/step.ts';
import type { Share } from './control-groups.ts';
import type { RuntimeFiles } from './layout.ts';
import { guestMark, shortHash, tapName } from './marks.ts';
import type { Disk, Machine } from './qemu-arguments.ts';

const mebibyte = 2 ** 20;

/** A system with an init of its own stops its services in turn; what hangs then is switched off. */
const wholeSystemStopMs = 60_000;

/** Memory of a guest that its kernel and supervisor take before the first service starts. */
const guestOverheadBytes = 80 * mebibyte;

/**
 * Memory of QEMU beside its guest's, at most: 50 MiB were measured, and under TCG translated code up to its `tb-size` of
 * 128 MiB, which a busy guest fills within minutes. test/real/limits.test.ts measures again.
 */
const qemuBytes: Readonly<Record<Machine['accelerator'], number>> = {
  kvm: 64 * mebibyte,
  tcg: 192 * mebibyte,
};

/** Memory that QEMU may take for a moment, so that no guest is ever ended for what it may have. */
const spareBytes = 64 * mebibyte;

/** Gives what one instance costs on its server beyond its appliance's resources: its kernel and supervisor, QEMU itself, its logs. */
export function overheadOf(accelerator: Machine['accelerator']): Resources {
  return {
    cpuMillicores: 0,
    memoryBytes: guestOverheadBytes + qemuBytes[accelerator],
    diskBytes: 32 * mebibyte,
  };
}

/** Settles everything that QEMU is told of an instance. */
export function machineOf(
  deployment: string,
  instance: string,
  state: InstanceState,
  parts: {
    readonly accelerator: Machine['accelerator'];
    readonly kernel?: Machine['kernel'];
    readonly firmware?: string;
    /** What the instance boots from: the image's layers and the kit's modules, or a disk of its own. */
    readonly system: readonly Disk[];
    readonly volumes: readonly Pick<Disk, 'serial' | 'file' | 'sizeBytes'>[];
    readonly files: RuntimeFiles;
    readonly user: number | undefined;
  },
): Machine {
  const { qmp, control, exec, data } = parts.files;
  return {
    mark: guestMark(deployment, instance),
    uuid: uuidOf(`${deployment} ${instance}`),
    accelerator: parts.accelerator,
    cpus: wholeCores(state.cpuMillicores),
    memoryMebibytes: Math.ceil((state.memoryBytes + guestOverheadBytes) / mebibyte),
    ...(parts.kernel && { kernel: parts.kernel }),
    ...(parts.firmware !== undefined && { firmware: parts.firmware }),
    disks: [
      ...parts.system,
      readOnlyDisk('seed', parts.files.seed),
      ...parts.volumes.map((volume): Disk => ({ ...volume, format: 'qcow2', isReadOnly: false })),
    ],
    network: { tap: tapName(instance), mac: state.mac },
    sockets: { qmp, control, exec, data },
    ...(parts.user !== undefined && { user: parts.user, root: parts.files.folder }),
  };
}

/** Gives what all processes of an instance may take together, as its control groups hold it. */
export function shareOf(state: InstanceState, accelerator: Machine['accelerator']): Share {
  return {
    cpuMillicores: state.cpuMillicores,
    memoryBytes: state.memoryBytes + overheadOf(accelerator).memoryBytes + spareBytes,
    processes: 512,
  };
}

/**
 * Gives what an instance may take of the processors until it is booted: as many as it sees. Kernel and supervisor are no
 * part of what its services get.
 */
export function bootShareOf(state: InstanceState, accelerator: Machine['accelerator']): Share {
  return { ...shareOf(state, accelerator), cpuMillicores: wholeCores(state.cpuMillicores) * 1000 };
}

function wholeCores(cpuMillicores: number): number {
  return Math.max(Math.ceil(cpuMillicores / 1000), 1);
}

/** Describes a disk that nobody writes. */
export function readOnlyDisk(serial: string, file: string): Disk {
  return { serial, file, format: 'raw', isReadOnly: true };
}

/** Gives a digest of what can only be changed by a restart of the machine; the rest goes in place. */
export function machineDigest(state: InstanceState): Digest {
  const { server, kit, layers, joined, cpuMillicores, memoryBytes, hostname, address } = state;
  const { prefix, gateway, mac, boot } = state;
  const volumes = state.volumes.map(({ name, key, kind, mount }) => ({ name, key, kind, mount }));
  return digestOf(
    canonicalJson({
      ...{ server, kit, layers, joined, cores: wholeCores(cpuMillicores), memoryBytes },
      ...{ hostname, address, prefix, gateway, mac, volumes, ...(boot && { boot }) },
    }),
  );
}

/** Gives the longest time that an instance may take to stop in good order, in milliseconds. */
export function stopTimeoutMs(state: InstanceState): number {
  if (state.boot !== undefined) return wholeSystemStopMs;
  const services = state.services.reduce((sum, service) => sum + service.stop.timeoutMs, 0);
  return Math.min((state.hooks.drain?.timeoutMs ?? 0) + services + 5000, 180_000);
}

/** Makes a UUID of a name: the same each time, of version 8, whose bits are the maker's own (RFC 9562). */
function uuidOf(name: string): string {
  const hex = shortHash(name, 32);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-');
}
