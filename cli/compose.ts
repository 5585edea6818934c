import { randomInt } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  findPublished,
  isBundle,
  openOuterCatalog,
  openPackedBundle,
  packedSourceOf,
  parseWanted,
} from '../catalog/index.ts';
import { toolPackages } from '../engine/command.ts';
import { findDockerEngine } from '../engine/drivers/docker/find-engine.ts';
import { openDockerDriver } from '../engine/drivers/docker/open-driver.ts';
import { machineTools } from '../engine/drivers/qemu/isolation.ts';
import { openQemuDriver } from '../engine/drivers/qemu/open-driver.ts';
import { readAttendantPin } from '../engine/images/attendant.ts';
import { Engine, type Report } from '../engine/index.ts';
import { openBlobs } from '../engine/store/blob-folder.ts';
import type { Bundles } from './bundles.ts';
import type { CatalogOptions, Catalogs } from './catalogs.ts';
import { composeCatalogs, composeJudge } from './compose-catalogs.ts';

import type { Settings } from './settings.ts';

const programFolder = fileURLToPath(new URL('..', import.meta.url));
const kitSources = join(programFolder, 'kit');

/** Puts the engine together; the one place that names the drivers. Cheap: nothing is opened or tried before it is needed. */
export async function composeEngine(settings: Settings, context: CatalogContext): Promise<Engine> {
  const { home, runtime, config } = settings;
  const { images } = openCatalogs(settings, context);
  return new Engine({
    home,
    keyFile: join(config, 'secrets.key'),
    catalogs: [join(programFolder, 'appliances')],
    kitSources,
    templates: join(programFolder, 'templates'),
    workingDirectory: process.cwd(),
    pools: [
      { name: 'local', driver: 'qemu', range: '10.83.0.0/16' },
      { name: 'docker', driver: 'docker', range: '10.84.0.0/16' },
    ],
    openDriver: async (pool, parts) => {
      if (pool.driver === 'qemu')
        return await openQemuDriver({ pool: pool.name, home: join(home, 'qemu'), runtime, ...parts });
      const { environment } = context;
      const address = await findDockerEngine(environment, environment['HOME'] || homedir());
      return openDockerDriver({ pool: pool.name, home, address, ...parts });
    },
    images,
    openPacked: async (source, { report }) => {
      if (await isBundle(source))
        return await openPackedBundle(source, composeJudge(settings, context.options, report));
      const wanted = source.includes('@') ? parseWanted(source) : undefined;
      if (wanted === undefined) return undefined;
      const catalogs = openCatalogs(settings, context);
      const packed = packedSourceOf(await findPublished(await catalogs.usual(report), wanted));
      return { ...packed, close: () => catalogs.close() };
    },
    openOuterCatalogs: async ({ report }) => {
      const catalogs = openCatalogs(settings, context);
      const usual = await catalogs.usual(report);
      return { catalogs: usual.map(openOuterCatalog), close: () => catalogs.close() };
    },
    clock: Date.now,
    newId,
  });
}

/** What catalogs need of the process. */
export type CatalogContext = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly options: CatalogOptions;
  readonly signal: AbortSignal;
  readonly askPassphrase: () => Promise<string | undefined>;
};

/** Puts together what bundles are handled with. */
export function composeBundles(settings: Settings, options: CatalogOptions, report: Report): Bundles {
  return {
    judge: composeJudge(settings, options, report),
    prerequisites: async ({ kit }) => {
      const pin = await readAttendantPin(kitSources);
      // a bundle that another version packed brings another attendant, which is never run: ours is compiled then
      const isBrought = kit === undefined || kit.parts.some(({ digest }) => digest === pin?.program);
      const tools = [...machineTools, ...(isBrought ? [] : ['go'])];
      return [...new Set(tools.map((tool) => toolPackages[tool] ?? tool))].sort();
    },
  };
}

/** Puts together what catalogs are handled with. */
export function openCatalogs(settings: Settings, context: CatalogContext): Catalogs {
  const { home } = settings;
  return composeCatalogs({
    ...context,
    settings,
    openBlobs: () => openBlobs(join(home, 'blobs'), { temporary: join(home, 'drafts') }),
  });
}

function newId(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const signs = `${letters}0123456789`;
  const rest = Array.from({ length: 11 }, () => signs[randomInt(signs.length)]);
  return [letters[randomInt(letters.length)], ...rest].join('');
}
