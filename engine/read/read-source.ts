import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import { memberOf, valuesOf } from '../model/members.ts';
import type { OuterAppliances } from '../model/outer-appliances.ts';
import { type Description, type Resolution, resolutionKey, type Source } from '../model/source.ts';
import type { PackedPlaces } from './read-attachments.ts';
import { descriptionFiles, readDescription } from './read-description.ts';
import { readLock } from './read-lock.ts';
import { createResolver } from './resolve-uses.ts';

/** Where {@link readSource} looks. */
export type ReadOptions = {
  /** Folders of appliances, in the order in which they are asked. */
  readonly catalogs: readonly string[];
  /** Absolute. Relative paths count from it, and files in problems are named relative to it. */
  readonly workingDirectory: string;
  /** Names whose locked version shall give way to the newest allowed one. */
  readonly update?: readonly string[];
  /** Of a source that comes packed. */
  readonly packedPlaces?: PackedPlaces;
  /** Asked for appliances that no folder has. */
  readonly outer?: OuterAppliances;
  readonly signal?: AbortSignal;
};

/**
 * Reads an application, assembly or appliance with everything that it uses.
 *
 * Whatever is wrong with the texts is noted in the source, not thrown; {@link compile} turns it into problems.
 *
 * @param path - a folder with a description, or a description
 * @throws EngineError SOURCE_MISSING, OPERATION_INTERRUPTED
 */
export async function readSource(path: string, options: ReadOptions): Promise<Source> {
  const { workingDirectory, signal, packedPlaces } = options;
  const file = await findDescription(resolve(workingDirectory, path), path);
  const { description: root, findings } = await readDescription(file, workingDirectory, signal, packedPlaces);
  const { lock, findings: lockFindings } = await readLock(dirname(file), workingDirectory);
  const unlocked = new Set(options.update ?? []);
  const locked = new Map<string, Map<string, Digest | undefined>>();
  for (const { name, version, bundle } of Object.values(lock?.lock.appliances ?? {})) {
    const versions = locked.get(name) ?? new Map<string, Digest | undefined>();
    if (!unlocked.has(name)) locked.set(name, versions.set(version, bundle ?? versions.get(version)));
  }
  const resolver = createResolver({
    folder: dirname(file),
    catalogs: options.catalogs.map((catalog) => resolve(workingDirectory, catalog)),
    workingDirectory,
    locked,
    ...(options.outer && { outer: options.outer }),
    ...(signal && { signal }),
    ...(packedPlaces && { packedPlaces }),
  });
  const resolutions = new Map<string, Resolution>();
  const waiting: Description[] = [root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const uses of usesIn(next)) {
      const key = resolutionKey(next, uses);
      if (resolutions.has(key)) continue;
      const resolution = await resolver.resolve(uses, next);
      resolutions.set(key, resolution);
      if (resolution.kind === 'found') waiting.push(resolution.newest, ...resolution.locked.values());
    }
  }
  return {
    root,
    resolutions,
    lock,
    unlocked,
    findings: [...findings, ...lockFindings, ...resolver.findings],
  };
}

async function findDescription(place: string, shown: string): Promise<string> {
  const candidates = [place, ...descriptionFiles.map((name) => join(place, name))];
  for (const candidate of candidates) {
    const facts = await stat(candidate).catch(() => undefined);
    if (facts?.isFile()) return candidate;
  }
  throw new EngineError('SOURCE_MISSING', `${shown} is no application, assembly or appliance`, {
    hint: `Name a folder that holds ${descriptionFiles.join(', ')}, or such a file.`,
    details: { path: shown },
  });
}

/** Gives what a description uses, once each, whatever its shape. */
function usesIn(description: Description): ReadonlySet<string> {
  if (description.kind === 'appliance') return new Set();
  const found = new Set<string>();
  for (const use of valuesOf(memberOf(description.value, 'appliances'))) {
    const uses = memberOf(use, 'uses');
    if (typeof uses === 'string') found.add(uses);
  }
  return found;
}
