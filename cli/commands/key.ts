import { access, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { makeKey, requireFresh } from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import { parseDuration } from '../../engine/units.ts';
import { writeWhole } from '../../engine/whole-file.ts';
import type { Host, RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { askPassphrase } from '../output/ask-passphrase.ts';
import { visibleLine } from '../output/visible.ts';
import { addKeyTrust } from './key-trust.ts';

type NewOptions = {
  readonly expires?: number;
  readonly after?: string;
  readonly passphraseFile?: string;
  readonly afterPassphraseFile?: string;
  readonly plain?: true;
};

/** Adds `key`: the keys of signatures, and which of them count. */
export function addKey(program: Command, run: RunVerb): void {
  const key = program
    .command('key')
    .summary('make keys for signatures, and say whose count')
    .description('Makes keys for signatures, and says whose signatures count.');
  addKeyTrust(key, run);
  key
    .command('new')
    .summary('make a pair of keys')
    .description(
      'Makes a pair of keys: NAME.key, which signs and stays with you, and NAME.pub, for everybody. ' +
        'The private key is locked by a passphrase.',
    )
    .argument('<name>', 'name of the key, or a path that ends in it')
    .option('--expires <duration>', 'what it signs after that does not count, such as 730d', takeDuration)
    .option('--after <file>', 'the private key in whose place this one comes, and which vouches for it')
    .option('--passphrase-file <file>', 'holds the passphrase of the new key')
    .option('--after-passphrase-file <file>', 'holds the passphrase of the key before')
    .option('--plain', 'write the private key openly, in a file (0600) for programs')
    .addHelpText('after', example('key new acme --expires 730d', 'key new acme-2 --after acme.key'))
    .action((place: string, options: NewOptions) =>
      run('changes', async (host) => {
        const [secretFile, publicFile] = [`${resolve(place)}.key`, `${resolve(place)}.pub`];
        for (const file of [secretFile, publicFile]) await requireAbsent(file);
        const after =
          options.after === undefined
            ? undefined
            : await (await host.catalogs()).readKey(options.after, options.afterPassphraseFile);
        const passphrase = options.plain ? undefined : await newPassphrase(host, options.passphraseFile);
        const now = Date.now();
        // what it vouches for after its end counts for nothing
        if (after !== undefined) requireFresh(after, now);
        const made = makeKey({
          name: place.split('/').at(-1) ?? place,
          now,
          ...(options.expires !== undefined && { expires: now + options.expires }),
          ...(passphrase !== undefined && { passphrase }),
          ...(after !== undefined && { after }),
        });
        await writeWhole(secretFile, made.secretText);
        await writeWhole(publicFile, made.publicText, 0o644);
        if (host.isJson) host.printJson({ id: made.id, secretFile, publicFile });
        else
          host.print(
            [
              visibleLine(`${secretFile}: keep it to yourself`),
              visibleLine(`${publicFile}: give it to whoever shall trust you`),
              `id: ${made.id}`,
            ].join('\n'),
          );
        return 0;
      }),
    );
}

function takeDuration(text: string): number {
  const parsed = parseDuration(text);
  if (!('value' in parsed)) throw new InvalidArgumentError('Write a duration such as 730d.');
  return parsed.value;
}

async function requireAbsent(file: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists)
    throw new EngineError('INPUT_REFUSED', `${file} exists already`, { hint: 'Give the key another name.' });
}

async function newPassphrase(host: Host, file: string | undefined): Promise<string> {
  if (file !== undefined) return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  const given = await askPassphrase(host, 'Passphrase for the new key: ');
  const again = given === undefined ? undefined : await askPassphrase(host, 'Once more: ');
  if (given !== undefined && given === again) return given;
  throw new EngineError(
    'USAGE_WRONG',
    given === undefined ? 'there is no passphrase' : 'the two are not the same',
    {
      hint: 'Give --passphrase-file, or --plain for a key that is not locked.',
    },
  );
}
