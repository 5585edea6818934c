import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { Recorded, ScaledReplicas } from '../model/store.ts';

/** What stands first in a backup of a deployment. Secrets are not in it. */
export type BackupManifest = {
  readonly kind: 'DeploymentBackup';
  /** Raised whenever an older program would misread it. */
  readonly format: 1;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Name of the deployment. */
  readonly name: string;
  readonly blueprint: Blueprint;
  readonly inputs: { readonly set: Readonly<Record<string, string>>; readonly scale?: ScaledReplicas };
  /** Its instances as they were recorded: what they run is in them. */
  readonly instances: readonly Extract<Recorded, { readonly kind: 'instance' }>[];
  /** Ids of the backups in which blocks of this one lie, nearest first. */
  readonly bases: readonly Digest[];
  /** The key of the marks in the entries of each volume. */
  readonly volumes: readonly { readonly key: string; readonly marksKey: string }[];
};

/** What stands last: everything before it, by digest. Its own digest is the backup's id. */
export type BackupIndex = {
  readonly manifest: Digest;
  readonly parts: readonly BackupPart[];
  readonly volumes: readonly {
    readonly key: string;
    /** Path of the part with its entries. */
    readonly entries: string;
    /** Latest time of change in it, in nanoseconds since 1970. */
    readonly youngest: string;
  }[];
};

/** One part of a backup. */
export type BackupPart = { readonly path: string; readonly digest: Digest; readonly size: number };

/** Names of the parts. */
export const partNames = {
  manifest: 'manifest.json',
  secrets: 'secrets.json',
  index: 'index.json',
  pack: (number: number): string => `packs/${String(number).padStart(8, '0')}`,
  entries: (number: number): string => `volumes/${number}.entries.zst`,
  blob: (digest: Digest): string => `blobs/${digest.replace(':', '/')}`,
} as const;

/** Makes the error for a file that is no whole backup. */
export function unreadable(file: string, why: string, cause?: unknown): EngineError {
  return new EngineError('BACKUP_UNREADABLE', `${file} is no whole backup: ${why}`, {
    hint: 'Take another copy of it. Nothing was changed.',
    details: { file },
    cause,
  });
}
