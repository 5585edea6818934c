import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../engine/digest.ts';
import { writeWhole } from '../../engine/whole-file.ts';
import type { UploadMemory } from './upload.ts';

/** Opens the memory of unfinished uploads that lies in a folder, one file (0600) an upload. */
export function openUploadMemory(folder: string): UploadMemory {
  const fileOf = (key: string): string => join(folder, digestOf(key).slice('sha256:'.length));
  return {
    recall: async (key) => await readFile(fileOf(key), 'utf8').catch(() => undefined),
    remember: (key, place) => writeWhole(fileOf(key), place),
    forget: (key) => rm(fileOf(key), { force: true }),
  };
}
