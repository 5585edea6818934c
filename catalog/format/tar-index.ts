import type { FileHandle } from 'node:fs/promises';
import { refusal } from './refusals.ts';

/** Where a file's bytes lie in an archive. */
export type TarSlice = { readonly offset: number; readonly size: number };

const blockBytes = 512;
const maxEntries = 20_000;
/** What archivers add to fill their last record. */
const maxPaddingBytes = 2 ** 20;

/**
 * Finds every file of a bundle's tar without reading what they hold.
 *
 * A bundle is made of plain files with short names, so nothing else passes: no links, devices, sparse files, no headers
 * that change what the next header says (PAX, GNU). That leaves one way to read an archive, and no two programs can
 * see different files in it. This is why it does not go through the streaming reader, which must take any tar.
 *
 * @returns slices by path; a leading `./` is left out
 * @throws EngineError BUNDLE_UNREADABLE, BUNDLE_TRUNCATED, BUNDLE_PATH_UNSAFE, BUNDLE_ENTRY_REFUSED, BUNDLE_ENTRY_DUPLICATE,
 *   BUNDLE_ENTRY_UNLISTED for folders that no bundle has, BUNDLE_TOO_LARGE
 * @source POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format", for sizes from 8 GiB on
 */
export async function indexTar(file: FileHandle): Promise<ReadonlyMap<string, TarSlice>> {
  const { size: fileBytes } = await file.stat();
  const found = new Map<string, TarSlice>();
  let position = 0;
  for (let count = 0; ; count += 1) {
    const header = await readBlock(file, position);
    if (header === undefined) throw refusal('BUNDLE_TRUNCATED', 'ends without the mark of its end');
    if (isBlank(header)) break;
    if (count >= maxEntries) throw refusal('BUNDLE_TOO_LARGE', `has more than ${maxEntries} entries`);
    checkForm(header);
    const path = pathOf(header);
    const kind = kindOf(header, path);
    const size = numberOf(header.subarray(124, 136));
    const offset = position + blockBytes;
    if (offset + size > fileBytes) throw refusal('BUNDLE_TRUNCATED', `ends within ${JSON.stringify(path)}`);
    position = offset + Math.ceil(size / blockBytes) * blockBytes;
    await checkFill(file, offset + size, position);
    if (kind === 'folder') {
      if (size > 0 || !['', 'blobs', 'blobs/sha256'].includes(path))
        throw refusal('BUNDLE_ENTRY_UNLISTED', `holds the folder ${JSON.stringify(path)}`);
      continue;
    }
    if (found.has(path)) throw refusal('BUNDLE_ENTRY_DUPLICATE', `holds ${JSON.stringify(path)} twice`);
    found.set(path, { offset, size });
  }
  await checkPadding(file, position, fileBytes);
  return found;
}

async function readBlock(file: FileHandle, position: number): Promise<Buffer | undefined> {
  const block = Buffer.alloc(blockBytes);
  let length = 0;
  while (length < blockBytes) {
    const { bytesRead } = await file.read(block, length, blockBytes - length, position + length);
    if (bytesRead === 0) return undefined;
    length += bytesRead;
  }
  return block;
}

function isBlank(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

function checkForm(header: Buffer): void {
  const magic = header.toString('latin1', 257, 263);
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  const isTar = ['ustar\0', 'ustar '].includes(magic);
  if (!isTar || numberOf(header.subarray(148, 156)) !== sum)
    throw refusal('BUNDLE_UNREADABLE', 'is no tar archive, or one of its headers is damaged');
}

/** Reads octal digits, or the big-endian binary number that stands in for them when they would not fit. */
function numberOf(field: Buffer): number {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((total, byte) => total * 256 + byte, 0);
    if (Number.isSafeInteger(value)) return value;
    throw refusal('BUNDLE_UNREADABLE', 'is no tar archive, or one of its headers is damaged');
  }
  const digits = /^[ ]*([0-7]+)[ \0]*$/.exec(field.toString('latin1'))?.[1];
  if (digits === undefined)
    throw refusal('BUNDLE_UNREADABLE', 'is no tar archive, or one of its headers is damaged');
  return Number.parseInt(digits, 8);
}

function pathOf(header: Buffer): string {
  const text = (from: number, to: number): string => {
    const field = header.subarray(from, to);
    const end = field.indexOf(0);
    return field.toString('latin1', 0, end < 0 ? field.length : end);
  };
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? text(345, 500) : '';
  const written = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  if (written.startsWith('/') || written.split(/[/\\]/).includes('..'))
    throw refusal('BUNDLE_PATH_UNSAFE', `holds ${JSON.stringify(written)}, which leads out of it`);
  return written.replace(/^\.(?:\/|$)/, '').replace(/\/$/, '');
}

const refusedTypes: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a pipe',
  S: 'a sparse file',
  x: 'an extended header',
  g: 'an extended header',
  L: 'a header for a long name',
  K: 'a header for a long link',
};

function kindOf(header: Buffer, path: string): 'file' | 'folder' {
  const type = String.fromCharCode(header[156] ?? 0);
  if (type === '0' || type === '\0') return 'file';
  if (type === '5') return 'folder';
  const what = refusedTypes[type] ?? `an entry of the type ${JSON.stringify(type)}`;
  throw refusal('BUNDLE_ENTRY_REFUSED', `holds ${what}, ${JSON.stringify(path)}`);
}

/** Between the end of a file and the next header stands nothing, so that no byte of an archive can be changed unnoticed. */
async function checkFill(file: FileHandle, from: number, to: number): Promise<void> {
  const fill = Buffer.alloc(to - from);
  await file.read(fill, 0, fill.length, from);
  if (!isBlank(fill)) throw refusal('BUNDLE_UNREADABLE', 'has something between two of its files');
}

async function checkPadding(file: FileHandle, from: number, fileBytes: number): Promise<void> {
  if (fileBytes - from > maxPaddingBytes)
    throw refusal('BUNDLE_ENTRY_UNLISTED', 'goes on after the mark of its end');
  const rest = Buffer.alloc(fileBytes - from);
  await file.read(rest, 0, rest.length, from);
  if (!isBlank(rest)) throw refusal('BUNDLE_ENTRY_UNLISTED', 'goes on after the mark of its end');
}
