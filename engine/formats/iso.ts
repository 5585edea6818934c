const sector = 2048;
const primaryAt = 16; // what lies before is for the system that boots from it
const firstContent = 25;
const unknownTime = `${'0'.repeat(16)}\0`;

/** A file of a disk: its name, lower-case ASCII, and its content. */
export type IsoFile = readonly [name: string, content: string];

type Names = { readonly encode: (text: string) => Buffer; readonly padding: Buffer };

// plain names are upper-case and get a version, which Linux undoes; Joliet has them as they are
const plain: Names = {
  encode: (name) => Buffer.from(`${name.toUpperCase()}.;1`),
  padding: Buffer.from(' '),
};
const joliet: Names = { encode: (name) => utf16(name), padding: Buffer.from('\0 ', 'latin1') };

/**
 * Makes an ISO 9660 disk of a few files in its root, with Joliet names besides. Same files, same bytes.
 *
 * @param label - at most sixteen characters of ASCII, kept as they are
 * @param files - at most eight, in the order of their names
 * @source ECMA-119 (ISO 9660), sections 6 to 9; Joliet specification, 1995
 */
export function isoDisk(label: string, files: readonly IsoFile[]): Buffer {
  const contents = files.map(([, content]) => Buffer.from(content));
  const places: { readonly at: number; readonly size: number }[] = [];
  let end = firstContent;
  for (const { length } of contents) {
    places.push({ at: end, size: length });
    end += Math.ceil(length / sector);
  }
  const disk = Buffer.alloc(end * sector);
  const put = (bytes: Uint8Array, at: number) => disk.set(bytes, at * sector);

  const volumes = [
    { names: plain, label: Buffer.from(label), tables: 19, root: 23 },
    { names: joliet, label: utf16(label), tables: 21, root: 24 },
  ];
  for (const [index, volume] of volumes.entries()) {
    put(descriptor(index === 0 ? 1 : 2, volume, end), primaryAt + index);
    put(pathTable(volume.root, 'little'), volume.tables);
    put(pathTable(volume.root, 'big'), volume.tables + 1);
    const entries = files.map(([name], at) => {
      const place = places[at] ?? { at: 0, size: 0 };
      return directoryRecord(volume.names.encode(name), place.at, place.size, false);
    });
    const self = [Buffer.of(0), Buffer.of(1)].map((id) => directoryRecord(id, volume.root, sector, true));
    put(Buffer.concat([...self, ...entries]), volume.root);
  }
  put(Buffer.from('\xffCD001\x01', 'latin1'), primaryAt + volumes.length);
  for (const [index, content] of contents.entries()) put(content, places[index]?.at ?? 0);
  return disk;
}

type Volume = {
  readonly names: Names;
  readonly label: Buffer;
  readonly tables: number;
  readonly root: number;
};

function descriptor(type: 1 | 2, { names, label, tables, root }: Volume, sectors: number): Buffer {
  const block = Buffer.alloc(sector);
  const text = (value: Buffer, from: number, to: number) => {
    block.fill(names.padding, from, to);
    block.set(value.subarray(0, to - from), from);
  };
  const nothing = Buffer.alloc(0);
  block.writeUInt8(type, 0);
  block.write('CD001\x01', 1, 'latin1');
  text(nothing, 8, 40);
  text(label, 40, 72);
  both32(block, sectors, 80);
  if (type === 2) block.write('%/E', 88, 'latin1'); // UCS-2, level 3
  both16(block, 1, 120);
  both16(block, 1, 124);
  both16(block, sector, 128);
  both32(block, 10, 132);
  block.writeUInt32LE(tables, 140);
  block.writeUInt32BE(tables + 1, 148);
  block.set(directoryRecord(Buffer.of(0), root, sector, true), 156);
  for (const [from, to] of [
    [190, 318],
    [318, 446],
    [446, 574],
    [574, 702],
    [702, 739],
    [739, 776],
    [776, 813],
  ] as const)
    text(nothing, from, to);
  for (const at of [813, 830, 847, 864]) block.write(unknownTime, at, 'latin1');
  block.writeUInt8(1, 881);
  return block;
}

function directoryRecord(id: Buffer, at: number, size: number, isFolder: boolean): Buffer {
  const record = Buffer.alloc(33 + id.length + ((id.length + 1) % 2));
  record.writeUInt8(record.length, 0);
  both32(record, at, 2);
  both32(record, size, 10);
  record.set([70, 1, 1, 0, 0, 0, 0], 18); // 1970-01-01
  record.writeUInt8(isFolder ? 2 : 0, 25);
  both16(record, 1, 28);
  record.writeUInt8(id.length, 32);
  record.set(id, 33);
  return record;
}

function pathTable(root: number, order: 'little' | 'big'): Buffer {
  const table = Buffer.alloc(10);
  table.writeUInt8(1, 0);
  if (order === 'little') table.writeUInt32LE(root, 2);
  else table.writeUInt32BE(root, 2);
  table.writeUInt8(1, order === 'little' ? 6 : 7);
  return table;
}

function both16(block: Buffer, value: number, at: number): void {
  block.writeUInt16LE(value, at);
  block.writeUInt16BE(value, at + 2);
}

function both32(block: Buffer, value: number, at: number): void {
  block.writeUInt32LE(value, at);
  block.writeUInt32BE(value, at + 4);
}

function utf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
