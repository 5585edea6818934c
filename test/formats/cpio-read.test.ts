import test from 'ava';
import { readCpioFile, writeCpio } from '../../engine/formats/cpio.ts';

test('a file is found in an archive again, and none that is not there', (t) => {
  const archive = writeCpio([
    { kind: 'folder', path: 'bin', mode: 0o755 },
    { kind: 'file', path: 'bin/a', mode: 0o755, content: Buffer.from('one') },
    { kind: 'file', path: 'bin/ab', mode: 0o755, content: Buffer.from('second') },
  ]);

  t.is(Buffer.from(readCpioFile(archive, 'bin/ab') ?? []).toString(), 'second');
  t.is(readCpioFile(archive, 'bin/c'), undefined);
  t.is(readCpioFile(archive.subarray(0, 60), 'bin/a'), undefined);
});
