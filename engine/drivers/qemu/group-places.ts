import { access, constants, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What a control group can limit, by the kernel's names. */
export type LimitedResource = 'cpu' | 'memory' | 'pids';

/** A folder below which control groups are made. */
export type GroupPlace = {
  readonly top: string;
  /** True for version 2, where one tree limits everything. */
  readonly isUnified: boolean;
  readonly resources: readonly LimitedResource[];
};

const wanted: readonly LimitedResource[] = ['cpu', 'memory', 'pids'];

/**
 * Finds the trees of control groups that are mounted here, the unified one first. A resource is limited in one tree only.
 *
 * Without root only what was handed over to the user can be used, and only by a process that already lives in it.
 *
 * @source Linux, Documentation/admin-guide/cgroup-v2.rst, "Delegation"
 */
export async function groupPlaces(): Promise<readonly GroupPlace[]> {
  const mounts = parseGroupMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const own = await readFile('/proc/self/cgroup', 'utf8');
  const isRoot = process.geteuid?.() === 0;
  const places: GroupPlace[] = [];
  const left = new Set(wanted);
  for (const { path, options } of mounts.toSorted((a, b) => Number(b.isUnified) - Number(a.isUnified))) {
    const isUnified = options === undefined;
    const top = isRoot ? path : isUnified ? await handedOver(path, own) : undefined;
    if (top === undefined) continue;
    const offered = options ?? (await readFile(join(top, 'cgroup.controllers'), 'utf8')).trim().split(' ');
    const resources = [...left].filter((resource) => offered.includes(resource));
    for (const resource of resources) left.delete(resource);
    if (resources.length > 0) places.push({ top, isUnified, resources });
  }
  return places;
}

/** A mounted tree: where, and for version 1 which resources it has. */
type GroupMount = {
  readonly path: string;
  readonly isUnified: boolean;
  readonly options?: readonly string[];
};

/** Reads the trees of control groups out of a list of mounts. @source proc_pid_mountinfo(5) */
export function parseGroupMounts(mountinfo: string): readonly GroupMount[] {
  return mountinfo.split('\n').flatMap((line): GroupMount[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [kind, , options = ''] = after.split(' ');
    // blanks in paths are written as octal numbers
    const path = (before.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    if (kind === 'cgroup2') return [{ path, isUnified: true }];
    return kind === 'cgroup' ? [{ path, isUnified: false, options: options.split(',') }] : [];
  });
}

/** Gives the highest group above this process's own that this user may make groups in. */
async function handedOver(mount: string, own: string): Promise<string | undefined> {
  const group = /^0::(\/.*)$/m.exec(own)?.[1];
  if (group === undefined) return undefined;
  let highest: string | undefined;
  for (let path = join(mount, group); path.startsWith(mount); path = dirname(path)) {
    if (!(await isOurs(path))) break;
    highest = path;
  }
  return highest;
}

async function isOurs(group: string): Promise<boolean> {
  try {
    await Promise.all([group, join(group, 'cgroup.procs')].map((path) => access(path, constants.W_OK)));
    return true;
  } catch {
    return false;
  }
}
