import { gzipSync } from 'node:zlib';
import { writeTar } from '../../../engine/formats/tar.ts';
import type { Blobs, Descriptor } from '../../../engine/model/blob.ts';

/** Stores an image layer that holds one page, an account for root, and a few names of the kit's busybox: nothing of its own runs. */
export async function storeTinyLayer(blobs: Blobs, page: string): Promise<Descriptor> {
  const common = { uid: 0, gid: 0, mtime: 0, target: '', attributes: {} };
  const file = (path: string, text: string) => ({
    ...common,
    path,
    type: 'file' as const,
    mode: 0o644,
    size: Buffer.byteLength(text),
    content: Buffer.from(text),
  });
  const folder = (path: string) => ({
    ...common,
    path,
    type: 'directory' as const,
    mode: 0o755,
    size: 0,
  });
  const tar = writeTar([
    folder('etc/'),
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
    file('etc/group', 'root:x:0:\n'),
    folder('bin/'),
    ...['sh', 'cat', 'echo', 'tee', 'httpd'].map((name) => ({
      ...common,
      path: `bin/${name}`,
      type: 'symlink' as const,
      mode: 0o777,
      size: 0,
      target: '/run/sheaf/bin/busybox',
    })),
    folder('srv/'),
    file('srv/index.html', page),
  ]);
  const content = gzipSync(Buffer.concat(await tar.toArray()), { level: 9 });
  const digest = await blobs.write(content);
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: content.length };
}
