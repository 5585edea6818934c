/** One entry as it shall stand in an archive, right or wrong. */
export type RawEntry = {
  readonly path: string;
  readonly content?: Buffer;
  /** Type flag; `0` for a file. */
  readonly type?: string;
  readonly target?: string;
  /** What the header says, where that is not the content's. */
  readonly size?: number;
};

/** Writes a tar archive byte by byte, with whatever a hostile one may hold. */
export function rawTar(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(1024)]);
}

function blocksOf({ path, content = Buffer.alloc(0), type = '0', target = '', size }: RawEntry): Buffer[] {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  header.write(path, 0, 100, 'latin1');
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size ?? content.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(target, 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}

/** Reads the plain files of an archive back. */
export function readRawTar(archive: Buffer): readonly (RawEntry & { readonly content: Buffer })[] {
  const entries: (RawEntry & { readonly content: Buffer })[] = [];
  for (let at = 0; archive[at] !== 0; ) {
    const path = archive.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
    entries.push({ path, content: archive.subarray(at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}
