import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

// Runs the type check, the linter, the fast and the real tests, each to its end, and sums them up.

type Tally = { passed: number; failed: number };

const startedAt = Date.now();
const tallies = [
  await runCheck('types', 'tsc', ['--noEmit']),
  await runCheck('lint and format', 'biome', ['check', '--error-on-warnings', '.']),
  await runTests('fast tests', ['ava']),
  await runTests('tests with real virtual machines', asRoot(['ava', '--config', 'test/real.config.js'])),
];
const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
console.log(`\nin ${Math.round((Date.now() - startedAt) / 1000)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** Runs a check that passes or fails as a whole; it counts as one. */
async function runCheck(title: string, program: string, args: readonly string[]): Promise<Tally> {
  const code = await run(title, program, args, (line) => console.log(line));
  return { passed: Number(code === 0), failed: Number(code !== 0) };
}

/** Runs ava and counts its tests; a runner that ends badly without a failed test counts as one failure. */
async function runTests(title: string, [program = '', ...args]: readonly string[]): Promise<Tally> {
  const tally = { passed: 0, failed: 0 };
  const code = await run(title, program, [...args, '--tap'], (line) => {
    if (/^not ok /.test(line) && !/ # TODO/.test(line)) tally.failed += 1;
    else if (/^ok /.test(line) && !/ # (SKIP|TODO)/.test(line)) tally.passed += 1;
    console.log(line);
  });
  if (code !== 0 && tally.failed === 0) tally.failed = 1;
  return tally;
}

/** Machines and networks need root. */
function asRoot(command: readonly string[]): readonly string[] {
  return process.getuid?.() === 0
    ? command
    : ['sudo', 'env', `PATH=${process.env['PATH'] ?? ''}`, ...command];
}

/** @returns the exit code; 1 when the program was killed or could not be started */
async function run(
  title: string,
  program: string,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<number> {
  console.log(`\n== ${title}`);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<number>((resolve) => {
    child.on('error', (error) => {
      console.log(error.message);
      resolve(1);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
  for await (const line of createInterface(child.stdout)) onLine(line);
  return await ended;
}
