import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publish } from '../catalog/index.ts';
import { judge } from './judge.ts';
import { largeBundle, makeLayers } from './large-bundle.ts';
import { openBenchCatalogs, timed } from './open-catalog.ts';
import { startRegistry } from './registry.ts';

const mebibytes = Number(process.env['BENCH_MEBIBYTES'] ?? 512);

/** Publishes a version to an empty registry, and then one of which the registry lacks a single layer. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  const registry = await startRegistry(folder);
  const catalogs = openBenchCatalogs(folder);
  try {
    const parts = join(folder, 'parts');
    const layers = makeLayers(parts, 8, (mebibytes / 8) * 2 ** 20);
    const [small] = makeLayers(parts, 1, 2 ** 16);
    const catalog = await catalogs.open(`oci://${registry.host}/bench`, () => undefined);
    const first = largeBundle(parts, '1.0.0', layers);
    const next = largeBundle(parts, '1.1.0', [...layers, ...(small ? [small] : [])]);
    let [sentFirst, sentNext] = [0, 0];
    const send = async (bundle: typeof first) => (await publish(catalog, { bundle, channels: [] })).sentBytes;
    const firstMs = await timed(async () => {
      sentFirst = await send(first);
    });
    const nextMs = await timed(async () => {
      sentNext = await send(next);
    });
    console.log(
      `first ${firstMs.toFixed(0)} ms, ${sentFirst} bytes; all but one blob there ${nextMs.toFixed(0)} ms, ${sentNext} bytes`,
    );
    judge('bytes sent, all but one blob there / first, %', (100 * sentNext) / sentFirst, 5);
    judge('time of it / of the first, %', (100 * nextMs) / firstMs, 5);
  } finally {
    await catalogs.close();
    registry.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
