import type { Digest } from '../digest.ts';
import type { ProblemCode } from '../problem-table.ts';
import type { ContentEntry } from './content-listing.ts';
import type { FileText, Finding } from './finding.ts';
import type { Lock } from './lock.ts';
import type { Published } from './outer-appliances.ts';

/** The kinds of description. */
export type DescriptionKind = 'appliance' | 'assembly' | 'application';

/** A file or folder that a description names, as it was found. */
export type Attachment =
  | { readonly kind: 'text'; readonly text: string; readonly digest: Digest }
  | {
      readonly kind: 'folder';
      /** Absolute. */
      readonly folder: string;
      /** Of the canonical listing. */
      readonly digest: Digest;
      /** None when the folder comes packed. */
      readonly entries: readonly ContentEntry[];
    }
  | { readonly kind: 'disk' /** Absolute. */; readonly file: string; readonly digest: Digest }
  | {
      readonly kind: 'refused';
      readonly code: ProblemCode;
      readonly message: string;
      readonly hint: string;
    };

/** One description as read: well-formed YAML at best, checked against nothing yet. */
export type Description = {
  readonly kind: DescriptionKind;
  readonly text: FileText;
  /** Undefined when the text could not be parsed. */
  readonly value: unknown;
  /** Absolute. */
  readonly folder: string;
  /** Of the description, its templates, setup script and disk; what the lock pins. */
  readonly digest: Digest;
  /** By kind and path as written: `text site.njk`, `folder ./app`, `disk image.qcow2`. */
  readonly attachments: ReadonlyMap<string, Attachment>;
  /** Of what came out of a catalog; `isRoot` when it is what the bundle was made for, and not a part of it. */
  readonly published?: Published & { readonly isRoot: boolean };
};

/** A version that a catalog has, for messages. */
export type KnownVersion = {
  readonly version: string;
  /** The catalog. */
  readonly place: string;
  /** Why it was withdrawn. */
  readonly yanked?: string;
};

/** What was found for one `NAME@RANGE`. */
export type Resolution =
  | {
      readonly kind: 'found';
      /** The newest allowed version of the first place that has one. */
      readonly newest: Description;
      /** Allowed versions that the lock names, by version. */
      readonly locked: ReadonlyMap<string, Description>;
      /** Why a version of these was withdrawn, by version. */
      readonly yanked?: ReadonlyMap<string, string>;
    }
  /** Nothing has this name. */
  | { readonly kind: 'unknown'; readonly names: readonly string[] }
  /** No version is in the range; newest first. */
  | {
      readonly kind: 'unsatisfiable';
      /** Of folders. */
      readonly versions: readonly string[];
      /** Of catalogs. */
      readonly offered: readonly KnownVersion[];
    }
  /** What was found may not be used. */
  | { readonly kind: 'refused'; readonly code: ProblemCode; readonly message: string; readonly hint: string }
  /** The text is no name and range; the fault tells which of the two. */
  | { readonly kind: 'unreadable'; readonly fault: 'name' | 'range' };

/** Everything that compiling needs, read once from the disk. */
export type Source = {
  readonly root: Description;
  /** By {@link resolutionKey}, of every appliance in use at any depth. */
  readonly resolutions: ReadonlyMap<string, Resolution>;
  /** Of `sheaf.lock`, when there is a good one. */
  readonly lock: { readonly text: FileText; readonly lock: Lock } | null;
  /** Names whose locked version shall not be preferred. */
  readonly unlocked: ReadonlySet<string>;
  /** What was wrong with texts. */
  readonly findings: readonly Finding[];
};

/** Names a use in {@link Source.resolutions}: what a bundle holds uses what lies beside it there, and nothing else. */
export function resolutionKey({ published }: Pick<Description, 'published'>, uses: string): string {
  return published === undefined ? uses : `${published.identity} ${uses}`;
}

/** Names an attachment in {@link Description.attachments}. */
export function attachmentKey(kind: 'text' | 'folder' | 'disk', path: string): string {
  return `${kind} ${path}`;
}
