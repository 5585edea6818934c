import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findDockerEngine } from '../../../engine/drivers/docker/find-engine.ts';

test('without a word in the environment it is the socket of this machine', async (t) => {
  const home = await folder(t, {});

  t.deepEqual(await findDockerEngine({}, home), { kind: 'unix', path: '/var/run/docker.sock' });
});

test('DOCKER_HOST names sockets, hosts and SSH servers', async (t) => {
  const home = await folder(t, {});
  const find = (DOCKER_HOST: string) => findDockerEngine({ DOCKER_HOST, DOCKER_CONTEXT: 'other' }, home);

  t.deepEqual(await find('unix:///run/d.sock'), { kind: 'unix', path: '/run/d.sock' });
  t.deepEqual(await find('tcp://10.0.0.1'), { kind: 'tcp', host: '10.0.0.1', port: 2375 });
  t.deepEqual(await find('tcp://[::1]:99'), { kind: 'tcp', host: '::1', port: 99 });
  t.deepEqual(await find('ssh://ann@build.example:2222'), {
    ...{ kind: 'ssh', host: 'build.example', port: 2222, user: 'ann' },
  });
});

test('a DOCKER_HOST that names no Engine is refused', async (t) => {
  const home = await folder(t, {});

  for (const DOCKER_HOST of [
    'nonsense',
    'unix://',
    'tcp://',
    'npipe:////./pipe/x',
    'ssh://-oProxyCommand=x/',
  ])
    await t.throwsAsync(findDockerEngine({ DOCKER_HOST }, home), { code: 'INPUT_REFUSED' }, DOCKER_HOST);
});

test('keys are taken from DOCKER_CERT_PATH, or from the usual folder where DOCKER_TLS_VERIFY is set', async (t) => {
  const home = await folder(t, { '.docker/ca.pem': 'usual', 'keys/ca.pem': 'ca', 'keys/key.pem': 'key' });
  const common = { DOCKER_HOST: 'tcp://build.example' };

  const named = await findDockerEngine({ ...common, DOCKER_CERT_PATH: join(home, 'keys') }, home);
  const usual = await findDockerEngine({ ...common, DOCKER_TLS_VERIFY: '1' }, home);

  t.deepEqual(named, { kind: 'tcp', host: 'build.example', port: 2376, tls: { ca: 'ca', key: 'key' } });
  t.deepEqual(usual, { kind: 'tcp', host: 'build.example', port: 2376, tls: { ca: 'usual' } });
});

test('a context is found as the docker program stores it, with its keys', async (t) => {
  const name = createHash('sha256').update('far').digest('hex');
  const home = await folder(t, {
    '.docker/config.json': '{"currentContext": "far"}',
    [`.docker/contexts/meta/${name}/meta.json`]: '{"Endpoints": {"docker": {"Host": "tcp://far.example:9"}}}',
    [`.docker/contexts/tls/${name}/docker/ca.pem`]: 'ca',
  });

  const far = { kind: 'tcp', host: 'far.example', port: 9, tls: { ca: 'ca' } } as const;
  t.deepEqual(await findDockerEngine({}, home), far);
  t.deepEqual(await findDockerEngine({ DOCKER_CONTEXT: 'default' }, home), {
    ...{ kind: 'unix', path: '/var/run/docker.sock' },
  });
  await t.throwsAsync(findDockerEngine({ DOCKER_CONTEXT: 'near' }, home), { code: 'INPUT_REFUSED' });
});

test('settings that are no JSON are told', async (t) => {
  const home = await folder(t, { '.docker/config.json': '{' });

  await t.throwsAsync(findDockerEngine({}, home), { code: 'FILE_UNUSABLE' });
});

async function folder(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-'));
  t.teardown(() => rm(home, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(home, path, '..'), { recursive: true });
    await writeFile(join(home, path), content);
  }
  return home;
}
