import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { toolPackages, toolPath } from '../engine/command.ts';

// Prints the Debian packages whose programs this machine lacks, in one line; nothing when it lacks none.

/** Programs that only the tests run, and the Debian packages that bring them. */
const testPackages = {
  buildah: 'buildah',
  chromium: 'chromium',
  'cloud-init': 'cloud-init',
  curl: 'curl',
  dockerd: 'docker.io',
  'docker-registry': 'docker-registry',
  fish: 'fish',
  jq: 'jq',
  openssl: 'openssl',
  python3: 'python3-minimal',
  sfdisk: 'fdisk',
  skopeo: 'skopeo',
  zsh: 'zsh',
};
/** Packages that bring no program, and a file that only they bring. */
const filePackages = { 'debian-archive-keyring': '/usr/share/keyrings/debian-archive-keyring.gpg' };
/** The same, for tests alone. */
const testFilePackages = {
  'golang-github-opencontainers-image-spec-dev':
    '/usr/share/gocode/src/github.com/opencontainers/image-spec/schema/image-manifest-schema.json',
};

const withTests = process.argv.includes('--tests');
const folders = toolPath().split(':').filter(Boolean);
const missing = [
  ...Object.entries({ ...toolPackages, ...(withTests && testPackages) })
    .filter(([tool]) => !folders.some((folder) => isThere(join(folder, tool), constants.X_OK)))
    .map(([, debianPackage]) => debianPackage),
  ...Object.entries({ ...filePackages, ...(withTests && testFilePackages) })
    .filter(([, file]) => !isThere(file, constants.R_OK))
    .map(([debianPackage]) => debianPackage),
];
if (missing.length > 0) console.log([...new Set(missing)].sort().join(' '));

function isThere(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}
