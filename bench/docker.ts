import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { labelNames } from '../engine/drivers/docker/labels.ts';
import { startDockerEngine, type TestEngine } from '../test/real/support/docker-engine.ts';
import { judge } from './judge.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = process.env['SHEAF_TEST_HOME'] ?? join(root, '.cache/bench');
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3);
const upArgs = ['up', 'applications/guestbook', '--as', 'bench-docker', '--pool', 'docker', '--json'];

/**
 * Compares `up` of the guest book on a Docker Engine, its images and data there already, with the same containers by the bare API:
 * they are there and are only started, as many at once as their order allows. Both wait for the same answer of the front page.
 */
async function main(): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const engine = await startDockerEngine();
  try {
    const { url } = JSON.parse(await sheaf(engine, upArgs)).endpoints[0];
    const times = { up: [] as number[], bare: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      await sheaf(engine, ['down', 'bench-docker', '--keep-data', '--json']);
      const start = performance.now();
      const up = sheaf(engine, upArgs);
      await untilAnswered(engine, url);
      times.up.push(performance.now() - start);
      await up;
      times.bare.push(await startBare(engine, url));
    }
    await sheaf(engine, ['down', 'bench-docker', '--delete-data', 'bench-docker', '--json']);
    for (const [what, list] of Object.entries(times))
      console.log(`${what.padEnd(10)} ${list.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s`);
    judge('up on Docker / starting the same by the bare API', median(times.up) / median(times.bare), 1.15);
  } finally {
    await engine.close();
  }
}

/** Stops the deployment's containers and starts them again. @returns ms until the page answered */
async function startBare({ api, ...engine }: TestEngine, url: string): Promise<number> {
  const containers = await api.containers([labelNames.deployment]);
  const namesOf = (...roles: readonly string[]): readonly string[] =>
    containers.filter(({ labels }) => roles.includes(labels[labelNames.role] ?? '')).map(({ name }) => name);
  const owners = namesOf('sandbox', 'door');
  const joined = namesOf('appliance');
  await Promise.all([...owners, ...joined].map((name) => api.stop(name, 30)));
  const start = performance.now();
  await Promise.all(owners.map((name) => api.start(name)));
  await Promise.all(joined.map((name) => api.start(name)));
  await untilAnswered({ api, ...engine }, url);
  return performance.now() - start;
}

async function untilAnswered(engine: TestEngine, url: string): Promise<void> {
  for (;;) {
    const status = await engine
      .onServer('curl', ['-s', '-o', '/dev/null', '-m', '10', '-w', '%{http_code}', url])
      .catch(() => '');
    if (status === '200') return;
    await delay(100);
  }
}

async function sheaf(engine: TestEngine, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(root, 'cli/start.js'), ...args, '--home', home], {
    cwd: root,
    env: {
      ...process.env,
      XDG_CONFIG_HOME: join(home, 'config'),
      DOCKER_HOST: `unix://${engine.socket}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (code !== 0) console.error(`sheaf ${args.join(' ')} ended with ${code}: ${last}`);
  return last;
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
}

await main();
