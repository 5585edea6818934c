import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../command.ts';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';

/** A program of the kit that is ours. */
export type KitProgram = 'supervisor' | 'attendant';

/** The media type of a program of the kit. */
export const programMediaType = 'application/vnd.sheaf.kit.program.v1.elf';

// static, without paths, build ids or the state of a repository: equal sources and equal Go give equal bytes
const flags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w -buildid='];

/**
 * Compiles programs of the kit for linux/amd64. Needs no network.
 *
 * @param sources - the folder of the Go module
 * @param scratch - a folder for the result and for what Go keeps while it works
 */
export async function buildKitPrograms<Name extends KitProgram>(
  names: readonly Name[],
  sources: string,
  scratch: string,
  signal: AbortSignal,
): Promise<Readonly<Record<Name, Uint8Array>>> {
  const bin = join(scratch, 'bin');
  await mkdir(bin, { recursive: true });
  await runCommand('go', ['build', ...flags, '-o', `${bin}/`, ...names.map((name) => `./${name}`)], {
    signal,
    directory: sources,
    timeoutMs: 600_000,
    environment: {
      HOME: scratch,
      GOCACHE: join(scratch, 'go-cache'),
      GOPATH: join(scratch, 'go'),
      GOENV: 'off',
      GOPROXY: 'off',
      GOFLAGS: '-mod=mod',
      GOWORK: 'off',
      GOOS: 'linux',
      GOARCH: 'amd64',
      GOAMD64: 'v1',
      CGO_ENABLED: '0',
    },
  });
  const programs: Partial<Record<Name, Uint8Array>> = {};
  for (const name of names) programs[name] = await readFile(join(bin, name));
  return programs as Record<Name, Uint8Array>; // there is one for each name
}

/** Gives one digest for everything that the Go compiler reads: names and bytes of all sources but the tests. */
export async function digestSources(folder: string): Promise<Digest> {
  const names = (await readdir(folder, { recursive: true }))
    .filter((name) => (name.endsWith('.go') && !name.endsWith('_test.go')) || name === 'go.mod')
    .sort();
  const files = await Promise.all(
    names.map(async (name) => [name, digestOf(await readFile(join(folder, name)))] as const),
  );
  return digestOf(canonicalJson(files));
}
