/** One entry of a cpio archive. Folders stand before what is in them. */
export type CpioEntry = { readonly path: string; readonly mode: number } & (
  | { readonly kind: 'file'; readonly content: Uint8Array }
  | { readonly kind: 'folder' }
  | { readonly kind: 'link'; readonly target: string }
);

const fileTypes = { file: 0o100000, folder: 0o040000, link: 0o120000 } as const;
const trailer = 'TRAILER!!!';

/**
 * Writes a cpio archive that Linux takes as an initramfs.
 *
 * Everything belongs to root and dates from 1970, so equal entries give equal bytes.
 *
 * @param entries - paths without a leading slash
 * @source Documentation/driver-api/early-userspace/buffer-format.rst, "newc"
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.flatMap((entry, index) => member(entry, index + 1));
  return Buffer.concat([
    ...parts,
    ...record({ ino: 0, mode: 0, links: 1, name: trailer, content: Buffer.alloc(0) }),
  ]);
}

function member(entry: CpioEntry, ino: number): readonly Uint8Array[] {
  const content =
    entry.kind === 'file' ? entry.content : Buffer.from(entry.kind === 'link' ? entry.target : '');
  const mode = fileTypes[entry.kind] | entry.mode;
  return record({ ino, mode, links: entry.kind === 'folder' ? 2 : 1, name: entry.path, content });
}

type CpioRecord = {
  readonly ino: number;
  readonly mode: number;
  readonly links: number;
  readonly name: string;
  readonly content: Uint8Array;
};

function record({ ino, mode, links, name, content }: CpioRecord): readonly Uint8Array[] {
  const path = Buffer.from(`${name}\0`);
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [ino, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, path.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, path, padding(header.length + path.length), content, padding(content.length)];
}

function padding(length: number): Uint8Array {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

/**
 * Finds a file in an archive as {@link writeCpio} makes it.
 *
 * @returns undefined when there is none of this path
 */
export function readCpioFile(archive: Uint8Array, path: string): Uint8Array | undefined {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const headBytes = 110;
  for (let at = 0; at + headBytes <= bytes.length; ) {
    const field = (index: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameBytes] = [field(6), field(11)];
    const name = bytes.toString('utf8', at + headBytes, at + headBytes + nameBytes - 1);
    const start = aligned(at + headBytes + nameBytes);
    if (name === path) return bytes.subarray(start, start + size);
    if (name === trailer || !(size >= 0)) return undefined;
    at = aligned(start + size);
  }
  return undefined;
}

function aligned(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
