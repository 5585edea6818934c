import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { openRenderer } from '../../engine/render/renderer.ts';
import { checkout, filesOf, problemsOf, type SampleDeployment, sampleDeployment } from './instances.ts';

const renderer = openRenderer({ timeMs: 30_000 });
test.after.always(() => renderer.close());

for (const folder of ['appliances', 'applications'])
  for (const name of readdirSync(join(checkout, folder)))
    test(`${folder}/${name} has no problems`, async (t) => {
      t.deepEqual(await problemsOf(`${folder}/${name}`), []);
    });

async function fileOf(sample: SampleDeployment, instance: string, path: string): Promise<string> {
  const state = sample.instances.get(instance);
  const files = state ? await filesOf(state, sample, renderer) : [];
  return files.find((file) => file.path === path)?.content ?? '';
}

test('every file of every instance of the guest book is rendered', async (t) => {
  const sample = await sampleDeployment('applications/guestbook');

  t.deepEqual([...sample.instances.keys()].sort(), ['db.1', 'edge.1', 'lb.1', 'web.1', 'web.2']);
  for (const state of sample.instances.values()) {
    const files = await filesOf(state, sample, renderer);
    t.is(files.length, state.files.length + 1);
    for (const { content } of files) t.notRegex(content, /undefined|\[object|NaN/);
  }
});

test('every file of every instance of WordPress is rendered, and its address is the endpoint', async (t) => {
  const sample = await sampleDeployment('applications/wordpress');

  for (const state of sample.instances.values())
    for (const { content } of await filesOf(state, sample, renderer))
      t.notRegex(content, /undefined|\[object|NaN|\{\{/);
  const settings = JSON.parse(await fileOf(sample, 'web.1', '/etc/wordpress/settings.json'));

  t.like(settings, {
    url: 'http://127.0.0.1:8080/',
    db: { host: 'db:3306', password: `pass'word"\\` },
    mail: null,
  });
});

test('replicas of WordPress are refused, because they would not share its uploads', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-replicas-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const text = await readFile(join(checkout, 'applications/wordpress/application.yaml'), 'utf8');
  await writeFile(
    join(folder, 'application.yaml'),
    text.replace('wordpress@^1\n', 'wordpress@^1\n    replicas: 2\n'),
  );

  const [problem, ...others] = await problemsOf(folder);

  t.deepEqual(others, []);
  t.is(problem?.code, 'VOLUME_SHARED');
});

test('the load balancer is told each replica and its address', async (t) => {
  const sample = await sampleDeployment('applications/guestbook');
  const [one, two] = ['web.1', 'web.2'].map((name) => sample.instances.get(name)?.address);

  const config = await fileOf(sample, 'lb.1', '/etc/haproxy/haproxy.cfg');

  t.true(config.endsWith(`  server web.1 ${one}:80\n  server web.2 ${two}:80\n`));
});

test('the application finds its settings as JSON, whatever its password is', async (t) => {
  const sample = await sampleDeployment('applications/guestbook');

  const settings = JSON.parse(await fileOf(sample, 'web.2', '/etc/app.json'));

  t.deepEqual(settings, {
    title: 'Guest book',
    instance: 'web.2',
    application: 'guestbook',
    version: '1.0.0',
    db: { host: 'db', port: 5432, name: 'guestbook', user: 'guestbook', password: `pass'word"\\` },
  });
});

test('the database lets in the web servers and nobody else', async (t) => {
  const sample = await sampleDeployment('applications/guestbook');
  const [one, two] = ['web.1', 'web.2'].map((name) => sample.instances.get(name)?.address);

  const rules = await fileOf(sample, 'db.1', '/etc/postgresql/pg_hba.conf');

  t.is(
    rules,
    [
      'local all postgres peer',
      'local all health scram-sha-256',
      `host "guestbook" "guestbook" ${one}/32 scram-sha-256`,
      `host "guestbook" "guestbook" ${two}/32 scram-sha-256`,
      '',
    ].join('\n'),
  );
});

test('the egress lets each client have the names of its wire, on their ports', async (t) => {
  const sample = await sampleDeployment('applications/fetch');
  const web = sample.instances.get('web.1')?.address;

  const allowed = await fileOf(sample, 'out.1', '/etc/haproxy/allowed.lst');
  const config = await fileOf(sample, 'out.1', '/etc/haproxy/haproxy.cfg');

  t.is(
    allowed,
    [
      '# Who may reach what: address of the client, port, name.',
      `${web}:443:example.com`,
      `${web}:80:example.com`,
      '',
    ].join('\n'),
  );
  t.deepEqual(config.match(/^ {2}bind :.*$/gm), ['  bind :80', '  bind :443']);
  t.regex(config, /server outside 10\.83\.0\.1:4430 send-proxy-v2/);
});
