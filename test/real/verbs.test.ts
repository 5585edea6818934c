import { join } from 'node:path';
import test from 'ava';
import { type CliRun, runCli } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';
import { testHome } from './support/test-home.ts';

// Every verb of the command line on one deployment of real machines, in the order in which somebody uses them.

const name = 'verbs';
const source = 'test/fixtures/pair';

test.before(async () => {
  await sheaf(['down', name, '--delete-data', name]);
});

test.after.always(async () => {
  await sheaf(['down', name, '--delete-data', name]);
});

test.serial('pool show tells what was tried of the pool', async (t) => {
  const json = await sheaf(['pool', 'show', 'local', '--json']);
  const text = await sheaf(['pool', 'show', 'local']);

  t.deepEqual(violations('pool-show', JSON.parse(json.stdout)), []);
  t.regex(text.stdout, /accelerator {2}(tcg|kvm): \S/);
});

test.serial('build makes an image once', async (t) => {
  t.timeout(15 * 60_000);
  const first = await sheaf(['build', 'haproxy', '--json']);
  const second = await sheaf(['build', 'haproxy', '--json']);

  t.deepEqual([first.code, second.code], [0, 0], first.stdout);
  t.deepEqual(
    [...jsonLines(first), ...jsonLines(second)].flatMap((line) => violations('build', line)),
    [],
  );
  t.like(jsonLines(second).at(-1)?.images[0], { appliance: 'haproxy@1.0.0', wasCached: true });
});

test.serial('plan changes nothing and says what would be created', async (t) => {
  const run = await sheaf(['plan', source, '--as', name, '--json']);
  const status = await sheaf(['status', name, '--json']);

  const report = JSON.parse(run.stdout);
  t.deepEqual(violations('plan', report), []);
  t.true(report.summary.create > 0);
  t.is(status.code, 4);
});

test.serial('plan --why tells why an instance goes where it goes', async (t) => {
  const known = await sheaf(['plan', source, '--as', name, '--why', 'front.1']);
  const unknown = await sheaf(['plan', source, '--as', name, '--why', 'front.9', '--json']);

  t.regex(known.stdout, /^front\.1 goes to \S+ \(score /);
  t.is(unknown.code, 7);
});

test.serial('up tells every event as a line and ends with the status', async (t) => {
  t.timeout(10 * 60_000);
  const run = await sheaf(['up', source, '--as', name, '--json']);

  t.is(run.code, 0, run.stdout);
  const lines = jsonLines(run);
  t.deepEqual(
    lines.flatMap((line) => violations('up', line)),
    [],
  );
  t.is(lines.at(-1)?.type, 'result');
  t.is(lines.at(-1)?.state, 'running');
});

test.serial(
  'up again in a pipe has nothing to do, says so in plain lines, and keeps the endpoint',
  async (t) => {
    const before = JSON.parse((await sheaf(['status', name, '--json'])).stdout);
    const run = await sheaf(['up', source, '--as', name]);
    const plan = await sheaf(['plan', source, '--as', name]);

    t.is(run.code, 0);
    t.false(run.stdout.includes('\x1b'));
    t.true(run.stdout.includes(before.endpoints[0].url));
    t.regex(plan.stdout, /nothing to do/);
  },
);

test.serial('status shows the deployment among others and whole', async (t) => {
  const all = JSON.parse((await sheaf(['status', '--json'])).stdout);
  const one = JSON.parse((await sheaf(['status', name, '--json'])).stdout);

  t.deepEqual(violations('status-list', all), []);
  t.true(all.deployments.some((deployment: { name: string }) => deployment.name === name));
  t.deepEqual(violations('status', one), []);
  t.deepEqual(one.wires, [{ from: 'front.out', to: 'back.in', port: 80, transport: 'tcp' }]);
  t.true(one.instances.every((instance: { healthy: boolean }) => instance.healthy));
});

test.serial('exec passes input, both outputs and the exit code through', async (t) => {
  const script = 'cat; echo oops >&2; exit 7';

  const run = await sheaf(['exec', name, 'back.1', '--', 'sh', '-c', script], 'a\0b\n');

  t.is(run.code, 7);
  t.is(run.stdout, 'a\0b\n');
  t.is(run.stderr, 'oops\n');
});

test.serial('exec --json ends with the exit code', async (t) => {
  const run = await sheaf(['exec', name, 'back.1', '--json', '--', 'sh', '-c', 'echo hello; exit 3']);

  t.is(run.code, 3);
  const lines = jsonLines(run);
  t.deepEqual(
    lines.flatMap((line) => violations('exec', line)),
    [],
  );
  t.deepEqual(lines.at(-1), { type: 'result', exitCode: 3 });
});

test.serial('exec in an instance that is not there exits 120 and names those that are near', async (t) => {
  const run = await sheaf(['exec', name, 'frnt.1', '--json', '--', 'true']);

  t.is(run.code, 120);
  t.is(JSON.parse(run.stdout).error.code, 'INSTANCE_MISSING');
});

test.serial('logs of one instance are raw, of all carry names', async (t) => {
  const one = await sheaf(['logs', name, 'front.1']);
  const all = await sheaf(['logs', name, '--json']);

  t.true(one.stdout.length > 0);
  const lines = jsonLines(all);
  t.deepEqual(
    lines.flatMap((line) => violations('logs', line)),
    [],
  );
  t.deepEqual([...new Set(lines.map((line) => line.instance))].sort(), ['back.1', 'front.1']);
});

test.serial('events tell what was done', async (t) => {
  const events = JSON.parse((await sheaf(['events', name, '--json'])).stdout);

  t.deepEqual(violations('events', events), []);
  t.true(events.events.length > 0);
});

test.serial('down keeps the data when told so, and up takes them over', async (t) => {
  t.timeout(10 * 60_000);
  await sheaf(['exec', name, 'back.1', '--', 'sh', '-c', 'echo kept > /data/mark']);

  const down = await sheaf(['down', name, '--keep-data', '--json']);
  const kept = JSON.parse((await sheaf(['status', name, '--json'])).stdout);
  const up = await sheaf(['up', source, '--as', name]);
  const mark = await sheaf(['exec', name, 'back.1', '--', 'cat', '/data/mark']);

  const lines = jsonLines(down);
  t.deepEqual(
    lines.flatMap((line) => violations('down', line)),
    [],
  );
  t.deepEqual(lines.at(-1)?.keptVolumes, ['back.1/data']);
  t.is(kept.state, 'kept');
  t.is(up.code, 0);
  t.is(mark.stdout, 'kept\n');
});

test.serial('down deletes the data when their name is given', async (t) => {
  const down = await sheaf(['down', name, '--delete-data', name]);
  const status = await sheaf(['status', name]);

  t.is(down.code, 0);
  t.is(status.code, 4);
});

async function sheaf(args: readonly string[], input?: string): Promise<CliRun> {
  const [verb = '', ...rest] = args;
  return await runCli([verb, '--home', testHome, ...rest], {
    environment: { XDG_CONFIG_HOME: join(testHome, 'config') },
    ...(input !== undefined && { input }),
  });
}

/** What the tests look at in a line of JSON; the schemas tell what else there is. */
type Line = {
  readonly type: string;
  readonly state: string;
  readonly instance: string;
  readonly keptVolumes: readonly string[];
  readonly images: readonly { readonly appliance: string; readonly wasCached: boolean }[];
};

function jsonLines(run: CliRun): readonly Line[] {
  return run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
