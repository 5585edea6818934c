import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ByteStream } from '../engine/drivers/byte-stream.ts';
import { openGuestVolume } from '../engine/drivers/guest-volume.ts';
import type { VolumeAccess } from '../engine/model/volume.ts';
import { PackWriter } from '../engine/volumes/pack-writer.ts';
import { type SavedVolume, saveVolume } from '../engine/volumes/save-volume.ts';
import { judge } from './judge.ts';

const mebibytes = Number(process.env['BENCH_MEBIBYTES'] ?? 512);
const key = randomBytes(32).toString('hex');

/** Saves a folder through the kit's own program, which needs root, then again after a hundredth of it was changed. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  try {
    const program = join(folder, 'supervisor');
    const sources = fileURLToPath(new URL('../kit', import.meta.url));
    const built = spawnSync('go', ['build', '-o', program, './supervisor'], {
      cwd: sources,
      stdio: 'inherit',
    });
    if (built.status !== 0) throw new Error('the supervisor was not built');
    const data = join(folder, 'data');
    fill(data);
    const first = await save(program, data, folder);
    change(data);
    const second = await save(program, data, folder, first.saved);
    const third = await save(program, data, folder, second.saved);
    for (const [what, { bytes, ms }] of Object.entries({ first, second, third }))
      console.log(`${what.padEnd(8)} ${(bytes / 2 ** 20).toFixed(2)} MiB in ${ms.toFixed(0)} ms`);
    judge('second backup, 1 % changed / first (bytes)', second.bytes / first.bytes, 0.03);
    judge('third backup, nothing changed / first (bytes)', third.bytes / first.bytes, 0.005);
    judge('second backup / first (time)', second.ms / first.ms, 0.5);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Half in one large file, as of a database, half in files of 100 KiB. */
function fill(data: string): void {
  mkdirSync(join(data, 'files'), { recursive: true });
  const file = openSync(join(data, 'large'), 'w');
  for (let at = 0; at < mebibytes / 2; at += 1) writeSync(file, randomBytes(2 ** 20));
  closeSync(file);
  for (let at = 0; at < (mebibytes / 2) * 10; at += 1)
    writeFileSync(join(data, 'files', `${at}`), randomBytes(100 * 2 ** 10));
}

function change(data: string): void {
  const file = openSync(join(data, 'large'), 'r+');
  const bytes = Math.floor(((mebibytes / 2) * 2 ** 20) / 800);
  for (let at = 0; at < 8; at += 1)
    writeSync(file, randomBytes(bytes), 0, bytes, at * (mebibytes / 16) * 2 ** 20 + 12_345);
  closeSync(file);
  for (let at = 0; at < (mebibytes / 2) * 10; at += 100)
    writeFileSync(join(data, 'files', `${at}`), randomBytes(100 * 2 ** 10));
}

async function save(program: string, data: string, scratch: string, previous?: SavedVolume) {
  let bytes = 0;
  const packs = new PackWriter(async (_pack, content) => {
    bytes += content.length;
  });
  const volume = openFolder(program, data);
  const start = performance.now();
  try {
    const saved = await saveVolume({ volume, key, packs, scratch, ...(previous && { previous }) });
    await packs.flush();
    return { saved, bytes, ms: performance.now() - start };
  } finally {
    await volume.close();
  }
}

function openFolder(program: string, folder: string): VolumeAccess {
  const child = spawn(program, ['volume', folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const duplex = Duplex.from({ readable: child.stdout, writable: child.stdin });
  return openGuestVolume({
    volume: 'bench/data',
    stream: new ByteStream(duplex, new AbortController().signal),
    isHeld: async () => true,
    release: async () => void child.kill(),
  });
}

await main();
