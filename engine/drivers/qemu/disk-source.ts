import { canonicalJson, type Digest, digestOf } from '../../digest.ts';
import type { Descriptor } from '../../model/blob.ts';
import type { ImageState } from '../../model/step.ts';

/** What becomes one read-only disk of a machine. */
export type DiskSource = {
  /** Names the disk: the layer's own, or of the list of those that are joined. */
  readonly digest: Digest;
  /** Lowest first. */
  readonly layers: readonly [Descriptor, ...Descriptor[]];
  /** Whether these layers are all of an image, so that nothing lies below the disk. */
  readonly isWhole: boolean;
};

/** Divides an image's layers into disks, lowest first: those of an image of others become one. */
export function diskSources({
  layers,
  joined = 0,
}: Pick<ImageState, 'layers' | 'joined'>): readonly DiskSource[] {
  const [first, ...others] = layers.slice(0, joined);
  const apart = layers.slice(joined);
  // a layer that comes twice, such as an empty one, hides itself below
  const last = new Map(apart.map((layer, index) => [layer.digest, index]));
  const single = apart
    .filter(({ digest }, index) => last.get(digest) === index)
    .map((layer): DiskSource => ({ digest: layer.digest, layers: [layer], isWhole: false }));
  if (first === undefined) return single;
  const digest = digestOf(canonicalJson({ joined: [first, ...others].map((layer) => layer.digest) }));
  return [{ digest, layers: [first, ...others], isWhole: true }, ...single];
}
