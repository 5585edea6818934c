import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Digest } from '../digest.ts';

/** Gives a file's digest and size; memory does not grow with it. */
export async function hashFile(path: string): Promise<{ readonly digest: Digest; readonly size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}
