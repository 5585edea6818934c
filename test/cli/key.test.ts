import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { packFile } from '../../catalog/index.ts';
import { quiet, sampleBundle } from '../catalog/sample-bundle.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { runCli } from './run-cli.ts';
import { violations } from './schemas.ts';

test('keys are trusted, rotated and revoked by the program alone', async (t) => {
  const { folder, sheaf, answer } = openDesk(t);
  await packFile({ ...sampleBundle(), file: join(folder, 'x.sheaf') }, quiet);
  const verified = async () => {
    const { code, stdout } = await sheaf('verify', 'x.sheaf');
    const { error, signatures } = JSON.parse(stdout);
    return code === 0 ? `${signatures.state} ${signatures.keys.join()}` : error.code;
  };
  for (const [name, ...more] of [['acme'], ['acme-2', '--after', 'acme.key'], ['mallory']])
    await answer('key-new', 'key', 'new', name ?? '', '--plain', ...more);

  const empty = await answer('key-list', 'key', 'list');
  const trusted = await answer('key-trust', 'key', 'trust', 'acme.pub', '--for', 'sam*', '--catalog', 'file');
  const again = await answer('key-trust', 'key', 'trust', 'acme.pub', '--for', 'sam*', '--catalog', 'file');
  const unsigned = await verified();
  await answer('sign', 'sign', 'x.sheaf', '--key', 'mallory.key');
  const stranger = await verified();
  await answer('sign', 'sign', 'x.sheaf', '--key', 'acme-2.key');
  const rotated = await verified();
  const revoked = await answer('key-revoke', 'key', 'revoke', 'acme');
  const gone = await verified();
  const list = await answer('key-list', 'key', 'list');
  const refused = await sheaf('key', 'trust', 'acme.pub');

  t.like(empty, { isWritten: false, keys: [] });
  t.like(trusted, {
    isChanged: true,
    key: { name: 'acme', rules: [{ names: ['sam*'], catalogs: ['file'] }] },
  });
  t.deepEqual(again, { ...trusted, isChanged: false });
  t.deepEqual(
    [unsigned, stranger, rotated, gone],
    ['SIGNATURE_MISSING', 'SIGNATURE_UNTRUSTED', 'trusted acme-2', 'SIGNATURE_UNTRUSTED'],
  );
  t.like(list, { isWritten: true, keys: [{ name: 'acme', isRevoked: true }], revoked: [revoked['id']] });
  t.is(JSON.parse(refused.stdout).error.code, 'INPUT_REFUSED');
  const policy = join(folder, 'config/sheaf/trust.yaml');
  t.is(statSync(policy).mode & 0o777, 0o600);
  t.regex(readFileSync(join(folder, 'config/sheaf/keys/acme.pub'), 'utf8'), /PUBLIC KEY/);
});

test('a key that has ended neither signs nor vouches for the next one', async (t) => {
  const { folder, sheaf, answer } = openDesk(t);
  await packFile({ ...sampleBundle(), file: join(folder, 'x.sheaf') }, quiet);
  await answer('key-new', 'key', 'new', 'acme', '--plain', '--expires', '1ms');

  const runs = [
    await sheaf('sign', 'x.sheaf', '--key', 'acme.key'),
    await sheaf('key', 'new', 'next', '--plain', '--after', 'acme.key'),
  ];

  for (const { stdout } of runs) t.is(JSON.parse(stdout).error.code, 'KEY_EXPIRED');
  t.false(existsSync(join(folder, 'next.key')));
});

test('what is no public key, an unfit name, or one that another key has is refused, and nothing changes', async (t) => {
  const { folder, sheaf, answer } = openDesk(t);
  for (const name of ['acme', 'other']) await answer('key-new', 'key', 'new', name, '--plain');
  await answer('key-trust', 'key', 'trust', 'acme.pub');
  const policy = join(folder, 'config/sheaf/trust.yaml');
  const before = readFileSync(policy, 'utf8');

  const codes: string[] = [];
  for (const args of [
    ['trust', 'acme.key'],
    ['trust', 'absent.pub'],
    ['trust', 'other.pub', '--name', 'acme'],
    ['trust', 'other.pub', '--name', '../x'],
    ['revoke', 'acmee'],
  ]) {
    const { stdout } = await sheaf('key', ...args);
    codes.push(JSON.parse(stdout).error.code);
  }

  t.deepEqual(codes, [
    'KEY_UNREADABLE',
    'KEY_UNREADABLE',
    'INPUT_REFUSED',
    'INPUT_REFUSED',
    'SOURCE_MISSING',
  ]);
  t.is(readFileSync(policy, 'utf8'), before);
});

function openDesk(t: ExecutionContext) {
  const folder = temporaryFolder(t);
  const environment = { SHEAF_HOME: join(folder, 'home'), XDG_CONFIG_HOME: join(folder, 'config') };
  const sheaf = (...args: readonly string[]) => runCli([...args, '--json'], { folder, environment });
  const answer = async (schema: string, ...args: readonly string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await sheaf(...args);
    t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    const value = JSON.parse(stdout);
    t.deepEqual(violations(schema, value), []);
    return value;
  };
  return { folder, sheaf, answer };
}
