import { join } from 'node:path';
import type { Blobs } from './model/blob.ts';
import type { Store } from './model/store.ts';
import { closeProcessFolder, openProcessFolder } from './process-folder.ts';
import { openBlobs } from './store/blob-folder.ts';
import { type RestoreAnswer, type RestoreRequest, restoreState } from './store/restore.ts';
import { openSecretBox, type SecretBox } from './store/secrets.ts';
import { openStore } from './store/store.ts';
import { makeFolder } from './whole-file.ts';

/** What the engine keeps between its lives, opened. */
export type State = {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly secretBox: SecretBox;
  /** Folder for unfinished work. */
  readonly scratch: string;
  /** Folder for what only saves time. */
  readonly cache: string;
  readonly close: () => Promise<void>;
};

/**
 * Opens the state that lies in a folder, which is made (0700) when absent.
 *
 * @param keyFile - with the key of the secrets; made when first needed
 * @throws EngineError STATE_NEWER, STATE_CORRUPT, DISK_FULL
 */
export async function openState(folders: {
  readonly home: string;
  readonly keyFile: string;
}): Promise<State> {
  const { home, keyFile } = folders;
  await makeFolder(home);
  const drafts = join(home, 'drafts');
  const scratch = join(home, 'scratch');
  const blobs = await openBlobs(join(home, 'blobs'), { temporary: drafts });
  const store = openStore(join(home, 'state.db'));
  return {
    store,
    blobs,
    secretBox: openSecretBox(keyFile),
    scratch,
    cache: join(home, 'cache'),
    close: async () => {
      store.close();
      for (const folder of [drafts, scratch]) await closeProcessFolder(folder);
    },
  };
}

/** Puts a backup of the state in place of what lies in a folder. @throws EngineError as `restoreState` */
export async function restoreHome(
  request: Pick<RestoreRequest, 'file' | 'keyFile' | 'isReplacing' | 'at'> & { readonly home: string },
): Promise<RestoreAnswer> {
  const { home, ...rest } = request;
  await makeFolder(home);
  const drafts = join(home, 'drafts');
  const scratch = join(home, 'scratch');
  const blobs = await openBlobs(join(home, 'blobs'), { temporary: drafts });
  try {
    return await restoreState({
      ...rest,
      database: join(home, 'state.db'),
      blobs,
      scratch: await openProcessFolder(scratch),
    });
  } finally {
    for (const folder of [drafts, scratch]) await closeProcessFolder(folder);
  }
}
