import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runCommand } from '../../engine/command.ts';
import { violations } from '../cli/schemas.ts';
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
    const settings = { TZ: 'Asia/Tokyo', LC_ALL: 'C', LANG: 'tr_TR.UTF-8' };

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

test.serial(
  'it comes up from an empty home in a network without any route, and leaves nothing',
  async (t) => {
    t.timeout(8 * 60_000);
    const home = join(folder, 'home');
    const script = `set -eu; ip link set lo up; test -z "$(ip route)"
    "$NODE" "$SHEAF" up "$BUNDLE" --as pair --home "$HOME_FOLDER" >&2
    "$NODE" "$SHEAF" up "$BUNDLE" --as pair --home "$HOME_FOLDER" --json
    "$NODE" -e 'fetch(process.argv[1]).then((r) => r.text()).then((t) => console.log(JSON.stringify({ page: t })))' \\
      "$("$NODE" "$SHEAF" status pair --json --home "$HOME_FOLDER" | "$NODE" -p 'JSON.parse(require("fs").readFileSync(0)).endpoints[0].url')"
    "$NODE" "$SHEAF" down pair --delete-data pair --home "$HOME_FOLDER" >&2`;

    const { stdout } = await runCommand('unshare', ['--net', 'sh', '-c', script], {
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

async function sheaf(args: readonly string[]): Promise<string> {
  const { stdout } = await runCommand(process.execPath, [program, ...args], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
    timeoutMs: 540_000,
  });
  return stdout;
}
