import { open } from 'node:fs/promises';

/** What the header of a disk image says. */
export type DiskHeader =
  | {
      readonly format: 'qcow2';
      readonly version: number;
      /** Bytes, as a guest sees them. */
      readonly sizeBytes: number;
      /** Why it must not be opened: it would lead to other files, or asks for what a stranger's disk may not. */
      readonly refusal?: string;
    }
  | { readonly format: 'raw'; readonly sizeBytes: number }
  /** Another format of virtual disks. */
  | { readonly format: 'foreign'; readonly name: string };

const magic = 0x514649fb; // "QFI", 0xfb
const headerBytes = 104;
const corrupt = 1n << 1n;
const externalData = 1n << 2n;
const knownIncompatible = 0b11111n; // dirty, corrupt, external data, compression type, extended L2 entries
const foreign: readonly (readonly [string, string])[] = [
  ['KDMV', 'VMDK'],
  ['# Disk DescriptorFile', 'VMDK'],
  ['vhdxfile', 'VHDX'],
  ['conectix', 'VHD'],
  ['<<< ', 'VDI'],
  ['QED\0', 'QED'],
  ['\x1f\x8b', 'gzip'],
  ['\xfd7zXZ', 'xz'],
];

/**
 * Reads the header of a disk image, of which nothing is believed: it may come from anybody.
 *
 * QEMU follows a header to the files that it names, and it opens disks before it has given up its rights.
 *
 * @source qemu/docs/interop/qcow2.txt; CVE-2024-4467
 */
export async function readDiskHeader(path: string): Promise<DiskHeader> {
  await using file = await open(path, 'r');
  const header = Buffer.alloc(headerBytes);
  const { bytesRead } = await file.read(header, 0, headerBytes, 0);
  if (bytesRead < 72 || header.readUInt32BE(0) !== magic) {
    const start = header.toString('latin1');
    const name = foreign.find(([sign]) => start.startsWith(sign))?.[1];
    if (name !== undefined) return { format: 'foreign', name };
    return { format: 'raw', sizeBytes: (await file.stat()).size };
  }
  const version = header.readUInt32BE(4);
  const sizeBytes = Number(header.readBigUInt64BE(24));
  const incompatible = version >= 3 ? header.readBigUInt64BE(72) : 0n;
  const refusal =
    version !== 2 && version !== 3
      ? `is a qcow2 of version ${version}`
      : header.readBigUInt64BE(8) !== 0n
        ? 'names a backing file'
        : (incompatible & externalData) !== 0n
          ? 'keeps its data in another file'
          : (incompatible & corrupt) !== 0n
            ? 'is marked as damaged'
            : (incompatible & ~knownIncompatible) !== 0n
              ? 'uses features that are not known'
              : header.readUInt32BE(32) !== 0
                ? 'is encrypted'
                : undefined;
  return { format: 'qcow2', version, sizeBytes, ...(refusal !== undefined && { refusal }) };
}
