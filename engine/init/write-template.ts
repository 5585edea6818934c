import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import type { TemplateKind } from '../model/template-kind.ts';
import { orNotWritable } from '../not-writable.ts';
import { systemCode } from '../system-code.ts';

/** What shall be begun, and where. */
export type TemplateRequest = {
  readonly kind: TemplateKind;
  readonly name: string;
  /** Absolute; made when absent. */
  readonly folder: string;
  /** Folder of the templates: one folder a kind. */
  readonly templates: string;
};

// the pattern of names in the schemas
const namePattern = /^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$/;

/**
 * Begins a description from its template, in a folder that is absent or empty. A failure leaves nothing.
 *
 * @returns the files that were written, relative to the folder, sorted
 * @throws EngineError INPUT_REFUSED (a name that is none, a folder with something in it), DISK_FULL, ROOT_REQUIRED
 */
export async function writeTemplate(request: TemplateRequest): Promise<readonly string[]> {
  const { kind, name, folder, templates } = request;
  if (!namePattern.test(name))
    throw new EngineError('INPUT_REFUSED', `${JSON.stringify(name)} is no name`, {
      hint: 'Take lower-case letters, digits and hyphens, a letter first; at most 31 characters.',
    });
  await requireEmpty(folder);
  const source = join(templates, kind);
  const files = (await readdir(source, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(source.length + 1))
    .sort();
  const made = await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw orNotWritable(error, folder);
  });
  try {
    for (const file of files) {
      const path = join(folder, file);
      await mkdir(dirname(path), { recursive: true });
      const text = await readFile(join(source, file), 'utf8');
      await writeFile(path, file === `${kind}.yaml` ? named(text, name) : text);
    }
  } catch (error) {
    const begun = made === undefined ? (await readdir(folder)).map((entry) => join(folder, entry)) : [made];
    for (const path of begun) await rm(path, { recursive: true, force: true });
    throw orNotWritable(orDiskFull(error, folder), folder);
  }
  return files;
}

/** Puts the name where the template says `example`: its own name, and the names in its comments. */
function named(text: string, name: string): string {
  return text.replace(/(?<=^name: |--as |uses: )example\b/gm, name);
}

async function requireEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    if (systemCode(error) === 'ENOTDIR') return [basename(folder)];
    throw orNotWritable(error, folder);
  });
  if (names.length > 0)
    throw new EngineError('INPUT_REFUSED', `${folder} is not empty`, {
      hint: 'Name a folder that does not exist yet; nothing is overwritten.',
    });
}
