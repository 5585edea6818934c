import { type Digest, isDigest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';

/** A repository of a registry. */
export type RepositoryPlace = {
  /** `host` or `host:port`, in lower case. */
  readonly host: string;
  /** `acme/catalog`. */
  readonly path: string;
};

/** A manifest in a repository, by tag or digest; neither when the text names the repository alone. */
export type RegistryReference = RepositoryPlace & { readonly tag?: string; readonly digest?: Digest };

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pattern = new RegExp(
  `^(?:oci://)?(?<host>(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:]+\\])(?::[0-9]{1,5})?)/(?<path>${component}(?:/${component})*)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?<digest>.+))?$`,
);

/**
 * Reads `oci://host[:port]/path[:tag][@digest]`; the scheme may be left out.
 *
 * @throws EngineError INPUT_REFUSED
 * @source OCI distribution specification 1.1, "Pulling manifests"
 */
export function parseReference(text: string): RegistryReference {
  const { host, path, tag, digest } = pattern.exec(text.slice(0, 1024))?.groups ?? {};
  const isKnown = digest === undefined || isDigest(digest);
  if (host === undefined || path === undefined || path.length > 255 || !isKnown || text.length > 1024)
    throw new EngineError('INPUT_REFUSED', `${text.slice(0, 200)} names nothing in a registry`, {
      hint: 'Write it as oci://host[:port]/path, all in lower case, then :tag or @sha256:… where one is meant.',
    });
  return { host, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** Writes a repository's place as `oci://host/path`. */
export function formatPlace({ host, path }: RepositoryPlace): string {
  return `oci://${host}/${path}`;
}
