import test from 'ava';
import { type Import, importsOf, readSource, sourcesUnder } from './imports.ts';

/** Folders of the engine by level, from 1 up; the leaf files right in `engine/` are level 0. */
const levels = [
  ['model', 'formats'],
  ['init', 'read', 'graph', 'render'],
  ['compile', 'place', 'plan', 'images', 'store', 'volumes', 'drivers'],
  ['run', 'packing'],
  ['move', 'backup'],
];
/** Beyond what the levels say. */
const exceptions: Readonly<Record<string, readonly string[]>> = { formats: ['engine/model/', 'schemas/'] };
// The table of who may import whom: itself and what stands on lower levels. The first line whose folder holds a file is
// that file's.
const rules: readonly { readonly folder: string; readonly may: readonly string[] }[] = [
  ...levels.flatMap((names, level) =>
    names.map((name) => ({
      folder: `engine/${name}/`,
      may: [
        'engine/*',
        ...[...levels.slice(0, level).flat(), name].map((lower) => `engine/${lower}/`),
        ...(exceptions[name] ?? []),
      ],
    })),
  ),
  { folder: 'engine/', may: ['engine/'] },
  { folder: 'catalog/', may: ['catalog/', 'engine/*', 'engine/model/', 'engine/formats/'] },
  { folder: 'cli/', may: ['cli/', 'engine/*', 'engine/model/', 'engine/index.ts', 'catalog/index.ts'] },
  { folder: 'scripts/', may: ['scripts/', 'engine/*', 'engine/model/', 'engine/images/', 'cli/'] },
];
/** The one file beside the engine that may name drivers and put parts together. */
const compositionRoot = 'cli/compose.ts';
const parts = ['engine/', 'catalog/'];
/** Files right in `engine/` that stand above the levels; all others there are leaves. */
const topFiles = [
  'build-apart',
  'build-process',
  'engine',
  'engine-options',
  'engine-parts',
  'engine-sources',
  'index',
  'open-state',
].map((name) => `engine/${name}.ts`);
/** The one file through which each library enters. */
const doors: Readonly<Record<string, string>> = {
  '@dagrejs/graphlib': 'engine/formats/graphlib.ts',
  'age-encryption': 'engine/formats/age.ts',
  dockerode: 'engine/drivers/docker/engine-api.ts',
  ajv: 'engine/formats/schema.ts',
  'ajv-formats': 'engine/formats/schema.ts',
  'js-yaml': 'engine/formats/yaml.ts',
  nunjucks: 'engine/render/nunjucks.ts',
  re2js: 'engine/formats/pattern.ts',
  semver: 'engine/formats/semver.ts',
  'tar-stream': 'engine/formats/tar.ts',
  undici: 'catalog/registry/http.ts',
};

const engineFiles = sourcesUnder('engine');
const coreFiles = [...engineFiles, ...sourcesUnder('catalog')];
const allFiles = [...coreFiles, ...sourcesUnder('cli', 'scripts')];
const allImports = allFiles.flatMap(importsOf);

test('every import follows the table of levels', (t) => {
  const wrong = allImports.filter((entry) => entry.isLocal && !isAllowed(entry));

  t.deepEqual(wrong.map(describe), []);
});

test('leaf files of the engine import nothing but each other and Node', (t) => {
  const leaves = engineFiles.filter((file) => isLeaf(file));

  const wrong = leaves
    .flatMap(importsOf)
    .filter((entry) => (entry.isLocal ? !isLeaf(entry.to) : !entry.to.startsWith('node:')));

  t.deepEqual(wrong.map(describe), []);
});

test('engine/run knows drivers by type only', (t) => {
  const wrong = allImports.filter(
    (entry) =>
      entry.from.startsWith('engine/run/') && entry.to.startsWith('engine/drivers/') && !entry.isTypeOnly,
  );

  t.deepEqual(wrong.map(describe), []);
});

test('a driver knows no other driver', (t) => {
  const wrong = allImports.filter((entry) => {
    const [own, other] = [driverOf(entry.from), driverOf(entry.to)];
    return own !== undefined && other !== undefined && own !== other;
  });

  t.deepEqual(wrong.map(describe), []);
});

test('each library enters engine and catalog through one file', (t) => {
  const wrong = allImports.filter(
    (entry) =>
      parts.some((part) => entry.from.startsWith(part)) &&
      !entry.isLocal &&
      doors[entry.to] !== undefined &&
      doors[entry.to] !== entry.from,
  );

  t.deepEqual(wrong.map(describe), []);
});

test('no file imports itself by way of others', (t) => {
  const edges = new Map(
    allFiles.map((file) => [
      file,
      importsOf(file)
        .filter((entry) => entry.isLocal && !entry.isTypeOnly)
        .map((entry) => entry.to),
    ]),
  );

  t.deepEqual(findCycle(edges), []);
});

test('engine and catalog neither print, prompt, end the process nor read the environment', (t) => {
  const forbidden =
    /\bconsole\.\w+\(|\bprocess\.(?:exit|stdout|stderr|stdin|argv|exitCode|on|once)\b|\bprocess\.env\b/;
  // What a child process inherits; and the files that are processes of their own.
  const excused: Readonly<Record<string, RegExp>> = {
    'engine/build-apart.ts': /process\.env/,
    'engine/build-process.ts': /process\.(on|once|exit)\b/,
    'engine/command.ts': /process\.env/,
    'engine/render/render-worker.ts': /process\.(stdin|stdout)/,
  };
  const wrong = coreFiles.flatMap((file) =>
    codeLines(file)
      .filter(({ text }) => forbidden.test(text) && !excused[file]?.test(text))
      .map(({ text, number }) => `${file}:${number}: ${text.trim()}`),
  );

  t.deepEqual(wrong, []);
});

test('no plain Error is thrown', (t) => {
  const wrong = [...coreFiles, ...sourcesUnder('cli')].flatMap((file) =>
    codeLines(file)
      .filter(
        ({ text }) =>
          /throw new (?:\w*Error)\(/.test(text) &&
          !/throw new (?:EngineError|InvalidArgumentError|LocatedError)\(/.test(text),
      )
      .map(({ text, number }) => `${file}:${number}: ${text.trim()}`),
  );

  t.deepEqual(wrong, []);
});

test('every export has a docstring', (t) => {
  const wrong = allFiles.flatMap((file) => {
    const lines = readSource(file).split('\n');
    return lines.flatMap((line, index) => {
      const isExport = /^export (?:(?:async )?function|(?:abstract )?class|const|type \w|interface)/.test(
        line,
      );
      return isExport && !/\*\/\s*$/.test(lines[index - 1] ?? '') ? [`${file}:${index + 1}: ${line}`] : [];
    });
  });

  t.deepEqual(wrong, []);
});

function isAllowed({ from, to }: Import): boolean {
  if (from === compositionRoot) return ['cli/', ...parts].some((part) => to.startsWith(part));
  if (isLeaf(from)) return true; // has a test of its own
  const rule = rules.find(({ folder }) => from.startsWith(folder));
  return (
    rule === undefined ||
    rule.may.some((allowed) => (allowed === 'engine/*' ? isLeaf(to) : to.startsWith(allowed)))
  );
}

function isLeaf(file: string): boolean {
  return /^engine\/[^/]+\.ts$/.test(file) && !topFiles.includes(file);
}

function driverOf(file: string): string | undefined {
  return /^engine\/drivers\/([^/]+)\//.exec(file)?.[1];
}

function describe({ from, to }: Import): string {
  return `${from} imports ${to}`;
}

function codeLines(file: string): readonly { readonly text: string; readonly number: number }[] {
  return readSource(file)
    .split('\n')
    .map((line, index) => ({ text: line.replace(/\/\/.*$/, ''), number: index + 1 }))
    .filter(({ text }) => !/^\s*(?:\/\*\*|\*)/.test(text));
}

/** Finds one cycle, as the list of its files; empty when there is none. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return [];
    path.push(file);
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    finished.add(file);
    return [];
  };
  for (const file of edges.keys()) {
    const cycle = visit(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
