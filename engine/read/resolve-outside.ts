import type { Digest } from '../digest.ts';
import { EngineError, type ErrorCode } from '../errors.ts';
import { isInRange, isVersion, newestFirst } from '../formats/semver.ts';
import type {
  FetchedAppliance,
  OfferedVersion,
  OuterAppliances,
  OuterCatalog,
} from '../model/outer-appliances.ts';
import type { KnownVersion, Resolution } from '../model/source.ts';

/** What is looked up in catalogs. */
export type OutsideRequest = {
  readonly name: string;
  readonly range: string;
  /** Bundles that the lock names, in the range, by version. */
  readonly locked: ReadonlyMap<string, Digest>;
  /** Whether no folder has an allowed version, so that one is needed in any case. */
  readonly wantsOne: boolean;
};

/** What catalogs gave. */
export type Outside = {
  readonly kind: 'outside';
  readonly newest?: FetchedAppliance;
  /** By version. */
  readonly locked: ReadonlyMap<string, FetchedAppliance>;
  /** Reasons, by version. */
  readonly yanked: ReadonlyMap<string, string>;
  /** Of this name, in the order of the catalogs that were asked, newest first. */
  readonly offered: readonly KnownVersion[];
  /** All names of those. */
  readonly names: readonly string[];
};

/**
 * Looks an appliance up in catalogs: what the lock names first, out of what was fetched before where it is there, and the
 * newest allowed version of the first catalog that has one only when nothing else will do.
 *
 * @returns a refusal when a catalog that had to be asked did not answer well: the next one may offer a stranger's
 */
export async function resolveOutside(
  { name, range, locked, wantsOne }: OutsideRequest,
  outer: OuterAppliances,
): Promise<Outside | Extract<Resolution, { readonly kind: 'refused' }>> {
  const found = new Map<string, FetchedAppliance>();
  for (const [version, identity] of locked) {
    const kept = await outer.kept(identity);
    if (kept?.name === name && kept.version === version) found.set(version, kept);
  }
  const yanked = new Map<string, string>();
  const seen = new Map<string, readonly OfferedVersion[]>();
  const catalogs = await outer.catalogs();
  const offersOf = async (
    catalog: OuterCatalog,
    as: 'now' | 'remembered',
  ): Promise<readonly OfferedVersion[]> => {
    const offers = await catalog.offers(as);
    seen.set(catalog.name, offers);
    return sorted(offers.filter((offer) => offer.name === name));
  };
  const take = async (catalog: OuterCatalog, offer: OfferedVersion): Promise<FetchedAppliance> => {
    if (offer.yanked !== undefined) yanked.set(offer.version, offer.yanked);
    return (await outer.kept(offer.identity)) ?? (await outer.fetch(catalog, offer));
  };
  let newest: FetchedAppliance | undefined;
  for (const catalog of catalogs) {
    const lacks = [...locked.keys()].some((version) => !found.has(version));
    try {
      for (const offer of await offersOf(catalog, lacks ? 'now' : 'remembered')) {
        if (locked.get(offer.version) !== offer.identity) continue;
        if (found.has(offer.version)) {
          if (offer.yanked !== undefined) yanked.set(offer.version, offer.yanked);
        } else found.set(offer.version, await take(catalog, offer));
      }
    } catch (error) {
      // a memory that cannot be read costs a warning at most
      if (lacks) return refusalOf(error, name, catalog);
    }
  }
  for (const catalog of wantsOne && found.size === 0 ? catalogs : []) {
    try {
      const allowed = (await offersOf(catalog, 'now')).find((offer) => isAllowed(offer, range));
      if (allowed === undefined) continue;
      newest = await take(catalog, allowed);
      break;
    } catch (error) {
      return refusalOf(error, name, catalog);
    }
  }
  const offered = [...seen].flatMap(([place, offers]) =>
    sorted(offers.filter((offer) => offer.name === name)).map(
      ({ version, yanked: reason }): KnownVersion => ({
        ...{ version, place },
        ...(reason !== undefined && { yanked: reason }),
      }),
    ),
  );
  const names = [...new Set([...seen.values()].flatMap((offers) => offers.map((offer) => offer.name)))];
  return { kind: 'outside', ...(newest && { newest }), locked: found, yanked, offered, names };
}

// what went wrong on this machine says nothing of a catalog
const passedOn: readonly ErrorCode[] = ['OPERATION_INTERRUPTED', 'DISK_FULL', 'INTERNAL_ERROR'];

function refusalOf(
  error: unknown,
  name: string,
  { name: place }: OuterCatalog,
): Extract<Resolution, { readonly kind: 'refused' }> {
  if (!(error instanceof EngineError) || passedOn.includes(error.code)) throw error;
  const message = `${name} cannot be taken from ${place}: ${error.message} (${error.code})`;
  return {
    kind: 'refused',
    code: 'CATALOG_FAILED',
    message,
    hint: error.hint ?? 'Run the same command again.',
  };
}

/** Tells whether a version may be chosen anew: of those that were withdrawn only one that is named exactly. */
function isAllowed({ version, yanked }: OfferedVersion, range: string): boolean {
  return isVersion(range) ? version === range : yanked === undefined && isInRange(version, range);
}

function sorted(offers: readonly OfferedVersion[]): readonly OfferedVersion[] {
  const order = newestFirst(offers.map(({ version }) => version));
  return offers.toSorted((a, b) => order.indexOf(a.version) - order.indexOf(b.version));
}
