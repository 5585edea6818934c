import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Host } from '../host.ts';
import { visible } from './visible.ts';

/** Writes logs as they come; waits where the reader is slow, so that memory does not grow. */
export type LogWriter = {
  write(instance: string, bytes: Uint8Array): Promise<void>;
  /** Writes what was left without a line end. */
  end(): Promise<void>;
};

/** Lines longer than this are broken, for a guest may never end one. */
const lineLimit = 64 * 2 ** 10;

/**
 * Makes the writer that fits the host: raw bytes for one instance in a pipe; otherwise whole lines, with the
 * instance's name where there are several, control characters shown on a terminal, one object a line as JSON.
 */
export function createLogWriter(host: Host, hasSeveral: boolean): LogWriter {
  if (!host.isTerminal && !host.isJson && !hasSeveral)
    return { write: (_instance, bytes) => send(host.stdout, bytes), end: async () => undefined };
  const open = new Map<string, { readonly decoder: StringDecoder; rest: string }>();
  const format = (instance: string, line: string): string => {
    if (host.isJson) return `${JSON.stringify({ instance, line })}\n`;
    const text = host.isTerminal ? visible(line) : line;
    return hasSeveral ? `${host.style.cyan(instance)}: ${text}\n` : `${text}\n`;
  };
  return {
    async write(instance, bytes) {
      const source = open.get(instance) ?? { decoder: new StringDecoder('utf8'), rest: '' };
      open.set(instance, source);
      const lines = (source.rest + source.decoder.write(Buffer.from(bytes))).split(/\r*\n/);
      source.rest = lines.pop() ?? '';
      if (source.rest.length > lineLimit) {
        lines.push(source.rest);
        source.rest = '';
      }
      if (lines.length > 0) await send(host.stdout, lines.map((line) => format(instance, line)).join(''));
    },
    async end() {
      for (const [instance, { decoder, rest }] of open) {
        const last = rest + decoder.end();
        if (last !== '') await send(host.stdout, format(instance, last));
      }
    },
  };
}

async function send(stream: Writable, content: Uint8Array | string): Promise<void> {
  if (!stream.write(content)) await once(stream, 'drain');
}
