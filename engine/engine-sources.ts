import { join } from 'node:path';
import { type Loaded, load, requireSound } from './compile/load.ts';
import type { CompileInputs } from './compile/settle-parameters.ts';
import type { CallOptions } from './engine-options.ts';
import { type EngineParts, owner } from './engine-parts.ts';
import { EngineError } from './errors.ts';
import { nameHint } from './formats/nearest-name.ts';
import type { PackedSource } from './model/packed-source.ts';
import type { DeployRequest } from './model/request.ts';
import { loadPacked } from './packing/load-packed.ts';
import { orStored } from './packing/or-stored.ts';
import { listNames } from './read/find-appliance.ts';
import type { UpRequest } from './run/decide-up.ts';

/** Reads and compiles a folder or description. @param inputs - null where nothing is to be deployed @param update - names whose locked version is let go */
export async function loadSource(
  parts: EngineParts,
  path: string,
  inputs: CompileInputs | null,
  options: CallOptions,
  update: readonly string[] = [],
): Promise<Loaded> {
  const { catalogs, workingDirectory } = parts.options;
  const folders = { catalogs, workingDirectory, update };
  return await parts.withOuter(options, async (outer) =>
    load(path, inputs, { ...folders, ...(outer && { outer }) }),
  );
}

/** Reads a folder, or opens what comes packed; the latter stays open while `use` works. */
export async function withSource<T>(
  parts: EngineParts,
  source: string,
  inputs: CompileInputs | null,
  options: CallOptions,
  use: (loaded: Loaded, packed: PackedSource | undefined) => Promise<T>,
): Promise<T> {
  const opened = await parts.options.openPacked?.(source, options);
  // a delta's texts may be stored already, but what only reads must not make a store
  const packed = opened && inputs ? orStored(opened, (await parts.open()).blobs) : opened;
  if (packed === undefined) return await use(await loadSource(parts, source, inputs, options), undefined);
  try {
    const scratch = join(parts.options.home, 'scratch');
    return await use(await loadPacked(source, packed, inputs, scratch), packed);
  } finally {
    await packed.close();
  }
}

/** Compiles what shall be deployed and puts given secrets apart from all that is stored plainly. */
export async function prepareRequest<T>(
  parts: EngineParts,
  request: DeployRequest,
  options: CallOptions,
  use: (upRequest: UpRequest, loaded: Loaded, packed: PackedSource | undefined) => Promise<T>,
): Promise<T> {
  const { name, source, set, expose } = request;
  const { store } = await parts.open();
  const current = await store.deployment(owner, name);
  const held = current ? await store.secrets(current.id) : [];
  const recorded = current?.spec.inputs.set ?? {};
  const inputs = { set, recorded, expose, heldSecrets: held.map((secret) => secret.name) };
  return await withSource(parts, source, inputs, options, async (loaded, packed) => {
    const { blueprint, givenSecrets } = requireSound(source, loaded).compiled;
    if (blueprint === null) {
      throw new EngineError('SOURCE_MISSING', `${source} is no application, so it cannot be deployed`, {
        hint: 'Name a folder with an application.yaml, or a bundle of an application.',
      });
    }
    const open = Object.entries({ ...recorded, ...set }).filter(
      ([key]) => !givenSecrets.has(`parameter/${key}`),
    );
    const given = { set: Object.fromEntries(open), expose };
    return await use({ owner, name, blueprint, inputs: given, secrets: givenSecrets }, loaded, packed);
  });
}

/** Finds the folders of appliances of the catalog folders; all when none is named. @throws EngineError SOURCE_MISSING */
export async function applianceFolders(
  parts: EngineParts,
  names: readonly string[],
): Promise<readonly string[]> {
  const found = new Map<string, string>();
  for (const catalog of parts.options.catalogs)
    for (const name of await listNames(catalog)) if (!found.has(name)) found.set(name, join(catalog, name));
  if (names.length === 0) return [...found.values()];
  return names.map((name) => {
    const folder = found.get(name);
    if (folder !== undefined) return folder;
    throw new EngineError('SOURCE_MISSING', `there is no appliance ${name}`, {
      hint: nameHint(name, [...found.keys()]),
    });
  });
}
