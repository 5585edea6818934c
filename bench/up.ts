import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { judge } from './judge.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = join(root, '.cache/bench');
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3);
const upArgs = ['up', 'applications/guestbook', '--as', 'bench', '--yes', '--json'];

/** A run of the program: how long it took, the most memory that it had, and its last line. */
type Run = { readonly ms: number; readonly peakMiB: number; readonly last: string };

/** A running machine, and how it was started. */
type Guest = { readonly pid: number; readonly args: readonly string[] };

/**
 * Compares `up` of the guest book, its images and data there already, with the same QEMU command lines started by hand
 * at once; both wait for the same answer of the front page. Then tells the memory that the program itself took.
 */
async function main(): Promise<void> {
  const { url } = JSON.parse((await sheaf(upArgs)).last).endpoints[0];
  const times = { answered: [] as number[], healthy: [] as number[], byHand: [] as number[] };
  const peaks = { up: 0, status: 0, down: 0 };
  for (let round = 0; round < rounds; round++) {
    const down = await sheaf(['down', 'bench', '--keep-data']);
    const start = performance.now();
    const up = sheaf(upArgs);
    await untilAnswered(url);
    times.answered.push(performance.now() - start);
    times.healthy.push((await up).ms);
    const status = await sheaf(['status', 'bench']);
    for (const [verb, run] of Object.entries({ up: await up, status, down }))
      peaks[verb as keyof typeof peaks] = Math.max(peaks[verb as keyof typeof peaks], run.peakMiB);
    times.byHand.push(await startByHand(url));
  }
  await sheaf(['down', 'bench', '--delete-data', 'bench']);
  for (const [what, list] of Object.entries(times))
    console.log(`${what.padEnd(10)} ${list.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s`);
  judge('up until the page answers / by hand', median(times.answered) / median(times.byHand), 1.25);
  judge('up until all are healthy / by hand', median(times.healthy) / median(times.byHand), 1.25);
  for (const [verb, peak] of Object.entries(peaks)) judge(`peak memory of ${verb}, MiB`, peak, 143);
}

/** Kills the deployment's machines, starts their command lines again, and kills those too. @returns ms until the page answered */
async function startByHand(url: string): Promise<number> {
  const guests = findGuests();
  await killGuests();
  const start = performance.now();
  for (const { args } of guests) {
    const namespace = /guest=(sheaf-[a-z0-9]+)-/.exec(args.join(' '))?.[1];
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, '--', ...args], { stdio: 'ignore' });
    child.unref();
  }
  await untilAnswered(url);
  const ms = performance.now() - start;
  await killGuests();
  return ms;
}

async function killGuests(): Promise<void> {
  for (const { pid } of findGuests()) process.kill(pid, 'SIGKILL');
  while (findGuests().length > 0) await delay(20);
}

function findGuests(): readonly Guest[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const args = readProcess(entry, 'cmdline').split('\0').slice(0, -1);
    const isOurs = args[0] === 'qemu-system-x86_64' && args.some((arg) => arg.includes(`${home}/`));
    return isOurs ? [{ pid: Number(entry), args }] : [];
  });
}

function readProcess(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

async function untilAnswered(url: string): Promise<void> {
  for (;;) {
    const isAnswered = await fetch(url, { signal: AbortSignal.timeout(10_000) }).then(
      (response) => response.status === 200,
      () => false,
    );
    if (isAnswered) return;
    await delay(100);
  }
}

async function sheaf(args: readonly string[]): Promise<Run> {
  const start = performance.now();
  const child = spawn(process.execPath, [join(root, 'cli/start.js'), ...args, '--home', home], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  let peak = 0;
  const watch = setInterval(() => {
    const kibibytes = /VmHWM:\s+(\d+)/.exec(readProcess(child.pid ?? 0, 'status'))?.[1];
    peak = Math.max(peak, Number(kibibytes ?? 0));
  }, 50);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(watch);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (code !== 0) console.error(`sheaf ${args.join(' ')} ended with ${code}: ${last}`);
  return { ms: performance.now() - start, peakMiB: peak / 1024, last };
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
}

await main();
