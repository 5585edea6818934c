import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from '../../engine/command.ts';
import { isoDisk } from '../../engine/formats/iso.ts';
import { kernelCommandLine } from '../../engine/model/kit.ts';

/** What {@link startMachine} boots: host paths of the kit's parts, and the guest's own. */
export type MachineRequest = {
  /** A short folder of the machine's own, for its sockets. */
  readonly folder: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly modules?: string;
  readonly layers: readonly string[];
  readonly volumes?: Readonly<Record<string, string>>;
  readonly seed?: string;
  readonly memoryMiB?: number;
  readonly append?: string;
};

/** A virtual machine that runs. */
export type Machine = {
  readonly process: ChildProcess;
  readonly socket: (port: string) => string;
  readonly console: () => Promise<string>;
  /** Settles with QEMU's exit code. */
  readonly ended: Promise<number | null>;
};

/** The guest ports of the kit, in the order of their sockets. */
const ports = ['control', 'exec.1', 'exec.2', 'exec.3', 'exec.4'];

/** Starts QEMU as a driver would, without any network. */
export async function startMachine(request: MachineRequest): Promise<Machine> {
  await mkdir(request.folder, { recursive: true, mode: 0o700 });
  const disks = [
    ...request.layers.map((file, index) => ({ serial: `layer${index}`, file, isWritable: false })),
    ...(request.modules ? [{ serial: 'modules', file: request.modules, isWritable: false }] : []),
    ...(request.seed ? [{ serial: 'seed', file: request.seed, isWritable: false }] : []),
    ...Object.entries(request.volumes ?? {}).map(([name, file]) => ({
      serial: `vol-${name}`,
      file,
      isWritable: true,
    })),
  ];
  const socket = (port: string): string => join(request.folder, `${port}.sock`);
  const log = join(request.folder, 'console.log');
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...[
        '-M',
        'q35,usb=off,vmport=off,smbus=off,sata=off,graphics=off',
        '-accel',
        'tcg,thread=multi',
        '-cpu',
        'max',
        '-smp',
        '1',
      ],
      ...['-m', String(request.memoryMiB ?? 160)],
      ...[
        '-kernel',
        request.kernel,
        '-initrd',
        request.initramfs,
        '-append',
        request.append ?? kernelCommandLine,
      ],
      ...['-chardev', `file,id=console,path=${log}`, '-serial', 'chardev:console'],
      ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
      ...ports.flatMap((port, index) => [
        ...['-chardev', `socket,id=port${index},path=${socket(port)},server=on,wait=off`],
        ...['-device', `virtserialport,chardev=port${index},name=org.sheaf.${port}`],
      ]),
      ...disks.flatMap(({ serial, file, isWritable }) => [
        ...['-drive', `if=none,id=${serial},format=raw,file=${file},readonly=${isWritable ? 'off' : 'on'}`],
        ...['-device', `virtio-blk-pci,drive=${serial},serial=${serial}`],
      ]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr?.pipe(createWriteStream(join(request.folder, 'qemu.log')));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await untilPresent(socket('exec.4'), child);
  return { process: child, socket, console: () => readFile(log, 'utf8'), ended };
}

/** Makes an image of busybox alone, with a page to serve. @returns the squashfs's path */
export async function makeLayer(folder: string): Promise<string> {
  const root = join(folder, 'layer');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'etc'));
  await mkdir(join(root, 'www'));
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  await chmod(join(root, 'bin/busybox'), 0o755);
  await symlink('busybox', join(root, 'bin/sh'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/www:/bin/sh\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nweb:x:34:\ntape:x:40:web\n');
  await writeFile(join(root, 'www/index.html'), 'hello\n');
  const squashfs = join(folder, 'layer.squashfs');
  await runCommand('mksquashfs', [root, squashfs, '-noappend', '-quiet', '-no-progress', '-all-root']);
  return squashfs;
}

/** Makes a seed disk out of a description. @returns the ISO's path */
export async function makeSeed(
  folder: string,
  instance: object,
  files: readonly object[] = [],
): Promise<string> {
  const description = {
    path: '/etc/sheaf/instance.json',
    permissions: '0600',
    content: JSON.stringify(instance),
  };
  const userData = { write_files: [description, ...files] };
  const iso = join(folder, 'seed.iso');
  await writeFile(
    iso,
    isoDisk('cidata', [
      ['meta-data', JSON.stringify({ 'instance-id': 'test-1', 'local-hostname': 'web-1' })],
      ['network-config', JSON.stringify({ version: 2, ethernets: {} })],
      ['user-data', `#cloud-config\n${JSON.stringify(userData)}\n`],
    ]),
  );
  return iso;
}

/** QEMU makes its sockets in the order of its arguments, before it runs the machine. */
async function untilPresent(path: string, process: ChildProcess): Promise<void> {
  while (process.exitCode === null) {
    try {
      return await access(path);
    } catch {
      await delay(10);
    }
  }
  throw new Error('QEMU ended at once; see its log');
}
