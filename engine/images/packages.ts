import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A Debian package that an image holds. */
export type InstalledPackage = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Of the package's archive file, in hexadecimal; absent for an image of an older Sheaf. */
  readonly sha256?: string;
  /** As the package's own machine-readable notice names them, such as `GPL-2+`; absent where it is not readable. */
  readonly licenses?: readonly string[];
};

/** Lists the packages installed in a root, by name. @source dpkg(1), the format of `/var/lib/dpkg/status` */
export async function readPackages(root: string): Promise<readonly InstalledPackage[]> {
  const status = await readFile(join(root, 'var/lib/dpkg/status'), 'utf8');
  return status
    .split('\n\n')
    .flatMap((paragraph) => {
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
      const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
      const isInstalled = field('Status')?.endsWith(' installed') ?? false;
      if (name === undefined || version === undefined || architecture === undefined || !isInstalled)
        return [];
      return [{ name, version, architecture }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.architecture < b.architecture ? -1 : 1));
}
