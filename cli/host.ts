import type { Readable, Writable } from 'node:stream';
import type { Engine } from '../engine/index.ts';
import type { Bundles } from './bundles.ts';
import type { CatalogOptions, Catalogs } from './catalogs.ts';
import type { Style } from './output/style.ts';

/** A stream that may be a terminal, and then has a size. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/** The process as a verb sees it: where to read and write, in which form, and when to stop. */
export type Host = {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Standard output is a terminal that understands escape codes. Never true together with `isJson`. */
  readonly isTerminal: boolean;
  readonly isJson: boolean;
  readonly style: Style;
  /** What to type to run this program, `sheaf` or `npx sheaf`. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The working folder. */
  readonly folder: string;
  /** Fires when the user wants the verb to end. */
  readonly signal: AbortSignal;
  /** Puts the engine together on the first call; closed by whoever runs the verb. */
  engine(options?: CatalogOptions): Promise<Engine>;
  /** What bundles are handled with; cheap. */
  bundles(options?: CatalogOptions): Promise<Bundles>;
  /** What catalogs are handled with; cheap, and closed by whoever asks for them. */
  catalogs(options?: CatalogOptions): Promise<Catalogs>;
  /** Writes lines for people to standard output. */
  print(text: string): void;
  /** Writes one line of JSON to standard output. */
  printJson(value: unknown): void;
  /** Writes lines for people to standard error. */
  warn(text: string): void;
};

/**
 * How a verb takes the user's wish to end it.
 *
 * `reads` ends at once; `changes` is told by the signal, ends cleanly and can be resumed; `follows` goes on until
 * then, so that being ended is success.
 */
export type VerbKind = 'reads' | 'changes' | 'follows';

/** Runs a verb's work and sees to its failures. The work returns the exit code. */
export type RunVerb = (kind: VerbKind, work: (host: Host) => Promise<number>) => Promise<void>;
