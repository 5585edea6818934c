import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBundle, openPackedBundle } from '../catalog/index.ts';
import { toolPackages } from '../engine/command.ts';
import { machineTools } from '../engine/drivers/qemu/isolation.ts';
import { openQemuDriver } from '../engine/drivers/qemu/open-driver.ts';
import { Engine } from '../engine/index.ts';
import type { Bundles } from './bundles.ts';
import type { Settings } from './settings.ts';

const programFolder = fileURLToPath(new URL('..', import.meta.url));

/** Puts the engine together; the one place that names the drivers. Cheap: nothing is opened or tried before it is needed. */
export async function composeEngine(settings: Settings): Promise<Engine> {
  const { home, runtime, config } = settings;
  return new Engine({
    home,
    keyFile: join(config, 'secrets.key'),
    catalogs: [join(programFolder, 'appliances')],
    kitSources: join(programFolder, 'kit'),
    templates: join(programFolder, 'templates'),
    workingDirectory: process.cwd(),
    pools: [{ name: 'local', driver: 'qemu', range: '10.83.0.0/16' }],
    openDriver: async (pool, parts) =>
      await openQemuDriver({ pool: pool.name, home: join(home, 'qemu'), runtime, ...parts }),
    openPacked: async (source) =>
      (await isBundle(source)) ? await openPackedBundle(source, composeBundles().judge) : undefined,
    clock: Date.now,
    newId,
  });
}

/** Puts together what bundles are handled with. */
export function composeBundles(): Bundles {
  return {
    judge: async () => ({ state: 'unsigned', keys: [], reason: 'nobody vouches for it' }),
    prerequisites: [...new Set(machineTools.map((tool) => toolPackages[tool] ?? tool))].sort(),
  };
}

function newId(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const signs = `${letters}0123456789`;
  const rest = Array.from({ length: 11 }, () => signs[randomInt(signs.length)]);
  return [letters[randomInt(letters.length)], ...rest].join('');
}
