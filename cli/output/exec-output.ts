import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import type { Host, OutputStream } from '../host.ts';
import { visible } from './visible.ts';

/** Where a command's output goes. */
export type ExecOutput = { readonly stdout: Writable; readonly stderr: Writable; end(): Promise<void> };

/** Passes a command's output on: as it is, with control characters shown where it meets a terminal, or as lines of JSON. */
export function openExecOutput(host: Host): ExecOutput {
  const stdout = host.isJson ? jsonStream(host, 'stdout') : passStream(host.stdout);
  const stderr = host.isJson ? jsonStream(host, 'stderr') : passStream(host.stderr);
  return {
    stdout,
    stderr,
    async end() {
      for (const stream of [stdout, stderr]) if (!stream.writableEnded) stream.end();
      await Promise.all([finished(stdout), finished(stderr)]);
    },
  };
}

/** Ends without ending its target: the process's own streams stay open. */
function passStream(target: OutputStream): Writable {
  const decoder = new StringDecoder('utf8');
  const show = (text: string): string => visible(text.replaceAll('\r\n', '\n'));
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const content = target.isTTY ? show(decoder.write(chunk)) : chunk;
      if (target.write(content)) done();
      else target.once('drain', done);
    },
    final(done) {
      if (target.isTTY) target.write(show(decoder.end()));
      done();
    },
  });
}

function jsonStream(host: Host, stream: 'stdout' | 'stderr'): Writable {
  const decoder = new StringDecoder('utf8');
  const print = (text: string): void => {
    if (text !== '') host.printJson({ type: 'output', stream, text });
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      print(decoder.write(chunk));
      done();
    },
    final(done) {
      print(decoder.end());
      done();
    },
  });
}
