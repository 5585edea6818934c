import type { NeededImage } from '../model/closure.ts';
import type { LockedPackages } from '../model/lock.ts';
import { findBaseOf } from './base-layer.ts';
import { findImage } from './build-image.ts';
import type { BuildContext } from './context.ts';
import { keyOf, packageRequest } from './make-images.ts';
import { pinsOfPackages } from './package-index.ts';

/** What a lock can say of images: their packages by suite or `NAME@VERSION`, and the images of which nothing is known. */
export type FoundPins = {
  readonly images: Readonly<Record<string, LockedPackages>>;
  readonly unknown: readonly string[];
};

/** Gives the exact packages of images that are stored; builds nothing. */
export async function findPins(
  images: readonly NeededImage[],
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<FoundPins> {
  const found: Record<string, LockedPackages> = {};
  const unknown: string[] = [];
  for (const request of images.filter(({ published }) => published === undefined).flatMap(packageRequest)) {
    const image = await findImage(request, context);
    const [lowest] = image?.layers ?? [];
    const base = lowest && (await findBaseOf(lowest.digest, context));
    const versions = new Map(base?.packages.map(({ name, version }) => [name, version]));
    const own = pinsOfPackages(
      (image?.packages ?? []).filter(({ name, version }) => versions.get(name) !== version),
    );
    const shared = base && pinsOfPackages(base.packages);
    if (own === undefined || shared === undefined) {
      unknown.push(keyOf(request));
      continue;
    }
    found[request.image.suite] = shared;
    found[keyOf(request)] = own;
  }
  return { images: found, unknown };
}
