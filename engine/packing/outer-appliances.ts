import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Blobs } from '../model/blob.ts';
import type {
  FetchedAppliance,
  OfferedVersion,
  OpenOuterCatalogs,
  OuterAppliances,
  OuterCatalog,
} from '../model/outer-appliances.ts';
import type { PackedCall } from '../model/packed-source.ts';
import type { PackingList } from '../model/packing-list.ts';
import { systemCode } from '../system-code.ts';
import { makeFolder, writeWhole } from '../whole-file.ts';
import { layOut } from './lay-out.ts';
import { loadPacked } from './load-packed.ts';

/** Where appliances out of catalogs come from and go to. */
export type OuterOptions = {
  readonly open: OpenOuterCatalogs;
  /** Keeps what was fetched, by identity: `HEX/` with the descriptions and `HEX.json`, the packing list. */
  readonly folder: string;
  /** On the same file system. */
  readonly scratch: string;
  readonly call: PackedCall;
};

/** Appliances out of catalogs, as long as they are needed. */
export interface OpenOuterAppliances extends OuterAppliances {
  /** Stores all parts of a bundle, wherever it lies. @throws EngineError VERSION_MISSING when no catalog has it */
  storeParts(identity: Digest, blobs: Blobs): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens what gets appliances out of catalogs. Nothing is opened or asked before it is needed.
 *
 * What comes is hostile: its signatures are judged, its descriptions are compiled and held against its packing list, and
 * only then it is kept. What was signed by nobody trusted, and taken on demand, is forgotten at the end.
 */
export function openOuterAppliances({ open, folder, scratch, call }: OuterOptions): OpenOuterAppliances {
  let opened: ReturnType<OpenOuterCatalogs> | undefined;
  const loose = new Map<
    Digest,
    { readonly fetched: FetchedAppliance; readonly remove: () => Promise<void> }
  >();
  const asked = new Map<string, Promise<readonly OfferedVersion[]>>();

  const catalogs = async (): Promise<readonly OuterCatalog[]> => {
    opened ??= open(call);
    // one and the same answer for all uses of a description
    return (await opened).catalogs.map((catalog) => ({
      ...catalog,
      offers: (as) => {
        const key = `${as} ${catalog.name}`;
        const known = asked.get(key) ?? catalog.offers(as);
        asked.set(key, known);
        return known;
      },
    }));
  };

  const fetch = async (catalog: OuterCatalog, offered: OfferedVersion): Promise<FetchedAppliance> => {
    const { packed, isTrusted } = await catalog.open(offered);
    try {
      const { list } = packed;
      const { name, version, identity } = offered;
      if (digestOf(canonicalJson(list)) !== identity || list.name !== name || list.version !== version)
        throw new EngineError(
          'CATALOG_CORRUPT',
          `${catalog.name} holds something else than ${name}@${version} under its name`,
          { hint: 'Do not use it, and tell whoever runs the catalog.' },
        );
      await loadPacked(`${name}@${version}`, packed, null, scratch);
      const laid = await layOut(packed, scratch);
      if (!isTrusted) {
        const fetched = fetchedOf(list, identity, laid.folder);
        loose.set(identity, { fetched, remove: laid.remove });
        return fetched;
      }
      const [place, text] = placesOf(folder, identity);
      await makeFolder(folder);
      await writeWhole(text, canonicalJson(list));
      await rename(laid.folder, place).catch(async (cause: unknown) => {
        await laid.remove();
        // somebody else has fetched the same at the same time
        if (!['ENOTEMPTY', 'EEXIST'].includes(systemCode(cause) ?? '')) throw cause;
      });
      return fetchedOf(list, identity, place);
    } finally {
      await packed.close();
    }
  };

  return {
    catalogs,
    fetch,
    kept: async (identity) => loose.get(identity)?.fetched ?? (await readKept(folder, identity)),
    storeParts: async (identity, blobs) => {
      for (const catalog of await catalogs()) {
        const offered = (await catalog.offers('now')).find((each) => each.identity === identity);
        if (offered === undefined) continue;
        const { packed } = await catalog.open(offered);
        try {
          return await packed.storeParts(blobs, call);
        } finally {
          await packed.close();
        }
      }
      throw new EngineError('VERSION_MISSING', `no catalog has the bundle ${identity}`, {
        hint: 'Name its catalog with --catalog, or run sheaf lock --update to choose another version.',
        details: { digest: identity },
      });
    },
    close: async () => {
      for (const { remove } of loose.values()) await remove();
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}

function placesOf(folder: string, identity: Digest): readonly [string, string] {
  const place = join(folder, identity.slice('sha256:'.length));
  return [place, `${place}.json`];
}

async function readKept(folder: string, identity: Digest): Promise<FetchedAppliance | undefined> {
  const [place, text] = placesOf(folder, identity);
  const facts = await stat(place).catch(() => undefined);
  const bytes = facts && (await readFile(text).catch(() => undefined));
  if (bytes === undefined || digestOf(bytes) !== identity) return undefined;
  return fetchedOf(JSON.parse(bytes.toString()) as PackingList, identity, place);
}

function fetchedOf(list: PackingList, identity: Digest, folder: string): FetchedAppliance {
  const { name, version, images, contents } = list;
  const places = Object.entries(list.places).map(
    ([path, { digest }]) => [join(folder, path), digest] as const,
  );
  return { name, version, identity, images, contents, folder, places: new Map(places) };
}
