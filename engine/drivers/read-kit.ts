import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Blobs } from '../model/blob.ts';
import type { Kit } from '../model/kit.ts';

/** Reads a kit's description. @throws EngineError IMAGE_MISSING when it is not stored here */
export async function readKit(blobs: Blobs, digest: Digest): Promise<Kit> {
  if (!(await blobs.has(digest)))
    throw new EngineError('IMAGE_MISSING', `the guest kit ${digest} is not stored here`, {
      hint: 'Bring the deployment up with its source, which brings or makes it: sheaf up SOURCE --as NAME',
    });
  // the bytes have the digest that the plan names
  return JSON.parse(Buffer.from(await blobs.read(digest)).toString('utf8')) as Kit;
}
