import { Readable, Writable } from 'node:stream';
import type { Host, OutputStream } from '../../cli/host.ts';
import { chooseStyle } from '../../cli/output/style.ts';
import { EngineError } from '../../engine/errors.ts';

/** A host whose output is kept in memory. */
export type MemoryHost = { readonly host: Host; stdout(): string; stderr(): string };

/** Makes a host for a pipe, a terminal, or JSON, without colours. */
export function memoryHost(
  form: 'pipe' | 'terminal' | 'json',
  signal: AbortSignal = new AbortController().signal,
): MemoryHost {
  const out = memoryStream(form === 'terminal');
  const error = memoryStream(form === 'terminal');
  return {
    host: {
      stdin: Readable.from([]),
      stdout: out.stream,
      stderr: error.stream,
      isTerminal: form === 'terminal',
      isJson: form === 'json',
      style: chooseStyle({ LANG: 'C' }, false),
      program: 'sheaf',
      environment: {},
      folder: '/',
      signal,
      engine: async () => {
        throw new EngineError('INTERNAL_ERROR', 'this host has no engine');
      },
      bundles: async () => ({
        judge: async () => ({ state: 'unsigned', keys: [], reason: 'this host knows no keys' }),
        prerequisites: async () => [],
      }),
      catalogs: async () => {
        throw new EngineError('INTERNAL_ERROR', 'this host has no catalogs');
      },
      print: (text) => void out.stream.write(`${text}\n`),
      printJson: (value) => void out.stream.write(`${JSON.stringify(value)}\n`),
      warn: (text) => void error.stream.write(`${text}\n`),
    },
    stdout: out.text,
    stderr: error.text,
  };
}

function memoryStream(isTTY: boolean): { readonly stream: OutputStream; text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return {
    stream: Object.assign(stream, { isTTY, columns: 80, rows: 24 }),
    text: () => Buffer.concat(chunks).toString(),
  };
}
