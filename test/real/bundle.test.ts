import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openBundle } from '../../catalog/index.ts';
import { runCommand } from '../../engine/command.ts';
import { readRawTar } from '../catalog/raw-tar.ts';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { bareServer } from './support/bare-server.ts';
import { ociFaults } from './support/oci-schemas.ts';
import { imageOf, type Poison, packPoison } from './support/poisoned-bundle.ts';
import { startRegistry } from './support/registry-server.ts';
import { checkout, testHome } from './support/test-home.ts';

// One bundle of the smallest application: packed, copied by an independent client, and run with the network off.

const program = join(checkout, 'cli/start.js');
const pair = join(checkout, 'test/fixtures/pair');
let folder: string;
let bundle: string;
let packed: { readonly digest: string; readonly manifest: string; readonly bytes: number };

test.before(async (t) => {
  t.timeout(10 * 60_000);
  folder = await mkdtemp(join(tmpdir(), 'sheaf-bundle-'));
  bundle = join(folder, 'pair-1.0.0.sheaf');
  const lines = (await sheaf(['pack', pair, '-o', bundle, '--json', '--home', testHome])).trim().split('\n');
  t.deepEqual(
    lines.flatMap((line) => violations('pack', JSON.parse(line))),
    [],
  );
  packed = JSON.parse(lines.at(-1) ?? '');
});

test.after.always(async () => {
  await rm(folder, { recursive: true, force: true });
});

test.serial(
  'packed again elsewhere, at another time and under other settings, it has the same bytes',
  async (t) => {
    const again = join(folder, 'again.sheaf');
    const copy = join(folder, 'copied');
    const script = `umask 077; cp -r "$1" "$2"; cd /; exec "$3" "$4" pack "$2" -o "$5" --home "$6"`;
    const settings = { TZ: 'Asia/Tokyo', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' };

    const { stdout } = await runCommand(
      'sh',
      ['-c', script, 'sh', pair, copy, process.execPath, program, again, testHome],
      {
        environment: settings,
        timeoutMs: 120_000,
      },
    );

    t.is(stdout.trim(), packed.digest);
    t.true((await readFile(again)).equals(await readFile(bundle)));
  },
);

test.serial('skopeo copies it byte for byte, and takes the image of an appliance out of it', async (t) => {
  const [layout, archive, image] = ['layout', 'copied.tar', 'image'].map((name) => join(folder, name));

  await runCommand('skopeo', ['copy', `oci-archive:${bundle}:pair:1.0.0`, `oci:${layout}:pair`]);
  await runCommand('skopeo', ['copy', `oci:${layout}:pair`, `oci-archive:${archive}:pair`]);
  await runCommand('skopeo', ['copy', `oci-archive:${bundle}:appliances/front:1.0.0`, `oci:${image}:front`]);
  const verified = JSON.parse(await sheaf(['verify', archive ?? '', '--json']));
  const inspected = JSON.parse((await runCommand('skopeo', ['inspect', `oci:${image}:front`])).stdout);
  const own = JSON.parse(await sheaf(['inspect', bundle, '--json']));

  t.deepEqual(violations('verify', verified), []);
  t.like(verified, { digest: packed.digest, manifest: packed.manifest });
  t.deepEqual(violations('inspect', own), []);
  t.is(inspected.Digest, own.appliances.find(({ path }: { path: string }) => path === 'front').image);
  t.is(inspected.Architecture, 'amd64');
});

test.serial('all its texts are as the schemas of the image specification want them', async (t) => {
  const entries = new Map(
    (await readFile(bundle).then(readRawTar)).map(({ path, content }) => [path, content.toString()]),
  );
  const text = (digest: string): string => entries.get(`blobs/sha256/${digest.slice(7)}`) ?? '';
  const index = entries.get('index.json') ?? '';
  const digests: readonly string[] = JSON.parse(index).manifests.map(
    (each: { digest: string }) => each.digest,
  );
  const [, ...images] = digests;

  const faults = [
    ...ociFaults('image-layout', entries.get('oci-layout') ?? ''),
    ...ociFaults('image-index', index),
    ...digests.flatMap((digest) => ociFaults('image-manifest', text(digest))),
    ...images.flatMap((digest) => ociFaults('config', text(JSON.parse(text(digest)).config.digest))),
  ];

  t.is(images.length, 2);
  t.deepEqual(faults, []);
});

test.serial('what changed since another bundle makes it the very bytes of the whole one', async (t) => {
  const next = join(folder, 'next');
  await cp(pair, next, { recursive: true });
  await writeFile(join(next, 'appliances/front/index.html.njk'), 'another page\n');
  const [whole = '', delta = '', made = ''] = ['whole', 'delta', 'made'].map((name) =>
    join(folder, `${name}.sheaf`),
  );

  await sheaf(['pack', next, '-o', whole, '--home', testHome]);
  await sheaf(['pack', next, '-o', delta, '--delta-from', bundle, '--home', testHome]);
  await sheaf(['pack', delta, '--base', bundle, '-o', made, '--home', testHome]);

  t.true((await readFile(made)).equals(await readFile(whole)));
  t.true((await stat(delta)).size < 100_000);
});

test.serial(
  'it comes up from an empty home, without any route, on a server that has only what inspect lists, and leaves nothing',
  async (t) => {
    t.timeout(8 * 60_000);
    const home = join(folder, 'home');
    const { prerequisites } = JSON.parse(await sheaf(['inspect', bundle, '--json']));
    const bare = await bareServer(join(folder, 'server'), prerequisites);
    const script = `set -eu; for tool in go mmdebstrap apt-get; do if command -v "$tool"; then exit 9; fi; done >&2
    "$NODE" "$SHEAF" up "$BUNDLE" --as pair --home "$HOME_FOLDER" >&2
    "$NODE" "$SHEAF" up "$BUNDLE" --as pair --home "$HOME_FOLDER" --json
    "$NODE" -e 'fetch(process.argv[1]).then((r) => r.text()).then((t) => console.log(JSON.stringify({ page: t })))' \\
      "$("$NODE" "$SHEAF" status pair --json --home "$HOME_FOLDER" | "$NODE" -p 'JSON.parse(require("fs").readFileSync(0)).endpoints[0].url')"
    "$NODE" "$SHEAF" down pair --delete-data pair --home "$HOME_FOLDER" >&2`;

    const [command = '', ...words] = [...bare, 'sh', '-c', script];
    const { stdout } = await runCommand(command, words, {
      environment: {
        ...{ NODE: process.execPath, SHEAF: program, BUNDLE: bundle, HOME_FOLDER: home },
        XDG_CONFIG_HOME: join(folder, 'config'),
      },
      timeoutMs: 420_000,
    });

    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.like(
      lines.find(({ type }) => type === 'result'),
      { name: 'pair', state: 'running', version: '1.0.0' },
    );
    t.is(lines.find(({ type }) => type === 'build')?.state, 'cached');
    t.regex(lines.at(-1).page, /front of pair/);
    t.deepEqual(await readdir(join(home, 'drafts')), []);
    t.deepEqual(await readdir(join(home, 'scratch')), []);
  },
);

test.serial(
  'plan and up take it out of a registry and a folder by name and range; nothing that hostile bundles bring runs on the host or gets into it',
  async (t) => {
    t.timeout(9 * 60_000);
    const { host } = await startRegistry(t);
    const [registry, shelf] = [`oci://${host}/acme`, join(folder, 'catalog')];
    const outside = join(folder, 'outside');
    await mkdir(outside, { mode: 0o777 });
    await chmod(outside, 0o777);
    const user = async (...args: readonly string[]): Promise<CliRun> =>
      await runCli([...args, '--json'], {
        folder,
        environment: { SHEAF_HOME: join(folder, 'user'), XDG_CONFIG_HOME: join(folder, 'user-config') },
      });
    const done = async (...args: readonly string[]): Promise<Answer> => {
      const { code, stdout, stderr } = await user(...args);
      t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    };
    const refusal = async (...args: readonly string[]): Promise<string> =>
      JSON.parse((await user(...args)).stdout.trim().split('\n').at(-1) ?? '').error?.code ?? 'none';
    const page = async (name: string): Promise<string> =>
      await (await fetch((await done('status', name)).endpoints?.[0]?.url ?? '')).text();
    const clean = await openBundle(bundle);
    t.teardown(() => clean.close());
    const made = { clean, outside, folder };
    const poison = (name: string, more: Partial<Poison> = {}) =>
      packPoison(
        { ...made, template: 'the trap of {{ deployment.name }}', ...more },
        join(folder, `${name}.sheaf`),
      );
    const known = imageOf(clean.contents.list, 'front@1.0.0');
    for (const name of ['acme', 'mallory']) await done('key', 'new', name, '--plain');
    await done('publish', bundle, '--to', registry, '--key', 'acme.key');
    await done('publish', bundle, '--to', shelf, '--key', 'acme.key');
    await done('key', 'trust', 'acme.pub');
    await done('pull', 'pair@^1', '--catalog', registry, '-o', 'pulled.sheaf');

    const trap = await poison('trap');
    const refused = [await refusal('up', trap, '--as', 'trap')];
    await done('sign', trap, '--key', 'mallory.key');
    refused.push(await refusal('up', trap, '--as', 'trap'));
    const trick = '{{ cycler.constructor("return process.mainModule")() }}';
    const escaping = await poison('escaping', { template: trick });
    refused.push(await refusal('up', escaping, '--as', 'escaping', '--insecure'));
    const upwards = { path: `../../../../../../../..${outside}/layer`, content: Buffer.from('ran') };
    const climbing = await poison('climbing', { entries: [upwards] });
    refused.push(await refusal('up', climbing, '--as', 'climbing', '--insecure'));
    const pretending = await poison('pretending', {
      change: (list) => ({
        ...list,
        images: { 'front@1.0.0': { ...imageOf(list, 'front@1.0.0'), manifest: known.manifest } },
      }),
    });
    refused.push(await refusal('up', pretending, '--as', 'pretending', '--insecure'));
    await done('up', trap, '--as', 'trap', '--insecure');
    const trapped = await page('trap');

    const planned = await done('plan', 'pair@^1', '--as', 'pair', '--catalog', registry);
    await done('up', 'pair@^1', '--as', 'pair', '--catalog', registry);
    const first = await page('pair');
    const converged = await done('plan', 'pair@1.0.0', '--as', 'pair', '--catalog', shelf);
    const up = await done('up', 'pair@1.0.0', '--as', 'pair', '--catalog', shelf);
    const poisoned = await user('exec', 'pair', 'front.1', '--', 'ls', '/etc/poisoned');
    for (const name of ['trap', 'pair', 'climbing']) await user('down', name, '--delete-data', name);

    t.deepEqual(refused, [
      'SIGNATURE_MISSING',
      'SIGNATURE_UNTRUSTED',
      'INPUT_INVALID',
      'BLOB_CORRUPT',
      'BUNDLE_CONTRADICTORY',
    ]);
    t.is(trapped.trim(), 'the trap of trap');
    t.deepEqual(await readdir(outside), []);
    t.true((planned.plan?.steps.length ?? 0) > 0);
    t.deepEqual(converged.plan?.steps, []);
    t.is(up.state, 'running');
    t.regex(first, /front of pair/);
    t.not(poisoned.code, 0);
  },
);

type Answer = {
  readonly state?: string;
  readonly endpoints?: readonly { readonly url: string }[];
  readonly plan?: { readonly steps: readonly unknown[] };
};

async function sheaf(args: readonly string[]): Promise<string> {
  const { stdout } = await runCommand(process.execPath, [program, ...args], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
    timeoutMs: 540_000,
  });
  return stdout;
}
