import { canonicalJson, type Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { checkSchema } from '../../engine/formats/schema.ts';
import type { DescriptionKind } from '../../engine/model/source.ts';
import { jsonOf } from '../trust/statement.ts';

/** A terminal, as far as a search asks for it. */
export type OfferedTerminal = {
  readonly name: string;
  readonly direction: 'in' | 'out' | 'external';
  readonly protocol: string;
};

/** One published version. It never changes. */
export type CatalogEntry = {
  readonly name: string;
  readonly version: string;
  readonly packs: DescriptionKind;
  readonly title?: string;
  readonly description?: string;
  /** Of the bundle's root. */
  readonly manifest: { readonly digest: Digest; readonly size: number };
  readonly identity: Digest;
  /** Of all parts. */
  readonly bytes: number;
  /** Of an appliance its own; of an application those with a door to the world. */
  readonly terminals: readonly OfferedTerminal[];
  readonly published: string;
};

/** Why a version is withdrawn; who has it keeps it, and nobody chooses it any more. */
export type Yank = {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly at: string;
};

/** The version at which a channel stands. */
export type ChannelMark = {
  readonly name: string;
  readonly channel: Channel;
  readonly version: string;
  readonly at: string;
};

/** A name for a version that moves. */
export type Channel = 'stable' | 'edge';
/** All channels, in the order in which they are shown. */
export const channels: readonly Channel[] = ['stable', 'edge'];

/** All that a catalog has. Lists are sorted, so that equal contents are equal bytes. */
export type CatalogIndex = {
  readonly apiVersion: 'sheaf/v1';
  readonly kind: 'CatalogIndex';
  /** Chosen at random when the catalog began; another one is another catalog. */
  readonly id: string;
  /** One more with every change. */
  readonly counter: number;
  readonly issued: string;
  /** Whoever reads it later than this must not believe that it is the newest; absent where nobody signs. */
  readonly expires?: string;
  readonly entries: readonly CatalogEntry[];
  readonly yanked: readonly Yank[];
  readonly channels: readonly ChannelMark[];
};

/** One thing that somebody says about a catalog. Each is kept by itself, so that an index that was lost can be made again. */
export type CatalogStatement = { readonly apiVersion: 'sheaf/v1'; readonly kind: 'CatalogStatement' } & (
  | { readonly entry: CatalogEntry }
  | { readonly yank: Yank }
  | { readonly channel: ChannelMark }
);

/** The part of an index that statements make. */
export type CatalogContent = Pick<CatalogIndex, 'entries' | 'yanked' | 'channels'>;

/** What a catalog holds before anything is published. */
export const emptyContent: CatalogContent = { entries: [], yanked: [], channels: [] };

/** Reads an index. @throws EngineError CATALOG_CORRUPT */
export function readCatalogIndex(bytes: Uint8Array, place: string): CatalogIndex {
  return checked('catalog-index', bytes, `the index of ${place}`) as CatalogIndex;
}

/** Reads a statement. @throws EngineError CATALOG_CORRUPT */
export function readCatalogStatement(bytes: Uint8Array, place: string): CatalogStatement {
  return checked('catalog-statement', bytes, `a statement of ${place}`) as CatalogStatement;
}

function checked(schema: 'catalog-index' | 'catalog-statement', bytes: Uint8Array, what: string): unknown {
  const value = jsonOf(bytes);
  const [fault] = checkSchema(schema, value);
  if (fault === undefined) return value;
  throw new EngineError('CATALOG_CORRUPT', `${what} cannot be read: ${fault.message}`, {
    hint: 'Ask whoever runs the catalog to publish once more.',
  });
}

/**
 * Adds statements to what a catalog holds.
 *
 * A version that is there stays as it is, whatever is said later; of two marks of a channel the later one counts.
 */
export function addStatements(
  before: CatalogContent,
  statements: readonly CatalogStatement[],
): CatalogContent {
  const entries = new Map(before.entries.map((entry) => [keyOf(entry), entry]));
  const yanked = new Map(before.yanked.map((yank) => [keyOf(yank), yank]));
  const marks = new Map(before.channels.map((mark) => [`${mark.name} ${mark.channel}`, mark]));
  for (const statement of statements) {
    if ('entry' in statement) {
      const key = keyOf(statement.entry);
      if (!entries.has(key)) entries.set(key, statement.entry);
    } else if ('yank' in statement) {
      const key = keyOf(statement.yank);
      if (!yanked.has(key)) yanked.set(key, statement.yank);
    } else {
      const { channel: mark } = statement;
      const key = `${mark.name} ${mark.channel}`;
      if ((marks.get(key)?.at ?? '') <= mark.at) marks.set(key, mark);
    }
  }
  return { entries: sorted(entries), yanked: sorted(yanked), channels: sorted(marks) };
}

/** Tells whether two contents are the same. */
export function isSameContent(a: CatalogContent, b: CatalogContent): boolean {
  const text = ({ entries, yanked, channels: marks }: CatalogContent) =>
    canonicalJson({ entries, yanked, marks });
  return text(a) === text(b);
}

/** Names a version: `guestbook@1.0.0`. */
export function keyOf({ name, version }: { readonly name: string; readonly version: string }): string {
  return `${name}@${version}`;
}

function sorted<T>(records: ReadonlyMap<string, T>): readonly T[] {
  return [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
