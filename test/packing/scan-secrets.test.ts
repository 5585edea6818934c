import test, { type ExecutionContext } from 'ava';
import { load } from '../../engine/compile/load.ts';
import { filesToPack } from '../../engine/packing/files-to-pack.ts';
import { scanSecrets } from '../../engine/packing/scan-secrets.ts';
import type { Problem } from '../../engine/problems.ts';
import { root } from '../cli/run-cli.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const random = 'q7Zp2Lx9Vb4Nc8Td5Rg1Hw6Ky3Mf0Js2Aq7Zp2Lx9';
// put together here, so that no scanner finds one in this file
const samples: Readonly<Record<string, string>> = {
  'private-key': `${'-----BEGIN'} RSA PRIVATE KEY-----\n${random}${random}\n`,
  'aws-key': `key = ${'AKIA'}Q7ZP2LX9VB4NC8TD`,
  'github-token': `${'ghp_'}${random.slice(0, 36)}`,
  'slack-token': `${'xoxb'}-1234567890-${random}`,
  'stripe-key': `${'sk_'}live_${random.slice(0, 24)}`,
  'google-key': `${'AIza'}${random.slice(0, 35)}`,
  'package-token': `//registry.example.com/${':_authToken'}=${random}`,
  'password-in-url': `postgres://app:${random.slice(0, 20)}@db.example.com/app`,
  assignment: `$password${' = '}'${random.slice(0, 24)}';`,
};

for (const [rule, text] of Object.entries(samples)) {
  test(`content with a ${rule} is found by file and line, and not repeated`, async (t) => {
    const [problem, ...others] = await scan(t, { 'app/src/config.php': `<?php\n// settings\n${text}\n` });

    t.deepEqual(others, []);
    t.like(problem, { code: 'SECRET_FOUND', line: 3, message: `this looks like a secret (${rule})` });
    t.true(problem?.file.endsWith('app/src/config.php'));
    t.false(JSON.stringify(problem).includes(random.slice(0, 10)));
  });
}

test('files that hold secrets by their name are found, and examples of them are not', async (t) => {
  const problems = await scan(t, {
    'app/.env': 'A=b',
    'app/.env.production': '',
    'app/.env.example': 'A=',
    'app/keys/id_ed25519': '',
    'app/environment.txt': '',
  });

  t.deepEqual(
    problems.map(({ file }) => file.replace(/^.*?app\//, '')),
    ['.env', '.env.production', 'keys/id_ed25519'],
  );
});

test('a secret across the pieces in which a large file is read is found at its line', async (t) => {
  const line = `${'x'.repeat(99)}\n`;
  const before = line.repeat(2 ** 18 / 100);
  const half = 'y'.repeat(2 ** 18 - before.length - 10);

  const problems = await scan(t, { 'app/large.txt': `${before}${half} ${samples['github-token']}\n` });

  t.deepEqual(
    problems.map((problem) => [problem.line, problem.column]),
    [[before.length / 100 + 1, half.length + 2]],
  );
});

test('what .sheafallow names may be packed, by path and rule', async (t) => {
  const files = {
    'app/a/key.pem': samples['private-key'] ?? '',
    'app/b/key.pem': samples['private-key'] ?? '',
  };

  const some = await scan(t, { ...files, '.sheafallow': '# made for tests\napp/a/*.pem private-key\n' });
  const other = await scan(t, { ...files, '.sheafallow': 'app/**/*.pem aws-key' });
  const all = await scan(t, { ...files, '.sheafallow': 'app/**' });

  t.deepEqual([some.length, other.length, all.length], [1, 2, 0]);
});

test('our own application holds nothing that looks like a secret', async (t) => {
  const { source } = await load('applications/guestbook', null, {
    catalogs: ['appliances'],
    workingDirectory: root,
  });

  t.deepEqual(await scanSource(source), []);
});

async function scan(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
): Promise<readonly Problem[]> {
  const folder = temporaryFolder(t, {
    'application.yaml': [
      'apiVersion: sheaf/v1',
      'kind: Application',
      'name: site',
      'version: 1.0.0',
      'appliances: {web: {uses: web@^1, content: {app: ./app}}}',
    ].join('\n'),
    'appliances/web/appliance.yaml': [
      'apiVersion: sheaf/v1',
      'kind: Appliance',
      'name: web',
      'version: 1.0.0',
      'content: {app: {to: /srv}}',
      'image: {suite: bookworm, packages: [nginx-light]}',
      'services: {web: {command: [nginx]}}',
    ].join('\n'),
    ...files,
  });
  const { source } = await load(folder, null, { catalogs: [], workingDirectory: folder });
  return await scanSource(source, folder);
}

async function scanSource(
  source: Parameters<typeof filesToPack>[0],
  workingDirectory = root,
): Promise<readonly Problem[]> {
  return await scanSecrets({
    files: filesToPack(source),
    folder: source.root.folder,
    workingDirectory,
    signal: new AbortController().signal,
  });
}
