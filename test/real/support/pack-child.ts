import { createCipheriv } from 'node:crypto';
import { contentsOf, openBundle, openPackedBundle, packFile } from '../../../catalog/index.ts';
import { EngineError } from '../../../engine/errors.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { sampleBundle } from '../../catalog/sample-bundle.ts';

// Run by itself: packs a sample of some mebibytes into a file, or stores the parts of a bundle; prints what came of it.
const [act = '', file = '', store = ''] = process.argv.slice(2);
const call = { signal: new AbortController().signal, report: () => undefined };

/** Random-looking, and the same in every process. */
function sampleTar(mebibytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
    Buffer.alloc(mebibytes * 2 ** 20),
  );
}

try {
  if (act === 'pack') {
    const { contents, source } = sampleBundle({ tar: sampleTar(12) });
    await packFile({ contents: contentsOf(contents.list), source, file }, call);
  } else {
    const packed = await openPackedBundle(file, async () => ({ state: 'unsigned', keys: [], reason: '' }));
    const blobs = await openBlobs(`${store}/blobs`, { temporary: `${store}/blobs/unfinished` });
    await packed.storeParts(blobs, call);
    await packed.close();
  }
  const bundle = await openBundle(file);
  process.stdout.write(bundle.contents.manifest.config.digest);
  await bundle.close();
} catch (error) {
  process.stdout.write(error instanceof EngineError ? error.code : String(error));
  process.exitCode = 1;
}
