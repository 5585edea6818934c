import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Catalog,
  type JudgeSignatures,
  judgeFiles,
  openCatalog,
  openCatalogMemory,
  openCredentials,
  openFolderShelf,
  openHttp,
  openImageFetcher,
  openRegistry,
  openRegistryShelf,
  openUploadMemory,
  parseReference,
  type Registry,
  readPolicy,
  readProxies,
  readSettings,
  readSigningKey,
  type SigningKey,
  type TrustPolicy,
} from '../catalog/index.ts';
import { EngineError } from '../engine/errors.ts';
import type { Report } from '../engine/index.ts';
import type { Blobs } from '../engine/model/blob.ts';
import type { CatalogOptions, Catalogs } from './catalogs.ts';
import type { Settings } from './settings.ts';

/** What catalogs are put together from. */
export type CatalogParts = {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly options: CatalogOptions;
  readonly signal: AbortSignal;
  readonly openBlobs: () => Promise<Blobs>;
  /** Asks on the terminal, where there is one. */
  readonly askPassphrase: () => Promise<string | undefined>;
};

type CatalogLine = {
  readonly catalog: string;
  readonly mirror?: string;
  readonly authorities?: string;
  readonly plain?: boolean;
};

/** Puts together what verbs need for catalogs. Cheap: nothing is opened or asked before it is needed. */
export function composeCatalogs(parts: CatalogParts): Catalogs {
  const { settings, environment, options, signal } = parts;
  const { home, config } = settings;
  const closing: (() => Promise<void>)[] = [];
  const registries = new Map<string, Registry>();
  const isInsecure = options.insecure === true;
  const own = join(home, 'catalog');
  const trustFile = join(config, 'trust.yaml');
  const policy = memo(async () => trusting(await readPolicy(trustFile), own));
  const lines = memo(async () => await readLines(join(config, 'catalogs.yaml')));

  const registryOf = async (host: string, line: CatalogLine): Promise<Registry> => {
    const known = registries.get(host);
    if (known) return known;
    const authorities = line.authorities === undefined ? [] : [await readFile(line.authorities, 'utf8')];
    const http = openHttp({ authorities, proxies: readProxies(environment) });
    closing.push(() => http.close());
    const registry = openRegistry(host, {
      http,
      findCredential: openCredentials({
        folder: environment['DOCKER_CONFIG'] || join(environment['HOME'] ?? '/', '.docker'),
        environment,
      }),
      patience: {
        now: Date.now,
        random: Math.random,
        pause: (ms, stop) => sleep(ms, undefined, { signal: stop }),
        attempts: 6,
      },
      uploads: openUploadMemory(join(home, 'cache', 'uploads')),
      isPlain: line.plain === true,
    });
    registries.set(host, registry);
    return registry;
  };

  const openLine = async (line: CatalogLine, report: Report, key?: SigningKey): Promise<Catalog> => {
    const common = {
      policy: key === undefined ? await policy() : countingOwn(await policy(), line.catalog, key),
      memory: openCatalogMemory(join(home, 'catalogs')),
      isInsecure,
      now: Date.now,
      report,
      signal,
    };
    if (!line.catalog.startsWith('oci://'))
      return openCatalog({ shelf: openFolderShelf(line.catalog), ...common });
    const { host, path } = parseReference(line.catalog);
    const registry = await registryOf(host, line);
    if (line.mirror === undefined)
      return openCatalog({ shelf: openRegistryShelf(registry, path), ...common });
    const mirror = parseReference(line.mirror);
    const shelf = openRegistryShelf(registry, path, {
      registry: await registryOf(mirror.host, line),
      path: mirror.path,
    });
    return openCatalog({ shelf, ...common });
  };

  const open = async (place: string, report: Report, key?: SigningKey): Promise<Catalog> => {
    const catalog = place.startsWith('oci://') ? place : resolve(place);
    const line = (await lines()).find((each) => each.catalog === catalog);
    return await openLine(line ?? { catalog }, report, key);
  };

  return {
    open,
    usual: async (report) => {
      if (options.catalog !== undefined)
        return await Promise.all(options.catalog.map((place) => open(place, report)));
      const folder = await openLine({ catalog: own }, report);
      const others = (await lines()).filter(({ catalog }) => catalog !== own);
      return [folder, ...(await Promise.all(others.map((line) => openLine(line, report))))];
    },
    images: openImageFetcher((host) => registryOf(host, { catalog: host })),
    trustFile,
    blobs: parts.openBlobs,
    readKey: async (file, passphraseFile) => {
      await requirePrivate(file);
      const text = await readFile(file, 'utf8');
      return await readSigningKey(text, file, async () =>
        passphraseFile === undefined
          ? await parts.askPassphrase()
          : (await readFile(passphraseFile, 'utf8')).replace(/\r?\n$/, ''),
      );
    },
    close: async () => {
      for (const act of closing) await act();
    },
  };
}

/** Makes the judge of bundles that come as files. */
export function composeJudge(settings: Settings, options: CatalogOptions, report: Report): JudgeSignatures {
  return judgeFiles({
    policy: () => readPolicy(join(settings.config, 'trust.yaml')),
    isInsecure: options.insecure === true,
    isOnlyShown: options.insecure === 'files',
    now: Date.now,
    report,
  });
}

/** Whoever may write the home's own catalog may as well write its state: what lies there needs no signature. */
function trusting(policy: TrustPolicy, folder: string): TrustPolicy {
  const rule = { names: ['*'], catalogs: [folder], keys: [], acceptsUnsigned: true };
  return { ...policy, rules: [...policy.rules, rule] };
}

/** Whoever signs with a key believes what it signed, unless it was revoked. */
function countingOwn(policy: TrustPolicy, catalog: string, key: SigningKey): TrustPolicy {
  const rule = { names: ['*'], catalogs: [catalog], keys: [key], acceptsUnsigned: false };
  return { ...policy, rules: [...policy.rules, rule] };
}

async function readLines(file: string): Promise<readonly CatalogLine[]> {
  const value = (await readSettings(file, 'catalogs')) as
    | { readonly catalogs: readonly CatalogLine[] }
    | undefined;
  const absolute = (path: string): string => resolve(dirname(file), path);
  return (value?.catalogs ?? []).map((line) => ({
    ...line,
    catalog: line.catalog.startsWith('oci://') ? line.catalog : absolute(line.catalog),
    ...(line.authorities !== undefined && { authorities: absolute(line.authorities) }),
  }));
}

async function requirePrivate(file: string): Promise<void> {
  const facts = await stat(file).catch((cause: unknown) => {
    throw new EngineError('KEY_UNREADABLE', `the key ${file} cannot be read`, {
      hint: 'Give the private file that sheaf key new made.',
      cause,
    });
  });
  if ((facts.mode & 0o077) === 0) return;
  throw new EngineError('KEY_UNREADABLE', `the key ${file} can be read by others`, {
    hint: `Run chmod 600 ${file}.`,
  });
}

function memo<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
