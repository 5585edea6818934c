import type { LimitFunction } from 'p-limit';
import type { Digest } from '../../digest.ts';
import type { Blobs, Descriptor } from '../../model/blob.ts';
import type { Accelerator } from './accelerator.ts';
import type { ControlGroups } from './control-groups.ts';
import type { Layout } from './layout.ts';
import type { Namespaces } from './namespaces.ts';

/** What the parts of the driver share. */
export type DriverContext = {
  readonly pool: string;
  readonly layout: Layout;
  readonly namespaces: Namespaces;
  readonly groups: ControlGroups;
  /** Folder of this process for files that are not finished; swept when the process is gone. */
  readonly drafts: string;
  readonly blobs: Blobs;
  /** This installation's own program that stands beside machines; compiled when it is not stored. */
  readonly attendant: (signal: AbortSignal) => Promise<Descriptor>;
  /** The kit that was built last; undefined while there is none. */
  readonly kit: () => Promise<Digest | undefined>;
  /** Bounds work that keeps a whole processor busy. */
  readonly heavy: LimitFunction;
  /** Disks of layers that are being made now, by their source's digest. */
  readonly disksInMaking: Map<Digest, Promise<string>>;
  /** Lets one change of packet rules follow another. */
  readonly rules: LimitFunction;
  /** Finds the accelerator for guests of a kit; tried once. */
  readonly accelerator: (kit: Digest | undefined, signal: AbortSignal) => Promise<Accelerator>;
};
