import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { openCatalogMemory } from '../../catalog/entries/catalog-memory.ts';
import { openRegistryShelf } from '../../catalog/shelves/registry-shelf.ts';
import { publish } from '../../catalog/transfer/publish.ts';
import { findPublished } from '../../catalog/transfer/pull.ts';
import { pullFile } from '../../catalog/transfer/pull-file.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';
import { openSample } from '../catalog/open-catalogs.ts';
import { openQuickly } from '../catalog/registry/openings.ts';
import { sampleBundle } from '../catalog/sample-bundle.ts';
import { newKey } from '../catalog/trust/keys.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { startRegistry } from './support/registry-server.ts';
import { startTamperingProxy, type Tampering } from './support/tampering-proxy.ts';
import { checkout } from './support/test-home.ts';

const run = promisify(execFile);
const packChild = fileURLToPath(new URL('support/pack-child.ts', import.meta.url));
const program = join(checkout, 'cli/start.js');
const instants = 5;

test.serial(
  'pack, publish and pull that are killed at many instants leave nothing half, and come to the right end',
  async (t) => {
    const { host } = await startRegistry(t);
    const folder = temporaryFolder(t);
    const start = (...args: readonly string[]): ChildProcess =>
      spawn(process.execPath, args, {
        cwd: folder,
        env: { ...process.env, SHEAF_HOME: join(folder, 'home'), XDG_CONFIG_HOME: join(folder, 'config') },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    /** Runs it once elsewhere to know how long it takes, kills it again and again, and lets it end. */
    const insist = async (rehearsal: readonly string[], args: readonly string[]): Promise<string> => {
      const began = performance.now();
      await outputOf(start(...rehearsal));
      const wholeMs = performance.now() - began;
      for (let count = 0; count < instants; count += 1) {
        const child = start(...args);
        const ended = new Promise((resolve) => child.once('close', resolve));
        await Promise.race([pause((wholeMs * (count + 0.5)) / instants), ended]);
        child.kill('SIGKILL');
        await ended;
      }
      return await outputOf(start(...args));
    };
    const [place, elsewhere] = [`oci://${host}/acme`, `oci://${host}/rehearsal`];
    const publishTo = (to: string) => [
      program,
      'publish',
      'sample.sheaf',
      '--to',
      to,
      '--insecure',
      '--json',
    ];
    const pullTo = (file: string) => [
      program,
      'pull',
      'sample',
      '--catalog',
      place,
      '--insecure',
      '--json',
      '-o',
      file,
    ];

    const packed = await insist([packChild, 'pack', 'rehearsal'], [packChild, 'pack', 'sample.sheaf']);
    const published = await insist(publishTo(elsewhere), publishTo(place));
    mkdirSync(join(folder, 'rehearsed'));
    mkdirSync(join(folder, 'pulled'));
    const pulled = await insist(pullTo('rehearsed/x.sheaf'), pullTo('pulled/x.sheaf'));

    t.regex(packed, /^sha256:[0-9a-f]{64}$/);
    t.is(resultOf(published)['digest'], packed);
    t.is(resultOf(pulled)['digest'], packed);
    t.true(readFileSync(join(folder, 'pulled/x.sheaf')).equals(readFileSync(join(folder, 'sample.sheaf'))));
    t.deepEqual(readdirSync(join(folder, 'pulled')), ['x.sheaf']);
    t.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('.')),
      [],
    );
    const again = resultOf(await outputOf(start(...publishTo(place))));
    t.is(again['sentBytes'], 0);
  },
);

test.serial(
  'a disk that fills while a bundle is packed, pulled or unpacked is DISK_FULL, and nothing half is there',
  async (t) => {
    const { host } = await startRegistry(t);
    const folder = temporaryFolder(t);
    const small = join(folder, 'small');
    mkdirSync(small);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', small]);
    t.teardown(() => run('umount', [small]));
    const child = async (...args: readonly string[]) =>
      await outputOf(spawn(process.execPath, args, { stdio: 'pipe' }));
    await child(packChild, 'pack', join(folder, 'whole.sheaf'));
    const shelf = () => openRegistryShelf(openQuickly(t, host), 'acme');
    const sample = sampleBundle({ tar: randomBytes(12 * 2 ** 20) });
    await publish(openSample(t, shelf()), { bundle: sample, channels: [] });
    const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'unfinished') });

    const packed = await child(packChild, 'pack', join(small, 'sample.sheaf'));
    const afterPack = readdirSync(small);
    const found = await findPublished([openSample(t, shelf())], { name: 'sample', range: '*' });
    const pulled = await t.throwsAsync(pullFile(found, { file: join(small, 'sample.sheaf'), blobs }));
    const afterPull = readdirSync(small);
    const unpacked = await child(packChild, 'store', join(folder, 'whole.sheaf'), small);

    t.is(packed, 'DISK_FULL');
    t.like(pulled, { code: 'DISK_FULL' });
    t.is(unpacked, 'DISK_FULL');
    t.deepEqual([afterPack, afterPull], [[], []]);
    t.deepEqual(readdirSync(join(small, 'blobs/sha256')), []);
  },
);

test.serial('a proxy before a registry that changes what it says gets nothing believed', async (t) => {
  const { host } = await startRegistry(t);
  const proxy = await startTamperingProxy(t, host);
  const [key, stranger] = [await newKey(), await newKey()];
  const memory = openCatalogMemory(temporaryFolder(t));
  const folder = temporaryFolder(t);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'unfinished') });
  const send = async (by: typeof key, path: string, version: string) => {
    const bundle = sampleBundle({ version, tar: randomBytes(3 * 2 ** 20) });
    const shelf = openRegistryShelf(openQuickly(t, host), path);
    await publish(openSample(t, shelf, { keys: [by.public] }), { bundle, key: by.signing, channels: [] });
    return bundle;
  };
  const indexOf = async (path: string): Promise<Buffer> => {
    const answer = await fetch(`http://${host}/v2/${path}/sheaf.index/manifests/index`, {
      headers: { accept: manifestType },
    });
    return Buffer.from(await answer.arrayBuffer());
  };
  await send(key, 'acme', '1.0.0');
  const oldIndex = await indexOf('acme');
  const bundle = await send(key, 'acme', '1.1.0');
  await send(stranger, 'stranger', '1.1.0');
  const layer = bundle.list.images['web@1.0.0']?.layers[1];
  const pull = async (file: string, tampering?: Tampering) => {
    proxy.tampering = tampering;
    const shelf = openRegistryShelf(openQuickly(t, proxy.host), 'acme');
    const catalog = openSample(t, shelf, { keys: [key.public], memory });
    const found = await findPublished([catalog], { name: 'sample', range: '*' });
    await pullFile(found, { file: join(folder, file), blobs });
  };
  const onLayer =
    (act: (...[request, response]: Parameters<Tampering>) => void): Tampering =>
    (request, response) => {
      if (!request.url?.endsWith(String(layer?.digest))) return false;
      act(request, response);
      return true;
    };
  const servesIndex =
    (manifest: Buffer): Tampering =>
    (request, response) => {
      if (!request.url?.endsWith('/manifests/index')) return false;
      response.writeHead(200, { 'content-type': manifestType }).end(manifest);
      return true;
    };
  const size = layer?.size ?? 0;
  const attacks: Readonly<Record<string, readonly [code: string, tampering: Tampering]>> = {
    'a swapped blob': ['CONTENT_MISMATCH', onLayer((_, response) => response.end(randomBytes(size)))],
    'a blob cut short': ['REGISTRY_UNREACHABLE', onLayer((_, response) => response.end(randomBytes(10)))],
    'a blob without end': [
      'ANSWER_TOO_LARGE',
      onLayer((_, response) => {
        const more = (): void =>
          void (response.destroyed || response.write(randomBytes(2 ** 20), () => setImmediate(more)));
        more();
      }),
    ],
    'an old index': ['CATALOG_ROLLED_BACK', servesIndex(oldIndex)],
    'the catalog of another signer': [
      'SIGNATURE_UNTRUSTED',
      (request) => {
        request.url = request.url?.replace('/v2/acme/', '/v2/stranger/') ?? '';
        return false;
      },
    ],
  };
  mkdirSync(join(folder, 'attacked'));

  await pull('good.sheaf');
  for (const [title, [code, tampering]] of Object.entries(attacks)) {
    const error = await t.throwsAsync(pull('attacked/x.sheaf', tampering), undefined, title);
    t.like(error, { code }, title);
    t.false(existsSync(join(folder, 'attacked/x.sheaf')), title);
  }
  await pull('attacked/x.sheaf');

  const [good, attacked] = ['good.sheaf', 'attacked/x.sheaf'].map((file) => readFileSync(join(folder, file)));
  t.true(attacked !== undefined && good?.equals(attacked));
  t.deepEqual(readdirSync(join(folder, 'attacked')), ['x.sheaf']);
});

test.serial('who sends a download elsewhere does not send the password with it', async (t) => {
  const users = 'ann:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n'; // of the word "secret"
  const { host } = await startRegistry(t, { users });
  const proxy = await startTamperingProxy(t, host);
  const access = {
    findCredential: async () => ({ kind: 'password', user: 'ann', password: 'secret' }) as const,
  };
  const bundle = sampleBundle({ tar: randomBytes(2 ** 20) });
  const direct = openRegistryShelf(openQuickly(t, host, access), 'acme');
  await publish(openSample(t, direct), { bundle, channels: [] });
  const layer = bundle.list.images['web@1.0.0']?.layers[1];
  const told: (string | undefined)[] = [];
  const elsewhere = createServer((request, response) => {
    told.push(request.headers.authorization);
    response.end(bundle.bytes.get(layer?.digest ?? 'sha256:'));
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  t.teardown(() => elsewhere.close());
  const address = elsewhere.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const asked: (string | undefined)[] = [];
  proxy.tampering = (request, response) => {
    if (!request.url?.endsWith(String(layer?.digest))) return false;
    asked.push(request.headers.authorization);
    response.writeHead(307, { location: `http://127.0.0.1:${port}/blob` }).end();
    return true;
  };
  const folder = temporaryFolder(t);
  const blobs = await openBlobs(join(folder, 'blobs'), { temporary: join(folder, 'unfinished') });
  const shelf = openRegistryShelf(openQuickly(t, proxy.host, access), 'acme');

  const found = await findPublished([openSample(t, shelf)], { name: 'sample', range: '*' });
  await pullFile(found, { file: join(folder, 'x.sheaf'), blobs });

  t.regex(asked[0] ?? '', /^Basic /);
  t.deepEqual(told, [undefined]);
});

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

async function outputOf(child: ChildProcess): Promise<string> {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return output;
}

function resultOf(output: string): Readonly<Record<string, unknown>> {
  return JSON.parse(output.trim().split('\n').at(-1) || '{}');
}
