import { pipeline, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { unpackZstd } from '../../engine/formats/zstd.ts';

const skippable = Buffer.concat([Buffer.from('5e2a4d1805000000', 'hex'), Buffer.from('hello')]);
const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

for (const size of [1, 7, 1_000_000])
  test(`many frames, and others between them, are one content, in chunks of ${size}`, async (t) => {
    const large = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * 7919) >> (index % 11)));
    const packed = Buffer.concat([
      skippable,
      zstdCompressSync('one', checked),
      zstdCompressSync(''),
      skippable,
      zstdCompressSync(large),
      zstdCompressSync(Buffer.alloc(300_000, 7), checked),
      skippable,
    ]);

    const content = await unpack(packed, size);

    t.true(content.equals(Buffer.concat([Buffer.from('one'), large, Buffer.alloc(300_000, 7)])));
  });

test('what ends early or is no frame fails', async (t) => {
  const frame = zstdCompressSync('content');

  await t.throwsAsync(unpack(frame.subarray(0, -1), 100));
  await t.throwsAsync(unpack(Buffer.concat([frame, Buffer.from('garbage')]), 100));
  await t.throwsAsync(unpack(Buffer.from('garbage'), 100));
});

async function unpack(packed: Buffer, size: number): Promise<Buffer> {
  const chunks = Array.from({ length: Math.ceil(packed.length / size) }, (_, index) =>
    packed.subarray(index * size, (index + 1) * size),
  );
  const content = unpackZstd();
  pipeline(Readable.from(chunks), content, () => undefined);
  return await buffer(content);
}
