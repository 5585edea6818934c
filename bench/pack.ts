import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkParts, contentsOf, openBundle, packFile } from '../catalog/index.ts';
import type { Descriptor } from '../engine/model/blob.ts';
import { judge } from './judge.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const largeBytes = Number(process.env['BENCH_BYTES'] ?? 4 * 2 ** 30);
const quiet = { signal: new AbortController().signal, report: () => undefined };

/** Compares packing the guest book, its images there already, with `tar | sha256sum` of the same bytes; then the memory for a large one. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  // not for the other process, whose memory is measured
  const { composeEngine } = await import('../cli/compose.ts');
  const settings = {
    home: join(root, '.cache/bench'),
    runtime: join(folder, 'runtime'),
    config: join(root, '.cache/bench/config'),
  };
  const askPassphrase = async () => undefined;
  const context = { environment: process.env, options: {}, signal: quiet.signal, askPassphrase };
  const engine = await composeEngine(settings, context);
  try {
    const file = join(folder, 'guestbook.sheaf');
    const content = join(folder, 'content');
    const pack = async (): Promise<void> => {
      const { list, blobs } = await engine.pack('applications/guestbook', quiet);
      const open = (part: Descriptor) => blobs.open(part.digest);
      await packFile({ contents: contentsOf(list), source: { open }, file }, quiet);
    };
    await pack();
    shell(`mkdir ${content} && tar -C ${content} -xf ${file}`);
    const times = { pack: [] as number[], again: [] as number[], tar: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      rmSync(file);
      times.pack.push(await timed(pack));
      times.again.push(await timed(pack));
      times.tar.push(await timed(async () => shell(`tar -C ${content} -cf - . | sha256sum`)));
    }
    for (const [what, list] of Object.entries(times))
      console.log(`${what.padEnd(10)} ${list.map((ms) => ms.toFixed(0)).join(', ')} ms`);
    judge('pack of the guest book / tar | sha256sum', Math.min(...times.pack) / Math.min(...times.tar), 1.25);
    judge('packing it again / for the first time', Math.min(...times.again) / Math.min(...times.pack), 1);
    const peak = spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder], { encoding: 'utf8' });
    console.log(`a bundle of ${(largeBytes / 2 ** 30).toFixed(1)} GiB`);
    judge('peak memory of packing and verifying it, MiB', Number(peak.stdout), 190);
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

function shell(command: string): void {
  spawnSync('sh', ['-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Packs and verifies a large bundle in this process, and prints the most memory that it had, in MiB. */
async function packLarge(folder: string): Promise<void> {
  const file = join(folder, 'large.sheaf');
  const piece = Buffer.alloc(2 ** 20, 'sheaf');
  const hash = createHash('sha256');
  const pieces = Math.ceil(largeBytes / piece.length);
  for (let index = 0; index < pieces; index += 1) hash.update(piece);
  const part: Descriptor = {
    mediaType: 'application/vnd.sheaf.kit.modules.v1.squashfs',
    digest: `sha256:${hash.digest('hex')}`,
    size: pieces * piece.length,
  };
  const text = JSON.stringify({ modules: part });
  const list: Descriptor = {
    mediaType: 'application/vnd.sheaf.kit.v1+json',
    digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
    size: text.length,
  };
  const contents = contentsOf({
    apiVersion: 'sheaf/v1',
    kind: 'PackingList',
    packs: 'application',
    name: 'large',
    version: '1.0.0',
    platform: 'linux/amd64',
    lock: { apiVersion: 'sheaf/v1', kind: 'Lock', appliances: {} },
    files: {},
    places: {},
    contents: [],
    images: {},
    kit: { list, parts: [part] },
  });
  const open = async function* ({ digest }: Descriptor): AsyncGenerator<Uint8Array> {
    if (digest === list.digest) yield Buffer.from(text);
    else for (let index = 0; index < pieces; index += 1) yield Buffer.from(piece); // anew, as a disk gives it
  };
  await packFile({ contents, source: { open }, file }, quiet);
  const bundle = await openBundle(file);
  await checkParts(bundle, quiet.signal);
  await bundle.close();
  process.stdout.write(String(process.resourceUsage().maxRSS / 1024));
}

const [folder] = process.argv.slice(2);
if (folder === undefined) await main();
else await packLarge(folder);
