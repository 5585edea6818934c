import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { root, runCli } from './run-cli.ts';
import { violations } from './schemas.ts';

const wrongLines: readonly { readonly args: readonly string[]; readonly says: RegExp }[] = [
  { args: [], says: /no verb was given/ },
  { args: ['chek', '.'], says: /unknown command 'chek'\n.*Did you mean check/ },
  { args: ['check'], says: /missing required argument 'path'/ },
  { args: ['check', '.', '--jsn'], says: /unknown option '--jsn'\n.*Did you mean --json/ },
  { args: ['check', '.', 'more'], says: /too many arguments/ },
  { args: ['graph', '.', '--format', 'png'], says: /Allowed choices are text, mermaid, dot, json, svg/ },
  { args: ['up', '.'], says: /required option '--as <name>' not specified/ },
  { args: ['up', '--as', 'a', '--set', 'title=x'], says: /without a source nothing can be given/ },
  { args: ['up', '.', '--all'], says: /--all takes neither a source/ },
  { args: ['up', '.', '--as', 'a', '--set', 'title'], says: /Write it as name=value/ },
  { args: ['up', '.', '--as', 'a', '--set', 't=1', '--set', 't=2'], says: /t is given twice/ },
  { args: ['up', '.', '--as', 'a', '--set-file', 't='], says: /name=- for standard input/ },
  { args: ['up', '.', '--as', 'a', '--set-file', 't=a', '--set-file', 't=b'], says: /t is given twice/ },
  { args: ['up', '--all', '--set-file', 'title=x'], says: /with --all nothing can be given/ },
  { args: ['up', '.', '--as', 'a', '--expose', 'edge.web=80'], says: /appliance.terminal=address:port/ },
  { args: ['up', '.', '--as', 'a', '--expose', 'edge.web=::1:80'], says: /appliance.terminal=address:port/ },
  { args: ['up', '.', '--as', 'a', '--expose', 'e.w=127.0.0.1:70000'], says: /address:port/ },
  { args: ['exec', 'guestbook', 'web.1'], says: /missing required argument 'command'/ },
  { args: ['exec', 'guestbook', 'web.1', 'ls', '-l'], says: /unknown option '-l'/ },
  { args: ['status', '--home', ''], says: /Give a folder/ },
  { args: ['pack', '.'], says: /required option '-o, --output <file>' not specified/ },
  { args: ['pack', '.', '-o', 'x', '--thin', '--delta-from', 'y'], says: /exclude each other/ },
  { args: ['scale', 'shop'], says: /missing required argument 'appliance=count'/ },
  { args: ['upgrade', 'shop'], says: /missing required argument 'source'/ },
  { args: ['upgrade', 'shop', 'x', '--patience', '1ms'], says: /Take at least 1s/ },
  { args: ['scale', 'shop', 'web=many'], says: /Write it as appliance=count/ },
  { args: ['scale', 'shop', 'web=2', 'web=3'], says: /web is given twice/ },
  { args: ['move', 'shop'], says: /either --to POOL or --rollback/ },
  { args: ['move', 'shop', '--to', 'docker', '--rollback'], says: /either --to POOL or --rollback/ },
  { args: ['backup', 'shop'], says: /required option '-o, --output <file>' not specified/ },
  {
    args: ['backup', 'shop', '-o', 'x', '--passphrase-file', 'p', '--recipient', 'age1'],
    says: /by a passphrase or to keys, not by both/,
  },
  { args: ['restore', 'x'], says: /required option '--as <name>' not specified/ },
  { args: ['copy', 'shop'], says: /required option '--as <name>' not specified/ },
  { args: ['watch', '--interval', '0s'], says: /at least 1s/ },
  { args: ['watch', '--patience', 'soon'], says: /number and a unit/ },
  { args: ['pool', 'lst'], says: /unknown command 'lst'\n.*Did you mean list/ },
];

for (const { args, says } of wrongLines) {
  test(`wrong usage exits 2 and says what is wrong: sheaf ${args.join(' ')}`, async (t) => {
    const run = await runCli(args);

    t.is(run.code, 2);
    t.regex(run.stderr, says);
    t.is(run.stdout, '');
  });
}

test('wrong usage with --json is an error object on standard output', async (t) => {
  const run = await runCli(['--json', 'chek']);

  t.is(run.code, 2);
  const output = JSON.parse(run.stdout);
  t.deepEqual(violations('error', output), []);
  t.is(output.error.code, 'USAGE_WRONG');
  t.is(output.error.hint, 'Did you mean check?');
});

test('an argument after -- that looks like --json does not turn JSON on', async (t) => {
  const run = await runCli(['exec', 'guestbook', '--', '--json']);

  t.is(run.code, 2);
  t.is(run.stdout, '');
});

test('help names every verb and exits 0', async (t) => {
  const run = await runCli(['--help']);

  t.is(run.code, 0);
  for (const verb of 'init check graph lock build sbom plan up status logs exec events scale upgrade rollback repair watch move confirm undo down pool doctor completion'.split(
    ' ',
  ))
    t.regex(run.stdout, new RegExp(`^  ${verb} `, 'm'));
});

for (const verb of [
  'init',
  'doctor',
  'completion bash',
  'check',
  'graph',
  'lock',
  'build',
  'pack',
  'inspect',
  'verify',
  'sign',
  'key new',
  'publish',
  'search',
  'pull',
  'yank',
  'sbom',
  'plan',
  'up',
  'status',
  'logs',
  'exec',
  'events',
  'scale',
  'upgrade',
  'rollback',
  'repair',
  'watch',
  'move',
  'confirm',
  'undo',
  'down',
  'pool show',
])
  test(`the help of ${verb} has an example and the common options`, async (t) => {
    const run = await runCli([...verb.split(' '), '--help']);

    t.is(run.code, 0);
    t.regex(run.stdout, new RegExp(`\\$ sheaf ${verb}`));
    t.regex(run.stdout, /--json/);
    t.regex(run.stdout, /--home <dir>/);
    t.is(run.stderr, '');
  });

test('an undo that names another deployment to be given up changes nothing and exits 8', async (t) => {
  const run = await runCli(['undo', 'shop', '--discard-changes', 'shoe', '--json']);

  t.is(run.code, 8);
  t.is(JSON.parse(run.stdout).error.code, 'DATA_UNDECIDED');
});

test('down without a word about the data changes nothing and exits 8', async (t) => {
  const runs = [
    await runCli(['down', 'shop', '--json']),
    await runCli(['down', 'shop', '--json', '--delete-data', 'shoe']),
    await runCli(['down', 'shop', '--json', '--keep-data', '--delete-data', 'shop']),
  ];

  for (const run of runs) {
    t.is(run.code, 8);
    t.is(JSON.parse(run.stdout).error.code, 'DATA_UNDECIDED');
  }
});

test('an old Node is told what to do', (t) => {
  const pretended = `Object.defineProperty(process.versions, 'node', {value: '20.1.0'})`;

  const run = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(pretended)}`, join(root, 'cli/start.js')],
    { encoding: 'utf8' },
  );

  t.is(run.status, 2);
  t.regex(run.stderr, /needs Node 24 or newer; this is Node 20\.1\.0/);
  t.regex(run.stderr, /npx sheaf/);
});
