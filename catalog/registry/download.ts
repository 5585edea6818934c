import { createHash } from 'node:crypto';
import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import { malformed, tooLarge, unreachable } from './failures.ts';
import type { HttpAnswer } from './http.ts';
import { type Patience, pauseAfter, throwIfStopped } from './retry.ts';
import type { Transport } from './transport.ts';

/** What {@link download} works with. */
export type DownloadOptions = {
  readonly transport: Transport;
  /** Path of the repository. */
  readonly path: string;
  readonly patience: Patience;
  readonly signal: AbortSignal;
};

type Part = {
  readonly answer: HttpAnswer /** Bytes at its begin that are known already. */;
  readonly surplus: number;
};

/**
 * Streams a blob; a connection that breaks is followed by another one from where it broke.
 *
 * @param offset - bytes to leave out; the digest is checked only when it is 0
 * @throws EngineError CONTENT_MISMATCH at the end, ANSWER_TOO_LARGE as soon as there is a byte too many, and as `Transport.call`
 */
export async function* download(
  blob: Descriptor,
  options: DownloadOptions,
  offset = 0,
): AsyncGenerator<Uint8Array> {
  const { transport, patience, signal } = options;
  const hash = createHash('sha256');
  let received = offset;
  let failures = 0;
  for (;;) {
    const before = received;
    const { answer, surplus } = await openPart(blob, received, options);
    let skip = surplus;
    let broken: unknown;
    try {
      for await (const chunk of answer.body) {
        const fresh = chunk.subarray(Math.min(skip, chunk.byteLength));
        skip -= chunk.byteLength - fresh.byteLength;
        received += fresh.byteLength;
        if (received > blob.size) throw tooLarge(transport.host, 'blob', blob.size);
        hash.update(fresh);
        if (fresh.byteLength > 0) yield fresh;
      }
    } catch (cause) {
      if (cause instanceof EngineError) throw cause;
      broken = cause;
    }
    throwIfStopped(signal);
    if (received === blob.size) break;
    // bytes that came are worth a new count: a poor line may break often and still get through
    failures = received > before ? 0 : failures + 1;
    if (failures >= patience.attempts) throw unreachable(transport.host, broken);
    await pauseAfter(failures, patience, signal);
  }
  if (offset === 0 && `sha256:${hash.digest('hex')}` !== blob.digest)
    throw new EngineError(
      'CONTENT_MISMATCH',
      `the registry ${transport.host} sent other bytes than ${blob.digest}`,
      {
        hint: 'Nothing of it was kept. Ask whoever runs the registry, or use another one.',
        details: { host: transport.host, digest: blob.digest },
      },
    );
}

async function openPart(blob: Descriptor, from: number, options: DownloadOptions): Promise<Part> {
  const { transport, path, signal } = options;
  const answer = await transport.call({
    method: 'GET',
    target: `/v2/${path}/blobs/${blob.digest}`,
    headers: from > 0 ? { range: `bytes=${from}-` } : {},
    scopes: [`repository:${path}:pull`],
    expect: from > 0 ? [200, 206, 404] : [200, 404],
    signal,
  });
  if (answer.status === 404) {
    await answer.drop();
    throw new EngineError('CONTENT_MISMATCH', `the registry ${transport.host} lacks ${blob.digest}`, {
      hint: 'What was published there is not whole; publish it again.',
      details: { host: transport.host, digest: blob.digest },
    });
  }
  if (answer.status === 200) return { answer, surplus: from };
  const range = /^bytes (\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)$/.exec(answer.headers['content-range'] ?? '');
  if (Number(range?.[1]) === from) return { answer, surplus: 0 };
  await answer.drop();
  throw malformed(transport.host, 'it sends another part than it was asked for');
}
