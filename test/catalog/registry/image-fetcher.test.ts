import { randomBytes } from 'node:crypto';
import test from 'ava';
import { openImageFetcher } from '../../../catalog/registry/image-fetcher.ts';
import { storedManifest } from '../../../catalog/registry/registry.ts';
import { blobOf, calm, collect, openQuickly, sourceOf } from './openings.ts';
import { startSmallRegistry } from './small-registry.ts';

test('manifests and blobs of an image are fetched by digest, and what is absent is IMAGE_MISSING', async (t) => {
  const { host } = await startSmallRegistry(t);
  const registry = openQuickly(t, host);
  const bytes = randomBytes(100_000);
  const { digest } = blobOf(bytes);
  const manifest = storedManifest(Buffer.from('{}'), 'application/vnd.oci.image.manifest.v1+json');
  await registry.repository('team/tool').put(blobOf(bytes), sourceOf(bytes), calm, () => undefined);
  await registry.repository('team/tool').putManifest(manifest, undefined, calm);
  const images = openImageFetcher(async () => registry);
  const open = (kind: 'manifest' | 'blob', wanted: typeof digest) =>
    images.open(`${host}/team/tool`, { kind, digest: wanted }, calm);

  t.true((await collect(await open('blob', digest))).equals(bytes));
  t.is((await collect(await open('manifest', manifest.descriptor.digest))).toString(), '{}');
  for (const kind of ['manifest', 'blob'] as const)
    t.like(await t.throwsAsync(open(kind, `sha256:${'0'.repeat(64)}`)), { code: 'IMAGE_MISSING' });
});
