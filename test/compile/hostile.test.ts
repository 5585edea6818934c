import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { compile } from '../../engine/compile/compile.ts';
import { graphOfSource } from '../../engine/compile/graph-of-source.ts';
import { lockOf } from '../../engine/compile/lock.ts';
import { descriptionLimits, parseYaml } from '../../engine/formats/parse-yaml.ts';
import { writeYaml } from '../../engine/formats/yaml.ts';
import { renderGraph } from '../../engine/graph/render-graph.ts';
import { graphFormats } from '../../engine/model/request.ts';
import { problemTable } from '../../engine/problem-table.ts';
import { readSource } from '../../engine/read/read-source.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const catalogs = [resolve('test/fixtures/catalog'), resolve('appliances')];
const samples = [
  'test/fixtures/applications/site/application.yaml',
  'test/fixtures/catalog/web/appliance.yaml',
  'test/fixtures/catalog/shop/assembly.yaml',
  'appliances/postgresql/appliance.yaml',
].map((file) => readFileSync(file, 'utf8'));
const values = samples.map((text) => parseYaml(text, descriptionLimits).value);

const junk = fc.oneof(
  fc.constantFrom(
    null,
    '',
    'web',
    'web.db -> db.in',
    'constructor',
    '__proto__',
    -1,
    1e21,
    0.1,
    '../x',
    '1GiB',
    true,
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

test('no change to a good description makes anything but problems', async (t) => {
  const folder = temporaryFolder(t);
  const change = fc.record({
    sample: fc.nat(values.length - 1),
    steps: fc.array(fc.nat(30), { maxLength: 6 }),
    value: junk,
    mode: fc.constantFrom('replace', 'remove', 'add'),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ sample, steps, value, mode }) => {
      const changed = structuredClone(values[sample]);
      alter(changed, steps, value, mode);
      writeFileSync(join(folder, 'application.yaml'), writeYaml(changed));

      await survives(folder, t);
    }),
    { numRuns: 400 },
  );
});

test('no cut, doubled or misplaced piece of text makes anything but problems', async (t) => {
  const folder = temporaryFolder(t);
  const edit = fc.record({
    sample: fc.nat(samples.length - 1),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(40),
    insert: fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom('\n', '  ', '- ', ': ', '&a ', '*a ', '!x ', '{', '}', '"'),
    ),
  });
  await fc.assert(
    fc.asyncProperty(edit, async ({ sample, at, length, insert }) => {
      const text = samples[sample] ?? '';
      const start = Math.floor(at * text.length);
      const name = /^kind: (\w+)$/m.exec(text)?.[1]?.toLowerCase() ?? 'application';
      const inner = temporaryFolder(t, {
        [`${name}.yaml`]: text.slice(0, start) + insert + text.slice(start + length),
      });

      await survives(inner, t);
    }),
    { numRuns: 300 },
  );
  await t.throwsAsync(readSource(folder, { catalogs, workingDirectory: folder }), { code: 'SOURCE_MISSING' });
});

async function survives(
  folder: string,
  t: { true(value: boolean, message?: string): unknown },
): Promise<void> {
  const source = await readSource(folder, { catalogs, workingDirectory: folder });
  const { blueprint, problems } = compile(source, { set: { token: 'x' } }, () => []);
  for (const { code, line, column, message } of problems) {
    t.true(Object.hasOwn(problemTable, code) && line >= 1 && column >= 1 && message !== '');
  }
  t.true(blueprint === null || problems.every(({ severity }) => severity === 'warning'));
  for (const format of graphFormats) renderGraph(graphOfSource(source), format);
  lockOf(source);
}

/** Follows numbers down into a value, and changes what they lead to. */
function alter(root: unknown, steps: readonly number[], value: unknown, mode: string): void {
  let holder = root as Record<string, unknown>;
  for (const step of steps.slice(0, -1)) {
    const keys = Object.keys(holder);
    const next = holder[keys[step % Math.max(1, keys.length)] ?? ''];
    if (typeof next !== 'object' || next === null) break;
    holder = next as Record<string, unknown>;
  }
  const keys = Object.keys(holder);
  const key = keys[(steps.at(-1) ?? 0) % Math.max(1, keys.length)] ?? 'x';
  if (mode === 'replace') holder[key] = value;
  else if (mode === 'add') holder[typeof value === 'string' ? value : 'added'] = value;
  else Reflect.deleteProperty(holder, key);
}
