const attributePrefix = 'SCHILY.xattr.';
const block = 512;

/**
 * Rewrites the records of a PAX header so that a reader who takes them for UTF-8 gets extended attributes byte by byte:
 * one character, U+0000 to U+00FF, for each. File capabilities are such bytes and no text.
 *
 * @source POSIX.1-2017, pax, "pax Extended Header"
 */
export function attributesAsCharacters(records: Uint8Array): Uint8Array {
  const source = Buffer.from(records);
  const result: Uint8Array[] = [];
  for (let at = 0; at < source.length; ) {
    const space = source.indexOf(' ', at);
    const length = Number.parseInt(source.toString('latin1', at, Math.max(space, at)), 10);
    const end = at + length;
    if (!(length > 0) || end > source.length || space >= end) break; // what follows is for the reader to judge
    const equals = source.indexOf('=', space);
    const key = equals < 0 || equals > end ? '' : source.toString('utf8', space + 1, equals);
    result.push(
      key.startsWith(attributePrefix)
        ? paxRecord(key, Buffer.from(source.toString('latin1', equals + 1, end - 1)))
        : source.subarray(at, end),
    );
    at = end;
  }
  return Buffer.concat(result);
}

/**
 * Makes an entry of PAX records, to stand before the entry that they belong to; for values that are no UTF-8.
 *
 * @param values - of extended attributes, one character for each byte, under their prefixed names; others as text
 */
export function paxHeader(values: Readonly<Record<string, string>>): Uint8Array {
  const records = Buffer.concat(
    Object.entries(values).map(([key, value]) =>
      paxRecord(key, Buffer.from(value, key.startsWith(attributePrefix) ? 'latin1' : 'utf8')),
    ),
  );
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  header.write('PaxHeader', 0, 'latin1');
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(records.length, 124, 11);
  octal(0, 136, 11);
  header.write('        x', 148, 'latin1'); // the checksum counts itself as spaces
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  octal(sum, 148, 6);
  header.writeUInt8(0, 154);
  return Buffer.concat([header, records, Buffer.alloc((block - (records.length % block)) % block)]);
}

/** Writes `LENGTH KEY=VALUE\n`, whose length counts its own digits. */
function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + String(rest.length).length;
  if (String(length).length !== String(rest.length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
