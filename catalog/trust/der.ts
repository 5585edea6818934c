/**
 * Writes one element of ASN.1's distinguished encoding.
 *
 * @source ITU-T X.690, sections 8 and 10
 */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

/** The tags that are needed here. */
export const derTags = { integer: 0x02, octets: 0x04, nothing: 0x05, object: 0x06, sequence: 0x30 } as const;

/** Writes an object identifier such as `1.2.840.113549.1.5.13`. */
export function derObject(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(derTags.object, Buffer.from([40 * first + second, ...rest.flatMap(inSevens)]));
}

/** Writes a number that is not negative. */
export function derInteger(value: number): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return der(derTags.integer, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.of(0), bytes]));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits = length.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

function inSevens(value: number): readonly number[] {
  const low = value & 0x7f;
  const parts: number[] = [low];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    parts.unshift((rest & 0x7f) | 0x80);
  return parts;
}
