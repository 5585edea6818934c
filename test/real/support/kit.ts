import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Digest, isDigest } from '../../../engine/digest.ts';
import { buildKit } from '../../../engine/images/kit.ts';
import type { Blobs, Refs } from '../../../engine/model/blob.ts';
import type { NamedKit } from '../../../engine/model/kit.ts';
import { openBlobs } from '../../../engine/store/blob-folder.ts';

const checkout = fileURLToPath(new URL('../../..', import.meta.url));

/** Gives the kit of these sources, and the blobs that hold it; built once for all tests and runs of tests. */
export async function testKit(): Promise<NamedKit & { readonly blobs: Blobs }> {
  const home = join(checkout, '.cache', 'test-kit');
  await mkdir(home, { recursive: true });
  const blobs = await openBlobs(join(home, 'blobs'), { temporary: join(home, 'unfinished') });
  const names = join(home, 'refs.json');
  const known = new Map(Object.entries(await readNames(names)));
  const refs: Refs = {
    get: (name) => known.get(name),
    set: (name, digest) => void known.set(name, digest),
  };
  const { signal } = new AbortController();
  const report = (): void => undefined;
  const scratch = join(home, 'scratch');
  const kit = await buildKit({ sources: join(checkout, 'kit'), blobs, refs, scratch, signal, report });
  await writeFile(names, JSON.stringify(Object.fromEntries(known)));
  return { ...kit, blobs };
}

async function readNames(path: string): Promise<Readonly<Record<string, Digest>>> {
  const text = await readFile(path, 'utf8').catch(() => '{}');
  const names: Readonly<Record<string, unknown>> = JSON.parse(text);
  return Object.fromEntries(
    Object.entries(names).flatMap(([name, digest]) =>
      typeof digest === 'string' && isDigest(digest) ? [[name, digest]] : [],
    ),
  );
}
