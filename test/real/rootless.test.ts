import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { checkout, testHome, testKit } from './support/test-home.ts';

// What an ordinary user can do without root: a user who exists for these tests alone, with ids lent or without.

const uid = 654_321;
const asUser = fileURLToPath(new URL('support/as-user.sh', import.meta.url));
const withoutUnshare = fileURLToPath(new URL('support/without-unshare.pl', import.meta.url));
let folder: string;

test.before(async () => {
  await testKit();
  folder = await mkdtemp(join(tmpdir(), 'sheaf-user-'));
  await mkdir(join(folder, 'home'));
  await cp(join(testHome, 'cache'), join(folder, 'home/state/cache'), { recursive: true });
  for (const part of ['blobs', 'state.db'])
    await cp(join(testHome, part), join(folder, 'home/state', part), { recursive: true });
});

test.after.always(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

for (const [title, suiteFile, lent] of [
  ['the driver keeps its contract for a user with lent ids', 'qemu-contract', 65_536],
  ['the driver keeps its contract for a user without lent ids', 'qemu-contract', 0],
  ['no packet passes but along a wire in the networks of a user', 'packet-matrix', 65_536],
] as const)
  test.serial(title, async (t) => {
    t.timeout(10 * 60_000);
    const ava = join(checkout, 'node_modules/.bin/ava');
    const suite = ['--config', 'test/real.config.js', `test/real/${suiteFile}.test.ts`];

    const run = asTester(lent, [process.execPath, ava, '--no-worker-threads', ...suite]);

    t.is(run.status, 0, run.stdout + run.stderr);
    t.deepEqual(await processesOf(), []);
  });

test.serial(
  'a deployment of a user lives, outlives the end of what holds its network, and goes without a trace',
  async (t) => {
    t.timeout(10 * 60_000);
    const walk = fileURLToPath(new URL('support/user-walk.sh', import.meta.url));
    const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`;

    const run = asTester(65_536, ['sh', walk, join(folder, 'home/state')], { PATH });

    const acts = actsOf(run.stdout);
    const last = (act: string) => JSON.parse(acts.get(act)?.said.split('\n').at(-1) ?? '');
    t.deepEqual(
      [...acts].filter(([, { code }]) => code !== '0').map(([act]) => act),
      ['undeclared', 'other-port'],
      run.stdout + run.stderr,
    );
    t.is(last('up').state, 'running');
    t.regex(acts.get('declared')?.said ?? '', /^HTTP\/1\.[01] /);
    t.is(last('bereft').state, 'degraded');
    t.regex(last('bereft').reason, /network/);
    t.is(last('healed').state, 'running');
    t.is(acts.get('kept')?.said, 'kept');
    t.is(acts.get('left')?.said, '');
    t.deepEqual(await processesOf(), []);
  },
);

test.serial('an image has the same digest as root gives it', async (t) => {
  t.timeout(15 * 60_000);
  const build = ['build', 'haproxy', '--json'];
  const command = (home: string): string[] => [
    ...[process.execPath, join(checkout, 'cli/start.js'), ...build],
    ...['--home', home],
  ];
  const [program = '', ...args] = command(testHome);
  const fresh = join(folder, 'home/fresh');
  await cp(join(testHome, 'cache'), join(fresh, 'cache'), { recursive: true });

  const byRoot = spawnSync(program, args, { encoding: 'utf8' });
  const byUser = asTester(65_536, command(fresh));

  t.is(byUser.status, 0, byUser.stdout + byUser.stderr);
  t.is(digestIn(byUser), digestIn(byRoot));
});

test.serial('a user to whom no ids are lent is told what to ask root for', (t) => {
  const run = asTester(0, sheaf('build', 'haproxy', '--json', '--home', join(folder, 'home/none')));

  const { error } = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
  t.is(run.status, 16, run.stdout + run.stderr);
  t.is(error.code, 'ROOT_REQUIRED');
  t.regex(error.hint, /usermod --add-subuids \d+-\d+ --add-subgids \d+-\d+ tester/);
});

test.serial('where user namespaces are forbidden, up ends before it begins anything', (t) => {
  const limit =
    'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --inh-caps=-all --ambient-caps=-all "$@"';
  const up = sheaf('up', 'test/fixtures/pair', '--as', 'pair', '--json', '--home', join(folder, 'home/none'));

  // one namespace further in, the limit is this user's own
  const run = asTester(0, [...inner, 'sh', '-c', limit, 'sh', ...up]);

  const { error } = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
  t.is(run.status, 16, run.stdout + run.stderr);
  t.regex(error.message, /switched off/);
  t.regex(error.hint, /max_user_namespaces/);
});

for (const [title, kind, before, reason, remedy] of [
  ['a chroot', 'folder', [], /chroot/, /outside of the chroot/],
  ['a chroot that is a mount', 'mount', [], /chroot/, /outside of the chroot/],
  ['a filter of system calls', '', ['perl', withoutUnshare], /seccomp/, /seccomp=unconfined/],
] as const)
  test.serial(`what ${title} refuses to a user with lent ids is said before anything begins`, async (t) => {
    t.timeout(5 * 60_000);
    const home = ['--json', '--home', join(folder, 'home/none')];
    const ask = (...words: readonly string[]): readonly [number | null, string] => {
      const run = asTester(65_536, [...before, ...sheaf(...words, ...home)], { CHROOT: kind });
      return [run.status, run.stdout.trim().split('\n').at(-1) ?? ''];
    };

    const refused = [
      ask('up', join(checkout, 'test/fixtures/pair'), '--as', 'pair'),
      ask('build', 'haproxy'),
    ];
    const [, doctor] = ask('doctor');
    const [shown, pool] = ask('pool', 'show', 'local');
    const [, status] = ask('status');

    for (const [code, line] of refused) {
      const { error } = JSON.parse(line);
      t.is(code, 16, line);
      t.is(error.code, 'ROOT_REQUIRED');
      t.regex(error.message, reason);
      t.regex(error.hint, remedy);
    }
    const builder = JSON.parse(doctor).diagnoses.find(
      (one: { readonly name: string }) => one.name === 'building images',
    );
    t.is(builder.state, 'limited');
    t.regex(builder.message, reason);
    t.regex(doctor, /"name":"local isolation","state":"failed"/);
    t.is(shown, 0);
    t.regex(JSON.parse(pool).capabilities.isolationReason, reason);
    t.deepEqual(JSON.parse(status).deployments, []);
    t.deepEqual(await processesOf(), []);
  });

const inner = ['unshare', '--user', '--map-current-user', '--keep-caps'];

function sheaf(...args: readonly string[]): readonly string[] {
  return [process.execPath, join(checkout, 'cli/start.js'), ...args];
}

function asTester(
  lent: number,
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): SpawnSyncReturns<string> {
  return spawnSync('sh', [asUser, folder, String(uid), String(lent), ...command], {
    cwd: checkout,
    encoding: 'utf8',
    env: { ...process.env, SHEAF_TEST_HOME: join(folder, 'home/state'), ...environment },
    maxBuffer: 64 * 2 ** 20,
  });
}

/** Reads what user-walk.sh writes: by act, its exit code and what it said. */
function actsOf(output: string): ReadonlyMap<string, { readonly code: string; readonly said: string }> {
  const parts = output.split(/^== (\S+) (\d+)\n/m).slice(1);
  const acts = new Map<string, { readonly code: string; readonly said: string }>();
  for (let at = 0; at + 2 < parts.length; at += 3)
    acts.set(parts[at] ?? '', { code: parts[at + 1] ?? '', said: (parts[at + 2] ?? '').trimEnd() });
  return acts;
}

function digestIn({ stdout }: SpawnSyncReturns<string>): string {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '').images[0].digest;
}

/** Lists the processes that run as the user or with ids lent to them. */
async function processesOf(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    const status = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '') : '';
    const owner = Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? 0);
    if (/^State:\tZ/m.test(status)) continue; // it has ended; whoever started it does not look
    if (owner === uid || (owner > uid + 1_000_000 && owner < uid + 1_100_000)) found.push(`${pid} ${status}`);
  }
  return found;
}
