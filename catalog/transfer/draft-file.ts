import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Descriptor } from '../../engine/model/blob.ts';
import { openYoungCollector } from '../../engine/young-garbage.ts';

/** A file of known length whose parts are written in any order, several side by side. */
export interface DraftFile {
  /** Writes a stream from a position on. @throws whatever the stream throws, and the system's errors */
  write(position: number, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<void>;
  /** Tells whether a part lies whole at a position, by its digest. */
  holds(position: number, part: Descriptor): Promise<boolean>;
  /** Brings all of it to the disk, and lets go of it. */
  finish(): Promise<void>;
  /** Lets go of it as it is. */
  close(): Promise<void>;
}

/** Bytes of one write. */
const batchBytes = 256 * 1024;
/** What may wait for the disk; who brings more waits too. */
const mostQueuedBytes = 4 * 2 ** 20;
/** After how much the disk is given work: so that little is left to wait for at the end. */
const syncEveryBytes = 64 * 2 ** 20;
const readBytes = 2 ** 20;

/**
 * Opens a file to be written in parts; what lies in it stays.
 *
 * One write at a time: threads that write one file at once spend their time on waiting for the kernel's lock on it.
 */
export async function openDraftFile(path: string, bytes: number): Promise<DraftFile> {
  const file = await open(path, 'r+');
  let turn: Promise<void> = file.truncate(bytes);
  let queuedBytes = 0;
  let unsyncedBytes = 0;
  let syncing: Promise<void> | undefined;
  const collect = openYoungCollector();

  const syncAlong = (): void => {
    if (syncing !== undefined || unsyncedBytes < syncEveryBytes) return;
    unsyncedBytes = 0;
    // a failure must not get lost: the system tells each only once
    syncing = file.datasync().then(() => {
      syncing = undefined;
    });
    syncing.catch(() => undefined);
  };
  const queue = (batch: readonly Uint8Array[], length: number, position: number): Promise<void> => {
    queuedBytes += length;
    turn = turn.then(async () => {
      await writeAll(file, batch, length, position);
      queuedBytes -= length;
      unsyncedBytes += length;
      collect(length);
      syncAlong();
    });
    turn.catch(() => undefined); // told to each who waits
    return turn;
  };

  return {
    write: async (position, content) => {
      let at = position;
      let batch: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of content instanceof Uint8Array ? [content] : content) {
        batch.push(chunk);
        length += chunk.byteLength;
        if (length < batchBytes) continue;
        const written = queue(batch, length, at);
        at += length;
        batch = [];
        length = 0;
        if (queuedBytes > mostQueuedBytes) await written;
      }
      await queue(batch, length, at);
    },
    holds: async (position, { digest, size }) => {
      const hash = createHash('sha256');
      const chunk = Buffer.allocUnsafe(Math.min(size, readBytes));
      for (let done = 0; done < size; ) {
        const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, size - done), position + done);
        if (bytesRead === 0) return false;
        hash.update(chunk.subarray(0, bytesRead));
        done += bytesRead;
      }
      return `sha256:${hash.digest('hex')}` === digest;
    },
    finish: async () => {
      try {
        await turn;
        await syncing;
        await file.sync();
      } finally {
        await file.close();
      }
    },
    close: async () => {
      await turn.catch(() => undefined);
      await syncing?.catch(() => undefined);
      await file.close();
    },
  };
}

async function writeAll(
  file: FileHandle,
  batch: readonly Uint8Array[],
  length: number,
  position: number,
): Promise<void> {
  if (length === 0) return;
  const { bytesWritten } = await file.writev(batch, position);
  if (bytesWritten === length) return;
  // a disk that is nearly full takes a part; the next write says why
  const rest = Buffer.concat(batch).subarray(bytesWritten);
  await writeAll(file, [rest], rest.length, position + bytesWritten);
}
