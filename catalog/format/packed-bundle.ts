import { open, stat } from 'node:fs/promises';
import { EngineError } from '../../engine/errors.ts';
import type { Blobs, Descriptor } from '../../engine/model/blob.ts';
import type { PackedCall, PackedSource } from '../../engine/model/packed-source.ts';
import type { JudgeSignatures } from '../trust/signatures.ts';
import { checkTexts } from './check-parts.ts';
import { type BundleFile, openBundle } from './open-bundle.ts';
import { refusal } from './refusals.ts';
import { layersOf, textsOf } from './root-manifest.ts';

/** Tells whether a path leads to a file that is, or shall be, a bundle: by its first header, or by its name. */
export async function isBundle(path: string): Promise<boolean> {
  if (path.endsWith('.sheaf')) return true;
  // a pipe would be waited for
  const facts = await stat(path).catch(() => undefined);
  const file = facts?.isFile() ? await open(path, 'r').catch(() => undefined) : undefined;
  if (file === undefined) return false;
  try {
    const { buffer } = await file.read(Buffer.alloc(5), 0, 5, 257);
    return buffer.toString('latin1') === 'ustar';
  } finally {
    await file.close();
  }
}

/**
 * Opens a bundle file as a source for the engine.
 *
 * @param judge - says whether its signatures may be trusted; asked before anything else is done with it
 * @throws EngineError as {@link openBundle} and the judge do
 */
export async function openPackedBundle(path: string, judge: JudgeSignatures): Promise<PackedSource> {
  const bundle = await openBundle(path);
  try {
    await judge(bundle);
  } catch (error) {
    await bundle.close();
    throw error;
  }
  const { list, manifest } = bundle.contents;
  const files = new Map(textsOf(list).map((part) => [part.digest, part]));
  return {
    list,
    digest: manifest.config.digest,
    readFile: async (digest) => {
      const part = files.get(digest);
      if (part === undefined) throw refusal('BUNDLE_INCOMPLETE', `does not hold ${digest}`);
      return await bundle.read(part);
    },
    storeParts: (blobs, call) => storeParts(bundle, blobs, call),
    close: () => bundle.close(),
  };
}

/** Stores what the store lacks: all or nothing, and only after all of it was checked. */
async function storeParts(bundle: BundleFile, blobs: Blobs, { signal, report }: PackedCall): Promise<void> {
  const { list } = bundle.contents;
  const subject = `bundle ${list.name} ${list.version}`;
  const parts = layersOf(list);
  const lacking: Descriptor[] = [];
  for (const part of parts) if ((await blobs.size(part.digest)) !== part.size) lacking.push(part);
  const bytes = lacking.reduce((sum, { size }) => sum + size, 0);
  if (bytes === 0) {
    report({ type: 'build', subject, state: 'cached', message: 'all its parts are stored' });
    return;
  }
  requireParts(bundle, lacking);
  report({
    type: 'build',
    subject,
    state: 'started',
    message: `unpacks ${(bytes / 2 ** 20).toFixed(1)} MiB`,
  });
  const opened = await checkTexts(bundle);
  try {
    await blobs.writeAll(lacking.map((part) => ({ part, content: () => stoppable(opened(part), signal) })));
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new EngineError('OPERATION_INTERRUPTED', `unpacking ${subject} was stopped on request`, {
      hint: 'Nothing of it was kept; run the same command again.',
      cause,
    });
  }
  report({
    type: 'build',
    subject,
    state: 'done',
    message: `${lacking.length} of ${parts.length} parts were new`,
  });
}

function requireParts({ has, note }: BundleFile, parts: readonly Descriptor[]): void {
  const absent = parts.filter((part) => !has(part));
  if (absent.length === 0) return;
  const megabytes = (absent.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1);
  const base = note.base === undefined ? '' : ` of its base ${note.base}`;
  throw refusal(
    'BUNDLE_INCOMPLETE',
    `is ${note.form}; ${absent.length} parts (${megabytes} MB)${base} are neither in it nor stored here`,
    { details: { form: note.form, base: note.base, missing: absent.map(({ digest }) => digest) } },
  );
}

async function* stoppable(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    signal.throwIfAborted();
    yield chunk;
  }
}
