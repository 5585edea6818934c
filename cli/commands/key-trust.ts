import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type KnownKey, listKeys, revokeKey, trustKey } from '../../catalog/index.ts';
import { EngineError } from '../../engine/errors.ts';
import type { Host, RunVerb } from '../host.ts';
import { collect, example } from '../options.ts';
import { formatTable } from '../output/table.ts';
import { visibleLine } from '../output/visible.ts';

type TrustOptions = {
  readonly name?: string;
  readonly for?: readonly string[];
  readonly catalog?: readonly string[];
};

/** Adds `key trust`, `key list` and `key revoke`: whose signatures count. @param key - the command `key` */
export function addKeyTrust(key: Command, run: RunVerb): void {
  key
    .command('trust')
    .summary('let the signatures of a key count')
    .description(
      'Lets the signatures of a key count, by a rule in trust.yaml, beside which the key is copied. ' +
        'The first rule also makes signatures a duty: what no rule takes is refused from then on.',
    )
    .argument('<file>', 'the public key, NAME.pub')
    .option('--name <word>', "what it is called in the policy (default: the key's own name)")
    .option('--for <pattern>', 'only for what has this name, such as "acme-*"; may be repeated', collect)
    .option(
      '--catalog <place>',
      'only for what comes from this catalog, or as a "file"; may be repeated',
      collect,
    )
    .addHelpText(
      'after',
      example('key trust acme.pub', 'key trust acme.pub --catalog oci://registry.example.com/acme'),
    )
    .action((file: string, options: TrustOptions) =>
      run('changes', async (host) => {
        const text = await readFile(resolve(host.folder, file), 'utf8').catch((cause: unknown) => {
          throw new EngineError('KEY_UNREADABLE', `the key ${file} cannot be read`, {
            hint: 'Give the public file that sheaf key new made.',
            cause,
          });
        });
        const { name, for: names, catalog } = options;
        const policy = await policyFile(host);
        const { isWritten } = await listKeys(policy);
        const answer = await trustKey(policy, {
          ...{ text, place: file },
          ...(name !== undefined && { name }),
          ...(names !== undefined && { names }),
          ...(catalog !== undefined && { catalogs: catalog.map((place) => written(host, place)) }),
        });
        if (host.isJson) host.printJson(answer);
        else host.print(trusted(answer.key, answer.isChanged, policy, isWritten));
        return 0;
      }),
    );
  key
    .command('list')
    .summary('show whose signatures count')
    .description('Shows the keys of the trust policy, for what each counts, and which are revoked.')
    .addHelpText('after', example('key list'))
    .action(() =>
      run('reads', async (host) => {
        const listing = await listKeys(await policyFile(host));
        if (host.isJson) host.printJson(listing);
        else if (!listing.isWritten)
          host.print(visibleLine(`there is no trust policy yet: sheaf key trust writes ${listing.file}`));
        else {
          const rows = listing.keys.map((each) =>
            [each.name, stateOf(each), each.id, rulesOf(each)].map(visibleLine),
          );
          const strange = listing.revoked.filter((id) => !listing.keys.some((each) => each.id === id));
          const all = [...rows, ...strange.map((id) => ['', 'revoked', visibleLine(id), ''])];
          host.print(all.length === 0 ? 'nobody is trusted' : formatTable(all));
        }
        return 0;
      }),
    );
  key
    .command('revoke')
    .summary('let nothing count that a key ever signed')
    .description(
      'Lets nothing count any more that a key signed, whenever it did: for keys that were stolen. The policy keeps its id.',
    )
    .argument('<key>', 'its name in the policy, or its id')
    .addHelpText('after', example('key revoke acme'))
    .action((name: string) =>
      run('changes', async (host) => {
        const answer = await revokeKey(await policyFile(host), name);
        if (host.isJson) host.printJson(answer);
        else
          host.print(
            `${answer.id} ${answer.isChanged ? 'is' : 'was already'} revoked: nothing that it signed counts`,
          );
        return 0;
      }),
    );
}

async function policyFile(host: Host): Promise<string> {
  return (await host.catalogs()).trustFile;
}

/** Rules name a folder by its whole path. */
function written(host: Host, place: string): string {
  return place === 'file' || place.startsWith('oci://') || place.includes('*')
    ? place
    : resolve(host.folder, place);
}

function trusted(key: KnownKey, isChanged: boolean, file: string, wasWritten: boolean): string {
  const lines = [
    `${key.name} ${isChanged ? 'is' : 'was already'} trusted, ${rulesOf(key)}`,
    `id: ${key.id} (compare it with what its owner tells you)`,
    ...(wasWritten ? [] : [`${file} is new: what no rule in it takes is refused from now on`]),
  ];
  return lines.map(visibleLine).join('\n');
}

function stateOf({ isRevoked, expires }: KnownKey): string {
  if (isRevoked) return 'revoked';
  return expires === undefined ? 'counts' : `counts until ${expires.slice(0, 10)}`;
}

function rulesOf({ rules }: KnownKey): string {
  if (rules.length === 0) return 'in no rule';
  return rules
    .map(({ names, catalogs }) => {
      const what = names === undefined ? 'for everything' : `for ${names.join(', ')}`;
      return catalogs === undefined ? what : `${what} from ${catalogs.join(', ')}`;
    })
    .join('; and ');
}
