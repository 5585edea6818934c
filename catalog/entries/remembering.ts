import type { Descriptor } from '../../engine/model/blob.ts';
import type { Repository } from '../shelves/repository.ts';

const mostBlobs = 32;
const mostBytes = 8 * 2 ** 20;

/**
 * Makes a repository that asks for no small blob twice: what it has read or stored it knows by its digest.
 *
 * Tags and manifests are asked for each time.
 */
export function remembering(repository: Repository): Repository {
  const known = new Map<string, Uint8Array>();
  const keep = (digest: string, bytes: Uint8Array): void => {
    known.set(digest, bytes);
    for (const [oldest] of known) {
      const total = [...known.values()].reduce((sum, each) => sum + each.byteLength, 0);
      if (known.size <= mostBlobs && total <= mostBytes) return;
      known.delete(oldest);
    }
  };
  const open: Repository['open'] = async function* (blob, signal, offset = 0) {
    const bytes = known.get(blob.digest) ?? (await read(repository, blob, signal));
    keep(blob.digest, bytes);
    yield bytes.subarray(offset);
  };
  return {
    ...repository,
    open,
    put: async (blob, source, signal, sent, isNew) => {
      const result = await repository.put(blob, source, signal, sent, isNew);
      keep(blob.digest, await read(source, blob, signal));
      return result;
    },
  };
}

async function read(
  source: Pick<Repository, 'open'>,
  blob: Descriptor,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.open(blob, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
