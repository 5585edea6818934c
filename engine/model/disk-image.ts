import type { Descriptor } from './blob.ts';

/** The media type of a whole disk, a qcow2 that names no other file, which stands in the place of an image's layers. */
export const diskMediaType = 'application/vnd.sheaf.disk.v1.qcow2';

/** Gives the disk of an image that is one; undefined for an image of layers. */
export function diskOf(layers: readonly Descriptor[]): Descriptor | undefined {
  return layers.find(({ mediaType }) => mediaType === diskMediaType);
}
