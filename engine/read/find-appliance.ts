import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isVersion, newestFirst } from '../formats/semver.ts';

/** Where a description of an appliance or assembly lies; the version is known when its folder is named for it. */
export type ApplianceFile = { readonly file: string; readonly version?: string };

/** Lists the names that a folder of appliances has; none when there is no such folder. */
export async function listNames(place: string): Promise<readonly string[]> {
  const entries = await readdir(place, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => entry.name)
    .sort();
}

/**
 * Lists where the descriptions of one name lie in a folder of appliances: `NAME/appliance.yaml`, then those in
 * `NAME/VERSION/`, newest first. An `assembly.yaml` stands for an appliance wherever there is none.
 */
export async function listFiles(place: string, name: string): Promise<readonly ApplianceFile[]> {
  const folder = join(place, name);
  const names = await listFolderNames(folder);
  const direct = descriptionIn(folder, names);
  const files: ApplianceFile[] = direct === undefined ? [] : [{ file: direct }];
  for (const version of newestFirst(names.filter(isVersion))) {
    const inner = join(folder, version);
    const file = descriptionIn(inner, await listFolderNames(inner));
    if (file !== undefined) files.push({ file, version });
  }
  return files;
}

/** Lists what lies in a folder; nothing when there is none. */
export async function listFolderNames(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch(() => []);
}

/** Gives where the description of an appliance or assembly lies in a folder. @param names - of all that lies in it */
export function descriptionIn(folder: string, names: readonly string[]): string | undefined {
  const name = ['appliance.yaml', 'assembly.yaml'].find((candidate) => names.includes(candidate));
  return name === undefined ? undefined : join(folder, name);
}
