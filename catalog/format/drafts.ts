import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { orDiskFull } from '../../engine/disk-full.ts';
import { EngineError } from '../../engine/errors.ts';
import { orNotWritable } from '../../engine/not-writable.ts';
import { claimLeftover, closeProcessFolder, openProcessFolder } from '../../engine/process-folder.ts';
import { systemCode } from '../../engine/system-code.ts';

/** Where a bundle is written before it has its name: a hidden folder beside it, on the same file system. */
export interface Drafts {
  /** The file that is to be, absolute. */
  readonly target: string;
  /**
   * Begins a draft, an empty file. What dead processes left is removed.
   *
   * @param name - when given, what will be in it: who asks for the same name takes over what was left
   */
  begin(name?: string): Promise<Draft>;
}

/** An unfinished file. */
export type Draft = {
  readonly path: string;
  /** It holds what an earlier attempt had written: perhaps anything. */
  readonly isResumed: boolean;
  /** Puts it where the next attempt finds it. */
  keep(): Promise<void>;
  drop(): Promise<void>;
};

/**
 * Runs an act that writes a file, and explains its failures.
 *
 * @throws EngineError DISK_FULL, ROOT_REQUIRED, SOURCE_MISSING when there is no such folder; whatever the act throws
 */
export async function withDrafts<T>(file: string, act: (drafts: Drafts) => Promise<T>): Promise<T> {
  const target = resolve(file);
  const parent = join(dirname(target), `.${basename(target)}.drafts`);
  try {
    return await act({ target, begin: (name) => beginDraft(parent, name) });
  } catch (cause) {
    throw explained(cause, target);
  } finally {
    await closeProcessFolder(parent);
    await rmdir(parent).catch(() => undefined); // another process may write there
  }
}

async function beginDraft(parent: string, name: string | undefined): Promise<Draft> {
  const { path, isResumed } = await withFolder(async () => {
    // made by itself, since openProcessFolder would make a mistyped folder too
    await mkdir(parent, { mode: 0o700 }).catch((cause: unknown) => {
      if (systemCode(cause) !== 'EEXIST') throw cause;
    });
    const claimed = name === undefined ? undefined : await claimLeftover(parent, name);
    const folder = await openProcessFolder(parent);
    if (claimed !== undefined) return { path: claimed, isResumed: true };
    const fresh = join(folder, `${name ?? 'draft'}-${randomUUID()}`);
    await writeFile(fresh, '', { mode: 0o666 });
    return { path: fresh, isResumed: false };
  });
  return {
    path,
    isResumed,
    keep: () => (name === undefined ? rm(path) : rename(path, join(parent, name))),
    drop: () => rm(path, { force: true }),
  };
}

const attempts = 10;

/** Tries again when the folder goes: whoever is done with it removes it when it looks empty. */
async function withFolder<T>(act: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await act();
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || count >= attempts) throw error;
    }
  }
}

function explained(cause: unknown, target: string): unknown {
  const code = systemCode(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR')
    return new EngineError(
      'SOURCE_MISSING',
      `${target} cannot be written: ${dirname(target)} is no folder, or it is one itself`,
      {
        hint: 'Name a file in a folder that exists.',
        cause,
      },
    );
  return orNotWritable(orDiskFull(cause, dirname(target)), dirname(target));
}
