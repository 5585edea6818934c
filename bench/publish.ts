import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publish } from '../catalog/index.ts';
import { judge } from './judge.ts';
import { largeBundle, makeLayers } from './large-bundle.ts';
import { openBenchCatalogs } from './open-catalog.ts';
import { startRegistry } from './registry.ts';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const mebibytes = Number(process.env['BENCH_MEBIBYTES'] ?? 512);

/** Publishes a version to an empty registry, and then others of which the registry lacks a single layer. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  const registry = await startRegistry(folder);
  const catalogs = openBenchCatalogs(folder);
  try {
    const parts = join(folder, 'parts');
    const layers = makeLayers(parts, 8, (mebibytes / 8) * 2 ** 20);
    const catalog = await catalogs.open(`oci://${registry.host}/bench`, () => undefined);
    const send = async (version: string, all: typeof layers) => {
      const bundle = largeBundle(parts, version, all);
      const start = performance.now();
      const { sentBytes } = await publish(catalog, { bundle, channels: [] });
      return { ms: performance.now() - start, bytes: sentBytes };
    };
    const first = await send('1.0.0', layers);
    const next: (typeof first)[] = [];
    for (let round = 1; round <= rounds; round += 1)
      next.push(await send(`1.${round}.0`, [...layers, ...makeLayers(parts, 1, 2 ** 16)]));
    const middle = next.sort((a, b) => a.ms - b.ms)[Math.floor(rounds / 2)] ?? first;
    console.log(`first ${first.ms.toFixed(0)} ms, ${first.bytes} bytes`);
    console.log(
      `all but one blob there ${next.map(({ ms }) => ms.toFixed(0)).join(', ')} ms, ${middle.bytes} bytes`,
    );
    judge('bytes sent, all but one blob there / first, %', (100 * middle.bytes) / first.bytes, 5);
    judge('time of it (median) / of the first, %', (100 * middle.ms) / first.ms, 5);
  } finally {
    await catalogs.close();
    registry.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
