import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOutput, runCommand } from '../command.ts';
import { EngineError } from '../errors.ts';

/** A Debian package in one exact version. */
export type DebianPackage = { readonly name: string; readonly version: string };

/** The Debian packages that a kit is made of. */
export type KitPackages = { readonly kernel: DebianPackage; readonly busybox: DebianPackage };

const kernelAlias = 'linux-image-cloud-amd64';

/**
 * Asks apt which packages a kit would be built from now. Needs no network.
 *
 * @returns undefined when apt knows no such packages, or is not there
 */
export async function findKitPackages(signal: AbortSignal): Promise<KitPackages | undefined> {
  let output: CommandOutput;
  try {
    output = await runCommand('apt-cache', ['show', '--no-all-versions', kernelAlias, 'busybox-static'], {
      signal,
    });
  } catch (cause) {
    if (cause instanceof EngineError && (cause.code === 'TOOL_FAILED' || cause.code === 'TOOL_MISSING'))
      return undefined;
    throw cause;
  }
  return parseKitPackages(output.stdout);
}

/** Reads the answer of `apt-cache show` for the kernel's alias and busybox. */
export function parseKitPackages(text: string): KitPackages | undefined {
  const stanzas = text
    .split(/\n\n+/)
    .map(
      (stanza) =>
        new Map(
          [...stanza.matchAll(/^([A-Za-z-]+): (.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
        ),
    );
  const find = (name: string): ReadonlyMap<string, string> | undefined =>
    stanzas.find((stanza) => stanza.get('Package') === name);
  // the alias depends on the one real package that it stands for
  const kernel = /^(linux-image-\S+) \(= (\S+)\)$/.exec(find(kernelAlias)?.get('Depends') ?? '');
  const busybox = find('busybox-static')?.get('Version');
  const [, name, version] = kernel ?? [];
  if (name === undefined || version === undefined || busybox === undefined) return undefined;
  return { kernel: { name, version }, busybox: { name: 'busybox-static', version: busybox } };
}

/**
 * Downloads and unpacks packages into one folder; apt checks their digests against the signed archive.
 *
 * @param folder - an empty folder
 */
export async function unpackPackages(
  packages: readonly DebianPackage[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const downloads = `${folder}.debs`;
  await mkdir(downloads, { recursive: true });
  await runCommand(
    'apt-get',
    // the account that apt downloads by cannot write here
    [
      '-q',
      '-o',
      'APT::Sandbox::User=root',
      'download',
      ...packages.map(({ name, version }) => `${name}=${version}`),
    ],
    { signal, directory: downloads, timeoutMs: 600_000 },
  );
  for (const file of (await readdir(downloads)).sort()) {
    await runCommand('dpkg-deb', ['-x', join(downloads, file), folder], { signal, timeoutMs: 300_000 });
  }
}
