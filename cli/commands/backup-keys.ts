import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EngineError } from '../../engine/errors.ts';
import type { Opening, Sealing } from '../../engine/index.ts';
import { systemCode } from '../../engine/system-code.ts';
import type { Host } from '../host.ts';
import { askPassphrase } from '../output/ask-passphrase.ts';

/** What the command line says of opening a backup. */
export type OpeningOptions = { readonly passphraseFile?: string; readonly identity?: string };

/** Gives what a backup is encrypted with; asks on a terminal. Undefined: it is not encrypted. @throws EngineError USAGE_WRONG, KEY_UNREADABLE */
export async function sealingOf(
  options: { readonly passphraseFile?: string; readonly recipient?: readonly string[] },
  host: Host,
): Promise<Sealing | undefined> {
  const { passphraseFile, recipient } = options;
  if (passphraseFile !== undefined && recipient !== undefined)
    throw new EngineError('USAGE_WRONG', 'a backup is encrypted by a passphrase or to keys, not by both', {
      hint: 'Leave one of them out.',
    });
  if (recipient !== undefined) return { kind: 'recipients', recipients: recipient };
  if (passphraseFile !== undefined)
    return { kind: 'passphrase', passphrase: await readPassphrase(passphraseFile, host) };
  const passphrase = await askPassphrase(host, 'Passphrase of the backup (none: not encrypted): ');
  if (passphrase === undefined) return undefined;
  if ((await askPassphrase(host, 'The same again: ')) === passphrase)
    return { kind: 'passphrase', passphrase };
  throw new EngineError('USAGE_WRONG', 'the two passphrases differ', { hint: 'Begin again.' });
}

/** Gives what opens a backup, as far as it was said; nobody is asked. @throws EngineError KEY_UNREADABLE, USAGE_WRONG */
export async function openingOf(options: OpeningOptions, host: Host): Promise<Opening | undefined> {
  const { passphraseFile, identity } = options;
  if (passphraseFile !== undefined && identity !== undefined)
    throw new EngineError('USAGE_WRONG', 'a backup is opened by a passphrase or by a key, not by both', {
      hint: 'Leave one of them out.',
    });
  if (passphraseFile !== undefined)
    return { kind: 'passphrase', passphrase: await readPassphrase(passphraseFile, host) };
  if (identity === undefined) return undefined;
  const lines = (await readKey(identity, host)).split('\n').map((line) => line.trim());
  return { kind: 'identities', identities: lines.filter((line) => line !== '' && !line.startsWith('#')) };
}

async function readPassphrase(file: string, host: Host): Promise<string> {
  const passphrase = (await readKey(file, host)).replace(/\r?\n$/, '');
  if (passphrase !== '') return passphrase;
  throw new EngineError('KEY_UNREADABLE', `${file} is empty`, { hint: 'Write the passphrase into it.' });
}

async function readKey(file: string, { folder }: Host): Promise<string> {
  try {
    return await readFile(resolve(folder, file), 'utf8');
  } catch (cause) {
    throw new EngineError('KEY_UNREADABLE', `${file} cannot be read (${systemCode(cause) ?? 'unknown'})`, {
      hint: 'Name a file that this user may read.',
      cause,
    });
  }
}
