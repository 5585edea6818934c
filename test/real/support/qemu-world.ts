import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Digest } from '../../../engine/digest.ts';
import type { DeploymentIdentity, Driver, StepContext } from '../../../engine/drivers/driver.ts';
import { openQemuDriver } from '../../../engine/drivers/qemu/open-driver.ts';
import type { Blobs } from '../../../engine/model/blob.ts';
import type { Desired, ObjectKind, Step } from '../../../engine/model/step.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';
import { testAttendant, testHome } from './test-home.ts';

/** Whether KVM works takes a while to find out where it does not, and no test changes it. */
const knownFinding = join(testHome, 'qemu/accelerator.json');

/** A qemu driver in folders of its own, which are empty again when the test ends. */
export type QemuWorld = {
  readonly driver: Driver;
  readonly blobs: Blobs;
  readonly home: string;
  readonly runtime: string;
};

/** Chooses a loopback port that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Opens a driver for one test. @param stored - blobs to use in the place of an empty folder's */
export async function openQemuWorld(
  t: ExecutionContext,
  stored: { readonly blobs?: Blobs; readonly kit?: Digest } = {},
): Promise<QemuWorld> {
  const root = await mkdtemp(join(tmpdir(), 'sheaf-'));
  t.teardown(() => rm(root, { recursive: true }));
  const blobs =
    stored.blobs ?? (await openBlobs(join(root, 'blobs'), { temporary: join(root, 'unfinished') }));
  const home = join(root, 'home');
  const runtime = join(root, 'run');
  const finding = join(home, 'accelerator.json');
  await mkdir(home, { recursive: true, mode: 0o700 });
  await mkdir(dirname(knownFinding), { recursive: true, mode: 0o700 });
  await copyFile(knownFinding, finding).catch(() => undefined);
  t.teardown(() => copyFile(finding, knownFinding).catch(() => undefined));
  const parts = { blobs, kit: async () => stored.kit, attendant: testAttendant(blobs) };
  const driver = await openQemuDriver({ pool: 'local', home, runtime, ...parts });
  return { driver, blobs, home, runtime };
}

/** Makes a deployment that no other test has. */
export function newDeployment(name: string): DeploymentIdentity {
  const id = `t${randomBytes(6).toString('hex').slice(0, 11)}`;
  return { id, name, owner: 'default', blueprint: `sha256:${'0'.repeat(64)}` };
}

/** Gives what every step of a deployment is performed with. */
export function workOf(deployment: DeploymentIdentity, files: StepContext['files'] = []): StepContext {
  return { deployment, files, signal: new AbortController().signal, report: () => undefined };
}

/** Makes the step that brings an object to its state. */
export function ensureStep(
  desired: Desired,
  generation = 1,
  change: 'create' | 'update' | 'replace' = 'create',
) {
  // kind, key and state come from one object
  return { ...stepBase(desired, generation), change, action: 'ensure', desired: desired.state } as Step;
}

/** Makes the step that removes an object. */
export function removeStep(kind: ObjectKind, key: string, deletesData = false): Step {
  const base = stepBase({ kind, key }, 1);
  return { ...base, change: 'remove', action: 'remove', desired: null, deletesData } as Step;
}

function stepBase({ kind, key }: { readonly kind: ObjectKind; readonly key: string }, generation: number) {
  return { id: '1', kind, key, generation, after: [], before: null };
}

/** Lists what a deployment left in the driver's folders and among the machine's namespaces. */
export async function leftovers(
  world: QemuWorld,
  deployment: DeploymentIdentity,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const folder of [world.home, world.runtime, '/run/netns'])
    for (const path of await readdir(folder, { recursive: true }).catch(() => []))
      if (path.includes(deployment.id)) found.push(join(folder, path));
  for (const pid of await readdir('/proc')) {
    const line = /^\d+$/.test(pid) ? await commandLine(pid) : '';
    if (line.includes(deployment.id)) found.push(`process ${pid}: ${line.slice(0, 100)}`);
  }
  return found;
}

async function commandLine(pid: string): Promise<string> {
  return await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
}
