import { EngineError } from '../../engine/errors.ts';
import { formatPlace } from '../registry/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { Repository } from './repository.ts';
import type { Shelf } from './shelf.ts';

/**
 * Opens a catalog in a registry: the versions of a name are the tags of `PATH/NAME`.
 *
 * A registry cannot promise that nobody writes at the same time; whoever publishes looks again at what came of it.
 *
 * @param mirror - asked for whatever is read when the registry does not answer
 */
export function openRegistryShelf(
  registry: Registry,
  path: string,
  mirror?: { readonly registry: Registry; readonly path: string },
): Shelf {
  return {
    name: formatPlace({ host: registry.host, path }),
    exclusively: (act) => act(),
    repository: (name, mountFrom) => {
      const inside = (each: string): string => `${path}/${each}`;
      const primary = registry.repository(inside(name), (blob) => mountFrom?.(blob).map(inside) ?? []);
      return mirror ? withMirror(primary, mirror.registry.repository(`${mirror.path}/${name}`)) : primary;
    },
  };
}

function withMirror(primary: Repository, mirror: Repository): Repository {
  const orMirror = async <T>(ask: (repository: Repository) => Promise<T>): Promise<T> => {
    try {
      return await ask(primary);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
      return await ask(mirror);
    }
  };
  return {
    ...primary,
    manifest: (reference, signal) => orMirror((each) => each.manifest(reference, signal)),
    tags: (signal) => orMirror((each) => each.tags(signal)),
    open: async function* (blob, signal, offset = 0) {
      let given = offset;
      try {
        for await (const chunk of primary.open(blob, signal, offset)) {
          given += chunk.byteLength;
          yield chunk;
        }
      } catch (error) {
        // what came in part can only be checked as a whole, which whoever stores it does
        if (!(error instanceof EngineError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
        yield* mirror.open(blob, signal, given);
      }
    },
  };
}
