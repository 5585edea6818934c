import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import type { Limits } from '../../model/pool.ts';
import { systemCode } from '../../system-code.ts';
import { removeEmptyFolders } from '../../whole-file.ts';
import { type GroupPlace, groupPlaces, type LimitedResource } from './group-places.ts';

/** What all processes of one machine may take together. */
export type Share = {
  /** Of a processor's time, in thousandths of one. */
  readonly cpuMillicores: number;
  readonly memoryBytes: number;
  readonly processes: number;
};

/** The groups of one machine. */
export type Groups = {
  /** The files by which a process joins them. */
  readonly joins: readonly string[];
  /** What writing its share of the processors means; undefined where that is not limited. */
  readonly cpu?: { readonly file: string; readonly value: string };
};

/**
 * The kernel's groups in which machines are held to their share.
 *
 * They lie in `sheaf/DEPLOYMENT/INSTANCE` below the top, not in the group of whoever called us: the end of a session or a
 * service ends all that lives in its group.
 */
export interface ControlGroups {
  /** Tells what is limited here, and why not all; tried once. */
  limits(): Promise<Limits>;
  /** Makes a machine's groups when they are not there, and sets its share, at once also for one that runs. */
  ensure(deployment: string, instance: string, share: Share): Promise<Groups>;
  /** Removes a machine's groups; its processes have ended. */
  remove(deployment: string, instance: string): Promise<void>;
}

const periodUs = 100_000;
/** The kernel takes no smaller quota. */
const leastQuotaUs = 1000;
const removalTimeoutMs = 2000;

/** Opens the control groups of this machine. @param places - where they lie; found out when absent */
export function openControlGroups(places: () => Promise<readonly GroupPlace[]> = groupPlaces): ControlGroups {
  let found: Promise<Findings> | undefined;
  const usable = (): Promise<Findings> => (found ??= find(places));
  return {
    limits: async () => (await usable()).limits,
    async ensure(deployment, instance, share) {
      const joins: string[] = [];
      let cpu: Groups['cpu'];
      for (const place of (await usable()).places) {
        const group = await makeGroup(place, deployment, instance);
        for (const resource of place.resources)
          for (const [name, value] of settings(place, resource, share))
            await writeFile(join(group, name), value);
        if (place.resources.includes('cpu')) cpu = cpuSetting(place, group, share);
        joins.push(join(group, 'cgroup.procs'));
      }
      return { joins, ...(cpu && { cpu }) };
    },
    async remove(deployment, instance) {
      for (const { top } of (await usable()).places) {
        const group = groupPath(top, deployment, instance);
        await removeGroup(group);
        await removeEmptyFolders(join(group, '..'), top);
      }
    },
  };
}

type Findings = { readonly places: readonly GroupPlace[]; readonly limits: Limits };

/** Finds out where groups can be made and limited, by doing it. */
async function find(candidates: () => Promise<readonly GroupPlace[]>): Promise<Findings> {
  const places: GroupPlace[] = [];
  let reason = 'the kernel offers no control groups';
  for (const place of await candidates()) {
    const trial = `trial-${process.pid}`;
    try {
      const group = await makeGroup(place, trial, 'trial');
      const share = { cpuMillicores: 1000, memoryBytes: 2 ** 30, processes: 64 };
      for (const resource of place.resources)
        for (const [name, value] of settings(place, resource, share))
          await writeFile(join(group, name), value);
      places.push(place);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      reason = `control groups in ${place.top} cannot be made: ${code}`;
    } finally {
      const group = groupPath(place.top, trial, 'trial');
      await removeGroup(group).catch(() => undefined); // why it cannot be made is told already
      await removeEmptyFolders(join(group, '..'), place.top);
    }
  }
  const has = (resource: LimitedResource): boolean =>
    places.some(({ resources }) => resources.includes(resource));
  const [cpu, memory] = [has('cpu'), has('memory')];
  return { places, limits: { cpu, memory, ...(!(cpu && memory) && { reason }) } };
}

function groupPath(top: string, deployment: string, instance: string): string {
  return join(top, 'sheaf', deployment, encodeURIComponent(instance));
}

async function makeGroup(place: GroupPlace, deployment: string, instance: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await makeGroupOnce(place, deployment, instance);
    } catch (error) {
      // somebody else's last group went right now, and the one above it with it
      if (systemCode(error) !== 'ENOENT' || attempt === 3) throw error;
    }
  }
}

async function makeGroupOnce(
  { top, isUnified, resources }: GroupPlace,
  deployment: string,
  instance: string,
): Promise<string> {
  const group = groupPath(top, deployment, instance);
  const words = resources.map((resource) => `+${resource}`).join(' ');
  for (const parent of [top, join(top, 'sheaf'), join(top, 'sheaf', deployment)]) {
    await mkdir(parent, { recursive: true });
    // a group can limit what all groups above it hand down
    if (isUnified) await writeFile(join(parent, 'cgroup.subtree_control'), words);
  }
  await mkdir(group, { recursive: true });
  return group;
}

function settings(
  place: GroupPlace,
  resource: LimitedResource,
  share: Share,
): readonly (readonly [name: string, value: string])[] {
  const quota = String(quotaUs(share));
  switch (resource) {
    case 'cpu':
      return place.isUnified
        ? [['cpu.max', `${quota} ${periodUs}`]]
        : [
            ['cpu.cfs_period_us', String(periodUs)],
            ['cpu.cfs_quota_us', quota],
          ];
    case 'memory':
      return [[place.isUnified ? 'memory.max' : 'memory.limit_in_bytes', String(share.memoryBytes)]];
    case 'pids':
      return [['pids.max', String(share.processes)]];
    default:
      return resource satisfies never;
  }
}

function cpuSetting(place: GroupPlace, group: string, share: Share): Groups['cpu'] {
  const [name, value] = settings(place, 'cpu', share).at(-1) ?? ['', ''];
  return { file: join(group, name), value };
}

function quotaUs({ cpuMillicores }: Share): number {
  return Math.max(Math.round((cpuMillicores * periodUs) / 1000), leastQuotaUs);
}

/** Removes a group. Processes that have just ended are in it for another moment. */
async function removeGroup(group: string): Promise<void> {
  const deadline = Date.now() + removalTimeoutMs;
  for (;;) {
    try {
      await rmdir(group);
      return;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      if (systemCode(error) !== 'EBUSY') throw error;
      if (Date.now() > deadline) {
        const members = (await readFile(join(group, 'cgroup.procs'), 'utf8')).trim().split('\n').join(' ');
        throw new EngineError('INSTANCE_FAILED', `processes are left in ${group}: ${members}`, {
          cause: error,
        });
      }
    }
    await delay(20);
  }
}
