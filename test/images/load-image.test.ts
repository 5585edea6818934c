import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { storeImage } from '../../engine/images/image-manifest.ts';
import { layerMediaType, type StoredLayer } from '../../engine/images/layer-blob.ts';
import { loadImage } from '../../engine/images/load-image.ts';
import type { Blobs } from '../../engine/model/blob.ts';
import { openBlobs } from '../../engine/store/blob-folder.ts';

const packages = [{ name: 'jq', version: '1.6-2.1', architecture: 'amd64' }];

test('an image that was stored is loaded with its layers and packages', async (t) => {
  const blobs = await open(t);
  const layers = [await store(blobs, 'lower'), await store(blobs, 'upper')];

  const manifest = await storeImage(parts(layers), blobs);
  const image = await loadImage(manifest.digest, blobs);

  t.deepEqual(image.manifest, manifest);
  t.deepEqual(
    image.layers,
    layers.map(({ layer }) => layer),
  );
  t.deepEqual(
    image.diffIds,
    layers.map(({ diffId }) => diffId),
  );
  t.deepEqual(image.packages, packages);
});

test('equal parts give equal images', async (t) => {
  const blobs = await open(t);
  const layers = [await store(blobs, 'lower')];

  t.deepEqual(await storeImage(parts(layers), blobs), await storeImage(parts(layers), blobs));
});

test('an image without one of its blobs is IMAGE_MISSING', async (t) => {
  const blobs = await open(t);
  const layers = [await store(blobs, 'lower')];
  const manifest = await storeImage(parts(layers), blobs);
  await rm(blobs.path(layers[0]?.layer.digest ?? manifest.digest));

  t.is(await codeOf(loadImage(manifest.digest, blobs)), 'IMAGE_MISSING');
  t.is(await codeOf(loadImage(digestOf('nothing'), blobs)), 'IMAGE_MISSING');
});

test('a layer of another size than the manifest says is BLOB_CORRUPT', async (t) => {
  const blobs = await open(t);
  const { layer, diffId } = await store(blobs, 'lower');
  const manifest = await storeImage(parts([{ layer: { ...layer, size: 1 }, diffId }]), blobs);

  t.is(await codeOf(loadImage(manifest.digest, blobs)), 'BLOB_CORRUPT');
});

const layer = { mediaType: layerMediaType, digest: digestOf(''), size: 0 };
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(''), size: 0 };
const nonsense: Readonly<Record<string, unknown>> = {
  'no JSON': '{',
  'a list': [],
  'an index': { schemaVersion: 2, manifests: [] },
  'no layer': { schemaVersion: 2, config, layers: [] },
  'too many layers': { schemaVersion: 2, config, layers: Array.from({ length: 200 }, () => layer) },
  'an older schema': { schemaVersion: 1, config, layers: [layer] },
  'a configuration of another kind': { schemaVersion: 2, config: layer, layers: [layer] },
  'a layer of another kind': { schemaVersion: 2, config, layers: [{ ...layer, mediaType: 'text/plain' }] },
  'a digest that is a path': { schemaVersion: 2, config, layers: [{ ...layer, digest: '../../etc/passwd' }] },
  'a size below nothing': { schemaVersion: 2, config, layers: [{ ...layer, size: -1 }] },
  'a configuration that is empty': { schemaVersion: 2, config, layers: [layer] },
};

for (const [title, manifest] of Object.entries(nonsense)) {
  test(`a manifest with ${title} is BLOB_CORRUPT`, async (t) => {
    const blobs = await open(t);
    await blobs.write('');
    const digest = await blobs.write(typeof manifest === 'string' ? manifest : JSON.stringify(manifest));

    t.is(await codeOf(loadImage(digest, blobs)), 'BLOB_CORRUPT');
  });
}

function parts(layers: readonly StoredLayer[]): Parameters<typeof storeImage>[0] {
  return {
    name: 'sample',
    version: '1.0.0',
    layers: layers.map((each) => ({ ...each, origin: 'test' })),
    packages,
  };
}

async function store(blobs: Blobs, text: string): Promise<StoredLayer> {
  const bytes = gzipSync(text);
  const digest = await blobs.write(bytes);
  return { layer: { mediaType: layerMediaType, digest, size: bytes.length }, diffId: digestOf(text) };
}

async function codeOf(act: Promise<unknown>): Promise<string | undefined> {
  return await act.then(
    () => undefined,
    (error: unknown) => (error instanceof EngineError ? error.code : String(error)),
  );
}

async function open(t: ExecutionContext): Promise<Blobs> {
  const home = await mkdtemp(join(tmpdir(), 'sheaf-image-'));
  t.teardown(() => rm(home, { recursive: true }));
  return await openBlobs(join(home, 'blobs'), { temporary: join(home, 'unfinished') });
}
