import { join } from 'node:path';
import type { Digest } from '../../digest.ts';
import type { ObjectKind } from '../../model/step.ts';
import { shortHash } from './marks.ts';

/** Where the driver keeps what it makes. */
export type Layout = {
  readonly home: string;
  /** Squashfs disks of image layers, by their source's digest; shared by all deployments. */
  readonly disks: string;
  /** The attendants, executable, by digest. */
  readonly programs: string;
  readonly deployments: string;
  /** Sockets and seeds; gone after a restart of the machine. */
  readonly runtime: string;
  /** Copies of the records, so that whoever loses the home can find what runs. */
  readonly copies: string;
};

/** How many commands can run in one instance at once; kit/PROTOCOL.md gives a guest as many ports. */
const execPorts = 4;

/**
 * Chooses the places below the two folders.
 *
 * A socket's path may have 107 bytes, so the home enters the runtime folder's path only as a hash.
 */
export function layoutOf(home: string, runtime: string): Layout {
  const ownRuntime = join(runtime, shortHash(home, 8));
  return {
    home,
    disks: join(home, 'disks'),
    programs: join(home, 'programs'),
    deployments: join(home, 'deployments'),
    runtime: ownRuntime,
    copies: join(ownRuntime, 'records'),
  };
}

/** Gives the folder with everything of one deployment. */
function deploymentFolder(layout: Layout, deployment: string): string {
  return join(layout.deployments, deployment);
}

/** Gives the folder of the objects of one kind. */
export function kindFolder(layout: Layout, deployment: string, kind: ObjectKind): string {
  return join(deploymentFolder(layout, deployment), kind);
}

/** Gives the path of an object's file; a key's slashes and the like are escaped, so it never leaves the folder. */
export function objectPath(
  layout: Layout,
  deployment: string,
  kind: ObjectKind,
  key: string,
  suffix: string,
): string {
  return join(kindFolder(layout, deployment, kind), `${encodeURIComponent(key)}${suffix}`);
}

/** Gives the path of a disk. @param source - its digest */
export function diskPath(layout: Layout, source: Digest): string {
  return join(layout.disks, `${source.slice('sha256:'.length)}.squashfs`);
}

/** The files of a running instance that live in the runtime folder. */
export type RuntimeFiles = {
  readonly folder: string;
  readonly seed: string;
  readonly qmp: string;
  readonly control: string;
  readonly exec: readonly string[];
  /** Leads into volumes. */
  readonly data: string;
};

/** Gives the runtime files of an instance. */
export function runtimeFiles(layout: Layout, deployment: string, instance: string): RuntimeFiles {
  const folder = join(layout.runtime, deployment, shortHash(instance, 8));
  return {
    folder,
    seed: join(folder, 'seed.iso'),
    qmp: join(folder, 'qmp.sock'),
    control: join(folder, 'control.sock'),
    data: join(folder, 'data.sock'),
    exec: Array.from({ length: execPorts }, (_, index) => join(folder, `exec.${index + 1}.sock`)),
  };
}
