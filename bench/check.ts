import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateApplication } from './generate.ts';

/** Measures one act in a process of its own: milliseconds of the first and of the fastest run, and the peak of memory. */
type Measure = { readonly firstMs: number; readonly bestMs: number; readonly peakMiB: number };

const runs = 5;

/** Compares `check` of large applications with what js-yaml alone takes to load the same file, and prints the ratios. */
function main(): void {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  try {
    const small = join(folder, 'small');
    const large = join(folder, 'large');
    generateApplication(small, 10_000);
    generateApplication(large, 100_000);
    const load = measure('load', small, runs);
    const check = measure('check', small, runs);
    const checkLarge = measure('check', large, 1);
    show('load 10,000 appliances with js-yaml', load);
    show('check 10,000 appliances, 20,000 wires', check);
    show('check 100,000 appliances, 200,000 wires', checkLarge);
    judge('check / load, fastest of five', check.bestMs / load.bestMs, 5);
    judge('check / load, first in a process', check.firstMs / load.firstMs, 5);
    judge('check of 100,000 / of 10,000, first in a process', checkLarge.firstMs / check.firstMs, 12);
    judge('peak memory of 100,000, MiB', checkLarge.peakMiB, 1144);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measure(act: 'load' | 'check', folder: string, times: number): Measure {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), act, folder, String(times)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(child.stdout) as Measure;
}

async function measured(act: string, folder: string, times: number): Promise<Measure> {
  const run = act === 'load' ? await loader(folder) : await checker(folder);
  const took: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const start = performance.now();
    await run();
    took.push(performance.now() - start);
  }
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  return { firstMs: took[0] ?? 0, bestMs: Math.min(...took), peakMiB };
}

async function loader(folder: string): Promise<() => void> {
  const { load } = await import('js-yaml');
  return () => void load(readFileSync(join(folder, 'application.yaml'), 'utf8'));
}

async function checker(folder: string): Promise<() => Promise<void>> {
  const { compile } = await import('../engine/compile/compile.ts');
  const { readSource } = await import('../engine/read/read-source.ts');
  const { checkTemplate } = await import('../engine/render/check-template.ts');
  return async () => {
    const source = await readSource(folder, { catalogs: [], workingDirectory: folder });
    const { problems } = compile(source, null, checkTemplate);
    if (problems.length > 0) process.stderr.write(`${JSON.stringify(problems.slice(0, 3))}\n`);
  };
}

function show(what: string, { firstMs, bestMs, peakMiB }: Measure): void {
  process.stdout.write(
    `${what.padEnd(44)} first ${firstMs.toFixed(0).padStart(6)} ms, best ${bestMs.toFixed(0).padStart(6)} ms, peak ${peakMiB.toFixed(0).padStart(5)} MiB\n`,
  );
}

function judge(what: string, value: number, limit: number): void {
  const verdict = value <= limit ? 'good' : 'TOO MUCH';
  process.stdout.write(
    `${what.padEnd(52)} ${value.toFixed(2).padStart(8)}  (at most ${limit}: ${verdict})\n`,
  );
}

const [act, folder, times] = process.argv.slice(2);
if (act === undefined || folder === undefined) main();
else process.stdout.write(JSON.stringify(await measured(act, folder, Number(times))));
