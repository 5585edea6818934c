import { type Duplex, PassThrough } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { unpackZstd } from './zstd.ts';

/** Makes a stream that undoes a layer's compression, as its media type names it. */
export function layerUnpacker(mediaType: string): Duplex {
  if (/[+.]gzip$/.test(mediaType)) return createGunzip();
  return /[+.]zstd$/.test(mediaType) ? unpackZstd() : new PassThrough();
}
