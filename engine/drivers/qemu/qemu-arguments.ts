import { dirname } from 'node:path';
import { kernelCommandLine } from '../../model/kit.ts';

/** A disk of a virtual machine; the guest knows it by its serial number. */
export type Disk = {
  readonly serial: string;
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
  readonly isReadOnly: boolean;
  /** A qcow2 that is never written; what the guest changes lies in `file`. */
  readonly below?: string;
  /** What the guest may fill; its file cannot grow much beyond it. */
  readonly sizeBytes?: number;
};

/** Everything that QEMU is told of one virtual machine. */
export type Machine = {
  /** By which its process is found. */
  readonly mark: string;
  readonly uuid: string;
  readonly accelerator: 'kvm' | 'tcg';
  readonly cpus: number;
  readonly memoryMebibytes: number;
  /** Absent when the first disk boots by itself. */
  readonly kernel?: { readonly file: string; readonly initramfs: string };
  /** Of a machine whose first disk boots by UEFI; QEMU's own BIOS when absent. It lies among the system's programs. */
  readonly firmware?: string;
  readonly disks: readonly Disk[];
  /** A machine that only proves that it boots has none. */
  readonly network?: { readonly tap: string; readonly mac: string };
  readonly sockets: {
    readonly qmp: string;
    readonly control: string;
    readonly exec: readonly string[];
    /** A machine that only proves that it boots has none. */
    readonly data?: string;
  };
  /** User and group under which QEMU goes on once it has opened its files; those that started it when absent. */
  readonly user?: number;
  /** Folder that is all QEMU sees of the host's files from then on; only with `user`, who may not enter it. */
  readonly root?: string;
};

/** The descriptor under which QEMU finds its tap, which it has no right to open itself. @source kit/internal/confine */
const tapDescriptor = 3;

/** Lists the files of the host that a machine needs, beside the system's own programs; a folder before what is in it. */
export function qemuFiles(
  machine: Machine,
): readonly { readonly path: string; readonly isWritable: boolean }[] {
  const { sockets, kernel, disks, accelerator } = machine;
  return [
    { path: dirname(sockets.qmp), isWritable: true },
    ...(kernel ? [kernel.file, kernel.initramfs] : []).map((path) => ({ path, isWritable: false })),
    ...disks.map(({ file, isReadOnly }) => ({ path: file, isWritable: !isReadOnly })),
    ...disks.flatMap(({ below }) => (below === undefined ? [] : [{ path: below, isWritable: false }])),
    ...(accelerator === 'kvm' ? [{ path: '/dev/kvm', isWritable: true }] : []),
  ];
}

/**
 * Writes QEMU's command line.
 *
 * Paths travel in JSON, where no comma ends an option. The board carries nothing that the kit does not drive, no option
 * ROM is loaded, and a reboot ends the process, so that a machine which runs is always one that we started. A disk that
 * boots by itself may start again.
 */
export function qemuArguments(machine: Machine): readonly string[] {
  const { sockets, network } = machine;
  return [
    ...['-name', `${machine.mark},debug-threads=on`, '-uuid', machine.uuid],
    ...['-nodefaults', '-no-user-config', ...(machine.kernel ? ['-no-reboot'] : []), '-display', 'none'],
    ...['-machine', 'q35,usb=off,vmport=off,sata=off,smbus=off,graphics=off'],
    ...['-accel', machine.accelerator === 'kvm' ? 'kvm' : 'tcg,thread=multi,tb-size=128'],
    ...['-cpu', machine.accelerator === 'kvm' ? 'host' : 'max'],
    ...['-smp', String(machine.cpus), '-m', `${machine.memoryMebibytes}M`],
    ...['-rtc', 'base=utc'],
    // elevateprivileges=deny would kill the change of user by -runas; after it there is nothing to elevate, as no_new_privs is set
    ...['-sandbox', 'on,obsolete=deny,spawn=deny,resourcecontrol=deny'],
    ...(machine.user === undefined ? [] : ['-runas', `${machine.user}:${machine.user}`]),
    ...(machine.root === undefined ? [] : ['-chroot', machine.root]),
    ...(machine.kernel
      ? ['-kernel', machine.kernel.file, '-initrd', machine.kernel.initramfs, '-append', kernelCommandLine]
      : []),
    ...(machine.firmware === undefined ? [] : ['-bios', machine.firmware]),
    // stdin is /dev/null; stdout is the log's
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=monitor,server=on,wait=off,path=${escaped(sockets.qmp)}`],
    ...['-mon', 'chardev=monitor,mode=control'],
    ...device({ driver: 'virtio-rng-pci' }),
    ...device({ driver: 'virtio-serial-pci', id: 'ports', max_ports: 8 }),
    ...port('control', 'org.sheaf.control', sockets.control),
    ...sockets.exec.flatMap((path, index) => port(`exec${index + 1}`, `org.sheaf.exec.${index + 1}`, path)),
    ...(sockets.data === undefined ? [] : port('data', 'org.sheaf.data', sockets.data)),
    ...machine.disks.flatMap((each, index) => disk(each, slotOf(index))),
    ...(network === undefined
      ? []
      : [
          ...['-netdev', `tap,id=net0,fd=${tapDescriptor},vhost=off`],
          ...device({ driver: 'virtio-net-pci', netdev: 'net0', mac: network.mac, romfile: '' }),
        ]),
  ];
}

function port(id: string, name: string, path: string): readonly string[] {
  return [
    ...['-chardev', `socket,id=${id},server=on,wait=off,path=${escaped(path)}`],
    ...device({ driver: 'virtserialport', bus: 'ports.0', chardev: id, name }),
  ];
}

function disk({ serial, file, format, isReadOnly, below }: Disk, slot: Slot): readonly string[] {
  const node = {
    driver: format,
    'node-name': serial,
    'read-only': isReadOnly,
    ...(format === 'qcow2' && { backing: backing(below) }), // whatever the guest's QEMU may have written into the header
    ...(!isReadOnly && { discard: 'unmap', 'detect-zeroes': 'unmap' }),
    file: { driver: 'file', filename: file, ...(!isReadOnly && { discard: 'unmap' }) },
  };
  return [
    ...['-blockdev', JSON.stringify(node)],
    ...device({ driver: 'virtio-blk-pci', drive: serial, serial, ...slot }),
  ];
}

function backing(below: string | undefined) {
  if (below === undefined) return null;
  return {
    driver: 'qcow2',
    'read-only': true,
    backing: null,
    file: { driver: 'file', 'read-only': true, filename: below },
  };
}

type Slot = { readonly addr: string; readonly multifunction: true };

/** Puts eight disks into each slot of the board, which has thirty: an appliance may have many places for contents, and volumes. */
function slotOf(index: number): Slot {
  const firstSlot = 0x0a; // those below are for the other devices
  return { addr: `${(firstSlot + Math.floor(index / 8)).toString(16)}.${index % 8}`, multifunction: true };
}

function device(properties: Readonly<Record<string, string | number | boolean>>): readonly string[] {
  return ['-device', JSON.stringify(properties)];
}

// -chardev takes no JSON; a comma in a value is written twice
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}
