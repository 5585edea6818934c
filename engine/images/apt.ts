import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOutput, runCommand } from '../command.ts';
import { EngineError } from '../errors.ts';
import { nearestName } from '../formats/nearest-name.ts';
import type { LockedPackages } from '../model/lock.ts';
import { parseRelease, readSourcesFiles, selectSources } from './apt-sources.ts';
import { orImageFailed } from './image-failure.ts';
import { runInNamespace } from './namespace.ts';

/** An apt of our own: the machine's mirrors and keys, but lists, archives and state in folders that we name. */
export type Apt = {
  /** File for `APT_CONFIG`. */
  readonly config: string;
  /** Folder with the file of the versions that are taken. */
  readonly preferences: string;
  /** deb822 file with the sources of the suite. */
  readonly sources: string;
  /** The machine's settings for reaching mirrors (proxies, retries …), one statement a line. */
  readonly settings: readonly string[];
  /** Folder of this build's package lists, empty until they are fetched. */
  readonly lists: string;
  /** Folder of the package lists last fetched for the suite, kept from build to build. */
  readonly keptLists: string;
  /** Folder of downloaded packages, kept from build to build. */
  readonly archives: string;
  /** Held by whoever fetches into `keptLists` or `archives`. */
  readonly lock: string;
};

/** What apt is opened for. */
export type AptOptions = {
  readonly suite: string;
  /** Folder for what is kept. */
  readonly cache: string;
  /** Folder for this build alone. */
  readonly scratch: string;
  /** The root whose package database counts. */
  readonly root: string;
  /** Versions that are taken, whatever newer ones there are. */
  readonly pins?: LockedPackages;
  readonly signal: AbortSignal;
};

const fetchTimeoutMs = 30 * 60_000;

/** Writes the configuration under which apt works for one build. @throws EngineError IMAGE_FAILED when no source serves the suite */
export async function openApt(options: AptOptions): Promise<Apt> {
  const { cache, pins = {}, root, signal, suite } = options;
  const scratch = join(options.scratch, 'apt');
  const apt: Apt = {
    config: join(scratch, 'apt.conf'),
    preferences: join(scratch, 'etc/preferences.d'),
    sources: join(scratch, 'etc/sources.list.d/debian.sources'),
    settings: await readSettings(signal),
    lists: join(scratch, 'lists'),
    keptLists: join(cache, 'lists', suite),
    archives: join(cache, 'archives'),
    lock: join(cache, 'lock'),
  };
  for (const folder of ['etc/sources.list.d', 'etc/apt.conf.d', 'etc/preferences.d', 'state', 'cache', 'log'])
    await mkdir(join(scratch, folder), { recursive: true, mode: 0o700 });
  for (const folder of [apt.lists, apt.keptLists, apt.archives])
    await mkdir(join(folder, 'partial'), { recursive: true, mode: 0o700 });

  await writeFile(join(apt.preferences, 'pins'), preferencesText(pins));
  const release = parseRelease(await readFile('/etc/os-release', 'utf8').catch(() => ''));
  await writeFile(apt.sources, selectSources(await readSourcesFiles('/etc/apt'), suite, release));
  await writeFile(
    apt.config,
    [
      ...apt.settings,
      `Dir::Etc "${scratch}/etc";`,
      'Dir::Etc::Trusted "/etc/apt/trusted.gpg";',
      'Dir::Etc::TrustedParts "/etc/apt/trusted.gpg.d";',
      `Dir::State "${scratch}/state";`,
      `Dir::State::Lists "${apt.lists}";`,
      `Dir::State::Status "${root}/var/lib/dpkg/status";`,
      `Dir::Cache "${scratch}/cache";`,
      `Dir::Cache::Archives "${apt.archives}";`,
      `Dir::Log "${scratch}/log";`,
      'Acquire::Languages "none";',
      'APT::Architecture "amd64";',
      'APT::Architectures { "amd64"; };',
      'APT::Install-Recommends "false";',
      'APT::Get::Assume-Yes "true";',
      'APT::Sandbox::User "root";', // the user _apt may not enter the owner's folders
      'Debug::NoLocking "true";', // one lock of ours waits where apt's would fail at once
      'Dpkg::Use-Pty "false";',
      'DPkg::Options { "--force-unsafe-io"; "--force-confdef"; };',
      '',
    ].join('\n'),
  );
  return apt;
}

/**
 * Fetches the package lists, or takes those of an earlier time when the mirrors do not answer.
 *
 * The build gets a copy, because another build may fetch newer ones while it installs.
 *
 * @throws EngineError IMAGE_FAILED when there are none at all
 */
export async function fetchLists(apt: Apt, signal: AbortSignal): Promise<void> {
  const fetchAndCopy = 'apt-get -o "Dir::State::Lists=$1" update && cp -a "$1/." "$2"';
  const { stderr } = await fetchWith(apt, 'apt-get update', signal, [
    ...['sh', '-c', fetchAndCopy, 'sh', apt.keptLists, apt.lists],
  ]);
  const lists = await readdir(apt.lists);
  if (!lists.some((name) => /_Packages(\.|$)/.test(name)))
    throw new EngineError('IMAGE_FAILED', `no package list could be fetched: ${lastLines(stderr)}`, {
      hint: 'Check the network and the apt sources of this machine.',
    });
}

/**
 * Fetches packages and all that they need beyond what the root has.
 *
 * @throws EngineError IMAGE_FAILED naming a package that does not exist, with the nearest that does
 */
export async function fetchPackages(
  apt: Apt,
  packages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await fetchWith(apt, 'apt-get install', signal, [
      ...['apt-get', 'install', '--download-only', ...packages],
    ]);
  } catch (error) {
    const text = error instanceof EngineError && error.code === 'IMAGE_FAILED' ? error.message : '';
    const missing = /E: (?:Unable to locate package |Package ')([a-z0-9][a-z0-9.+-]*)/.exec(text)?.[1];
    if (missing === undefined) throw error;
    const nearest = nearestName(missing, await similarNames(apt, missing, signal));
    throw new EngineError('IMAGE_FAILED', `there is no package ${missing}`, {
      hint: nearest === undefined ? 'Check the name of the package.' : `Did you mean ${nearest}?`,
      details: { package: missing },
      cause: error,
    });
  }
}

/** Installs fetched packages into a root that no process uses, without the network. Starts nothing that they bring. */
export async function installPackages(
  apt: Apt,
  root: string,
  packages: readonly string[],
  options: { readonly signal: AbortSignal; readonly onLine: (line: string) => void },
): Promise<void> {
  await runInNamespace(
    'sh',
    [inRootScript, root, 'install', apt.archives, 'install', '--no-download', ...packages],
    { ...options, hasNetwork: false, timeoutMs: fetchTimeoutMs, environment: { APT_CONFIG: apt.config } },
  );
}

/** The script that prepares a root for a program; see there. */
export const inRootScript: string = new URL('./in-root.sh', import.meta.url).pathname;

/** @source apt_preferences(5): above 1000 a version is taken even where it is older than what is there */
function preferencesText(pins: LockedPackages): string {
  return Object.entries(pins)
    .map(([name, { version }]) => `Package: ${name}\nPin: version ${version}\nPin-Priority: 1001\n`)
    .join('\n');
}

async function fetchWith(
  apt: Apt,
  act: string,
  signal: AbortSignal,
  command: readonly string[],
): Promise<CommandOutput> {
  try {
    return await runInNamespace('flock', [apt.lock, ...command], {
      hasNetwork: true,
      signal,
      timeoutMs: fetchTimeoutMs,
      environment: { APT_CONFIG: apt.config },
    });
  } catch (error) {
    throw orImageFailed(error, act, 'Check the network and the apt sources of this machine.');
  }
}

async function readSettings(signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await runCommand('apt-config', ['dump'], { signal });
  return [
    ...stdout
      .split('\n')
      .filter((line) => /^Acquire::(http|https|Retries|Check-|ForceIPv|Proxy)/i.test(line)),
    'Dir::Etc::Netrc "/etc/apt/auth.conf";',
    'Dir::Etc::NetrcParts "/etc/apt/auth.conf.d";',
  ];
}

/** Names that begin as the wrong one does; there are sixty thousand, too many to compare with each. */
async function similarNames(apt: Apt, name: string, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await runCommand('apt-cache', ['pkgnames', name.slice(0, 2)], {
    signal,
    environment: { APT_CONFIG: apt.config },
  });
  return stdout.split('\n').filter(Boolean).sort();
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join('\n');
}
