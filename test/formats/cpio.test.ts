import test from 'ava';
import { type CpioEntry, writeCpio } from '../../engine/formats/cpio.ts';

const entries: readonly CpioEntry[] = [
  { kind: 'folder', path: 'a', mode: 0o755 },
  { kind: 'file', path: 'a/odd', mode: 0o640, content: Buffer.from('five!') },
  { kind: 'link', path: 'l', mode: 0o777, target: 'a/odd' },
];

test('an archive has a header, a name and content for each entry, each on a boundary of four bytes', (t) => {
  const archive = Buffer.from(writeCpio(entries)).toString('latin1');

  const fields = [...archive.matchAll(/070701([0-9A-Fa-f]{104})([^\0]+)\0/g)].map(
    ([, header = '', name]) => ({
      at: archive.indexOf(`070701${header}`) % 4,
      name,
      mode: Number.parseInt(header.slice(8, 16), 16).toString(8),
      owner: header.slice(16, 32),
      time: header.slice(40, 48),
      size: Number.parseInt(header.slice(48, 56), 16),
    }),
  );

  const root = { at: 0, owner: '0'.repeat(16), time: '0'.repeat(8) };
  t.deepEqual(fields, [
    { ...root, name: 'a', mode: '40755', size: 0 },
    { ...root, name: 'a/odd', mode: '100640', size: 5 },
    { ...root, name: 'l', mode: '120777', size: 5 },
    { ...root, name: 'TRAILER!!!', mode: '0', size: 0 },
  ]);
  t.is(archive.length % 4, 0);
});

test('equal entries give equal bytes', (t) => {
  t.deepEqual(writeCpio(entries), writeCpio(structuredClone(entries)));
});
