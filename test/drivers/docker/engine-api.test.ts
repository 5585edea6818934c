import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { EngineApi } from '../../../engine/drivers/docker/engine-api.ts';

const { signal } = new AbortController();

test('an Engine that does not listen is told as such, whatever is asked', async (t) => {
  const api = new EngineApi({ kind: 'unix', path: '/nowhere/docker.sock' });

  await t.throwsAsync(api.facts(signal), { code: 'PROVIDER_UNREACHABLE' });
  await t.throwsAsync(api.container('x'), { code: 'PROVIDER_UNREACHABLE' });
  await t.throwsAsync(api.start('x'), { code: 'PROVIDER_UNREACHABLE' });
});

test('refusals of the Engine become codes', async (t) => {
  const api = await apiThatSays(t, {
    start: [500, 'driver failed: Bind for 127.0.0.1:80 failed: port is already allocated'],
    stop: [500, 'write /var/lib: no space left on device'],
    json: [404, 'No such container: x'],
    create: [400, 'no command specified'],
  });

  await t.throwsAsync(api.start('x'), { code: 'ADDRESS_TAKEN' });
  await t.throwsAsync(api.stop('x', 1), { code: 'DISK_FULL' });
  await t.throwsAsync(api.createContainer('x', {}), { code: 'TOOL_FAILED', message: /no command/ });
  t.is(await api.container('x'), undefined);
});

async function apiThatSays(
  t: ExecutionContext,
  answers: Readonly<Record<string, readonly [number, string]>>,
): Promise<EngineApi> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-'));
  const path = join(folder, 'docker.sock');
  const server = createServer((request, response) => {
    const [, word = ''] = /\/(\w+)(?:\?.*)?$/.exec(request.url ?? '') ?? [];
    const [status, message] = answers[word] ?? [500, `not expected: ${request.url}`];
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
  return new EngineApi({ kind: 'unix', path });
}
