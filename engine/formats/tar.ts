import { pipeline, Readable, type Writable } from 'node:stream';
import { extract, type Header, pack } from 'tar-stream';
import { EngineError } from '../errors.ts';
import { attributesAsCharacters, paxHeader } from './pax.ts';

/** What an entry of a tar archive is. */
export type TarType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'link'
  | 'fifo'
  | 'character-device'
  | 'block-device';

/** One entry of a tar archive, without its content. */
export type TarEntry = {
  /** As written in the archive; a reader must not believe it. */
  readonly path: string;
  readonly type: TarType;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** Bytes of content; 0 for all but files. */
  readonly size: number;
  /** Where a `symlink` or `link` leads; empty otherwise. */
  readonly target: string;
  /** Extended attributes by name, such as `user.origin`; one character, U+0000 to U+00FF, for each byte. */
  readonly attributes: Readonly<Record<string, string>>;
};

/** An entry to write, with the bytes of a file. */
export type TarSource = TarEntry & { readonly content?: Uint8Array | AsyncIterable<Uint8Array> };

/** An entry that was read; its content must be read or skipped before the next entry is asked for. */
export type TarItem = { readonly entry: TarEntry; readonly content: AsyncIterable<Uint8Array> };

const attributePrefix = 'SCHILY.xattr.';
const types: ReadonlySet<string> = new Set<TarType>([
  'file',
  'directory',
  'symlink',
  'link',
  'fifo',
  'character-device',
  'block-device',
]);
// the ustar header has six octal digits for an owner (tar-stream leaves the seventh unused) and eleven for a time
const largestOwner = 0o777777;
const latestTime = 2 ** 31 - 1;

/**
 * Reads a tar archive (ustar, PAX, GNU) as a stream, entry by entry. Memory does not grow with its length.
 *
 * Nothing is judged but the archive's form: paths, links and owners are what the archive says.
 *
 * @throws EngineError BLOB_CORRUPT when it is no tar archive, ends early, or holds an entry of an unknown type
 */
export async function* readTar(archive: AsyncIterable<Uint8Array>): AsyncGenerator<TarItem> {
  // tar-stream's streams behave as Node's do, but their types are streamx's
  const entries = extract() as unknown as Extraction;
  // tar-stream makes UTF-8 of PAX records, in which other bytes are lost, and has no option for it
  const decode = entries._decodeLongHeader.bind(entries);
  entries._decodeLongHeader = (bytes) =>
    decode(entries._header.type.startsWith('pax-') ? attributesAsCharacters(bytes) : bytes);
  const feeding = new Promise<unknown>((resolve) => {
    pipeline(archive, entries, resolve);
  });
  // a reader only sees that its stream was destroyed; the cause is known to the writer
  const causeOf = async (seen: unknown): Promise<EngineError> => {
    if (seen instanceof EngineError) return seen;
    entries.destroy();
    const cause = (await feeding) ?? seen;
    return cause instanceof EngineError ? cause : brokenTar(String((cause as Error).message), cause);
  };
  try {
    for await (const item of entries) {
      yield { entry: entryOf(item.header), content: guarded(item, causeOf) };
      item.resume(); // whatever the caller left of the content
    }
  } catch (seen) {
    throw await causeOf(seen);
  } finally {
    entries.destroy();
  }
}

type Extraction = Writable &
  AsyncIterable<Readable & { readonly header: Header }> & {
    _decodeLongHeader: (bytes: Uint8Array) => void;
    readonly _header: { readonly type: string };
  };

async function* guarded(
  content: AsyncIterable<Uint8Array>,
  causeOf: (seen: unknown) => Promise<EngineError>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (seen) {
    throw await causeOf(seen);
  }
}

/**
 * Writes a tar archive: ustar, with PAX records only where an entry needs them. Same entries, same bytes.
 *
 * Entries stand in the order given; names of owners are left out, so that only the numbers count.
 */
export function writeTar(entries: AsyncIterable<TarSource> | Iterable<TarSource>): Readable {
  const archive = pack() as unknown as Archive;
  fill(archive, entries).then(
    () => archive.finalize(),
    (cause: Error) => archive.destroy(cause),
  );
  return Readable.from(archive, { objectMode: false });
}

/**
 * Gives the header that {@link writeTar} writes ahead of a file, for who writes the files of an archive in an order of his own.
 *
 * @param entry - a file whose path needs no PAX record
 */
export async function tarHeader(entry: TarEntry): Promise<Uint8Array> {
  const archive = pack() as unknown as Archive;
  archive.entry(headerOf(entry), () => undefined).on('error', () => undefined); // it is left without its content
  for await (const header of archive) return header;
  throw brokenTar(`${entry.path} has no header`);
}

type Archive = Readable & {
  entry(header: Partial<Header>, done: (error?: Error | null) => void): Writable;
  finalize(): void;
};

async function fill(
  archive: Archive,
  entries: AsyncIterable<TarSource> | Iterable<TarSource>,
): Promise<void> {
  for await (const source of entries) {
    const attributes = Object.keys(source.attributes).length;
    const isText = Object.values(source.attributes).every((value) => /^[\0-\x7f]*$/.test(value));
    const header = attributes === 0 || isText ? headerOf(source) : startWithPax(archive, source);
    await new Promise<void>((resolve, reject) => {
      const sink = archive.entry(header, (error) => (error ? reject(error) : resolve()));
      if (source.type !== 'file') return;
      const content = source.content ?? new Uint8Array();
      pipeline(content instanceof Uint8Array ? [content] : content, sink, (error) => {
        if (error) reject(error);
      });
    });
  }
}

/** Writes the records of an entry ahead of it, which tar-stream can do for text only. @returns a header that needs none */
function startWithPax(archive: Archive, source: TarSource): Partial<Header> {
  const { pax, ...header } = headerOf(source);
  archive.push(
    paxHeader({
      path: source.path,
      ...(source.target !== '' && { linkpath: source.target }),
      ...(pax as Record<string, string>),
    }),
  );
  return { ...header, name: 'entry', ...(source.target !== '' && { linkname: 'target' }) };
}

function headerOf(entry: TarSource): Partial<Header> {
  const pax = Object.fromEntries(
    Object.entries(entry.attributes).map(([name, value]) => [attributePrefix + name, value]),
  );
  if (entry.uid > largestOwner) pax['uid'] = String(entry.uid);
  if (entry.gid > largestOwner) pax['gid'] = String(entry.gid);
  return {
    name: entry.path,
    type: entry.type,
    mode: entry.mode | 0o100000, // tar-stream takes a mode of 0 for none and would write 0644
    uid: Math.min(entry.uid, largestOwner),
    gid: Math.min(entry.gid, largestOwner),
    mtime: new Date(Math.min(Math.max(entry.mtime, 0), latestTime) * 1000),
    size: entry.size,
    ...(entry.target && { linkname: entry.target }),
    ...(Object.keys(pax).length > 0 && { pax }),
  };
}

function entryOf(header: Header): TarEntry {
  const type = header.type === 'contiguous-file' ? 'file' : header.type;
  if (!isTarType(type)) throw brokenTar(`the entry ${header.name} is of a type that is not supported`);
  const pax = (header.pax ?? {}) as Readonly<Record<string, string>>;
  if ('GNU.sparse.major' in pax || 'GNU.sparse.size' in pax)
    throw brokenTar(`the entry ${header.name} is written as a sparse file; write the archive without holes`);
  return {
    path: header.name,
    type,
    mode: (header.mode ?? 0) & 0o7777,
    uid: wholeNumber(pax['uid'] ?? header.uid),
    gid: wholeNumber(pax['gid'] ?? header.gid),
    mtime: Math.floor((header.mtime?.getTime() ?? 0) / 1000) || 0,
    size: type === 'file' ? (header.size ?? 0) : 0,
    target: type === 'symlink' || type === 'link' ? (header.linkname ?? '') : '',
    attributes: Object.fromEntries(
      Object.entries(pax)
        .filter(([name]) => name.startsWith(attributePrefix))
        .map(([name, value]) => [name.slice(attributePrefix.length), value]),
    ),
  };
}

function isTarType(type: string): type is TarType {
  return types.has(type);
}

function wholeNumber(value: string | number | undefined): number {
  const number = Number(value ?? 0);
  if (!Number.isSafeInteger(number) || number < 0 || number >= 2 ** 32)
    throw brokenTar(`${value} is no owner`);
  return number;
}

function brokenTar(message: string, cause?: unknown): EngineError {
  return new EngineError('BLOB_CORRUPT', `the archive cannot be read: ${message}`, {
    hint: 'Build or pull again what it belongs to.',
    cause,
  });
}
