import { type FileHandle, open } from 'node:fs/promises';
import { createInflateRaw, createZstdDecompress } from 'node:zlib';

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

const offsetMask = 0x00ff_ffff_ffff_fe00n;
const isCompressed = 1n << 62n;
const isZero = 1n;
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

/**
 * Reads the first bytes of a qcow2 as a guest sees them, without QEMU's help.
 *
 * @param bytes - at most 512
 * @returns undefined where the file says something that no sound one does
 * @source qemu/docs/interop/qcow2.txt, "Cluster mapping"
 */
export async function readDiskStart(path: string, bytes: number): Promise<Buffer | undefined> {
  await using file = await open(path, 'r');
  const header = await readAt(file, 0n, headerBytes + 1);
  const clusterBits = header?.readUInt32BE(20) ?? 0;
  if (header === undefined || clusterBits < 9 || clusterBits > 21) return undefined;
  const upper = await readAt(file, header.readBigUInt64BE(40), 8);
  if (upper === undefined) return undefined;
  const table = upper.readBigUInt64BE(0) & offsetMask;
  const lower = table === 0n ? Buffer.alloc(8) : await readAt(file, table, 8);
  if (lower === undefined) return undefined;
  const entry = lower.readBigUInt64BE(0);
  const cluster = entry & offsetMask;
  if ((entry & isCompressed) !== 0n)
    return await unpacked(await packedCluster(file, entry, clusterBits), isZstd(header), bytes);
  if (cluster === 0n || (entry & isZero) !== 0n) return Buffer.alloc(bytes);
  return await readAt(file, cluster, bytes);
}

/** Tells how clusters are packed: only longer headers, from version 3 on, say so. */
function isZstd(header: Buffer): boolean {
  return (
    header.readUInt32BE(4) >= 3 &&
    header.readUInt32BE(100) > headerBytes &&
    header.readUInt8(headerBytes) === 1
  );
}

async function packedCluster(
  file: FileHandle,
  entry: bigint,
  clusterBits: number,
): Promise<Buffer | undefined> {
  const sectorsAt = BigInt(62 - (clusterBits - 8));
  const offset = entry & ((1n << sectorsAt) - 1n);
  const sectors = (entry & (isCompressed - 1n)) >> sectorsAt;
  const { size } = await file.stat();
  const end = Math.min(size, Number(offset - (offset % 512n)) + (Number(sectors) + 1) * 512);
  return await readAt(file, offset, Math.max(end - Number(offset), 0));
}

/** Unpacks no more than the bytes that are asked for; what follows a packed cluster in its last sector is no part of it. */
async function unpacked(
  content: Buffer | undefined,
  byZstd: boolean,
  bytes: number,
): Promise<Buffer | undefined> {
  const unpacker = byZstd ? createZstdDecompress() : createInflateRaw();
  unpacker.end(content);
  let start = Buffer.alloc(0);
  try {
    for await (const chunk of unpacker) {
      start = Buffer.concat([start, chunk]);
      if (start.length >= bytes) return start.subarray(0, bytes);
    }
  } catch {
    // what is broken has no start
  }
  return undefined;
}

async function readAt(file: FileHandle, position: bigint, length: number): Promise<Buffer | undefined> {
  const content = Buffer.alloc(length);
  const { bytesRead } = await file.read(content, 0, length, position);
  return bytesRead === length ? content : undefined;
}
