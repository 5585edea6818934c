import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchParts, findPublished, publish, pullFile } from '../catalog/index.ts';
import { judge } from './judge.ts';
import { largeBundle, makeLayers } from './large-bundle.ts';
import { openBenchCatalogs, timed } from './open-catalog.ts';
import { startRegistry } from './registry.ts';

const mebibytes = Number(process.env['BENCH_MEBIBYTES'] ?? 512);
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3);
const report = () => undefined;

/** Pulls a version into a file, against `skopeo copy` of the same content; and, as `up` does, into the store, with its layers unpacked to check them. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  const registry = await startRegistry(folder);
  try {
    const parts = join(folder, 'parts');
    const bundle = largeBundle(parts, '1.0.0', makeLayers(parts, 8, (mebibytes / 8) * 2 ** 20));
    const place = `oci://${registry.host}/bench`;
    const vendor = openBenchCatalogs(join(folder, 'vendor'));
    await publish(await vendor.open(place, report), { bundle, channels: [] });
    await vendor.close();
    const times = { store: [] as number[], pull: [] as number[], skopeo: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      const home = join(folder, `home-${round}`);
      const catalogs = openBenchCatalogs(home);
      const file = join(home, 'large.sheaf');
      const start = performance.now();
      const found = await findPublished([await catalogs.open(place, report)], {
        name: 'large',
        range: '*',
      });
      await pullFile(found, { file, blobs: await catalogs.blobs() });
      times.pull.push(performance.now() - start);
      const stored = performance.now();
      await fetchParts(found, await catalogs.blobs());
      times.store.push(performance.now() - stored);
      await catalogs.close();
      rmSync(home, { recursive: true });
      const copy = join(folder, `copy-${round}`);
      const from = `docker://${registry.host}/bench/large:1.0.0`;
      times.skopeo.push(
        await timed(async () => {
          const options = ['copy', '--src-tls-verify=false', from, `oci:${copy}:1.0.0`];
          const { status } = spawnSync('skopeo', options, { stdio: ['ignore', 'ignore', 'inherit'] });
          if (status !== 0) process.exitCode = 1;
        }),
      );
      rmSync(copy, { recursive: true, force: true });
    }
    for (const [what, list] of Object.entries(times))
      console.log(`${what.padEnd(10)} ${list.map((ms) => ms.toFixed(0)).join(', ')} ms`);
    const best = Math.min(...times.skopeo);
    judge('pull of a bundle / skopeo copy', Math.min(...times.pull) / best, 1);
  } finally {
    registry.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
