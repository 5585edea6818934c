import { randomBytes } from 'node:crypto';
import test from 'ava';
import { openImageFetcher } from '../../../catalog/registry/image-fetcher.ts';
import { storedManifest } from '../../../catalog/registry/registry.ts';
import type { ImagePart } from '../../../engine/model/image-fetcher.ts';
import { blobOf, calm, collect, openQuickly, sourceOf } from './openings.ts';
import { startSmallRegistry } from './small-registry.ts';

test('manifests and blobs of an image are fetched by digest, and what is absent has a code', async (t) => {
  const { host } = await startSmallRegistry(t);
  const registry = openQuickly(t, host);
  const bytes = randomBytes(100_000);
  const manifest = storedManifest(Buffer.from('{}'), 'application/vnd.oci.image.manifest.v1+json');
  await registry.repository('team/tool').put(blobOf(bytes), sourceOf(bytes), calm, () => undefined);
  await registry.repository('team/tool').putManifest(manifest, undefined, calm);
  const images = openImageFetcher(async () => registry);
  const open = (part: ImagePart) => images.open(`${host}/team/tool`, part, calm);
  const absent = `sha256:${'0'.repeat(64)}` as const;

  t.true((await collect(await open({ kind: 'blob', ...blobOf(bytes) }))).equals(bytes));
  t.is(
    (await collect(await open({ kind: 'manifest', digest: manifest.descriptor.digest }))).toString(),
    '{}',
  );
  t.like(await t.throwsAsync(open({ kind: 'manifest', digest: absent })), { code: 'IMAGE_MISSING' });
  const lacking = await open({ kind: 'blob', ...blobOf(bytes), digest: absent });
  t.like(await t.throwsAsync(collect(lacking)), { code: 'CONTENT_MISMATCH' });
});
