import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { contentsOf, openBundle, packFile } from '../../catalog/index.ts';
import {
  blobOf,
  calm,
  collect,
  credentialsOf,
  openQuickly,
  rememberUploads,
  sourceOf,
} from '../catalog/registry/openings.ts';
import { sampleBundle } from '../catalog/sample-bundle.ts';
import { openTrade, writeHive } from '../cli/appliance-vendor.ts';
import { runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { ociFaults } from './support/oci-schemas.ts';
import { startRegistry } from './support/registry-server.ts';

const run = promisify(execFile);

test('a bundle goes from file to registry to registry to file, and its digest and signature hold on each leg', async (t) => {
  const [first, second] = [await startRegistry(t), await startRegistry(t)];
  const { folder, sheaf } = await makeVendor(t);
  const [from, to] = [`oci://${first.host}/acme`, `oci://${second.host}/acme`];

  const published = await sheaf(
    'publish',
    'sample.sheaf',
    '--to',
    from,
    '--key',
    'acme.key',
    '--channel',
    'stable',
  );
  const again = await sheaf('publish', 'sample.sheaf', '--to', from, '--key', 'acme.key');
  const found = await sheaf('search', '--catalog', from);
  const copy = (name: string) => [
    ...['copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false'],
    ...[`docker://${first.host}/acme/${name}`, `docker://${second.host}/acme/${name}`],
  ];
  const name = String(published['name']);
  const tag = `sha256-${String(published['manifest']).slice(7)}.sig`;
  for (const each of [`${name}:1.0.0`, `${name}:${tag}`, 'sheaf.index:index'])
    await run('skopeo', copy(each));
  const faults: string[] = [];
  for (const each of [name, 'sheaf.index']) {
    const { tags } = JSON.parse(await (await fetch(`http://${first.host}/v2/acme/${each}/tags/list`)).text());
    for (const tagged of tags) {
      const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
      const answer = await fetch(`http://${first.host}/v2/acme/${each}/manifests/${tagged}`, { headers });
      faults.push(...ociFaults('image-manifest', await answer.text()));
    }
  }
  const pulled = await sheaf('pull', `${name}@^1`, '--catalog', to, '-o', 'back.sheaf');

  t.true(readFileSync(join(folder, 'back.sheaf')).equals(readFileSync(join(folder, 'sample.sheaf'))));
  t.deepEqual([pulled['digest'], pulled['manifest']], [published['digest'], published['manifest']]);
  t.is(pulled['signedBy'], 'acme');
  t.is(again['sentBytes'], 0);
  t.deepEqual(faults, []);
  t.deepEqual(violations('publish', { ...published }), []);
  t.deepEqual(violations('pull', { ...pulled }), []);
  t.deepEqual(violations('search', found), []);
});

test('openssl alone checks both signatures by the lines of the documentation', async (t) => {
  const { host } = await startRegistry(t);
  const { folder, sheaf } = await makeVendor(t);
  cpSync(join(folder, 'sample.sheaf'), join(folder, 'guestbook-1.0.0.sheaf'));
  const published = await sheaf('publish', 'sample.sheaf', '--to', `oci://${host}/acme`, '--key', 'acme.key');
  const lines = documentedLines();
  const environment = {
    ...process.env,
    registry: `http://${host}`,
    name: `acme/${String(published['name'])}`,
  };
  const shell = async (script: string) =>
    (await run('sh', ['-euc', script], { cwd: folder, env: environment })).stdout.trim();

  const inBundle = await shell(`${lines['envelope']}\n${lines['identity']}`);
  const tagged = await shell(lines['tag'] ?? '');
  const forged = await t.throwsAsync(
    shell(
      (lines['tag'] ?? '').replace(
        'openssl dgst -sha256 -verify',
        'echo >> payload; openssl dgst -sha256 -verify',
      ),
    ),
  );

  t.regex(inBundle, /^Verified OK\n([0-9a-f]{64}) \*\1$/);
  t.is(tagged, 'Verified OK');
  t.truthy(forged);
});

test('a push and a pull in whose middle the registry is killed go on when it is back', async (t) => {
  const server = await startRegistry(t);
  const bytes = randomBytes(60 * 2 ** 20);
  const blob = blobOf(bytes);
  const uploads = rememberUploads();
  let sent = 0;
  const push = () =>
    openQuickly(t, server.host, { uploads })
      .repository('acme/shop')
      .put(blob, sourceOf(bytes), calm, (size) => {
        sent += size;
        if (sent === size) void server.kill();
      });

  const cut = await t.throwsAsync(push());
  await server.start();
  await push();
  const repository = openQuickly(t, server.host).repository('acme/shop');
  const broken = await t.throwsAsync(async () => {
    for await (const _ of repository.open(blob, calm)) await server.kill();
  });
  await server.start();

  t.like(cut, { code: 'REGISTRY_UNREACHABLE' });
  t.like(broken, { code: 'REGISTRY_UNREACHABLE' });
  t.true((await collect(repository.open(blob, calm))).equals(bytes));
});

test('a registry that asks for a password gets the one of docker login, and tells nothing without', async (t) => {
  const users = 'ann:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n'; // of the word "secret"
  const { host } = await startRegistry(t, { users });
  const auth = Buffer.from('ann:secret').toString('base64');
  const folder = temporaryFolder(t, { 'config.json': JSON.stringify({ auths: { [host]: { auth } } }) });

  const refused = await t.throwsAsync(openQuickly(t, host).repository('acme/shop').tags(calm));
  const tags = await openQuickly(t, host, { findCredential: credentialsOf(folder) })
    .repository('acme/shop')
    .tags(calm);

  t.like(refused, { code: 'REGISTRY_REFUSED' });
  t.deepEqual(tags, []);
});

test('what a use names comes out of a registry, and its image with it; with both there the registry may be gone', async (t) => {
  const server = await startRegistry(t);
  const trade = await openTrade(t, `oci://${server.host}/acme`);
  await trade.publish('1.0.0');
  writeHive(trade.folder, '^1');

  const locked = await trade.user('lock', 'hive');
  const packed = await trade.user('pack', 'hive', '-o', 'first.sheaf');
  await server.kill();
  const again = await trade.user('pack', 'hive', '-o', 'second.sheaf');

  for (const run of [locked, packed, again]) t.is(run.code, 0, run.stdout + run.stderr);
  const [first, second] = ['first', 'second'].map((name) =>
    readFileSync(join(trade.folder, `${name}.sheaf`)),
  );
  t.true(second !== undefined && first?.equals(second));
});

/** Makes a folder with a signed bundle, its key, and a policy that trusts it; and what runs the program there. */
async function makeVendor(t: ExecutionContext) {
  const folder = temporaryFolder(t);
  const { contents, source } = sampleBundle();
  const call = { signal: calm, report: () => undefined };
  await packFile({ contents: contentsOf(contents.list), source, file: join(folder, 'sample.sheaf') }, call);
  const sheaf = async (...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> => {
    const environment = { SHEAF_HOME: join(folder, 'home'), XDG_CONFIG_HOME: join(folder, 'config') };
    const { code, stdout, stderr } = await runCli([...args, '--json'], { folder, environment });
    t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  };
  const key = await sheaf('key', 'new', 'acme', '--plain');
  mkdirSync(join(folder, 'config/sheaf'), { recursive: true });
  writeFileSync(
    join(folder, 'config/sheaf/trust.yaml'),
    `apiVersion: sheaf/v1\nkind: TrustPolicy\nkeys: {acme: {file: ${join(folder, 'acme.pub')}}}\nrules: [{keys: [acme]}]\n`,
  );
  const signed = await sheaf('sign', 'sample.sheaf', '--key', 'acme.key');
  const bundle = await openBundle(join(folder, 'sample.sheaf'));
  await bundle.close();
  t.deepEqual(violations('key-new', key), []);
  t.deepEqual(violations('sign', signed), []);
  t.is(bundle.contents.manifest.config.digest, contents.manifest.config.digest);
  return { folder, sheaf };
}

/** Takes the shell lines out of the documentation, by the comment above each. */
function documentedLines(): Readonly<Record<string, string>> {
  const text = readFileSync(new URL('../../docs/signatures.md', import.meta.url), 'utf8');
  const blocks = text.matchAll(/<!-- test: (\w+) -->\n```sh\n([\s\S]*?)```/g);
  return Object.fromEntries([...blocks].map(([, name = '', lines = '']) => [name, lines]));
}
