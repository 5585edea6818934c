import { join, relative } from 'node:path';
import type { Digest } from '../digest.ts';
import { isInRange, isVersion, newestFirst } from '../formats/semver.ts';
import type { Finding } from '../model/finding.ts';
import { memberOf } from '../model/members.ts';
import type { FetchedAppliance, OuterAppliances, Published } from '../model/outer-appliances.ts';
import type { Description, Resolution } from '../model/source.ts';
import {
  type ApplianceFile,
  descriptionIn,
  listFiles,
  listFolderNames,
  listNames,
} from './find-appliance.ts';
import { findInside } from './find-inside.ts';
import { type ParsedUses, parseUses } from './parse-uses.ts';
import type { PackedPlaces } from './read-attachments.ts';
import { readDescription } from './read-description.ts';
import { resolveOutside } from './resolve-outside.ts';

/** Where {@link createResolver} looks, and what it prefers. */
export type ResolverOptions = {
  /** The application's folder, absolute; its `appliances/` is looked at first. */
  readonly folder: string;
  /** Absolute, in order. */
  readonly catalogs: readonly string[];
  readonly workingDirectory: string;
  /** Versions that the lock names, by appliance, with the bundle out of which each came. */
  readonly locked: ReadonlyMap<string, ReadonlyMap<string, Digest | undefined>>;
  /** Asked for what no folder has. */
  readonly outer?: OuterAppliances;
  readonly signal?: AbortSignal;
  readonly packedPlaces?: PackedPlaces;
};

/** Resolves uses one after another, and reads each description once. */
export type Resolver = {
  /** @param from - whose use it is */
  resolve(uses: string, from?: Description): Promise<Resolution>;
  /** What was wrong with the texts that were read. */
  readonly findings: readonly Finding[];
};

/** `written` is the version that the folder or else the description names. */
type Candidate = ApplianceFile & { readonly written: string | undefined };

/** Makes a resolver that looks into the application's own appliances before any catalog. */
export function createResolver(options: ResolverOptions): Resolver {
  const own = join(options.folder, 'appliances');
  const places = [own, ...options.catalogs];
  const findings: Finding[] = [];
  const read = new Map<string, Promise<Description>>();
  const inner = new Map<Digest, { readonly root: Description; readonly resolver: Resolver }>();
  const marked = new Map<Description, Description>();
  const names = new Map<string, Promise<ReadonlySet<string>>>();

  const namesIn = (place: string): Promise<ReadonlySet<string>> => {
    const known = names.get(place) ?? listNames(place).then((list) => new Set(list));
    names.set(place, known);
    return known;
  };

  const describe = (name: string, { file, version }: ApplianceFile): Promise<Description> => {
    const known = read.get(file);
    if (known !== undefined) return known;
    const { workingDirectory, signal, packedPlaces } = options;
    const reading = readDescription(file, workingDirectory, signal, packedPlaces).then((outcome) => {
      findings.push(...outcome.findings, ...misnamed(outcome.description, name, version));
      return outcome.description;
    });
    read.set(file, reading);
    return reading;
  };

  const versionOf = async (name: string, place: ApplianceFile): Promise<Candidate> => {
    if (place.version !== undefined) return { ...place, written: place.version };
    const written = memberOf((await describe(name, place)).value, 'version');
    return { ...place, written: typeof written === 'string' && isVersion(written) ? written : undefined };
  };

  const lookOutside = async (
    { name, range }: ParsedUses,
    wantsOne: boolean,
    here: ReadonlyMap<string, unknown>,
  ) => {
    if (options.outer === undefined) return undefined;
    const lacking = new Map<string, Digest>();
    for (const [version, bundle] of options.locked.get(name) ?? [])
      if (bundle !== undefined && !here.has(version) && isInRange(version, range))
        lacking.set(version, bundle);
    if (!wantsOne && lacking.size === 0) return undefined;
    return await resolveOutside({ name, range, locked: lacking, wantsOne }, options.outer);
  };

  const describeFetched = async (fetched: FetchedAppliance): Promise<Description> => {
    const { folder, places: packedPlaces } = fetched;
    const known = inner.get(fetched.identity);
    if (known !== undefined) return known.root;
    const own = descriptionIn(folder, await listFolderNames(folder)) ?? join(folder, 'appliance.yaml');
    const { workingDirectory, signal } = options;
    const outcome = await readDescription(own, workingDirectory, signal, packedPlaces);
    findings.push(...outcome.findings);
    const { identity, images, contents } = fetched;
    const root = { ...outcome.description, published: { identity, images, contents, isRoot: true } };
    const none = { catalogs: [], locked: new Map<never, never>(), workingDirectory, packedPlaces };
    const resolver = createResolver({ folder, ...none, ...(signal && { signal }) });
    inner.set(identity, { root, resolver });
    return root;
  };

  /** A bundle is whole: what lies in it uses what lies beside it. */
  const resolveInside = async (published: Published, uses: string): Promise<Resolution> => {
    const { resolver } = inner.get(published.identity) ?? {};
    const resolution = resolver === undefined ? undefined : await resolver.resolve(uses);
    if (resolution?.kind !== 'found') return resolution ?? { kind: 'unknown', names: [] };
    const known = marked.get(resolution.newest) ?? {
      ...resolution.newest,
      published: { ...published, isRoot: false },
    };
    marked.set(resolution.newest, known);
    return { kind: 'found', newest: known, locked: new Map() };
  };

  const resolve = async (uses: string, from?: Description): Promise<Resolution> => {
    if (from?.published !== undefined) return await resolveInside(from.published, uses);
    const parsed = parseUses(uses);
    if ('fault' in parsed) return { kind: 'unreadable', fault: parsed.fault };
    const versions = new Set<string>();
    const locked = new Map<string, Description>();
    let newest: Description | undefined;
    let unversioned: Description | undefined;
    for (const place of places) {
      if (!(await namesIn(place)).has(parsed.name)) continue;
      const files = await listFiles(place, parsed.name);
      if (place === own) {
        for (const { file } of files) {
          const inside = await findInside(options.folder, relative(options.folder, file));
          if ('code' in inside) return { kind: 'refused', ...inside };
        }
      }
      const candidates = await Promise.all(files.map((file) => versionOf(parsed.name, file)));
      for (const candidate of sorted(candidates)) {
        const version = candidate.written;
        if (version === undefined) unversioned ??= await describe(parsed.name, candidate);
        else if (isInRange(version, parsed.range)) {
          newest ??= await describe(parsed.name, candidate);
          const isLocked = options.locked.get(parsed.name)?.has(version) === true;
          if (isLocked && !locked.has(version)) locked.set(version, await describe(parsed.name, candidate));
        }
        if (version !== undefined) versions.add(version);
      }
    }
    const outside = await lookOutside(parsed, newest === undefined && unversioned === undefined, locked);
    if (outside?.kind === 'refused') return outside;
    for (const [version, fetched] of outside?.locked ?? [])
      locked.set(version, await describeFetched(fetched));
    const chosen = outside?.newest ?? [...(outside?.locked.values() ?? [])].at(-1);
    if (chosen !== undefined && unversioned === undefined) newest ??= await describeFetched(chosen);
    // A description whose version cannot be read is taken, so that what is wrong with it is all that is told.
    const found = newest ?? unversioned;
    if (found !== undefined)
      return { kind: 'found', newest: found, locked, ...(outside && { yanked: outside.yanked }) };
    const offered = outside?.offered ?? [];
    if (versions.size > 0 || offered.length > 0)
      return { kind: 'unsatisfiable', versions: newestFirst([...versions]), offered };
    const known = await Promise.all(places.map(namesIn));
    const all = [...known.flatMap((list) => [...list]), ...(outside?.names ?? [])];
    return { kind: 'unknown', names: [...new Set(all)].sort() };
  };

  return { resolve, findings };
}

function sorted(candidates: readonly Candidate[]): readonly Candidate[] {
  const order = newestFirst([...new Set(candidates.flatMap(({ written }) => written ?? []))]);
  const rank = ({ written }: Candidate) => (written === undefined ? order.length : order.indexOf(written));
  return candidates.toSorted((a, b) => rank(a) - rank(b));
}

/** A description must say what the folders around it say, or nobody would know which of the two is meant. */
function misnamed(description: Description, name: string, version: string | undefined): readonly Finding[] {
  const { text, value } = description;
  const wanted = { name, ...(version !== undefined && { version }) };
  return Object.entries(wanted).flatMap(([key, expected]): Finding[] => {
    const written = memberOf(value, key);
    if (typeof written !== 'string' || written === expected) return [];
    return [
      {
        code: 'VALUE_UNFIT',
        at: { text, path: [key], part: 'value' },
        message: `the ${key} is "${written}", but the folder says "${expected}"`,
        hint: 'Rename one of the two.',
      },
    ];
  });
}
