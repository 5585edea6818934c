import { createHash, verify } from 'node:crypto';
import test from 'ava';
import { signForTools } from '../../../catalog/trust/cosign.ts';
import { newKey } from './keys.ts';

// cosign, specs/SIGNATURE_SPEC.md: "Tag-based Discovery", "OCI Image Manifest V1", "Simple Signing"
test('the tag for other tools is what the signature specification of cosign asks for', async (t) => {
  const key = await newKey();
  const digest = `sha256:${'7'.repeat(64)}` as const;

  const { tag, manifest, blobs } = signForTools(digest, 'registry.example.com/acme/guestbook', key.signing);
  const { layers, config, ...head } = JSON.parse(manifest);
  const texts = new Map(
    blobs.map(({ text }) => [`sha256:${createHash('sha256').update(text).digest('hex')}`, text]),
  );
  const [layer] = layers;
  const payload = texts.get(layer.digest) ?? '';

  t.is(tag, `sha256-${'7'.repeat(64)}.sig`);
  t.deepEqual(head, { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json' });
  t.is(layers.length, 1);
  t.is(layer.mediaType, 'application/vnd.dev.cosign.simplesigning.v1+json');
  t.is(layer.size, Buffer.byteLength(payload));
  t.like(JSON.parse(payload), {
    critical: { image: { 'docker-manifest-digest': digest }, type: 'cosign container image signature' },
  });
  const signature = Buffer.from(layer.annotations['dev.cosignproject.cosign/signature'], 'base64');
  t.true(verify('sha256', Buffer.from(payload), key.public.key, signature));
  t.is(config.mediaType, 'application/vnd.oci.image.config.v1+json');
  t.deepEqual(JSON.parse(texts.get(config.digest) ?? '').rootfs.diff_ids, [layer.digest]);
});
