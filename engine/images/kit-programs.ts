import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../command.ts';

/** The programs of the kit that are ours. */
const kitPrograms = ['supervisor', 'attendant'] as const;

/** The bytes of each of {@link kitPrograms}. */
export type KitPrograms = Readonly<Record<(typeof kitPrograms)[number], Uint8Array>>;

// static, without paths, build ids or the state of a repository: equal sources and equal Go give equal bytes
const flags = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w -buildid='];

/**
 * Compiles the kit's programs for linux/amd64. Needs no network.
 *
 * @param sources - the folder of the Go module
 * @param scratch - a folder for the result and for what Go keeps while it works
 */
export async function buildKitPrograms(
  sources: string,
  scratch: string,
  signal: AbortSignal,
): Promise<KitPrograms> {
  const bin = join(scratch, 'bin');
  await mkdir(bin, { recursive: true });
  await runCommand('go', ['build', ...flags, '-o', `${bin}/`, ...kitPrograms.map((name) => `./${name}`)], {
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
  const [supervisor, attendant] = await Promise.all([
    readFile(join(bin, 'supervisor')),
    readFile(join(bin, 'attendant')),
  ]);
  return { supervisor, attendant };
}
