import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf } from '../../engine/digest.ts';

/** A layer for {@link writeLayout}: packed bytes, how they are packed, and the digest of the tar inside. */
export type LayoutLayer = {
  readonly mediaType: string;
  readonly content: Uint8Array;
  readonly diffId: Digest;
};

/**
 * Writes an OCI image layout as other tools do: plain JSON, an index of two platforms, nothing of Sheaf's own.
 *
 * @param folder - made when absent
 * @param settings - the member `config` of the image's configuration
 * @returns digests of the index and of the image for linux/amd64
 */
export async function writeLayout(
  folder: string,
  layers: readonly LayoutLayer[],
  settings: Readonly<Record<string, unknown>>,
): Promise<{ readonly index: Digest; readonly manifest: Digest }> {
  const blobs = join(folder, 'blobs/sha256');
  await mkdir(blobs, { recursive: true });
  const put = async (mediaType: string, content: Uint8Array | string) => {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    await writeFile(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = await put(
    'application/vnd.oci.image.config.v1+json',
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: settings,
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const stored = await Promise.all(layers.map(({ mediaType, content }) => put(mediaType, content)));
  const manifest = await put(
    manifestType,
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: stored }),
  );
  const other = { mediaType: manifestType, digest: digestOf('other'), size: 5 };
  const index = await put(
    'application/vnd.oci.image.index.v1+json',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        { ...other, platform: { os: 'linux', architecture: 'arm64' } },
        { ...manifest, platform: { os: 'linux', architecture: 'amd64' } },
      ],
    }),
  );
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [index] }));
  return { index: index.digest, manifest: manifest.digest };
}
