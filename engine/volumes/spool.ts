import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { orDiskFull } from '../disk-full.ts';

const piece = 2 ** 18;

/** A long list in a file of its own, one line an item, so that memory does not grow with it. */
export type Spool<T> = {
  readonly file: string;
  /** Reads from the first item on, any number of times, also at once. */
  readonly items: () => AsyncGenerator<T>;
  readonly remove: () => Promise<void>;
};

/** Writes a list into a new file. @throws EngineError DISK_FULL; whatever the list throws. Nothing is left then */
export async function spool<T>(folder: string, items: AsyncIterable<T>): Promise<Spool<T>> {
  const file = join(folder, `${crypto.randomUUID()}.lines`);
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      let lines: string[] = [];
      let length = 0;
      for await (const item of items) {
        const line = `${JSON.stringify(item)}\n`;
        lines.push(line);
        length += line.length;
        if (length < piece) continue;
        await handle.writeFile(lines.join(''));
        lines = [];
        length = 0;
      }
      await handle.writeFile(lines.join(''));
    } finally {
      await handle.close();
    }
  } catch (cause) {
    await rm(file, { force: true });
    throw orDiskFull(cause, folder);
  }
  return spoolIn(file);
}

/** Gives a list that lies in a file already; removing it removes the file. */
export function spoolIn<T>(file: string): Spool<T> {
  return { file, items: () => readLines<T>(file), remove: () => rm(file, { force: true }) };
}

/** Gives a list with nothing in it. */
export function emptySpool<T>(): Spool<T> {
  return { file: '', async *items() {}, remove: async () => undefined };
}

async function* readLines<T>(file: string): AsyncGenerator<T> {
  const input = createReadStream(file, { highWaterMark: piece });
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      yield JSON.parse(line) as T;
  } finally {
    input.destroy();
  }
}
