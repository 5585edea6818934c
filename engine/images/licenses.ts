import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { findInside } from '../read/find-inside.ts';
import type { InstalledPackage } from './packages.ts';

const largestNotice = 2 ** 20;
const longestName = 100;

/**
 * Adds to packages the licences that their notices name, where those are machine-readable.
 *
 * The root may come from a hostile set-up script: links that leave it are not followed.
 *
 * @source Debian policy 12.5; DEP-5, machine-readable debian/copyright
 */
export async function withLicenses(
  packages: readonly InstalledPackage[],
  root: string,
): Promise<readonly InstalledPackage[]> {
  const found: InstalledPackage[] = [];
  for (const each of packages) {
    const licenses = licensesIn(await readNotice(root, each.name));
    found.push(licenses.length === 0 ? each : { ...each, licenses });
  }
  return found;
}

/** Lists the names of licences in a notice, sorted; none when it is not machine-readable. */
export function licensesIn(notice: string): readonly string[] {
  if (!/^Format(-Specification)?:\s*\S*(copyright-format|dep5)/im.test(notice.slice(0, 1000))) return [];
  const names = [...notice.matchAll(/^License:[ \t]*(\S.*)$/gm)]
    .flatMap(([, expression = '']) => expression.split(/\s+(?:and|or)\s+|,\s*(?:and\s+|or\s+)?/i))
    .map((name) => name.trim())
    .filter((name) => name !== '' && name.length <= longestName);
  return [...new Set(names)].sort();
}

async function readNotice(root: string, name: string): Promise<string> {
  const inside = await findInside(root, `usr/share/doc/${name}/copyright`).catch(() => undefined);
  if (inside === undefined || 'code' in inside) return '';
  try {
    // a pipe in its place would make the opening wait for ever
    await using file = await open(inside.file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await file.stat()).isFile()) return '';
    const buffer = Buffer.alloc(largestNotice);
    const { bytesRead } = await file.read(buffer, 0, largestNotice, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return ''; // what cannot be read names no licence
  }
}
