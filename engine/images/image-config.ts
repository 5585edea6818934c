import { type Digest, isDigest } from '../digest.ts';
import type { ImageDefaults } from '../model/image-defaults.ts';
import { imageHealth } from './image-health.ts';
import { packagesLabel } from './image-manifest.ts';
import { isObject, type JsonObject, listOf, objectOf, unreadable } from './json-blob.ts';
import type { InstalledPackage } from './packages.ts';

// those of kit/internal/process/signal.go, by their numbers on amd64
const signals: Readonly<Record<number, string>> = {
  1: 'HUP',
  2: 'INT',
  3: 'QUIT',
  9: 'KILL',
  10: 'USR1',
  12: 'USR2',
  15: 'TERM',
  28: 'WINCH',
};

/** What counts of an image's configuration. */
export type ImageConfig = {
  /** Of the tars that the layers hold, lowest first. */
  readonly diffIds: readonly Digest[];
  /** Empty for an image that was not made here. */
  readonly packages: readonly InstalledPackage[];
  readonly defaults: ImageDefaults;
};

/**
 * Reads an image's configuration, of OCI's form or Docker's; they are alike.
 *
 * @param digest - of the text, for messages
 * @throws EngineError BLOB_CORRUPT
 * @source OCI image specification 1.1, config.md
 */
export function readImageConfig(value: JsonObject, digest: Digest): ImageConfig {
  const diffIds = listOf(objectOf(value['rootfs'], digest)['diff_ids'], digest);
  if (!diffIds.every((id): id is Digest => typeof id === 'string' && isDigest(id)))
    throw unreadable(digest, 'does not name the tars of its layers');
  const settings = isObject(value['config']) ? value['config'] : {};
  return { diffIds, packages: packagesOf(settings, digest), defaults: defaultsOf(settings, digest) };
}

function packagesOf(settings: JsonObject, digest: Digest): readonly InstalledPackage[] {
  const labels = isObject(settings['Labels']) ? settings['Labels'] : {};
  const label = labels[packagesLabel];
  if (typeof label !== 'string') return [];
  try {
    return listOf(JSON.parse(label), digest).map((item) => {
      const { name, version, architecture, sha256, licenses } = objectOf(item, digest);
      return {
        ...{ name: String(name), version: String(version), architecture: String(architecture) },
        ...(typeof sha256 === 'string' && { sha256 }),
        ...(Array.isArray(licenses) && { licenses: licenses.map(String) }),
      };
    });
  } catch (cause) {
    throw unreadable(digest, 'has a broken list of packages', cause);
  }
}

function defaultsOf(settings: JsonObject, digest: Digest): ImageDefaults {
  const user = textOf(settings['User'], digest);
  const directory = textOf(settings['WorkingDir'], digest);
  const environment = Object.fromEntries(
    textsOf(settings['Env'], digest).map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
  const surroundings = {
    environment,
    ...(user !== '' && { user }),
    ...(directory !== '' && { directory }),
  };
  const health = imageHealth(settings['Healthcheck'], surroundings, digest);
  return {
    command: [...textsOf(settings['Entrypoint'], digest), ...textsOf(settings['Cmd'], digest)],
    ...surroundings,
    stopSignal: stopSignalOf(textOf(settings['StopSignal'], digest)),
    volumes: isObject(settings['Volumes']) ? Object.keys(settings['Volumes']).sort() : [],
    ports: isObject(settings['ExposedPorts']) ? Object.keys(settings['ExposedPorts']).flatMap(portOf) : [],
    ...(health && { health }),
  };
}

/** Reads `SIGQUIT`, `QUIT` or `3`; one that supervisors do not send becomes TERM. */
function stopSignalOf(text: string): string {
  const name = /^\d+$/.test(text) ? signals[Number(text)] : text.replace(/^SIG/, '');
  return Object.values(signals).find((known) => known === name) ?? 'TERM';
}

/** Reads `8080/tcp`, where `/tcp` may be left out; what is no single port says nothing. */
function portOf(text: string): ImageDefaults['ports'] {
  const [, number, transport = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const port = Number(number);
  return port >= 1 && port <= 65535 ? [{ port, transport: transport === 'udp' ? 'udp' : 'tcp' }] : [];
}

function textOf(value: unknown, digest: Digest): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' && !value.includes('\0')) return value;
  throw unreadable(digest, 'has settings that are no text');
}

/** Reads a list of texts that may be left out. @throws EngineError BLOB_CORRUPT */
export function textsOf(value: unknown, digest: Digest): readonly string[] {
  if (value === undefined || value === null) return [];
  return listOf(value, digest).map((item) => textOf(item, digest));
}
