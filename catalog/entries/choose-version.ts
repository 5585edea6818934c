import { EngineError } from '../../engine/errors.ts';
import { nameHint } from '../../engine/formats/nearest-name.ts';
import { isInRange, isVersion, isVersionRange, newestFirst } from '../../engine/formats/semver.ts';
import {
  type CatalogContent,
  type CatalogEntry,
  type CatalogIndex,
  channels,
  keyOf,
} from './catalog-index.ts';

/** What somebody asks a catalog for: `guestbook`, `guestbook@^1`, `guestbook@stable`. */
export type Wanted = {
  readonly name: string;
  /** A range of versions or a channel. */
  readonly range: string;
};

/** A version that was chosen, and why one would rather not, when it is withdrawn. */
export type Chosen = { readonly entry: CatalogEntry; readonly yanked?: string };

/** Reads `NAME[@RANGE|@CHANNEL]`; undefined when it is none. */
export function parseWanted(text: string): Wanted | undefined {
  const [, name, range = '*'] = /^([a-z](?:[a-z0-9-]{0,29}[a-z0-9])?)(?:@(.{1,200}))?$/.exec(text) ?? [];
  if (name === undefined || !(isVersionRange(range) || channels.some((channel) => channel === range)))
    return undefined;
  return { name, range };
}

/**
 * Chooses the newest version that is allowed and not withdrawn; one that is named exactly is taken although it is.
 *
 * @returns undefined when the name is not in the index, or none of its versions is allowed
 */
export function chooseVersion(index: CatalogIndex, { name, range }: Wanted): Chosen | undefined {
  const reasons = new Map(index.yanked.map((yank) => [keyOf(yank), yank.reason]));
  const mark = index.channels.find((each) => each.name === name && each.channel === range);
  const wanted = mark?.version ?? range;
  const entries = index.entries.filter((entry) => entry.name === name);
  const exact = isVersion(wanted) ? entries.find(({ version }) => version === wanted) : undefined;
  if (exact !== undefined) {
    const yanked = reasons.get(keyOf(exact));
    return { entry: exact, ...(yanked !== undefined && { yanked }) };
  }
  if (!isVersionRange(wanted)) return undefined;
  const allowed = entries.filter((entry) => isInRange(entry.version, wanted) && !reasons.has(keyOf(entry)));
  const [newest] = newestFirst(allowed.map(({ version }) => version));
  const entry = allowed.find(({ version }) => version === newest);
  return entry && { entry };
}

/** Makes the error for something that no catalog has: what there is instead, and what was withdrawn, and why. */
export function versionMissing(
  { name, range }: Wanted,
  indexes: readonly { readonly catalog: string; readonly index: CatalogContent | undefined }[],
): EngineError {
  const known = indexes.flatMap(({ index }) => index?.entries ?? []);
  const versions = newestFirst(known.filter((entry) => entry.name === name).map(({ version }) => version));
  const withdrawn = indexes.flatMap(({ index }) => index?.yanked ?? []).filter((yank) => yank.name === name);
  const places = indexes.map(({ catalog }) => catalog).join(', ') || 'no catalog';
  if (versions.length === 0)
    return new EngineError('VERSION_MISSING', `nothing called ${name} is in ${places}`, {
      hint: nameHint(name, [...new Set(known.map((entry) => entry.name))]),
      details: { name, range, versions: [], yanked: [] },
    });
  const reasons = withdrawn.map(({ version, reason }) => `${version} was withdrawn: ${reason}`);
  return new EngineError('VERSION_MISSING', `no version of ${name} in ${places} is ${range}`, {
    hint: [`Published: ${versions.slice(0, 20).join(', ')}.`, ...reasons.slice(0, 5)].join(' '),
    details: { name, range, versions, yanked: withdrawn.map(({ version, reason }) => ({ version, reason })) },
  });
}
