import { sign } from 'node:crypto';
import { canonicalJson, type Digest, digestOf } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { SigningKey } from './key.ts';

/** What the ecosystem's tools look for beside a manifest: a manifest under a tag, and the two blobs that it names. */
export type SignatureTag = {
  readonly tag: string;
  readonly manifest: string;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly text: string }[];
};

const payloadMediaType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const configMediaType = 'application/vnd.oci.image.config.v1+json';
const manifestMediaType = 'application/vnd.oci.image.manifest.v1+json';

/** Gives the tag under which the signatures of a manifest lie. */
export function signatureTagOf(manifest: Digest): string {
  return `${manifest.replace(':', '-')}.sig`;
}

/**
 * Signs a manifest as `cosign sign --key` does, so that `cosign verify --key` takes it.
 *
 * @param place - the repository as people write it, `registry.example.com/acme/guestbook`
 * @source cosign's signature specification and containers/image's "simple signing" payload
 */
export function signForTools(manifest: Digest, place: string, key: SigningKey): SignatureTag {
  const payload = canonicalJson({
    critical: {
      identity: { 'docker-reference': place },
      image: { 'docker-manifest-digest': manifest },
      type: 'cosign container image signature',
    },
    optional: null,
  });
  const signature = sign('sha256', Buffer.from(payload), key.secret).toString('base64');
  const layer = describe(payloadMediaType, payload);
  const config = canonicalJson({
    architecture: '',
    os: '',
    created: '0001-01-01T00:00:00Z',
    config: {},
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
    history: [{ created: '0001-01-01T00:00:00Z' }],
  });
  const configDescriptor = describe(configMediaType, config);
  return {
    tag: signatureTagOf(manifest),
    manifest: canonicalJson({
      schemaVersion: 2,
      mediaType: manifestMediaType,
      config: configDescriptor,
      layers: [{ ...layer, annotations: { 'dev.cosignproject.cosign/signature': signature } }],
    }),
    blobs: [
      { descriptor: configDescriptor, text: config },
      { descriptor: layer, text: payload },
    ],
  };
}

function describe(mediaType: string, text: string): Descriptor {
  return { mediaType, digest: digestOf(text), size: Buffer.byteLength(text) };
}
