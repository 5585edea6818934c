import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { EngineError } from '../engine/errors.ts';
import { systemCode } from '../engine/system-code.ts';
import type { Host } from './host.ts';
import { askPassphrase } from './output/ask-passphrase.ts';

/** What `--set-file` names: files by parameter; `-` is standard input. */
export type ValueFiles = Readonly<Record<string, string>>;

type Source = Pick<Host, 'stdin' | 'stderr' | 'folder' | 'signal'>;

// as long as a command line's own words may be in all
const longestBytes = 2 ** 20;

/**
 * Reads the values of parameters from files or standard input, so that a secret stands on no command line.
 *
 * Reads pipes too, as in `--set-file password=<(pass show blog)`. One line break at a value's end is left out, for editors and
 * `echo` add it. On a terminal standard input is asked for, showing nothing of it.
 *
 * @throws EngineError USAGE_WRONG, INPUT_REFUSED with the parameter's name and never its value
 */
export async function readValues(
  files: ValueFiles,
  set: Readonly<Record<string, string>>,
  source: Source,
): Promise<Readonly<Record<string, string>>> {
  const values: Record<string, string> = { ...set };
  const piped = Object.keys(files).filter((name) => files[name] === '-');
  if (piped.length > 1)
    throw new EngineError('USAGE_WRONG', `standard input cannot be both ${piped.join(' and ')}`, {
      hint: 'Give all but one by a file.',
    });
  for (const [name, file] of Object.entries(files)) {
    if (Object.hasOwn(set, name))
      throw new EngineError('USAGE_WRONG', `${name} is given by --set and by --set-file`, {
        hint: 'Leave one of them out.',
      });
    values[name] = file === '-' ? await readInput(name, source) : await readFile(name, file, source);
  }
  return values;
}

async function readInput(name: string, source: Source): Promise<string> {
  if (source.stdin.isTTY !== true) return await readAll(name, 'standard input', source.stdin);
  const answer = await askPassphrase(source, `${name}: `);
  if (answer === undefined) throw refused(name, 'nothing was given', 'Type it, or give it by a file.');
  return answer;
}

async function readFile(name: string, file: string, { folder, signal }: Source): Promise<string> {
  return await readAll(name, file, createReadStream(resolve(folder, file), { signal }));
}

async function readAll(name: string, place: string, input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of input) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      length += bytes.length;
      if (length > longestBytes)
        throw refused(name, `${place} is longer than 1 MiB`, 'Give a shorter value.');
    }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    return text.replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const why =
      error instanceof TypeError ? 'is not UTF-8 text' : `cannot be read (${systemCode(error) ?? 'stopped'})`;
    throw refused(name, `${place} ${why}`, 'Name a text file that this user may read.', error);
  }
}

function refused(name: string, why: string, hint: string, cause?: unknown): EngineError {
  return new EngineError('INPUT_REFUSED', `the parameter ${name}: ${why}`, {
    hint,
    details: { parameter: name },
    cause,
  });
}
