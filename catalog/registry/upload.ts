import { EngineError } from '../../engine/errors.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { SeekableSource } from '../shelves/repository.ts';
import { type BlobReader, readBlob } from './blob-reader.ts';
import { malformed, unreachable } from './failures.ts';
import type { HttpAnswer, HttpBody } from './http.ts';
import { type Patience, pauseAfter, throwIfStopped } from './retry.ts';
import type { Transport } from './transport.ts';

/** Keeps where an unfinished upload goes on, also for the next process. A place is as good as a key to that upload. */
export interface UploadMemory {
  recall(key: string): Promise<string | undefined>;
  remember(key: string, place: string): Promise<void>;
  forget(key: string): Promise<void>;
}

/** What {@link upload} works with. */
export type UploadOptions = {
  readonly transport: Transport;
  /** Path of the repository. */
  readonly path: string;
  /** Another repository of the registry that may have the blob. */
  readonly mountFrom?: string;
  readonly memory: UploadMemory;
  readonly patience: Patience;
  readonly signal: AbortSignal;
};

type Session = { readonly place: URL /** Bytes that the registry has. */; readonly offset: number };

/** Bytes of one request: what is lost when one breaks, against a question and an answer for each. */
const chunkBytes = 16 * 2 ** 20;
/** Up to so many bytes it costs less to send a blob again than to know how far the registry got. */
const smallBytes = 2 ** 20;

/**
 * Sends a blob in parts; after a break the registry is asked how far it got.
 *
 * @param sent - told the bytes that went; bytes that must go again count again
 * @throws EngineError as `Transport.call`, CONTENT_MISMATCH when the registry understood other bytes than the source gave
 */
export async function upload(
  blob: Descriptor,
  source: SeekableSource,
  options: UploadOptions,
  sent: (bytes: number) => void,
): Promise<'mounted' | 'sent'> {
  if (blob.size <= smallBytes) return await uploadSmall(blob, source, options, sent);
  const { transport, memory, patience, signal } = options;
  const key = `${transport.host}/${options.path} ${blob.digest}`;
  const begun = (await resume(key, blob, options)) ?? (await begin(blob, options));
  if (begun === 'mounted') return 'mounted';
  let session = begun;
  const content = readBlob(blob, source, signal);
  let failures = 0;
  while (session.offset < blob.size) {
    await memory.remember(key, session.place.href);
    const size = Math.min(chunkBytes, blob.size - session.offset);
    try {
      session = await sendChunk(content, session, size, options);
      failures = 0;
      sent(size);
    } catch (error) {
      throwIfStopped(signal);
      if (!(error instanceof EngineError) || !isBreak(error)) throw error;
      failures += 1;
      if (failures >= patience.attempts) throw error;
      await pauseAfter(failures, patience, signal);
      const before = session.offset;
      session = (await ask(session.place, blob, options)) ?? (await restart(blob, options));
      if (session.offset > before) failures = 0;
    }
  }
  await finish(blob, session, options);
  await memory.forget(key);
  return 'sent';
}

/** Sends a small blob whole, in the request that ends the upload. */
async function uploadSmall(
  blob: Descriptor,
  source: SeekableSource,
  options: UploadOptions,
  sent: (bytes: number) => void,
): Promise<'mounted' | 'sent'> {
  const { patience, signal } = options;
  let begun = await begin(blob, options);
  for (let failures = 1; begun !== 'mounted'; failures += 1) {
    try {
      const body = { size: blob.size, open: () => readBlob(blob, source, signal).take(0, blob.size) };
      await finish(blob, begun, options, body);
      sent(blob.size);
      return 'sent';
    } catch (error) {
      throwIfStopped(signal);
      if (!(error instanceof EngineError) || !isBreak(error) || failures >= patience.attempts) throw error;
      await pauseAfter(failures, patience, signal);
      begun = await restart(blob, options);
    }
  }
  return 'mounted';
}

/** Mounts the blob from elsewhere, or begins to send it. */
async function begin(blob: Descriptor, options: UploadOptions): Promise<'mounted' | Session> {
  const { transport, path, mountFrom, signal } = options;
  const query =
    mountFrom === undefined
      ? ''
      : `?${new URLSearchParams({ mount: blob.digest, from: mountFrom }).toString()}`;
  const answer = await transport.call({
    method: 'POST',
    target: `/v2/${path}/blobs/uploads/${query}`,
    scopes: scopesOf(path, mountFrom),
    expect: [201, 202],
    signal,
  });
  await answer.drop();
  if (answer.status === 201 && mountFrom !== undefined) return 'mounted';
  return { place: placeOf(answer, transport, transport.url('/')), offset: 0 };
}

async function restart(blob: Descriptor, options: UploadOptions): Promise<Session> {
  const { mountFrom: _, ...plain } = options;
  const session = await begin(blob, plain);
  if (session === 'mounted')
    throw malformed(options.transport.host, 'it mounts what nobody asked it to mount');
  return session;
}

/** Takes up what an earlier run began; undefined when there is nothing to take up. */
async function resume(key: string, blob: Descriptor, options: UploadOptions): Promise<Session | undefined> {
  const remembered = await options.memory.recall(key);
  if (remembered === undefined || !URL.canParse(remembered)) return undefined;
  const place = new URL(remembered);
  if (place.origin !== options.transport.url('/').origin) return undefined;
  const session = await ask(place, blob, options);
  if (session === undefined) await options.memory.forget(key);
  return session;
}

/** Asks how far an upload got; undefined when the registry knows nothing of it. */
async function ask(place: URL, blob: Descriptor, options: UploadOptions): Promise<Session | undefined> {
  const { transport, path, signal } = options;
  const answer = await transport.call({
    method: 'GET',
    target: place,
    scopes: scopesOf(path),
    // a registry that lost count says so with one of these
    expect: [204, 400, 404, 410, 416],
    signal,
  });
  await answer.drop();
  if (answer.status !== 204) return undefined;
  const offset = offsetOf(answer.headers['range']);
  if (offset === undefined || offset > blob.size) return undefined;
  return { place: placeOf(answer, transport, place), offset };
}

async function sendChunk(
  content: BlobReader,
  { place, offset }: Session,
  size: number,
  options: UploadOptions,
): Promise<Session> {
  const { transport, path, signal } = options;
  const body: HttpBody = { size, open: () => content.take(offset, size) };
  const answer = await transport.call({
    method: 'PATCH',
    target: place,
    headers: {
      'content-type': 'application/octet-stream',
      'content-range': `${offset}-${offset + size - 1}`,
    },
    body,
    scopes: scopesOf(path),
    expect: [202, 204],
    attempts: 1, // a part that was taken in half must not be sent again before the registry was asked
    signal,
  });
  await answer.drop();
  const reached = offsetOf(answer.headers['range']);
  if (reached !== undefined && reached !== offset + size)
    throw unreachable(transport.host, 'it took another number of bytes');
  return { place: placeOf(answer, transport, place), offset: offset + size };
}

/** Ends an upload. @param body - what the registry has not got yet */
async function finish(
  blob: Descriptor,
  { place }: Session,
  options: UploadOptions,
  body?: HttpBody,
): Promise<void> {
  const { transport, path, signal } = options;
  const target = new URL(place);
  target.searchParams.set('digest', blob.digest);
  const answer = await transport.call({
    method: 'PUT',
    target,
    headers: { 'content-type': 'application/octet-stream' },
    body: body ?? new Uint8Array(),
    scopes: scopesOf(path),
    expect: [201, 204, 400, 404, 416],
    // with a body it is begun anew by who called
    ...(body !== undefined && { attempts: 1 }),
    signal,
  });
  await answer.drop();
  if (answer.status < 300) return;
  throw new EngineError(
    'CONTENT_MISMATCH',
    `the registry ${transport.host} did not take ${blob.digest} whole`,
    {
      hint: 'Run the same command again: it begins that part anew.',
      details: { host: transport.host, digest: blob.digest, status: answer.status },
    },
  );
}

/** The breaks after which it is worth to ask how far the registry got. */
function isBreak({ code, details }: EngineError): boolean {
  return (
    code === 'REGISTRY_UNREACHABLE' ||
    (code === 'REGISTRY_MALFORMED' && [400, 404, 416].includes(Number(details['status'])))
  );
}

/** Reads `Range: 0-1023` of an upload: the last byte that is there, where 0-0 stands for none as well as for one. */
function offsetOf(range: string | undefined): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(range ?? '')?.[1];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}

function placeOf(answer: HttpAnswer, transport: Transport, base: URL): URL {
  const { location } = answer.headers;
  if (location === undefined) return base;
  if (location.length > 8192 || !URL.canParse(location, base.href))
    throw malformed(transport.host, 'it names no place to send to');
  return new URL(location, base);
}

function scopesOf(path: string, mountFrom?: string): readonly string[] {
  const own = `repository:${path}:pull,push`;
  return mountFrom === undefined ? [own] : [own, `repository:${mountFrom}:pull`];
}
