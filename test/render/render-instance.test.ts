import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { type RenderInputs, renderInstance } from '../../engine/render/render-instance.ts';
import { openRenderer } from '../../engine/render/renderer.ts';
import { sampleInstance, sampleTemplate } from './samples.ts';

const renderer = openRenderer();
test.after.always(() => renderer.close());

function inputs(change: Partial<RenderInputs> = {}): RenderInputs {
  return {
    deployment: 'k3v9aaaaaaaa',
    generation: 3,
    readTemplate: async () => sampleTemplate,
    secrets: new Map([['parameter/dbPassword', 's3cret']]),
    renderer,
    signal: new AbortController().signal,
    ...change,
  };
}

test('an instance gets its configuration with secrets filled in, and the instructions for its supervisor last', async (t) => {
  const files = await renderInstance(sampleInstance(), inputs());

  t.deepEqual(files[0], {
    path: '/etc/app.conf',
    content: 'title=Guests password=s3cret db=5432\n',
    mode: '0640',
    owner: 'root:www-data',
    onChange: 'web',
  });
  t.is(files[1]?.path, '/etc/sheaf/instance.json');
  t.is(files[1]?.mode, '0600');
  t.false(files[1]?.content.includes('s3cret'));
  t.is(files.length, 2);
});

test('the instructions are in the words of the protocol', async (t) => {
  const files = await renderInstance(sampleInstance(), inputs());

  t.deepEqual(JSON.parse(files[1]?.content ?? ''), {
    version: 1,
    deployment: 'k3v9aaaaaaaa',
    instance: 'web.1',
    generation: 3,
    uses: { name: 'php', version: '1.2.0' },
    hosts: [{ name: 'db', addresses: ['10.83.4.5', '10.83.4.6'] }],
    volumes: [{ name: 'data', mount: '/var/data', kind: 'data' }],
    waits: [
      {
        terminal: 'db',
        protocol: 'postgresql',
        transport: 'tcp',
        peers: [
          { address: '10.83.4.5', port: 5432 },
          { address: '10.83.4.6', port: 5432 },
        ],
      },
    ],
    services: [
      {
        name: 'web',
        command: ['nginx', '-g', 'daemon off;'],
        after: [],
        environment: {},
        reload: { signal: 'HUP' },
        stop: { signal: 'TERM', timeoutMs: 10_000 },
      },
    ],
    hooks: { init: { command: ['/init'], timeoutMs: 60_000 } },
    health: { probe: { kind: 'http', port: 80, path: '/' }, intervalMs: 5000, timeoutMs: 2000, failures: 3 },
    files: [{ path: '/etc/app.conf', onChange: 'web' }],
  });
});

test('a template may use what its services get of the machine', async (t) => {
  const template = '{{ resources.memoryBytes // 1048576 }} {{ resources.cpuMillicores }}';
  const file = { path: '/x', template: digestOf(template), source: 'x.njk', mode: '0644' };

  const files = await renderInstance(
    sampleInstance({ files: [file] }),
    inputs({ readTemplate: async () => template }),
  );

  t.deepEqual(files[0], { path: '/x', content: '128 500', mode: '0644' });
});

test('a secret that the store does not have is named, without any value', async (t) => {
  const error = await t.throwsAsync(renderInstance(sampleInstance(), inputs({ secrets: new Map() })), {
    instanceOf: EngineError,
    code: 'SECRET_UNREADABLE',
  });

  t.is(error.message, 'the secret parameter/dbPassword is not in the store');
});

test("a template that the store does not have is the store's failure", async (t) => {
  const gone = new EngineError('BLOB_CORRUPT', 'gone');
  const readTemplate = (): Promise<string> => Promise.reject(gone);

  const error = await t.throwsAsync(renderInstance(sampleInstance(), inputs({ readTemplate })));

  t.is(error, gone);
});

test('a failure names the template and its place and keeps the secret to itself', async (t) => {
  const template = '{{ properties.password }}\n{{ properties.title | first }}';
  const file = { path: '/x', template: digestOf(template), source: 'x.njk', mode: '0644' };

  const error = await t.throwsAsync(
    renderInstance(sampleInstance({ files: [file] }), inputs({ readTemplate: async () => template })),
    { instanceOf: EngineError, code: 'TEMPLATE_FAILED' },
  );

  t.is(error.message, 'php@1.2.0/x.njk:2:23: a list is needed here');
  t.false(JSON.stringify(error).includes('s3cret'));
});
