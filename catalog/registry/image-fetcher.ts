import { EngineError } from '../../engine/errors.ts';
import type { ImageFetcher } from '../../engine/model/image-fetcher.ts';
import { parseReference } from './reference.ts';
import type { Registry } from './registry.ts';

/**
 * Fetches parts of images that descriptions name, by digest.
 *
 * @param registryOf - opens the registry of a host
 * @throws EngineError INPUT_REFUSED for what names no repository, IMAGE_MISSING for a manifest that is not there, as the registry does
 */
export function openImageFetcher(registryOf: (host: string) => Promise<Registry>): ImageFetcher {
  return {
    open: async (name, part, signal) => {
      const { digest } = part;
      const { host, path } = parseReference(name);
      const repository = (await registryOf(host)).repository(path);
      if (part.kind === 'blob') return repository.open(part, signal);
      const manifest = await repository.manifest(digest, signal);
      if (manifest !== undefined) return single(manifest.bytes);
      throw missing(name, digest);
    },
  };
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function missing(name: string, digest: string): EngineError {
  return new EngineError('IMAGE_MISSING', `the repository ${name} does not have ${digest}`, {
    hint: 'Is the digest right, and may this user see the repository?',
  });
}
