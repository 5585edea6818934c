import { newestFirst } from '../../engine/formats/semver.ts';
import { type CatalogEntry, type CatalogIndex, keyOf } from './catalog-index.ts';

/** What a search asks for; all that is given must fit. */
export type SearchRequest = {
  /** Words, each of which stands in the name, the title or the description. */
  readonly text: readonly string[];
  /** A protocol that an in or external terminal speaks. */
  readonly offers?: string;
  /** A protocol that an out terminal needs. */
  readonly needs?: string;
};

/** One name that was found, by its newest version. */
export type SearchHit = CatalogEntry & {
  readonly catalog: string;
  /** All versions, newest first. */
  readonly versions: readonly { readonly version: string; readonly yanked?: string }[];
  readonly channels: Readonly<Record<string, string>>;
};

/** Looks a catalog through. The newest version that is not withdrawn speaks for its name. */
export function search(index: CatalogIndex, catalog: string, request: SearchRequest): readonly SearchHit[] {
  const reasons = new Map(index.yanked.map((yank) => [keyOf(yank), yank.reason]));
  const byName = new Map<string, CatalogEntry[]>();
  for (const entry of index.entries) byName.set(entry.name, [...(byName.get(entry.name) ?? []), entry]);
  return [...byName].flatMap(([name, entries]): SearchHit[] => {
    const order = newestFirst(entries.map(({ version }) => version));
    const standing = order.find((version) => !reasons.has(`${name}@${version}`)) ?? order[0];
    const entry = entries.find(({ version }) => version === standing);
    if (entry === undefined || !isHit(entry, request)) return [];
    const marks = index.channels.filter((mark) => mark.name === name);
    return [
      {
        ...entry,
        catalog,
        versions: order.map((version) => {
          const yanked = reasons.get(`${name}@${version}`);
          return { version, ...(yanked !== undefined && { yanked }) };
        }),
        channels: Object.fromEntries(marks.map(({ channel, version }) => [channel, version])),
      },
    ];
  });
}

function isHit(entry: CatalogEntry, { text, offers, needs }: SearchRequest): boolean {
  const words = [entry.name, entry.title ?? '', entry.description ?? ''].join('\n').toLowerCase();
  return (
    text.every((word) => words.includes(word.toLowerCase())) &&
    (offers === undefined ||
      entry.terminals.some(({ direction, protocol }) => direction !== 'out' && protocol === offers)) &&
    (needs === undefined ||
      entry.terminals.some(({ direction, protocol }) => direction === 'out' && protocol === needs))
  );
}
