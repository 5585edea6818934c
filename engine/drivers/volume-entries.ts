import { EngineError } from '../errors.ts';
import { comparePaths, type EntryKind, type ListedEntry, pathText } from '../model/volume.ts';
import { isMessage, type Message } from './line-socket.ts';

const kinds: readonly unknown[] = ['folder', 'file', 'symlink', 'fifo'] satisfies readonly EntryKind[];
const mostEntries = 20_000_000;
const longestPath = 4096;
const mostAttributes = 256;
const longestAttribute = 2 ** 17;

/**
 * Takes the list of a volume's entries as an instance sends it, in pieces, and lets nothing through that is not as agreed.
 *
 * Names that lead out of the volume, entries in folders that are none, and those that come twice or out of order are refused, so
 * whoever writes them elsewhere writes into folders that were made by the same list.
 */
export class EntryCheck {
  readonly #volume: string;
  /** Folders above the entry that came last. */
  #open: readonly string[] = [];
  #last: string | undefined;
  #count = 0;

  constructor(volume: string) {
    this.#volume = volume;
  }

  /** Reads one piece. @throws EngineError VOLUME_UNUSABLE */
  *entries(payload: Uint8Array): Generator<ListedEntry> {
    let list: unknown;
    try {
      list = JSON.parse(Buffer.from(payload).toString());
    } catch {
      throw this.#refused('its list cannot be read');
    }
    if (!Array.isArray(list)) throw this.#refused('its list is none');
    for (const item of list) yield this.#entry(item);
  }

  #entry(item: unknown): ListedEntry {
    const entry = isMessage(item) ? entryOf(item) : undefined;
    if (entry === undefined) throw this.#refused('an entry of its list is none');
    this.#count += 1;
    if (this.#count > mostEntries) throw this.#refused(`it holds more than ${mostEntries} files`);
    const { path, kind } = entry;
    const isFirst = this.#last === undefined;
    if (isFirst !== (path === '') || (isFirst && kind !== 'folder'))
      throw this.#refused('its list has no top');
    if (this.#last !== undefined && comparePaths(this.#last, path) >= 0)
      throw this.#refused(`"${pathText(path)}" is out of order`);
    this.#last = path;
    const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    this.#open = this.#open.filter((folder) => isFolderOf(folder, path));
    if (!isFirst && this.#open.at(-1) !== parent)
      throw this.#refused(`"${pathText(path)}" lies in no folder`);
    if (kind === 'folder') this.#open = [...this.#open, path];
    if (entry.linkTo !== undefined && comparePaths(entry.linkTo, path) >= 0)
      throw this.#refused(`"${pathText(path)}" is another name of what comes later`);
    return entry;
  }

  #refused(why: string): EngineError {
    return new EngineError('VOLUME_UNUSABLE', `the volume ${this.#volume}: ${why}`, {
      details: { volume: this.#volume },
    });
  }
}

function isFolderOf(folder: string, path: string): boolean {
  return folder === '' || path.startsWith(`${folder}/`);
}

function entryOf(item: Message): ListedEntry | undefined {
  const { path, kind, mode, uid, gid, mtime, ctime, inode, size, target, linkTo, attributes } = item;
  if (!isPath(path) || !kinds.includes(kind)) return undefined;
  if (!isNumber(mode, 0o7777) || !isNumber(uid, 2 ** 32) || !isNumber(gid, 2 ** 32)) return undefined;
  if (!isTime(mtime) || !isTime(ctime) || !isTime(inode)) return undefined;
  if (!isNumber(size, kind === 'file' ? 2 ** 53 - 1 : 0)) return undefined;
  if ((target !== undefined) !== (kind === 'symlink') || (target !== undefined && !isTarget(target)))
    return undefined;
  if (linkTo !== undefined && (kind === 'folder' || !isPath(linkTo) || linkTo === '')) return undefined;
  const known = attributesOf(attributes);
  if (known === undefined) return undefined;
  return {
    ...{ path, kind: kind as EntryKind, mode, uid, gid, mtime, size, ctime, inode },
    ...(target !== undefined && { target }),
    ...(linkTo !== undefined && { linkTo }),
    ...(Object.keys(known).length > 0 && { attributes: known }),
  };
}

function isPath(value: unknown): value is string {
  if (value === '') return true;
  if (!isBytes(value)) return false;
  return value.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && name.length <= 255);
}

function isTarget(value: unknown): value is string {
  return isBytes(value) && value !== '';
}

function isBytes(value: unknown): value is string {
  return typeof value === 'string' && value.length <= longestPath && /^[^\0\u0100-\uffff]*$/.test(value);
}

function isNumber(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value);
}

function attributesOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return {};
  if (!isMessage(value)) return undefined;
  const list = Object.entries(value);
  if (list.length > mostAttributes) return undefined;
  const sound = list.every(
    ([name, content]) =>
      /^(user|trusted|system\.posix_acl_|security\.capability)/.test(name) &&
      name.length <= 255 &&
      typeof content === 'string' &&
      content.length <= longestAttribute &&
      /^[A-Za-z0-9+/]*={0,2}$/.test(content),
  );
  return sound ? (Object.fromEntries(list.toSorted()) as Record<string, string>) : undefined;
}
