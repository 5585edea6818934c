import { diskMediaType } from './disk-image.ts';

/** Tells whether a layer is one that can be run: a tar, packed or not, of OCI or Docker, or a whole disk. */
export function isLayerType(mediaType: string): boolean {
  return (
    mediaType === diskMediaType ||
    /^application\/vnd\.oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?$/.test(mediaType) ||
    /^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?$/.test(mediaType)
  );
}
