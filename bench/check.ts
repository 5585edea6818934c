import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateApplication } from './generate.ts';
import { judge } from './judge.ts';

/** What a process of its own measured: milliseconds of every run in order, and the peak of its memory. */
type Measure = {
  readonly load: readonly number[];
  readonly check: readonly number[];
  readonly peakMiB: number;
};

const runs = 12;

/** Compares `check` of large applications with what js-yaml alone takes to load the same file, and prints the ratios. */
function main(): void {
  const folder = mkdtempSync(join(tmpdir(), 'sheaf-bench-'));
  try {
    const small = join(folder, 'small');
    const large = join(folder, 'large');
    generateApplication(small, 10_000);
    generateApplication(large, 100_000);
    // Turn and turn about, so that other work of the machine slows both alike.
    const warm = measure(small, runs, ['load', 'check']);
    const coldLoad = measure(small, 1, ['load']);
    const coldCheck = measure(small, 1, ['check']);
    const coldLarge = measure(large, 1, ['check']);
    show('js-yaml loads 10,000 appliances', [best(warm.load), best(coldLoad.load)]);
    show('check of 10,000 appliances, 20,000 wires', [best(warm.check), best(coldCheck.check)]);
    show('check of 100,000 appliances, 200,000 wires', [best(coldLarge.check)]);
    judge(`check / load, fastest of ${runs}`, best(warm.check) / best(warm.load), 5);
    judge('check / load, first in a process', best(coldCheck.check) / best(coldLoad.load), 5);
    judge('check of 100,000 / of 10,000', best(coldLarge.check) / best(coldCheck.check), 12);
    judge('peak memory of 100,000, MiB', coldLarge.peakMiB, 1144);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function best(times: readonly number[]): number {
  return Math.min(...times);
}

function measure(folder: string, times: number, acts: readonly ('load' | 'check')[]): Measure {
  const command = [fileURLToPath(import.meta.url), folder, String(times), ...acts];
  const child = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(child.stdout) as Measure;
}

async function measured(folder: string, times: number, acts: readonly string[]): Promise<Measure> {
  const load = acts.includes('load') ? await loader(folder) : undefined;
  const check = acts.includes('check') ? await checker(folder) : undefined;
  const taken: { load: number[]; check: number[] } = { load: [], check: [] };
  for (let index = 0; index < times; index += 1) {
    if (load) taken.load.push(await timed(load));
    if (check) taken.check.push(await timed(check));
  }
  return { ...taken, peakMiB: process.resourceUsage().maxRSS / 1024 };
}

async function timed(act: () => unknown): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

async function loader(folder: string): Promise<() => unknown> {
  const { load } = await import('js-yaml');
  return () => load(readFileSync(join(folder, 'application.yaml'), 'utf8'));
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

function show(what: string, [fastest, first = fastest]: readonly number[]): void {
  const line = `${what.padEnd(46)} ${format(fastest)} ms, first in a process ${format(first)} ms`;
  process.stdout.write(`${line}\n`);
}

function format(value: number | undefined): string {
  return (value ?? 0).toFixed(0).padStart(6);
}

const [folder, times, ...acts] = process.argv.slice(2);
if (folder === undefined) main();
else process.stdout.write(JSON.stringify(await measured(folder, Number(times), acts)));
