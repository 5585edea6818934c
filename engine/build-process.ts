import { join } from 'node:path';
import type { BuildOrder, BuildWord } from './build-apart.ts';
import { EngineError } from './errors.ts';
import { buildImages } from './images/build-image.ts';
import { openState } from './open-state.ts';
import { closeProcessFolder } from './process-folder.ts';

// The process that builds images as root of a user namespace. It is told what to build in one message, and ends with
// whoever started it.

const stop = new AbortController();
process.on('disconnect', () => stop.abort());
process.once('message', (order: BuildOrder) => {
  void build(order).then((word) => {
    if (process.connected) process.send?.(word, () => process.exit(0));
    else process.exit(1);
  });
});

async function build({ folders, requests }: BuildOrder): Promise<BuildWord> {
  // what is made here has owners that only such a process can remove
  const scratch = join(folders.home, 'scratch-lent');
  try {
    const { store, blobs, cache, close } = await openState(folders);
    try {
      const report = (event: Extract<BuildWord, { event: unknown }>['event']): void => {
        if (process.connected) process.send?.({ event });
      };
      return {
        built: await buildImages(requests, {
          ...{ blobs, refs: store.refs, scratch, cache },
          ...{ signal: stop.signal, report },
        }),
      };
    } finally {
      await closeProcessFolder(scratch);
      await close();
    }
  } catch (error) {
    if (!(error instanceof EngineError))
      return { failure: { code: 'INTERNAL_ERROR', message: String(error), details: {} } };
    const { code, message, hint, details } = error;
    return { failure: { code, message, ...(hint !== undefined && { hint }), details } };
  }
}
