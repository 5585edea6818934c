import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's root folder. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** One import of a source file. */
export type Import = {
  /** The importing file, relative to the root. */
  readonly from: string;
  /** The imported file relative to the root, or the package's name, or `node:…`. */
  readonly to: string;
  readonly isLocal: boolean;
  /** Gone at run time: `import type`. */
  readonly isTypeOnly: boolean;
};

/** Lists the TypeScript sources under folders, relative to the root, sorted. */
export function sourcesUnder(...folders: readonly string[]): readonly string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts'))
        .map((file) => join(folder, file)),
    )
    .sort();
}

/** Reads a source file. */
export function readSource(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

const importPattern =
  /^\s*(?:import|export)\s+(?<type>type\s)?(?:[\w*{}\s,$]+?\sfrom\s+)?'(?<static>[^']+)'|\bimport\(\s*'(?<dynamic>[^']+)'\s*\)|new URL\('(?<url>[^']+\.ts)', import\.meta\.url\)/gm;

/** Finds what a file imports, statically, dynamically or as a worker's file. */
export function importsOf(file: string): readonly Import[] {
  return [...readSource(file).matchAll(importPattern)].map(({ groups = {} }) => {
    const target = groups['static'] ?? groups['dynamic'] ?? groups['url'] ?? '';
    const isLocal = target.startsWith('.');
    return {
      from: file,
      to: isLocal ? relative(root, normalize(join(root, dirname(file), target))) : packageOf(target),
      isLocal,
      isTypeOnly: groups['type'] !== undefined,
    };
  });
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
