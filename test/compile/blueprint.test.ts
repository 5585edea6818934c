import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Compiled, compile } from '../../engine/compile/compile.ts';
import type { CompileInputs } from '../../engine/compile/settle-parameters.ts';
import { canonicalJson } from '../../engine/digest.ts';
import { type Blueprint, instancesOf } from '../../engine/model/blueprint.ts';
import { readSource } from '../../engine/read/read-source.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const site = resolve('test/fixtures/applications/site');
const catalogs = [resolve('test/fixtures/catalog')];
const given = { set: { token: 'HUNTER2-token' } };

async function compiled(folder: string, inputs: CompileInputs | null = given): Promise<Compiled> {
  const source = await readSource(folder, { catalogs, workingDirectory: folder });
  return compile(source, inputs, () => []);
}

async function blueprintOf(t: ExecutionContext, folder: string, inputs?: CompileInputs): Promise<Blueprint> {
  const { blueprint, problems } = await compiled(folder, inputs);
  t.deepEqual(problems, []);
  if (blueprint === null) return t.fail() as never;
  return blueprint;
}

test('an application compiles to a flat blueprint with every value settled', async (t) => {
  const expected = join(site, 'blueprint.json');

  const blueprint = await blueprintOf(t, site);

  const text = `${JSON.stringify(blueprint, null, 2)}\n`;
  if (process.env['UPDATE'] === '1') writeFileSync(expected, text);
  t.is(text, readFileSync(expected, 'utf8'));
});

test('same input, same bytes, wherever it lies', async (t) => {
  const copy = temporaryFolder(t);
  cpSync(site, copy, { recursive: true });

  const [one, two] = [await blueprintOf(t, site), await blueprintOf(t, copy)];

  t.is(canonicalJson(one), canonicalJson(two));
});

test('the order of a description does not change the blueprint', async (t) => {
  const text = readFileSync(join(site, 'application.yaml'), 'utf8');
  const [head, wires = ''] = text.split('wires:\n');
  const turned = temporaryFolder(t, {
    'application.yaml': `${head}wires:\n${wires.trimEnd().split('\n').toReversed().join('\n')}\n`,
    'app/index.html': '<p>hello</p>\n',
  });

  const [one, two] = [await blueprintOf(t, site), await blueprintOf(t, turned)];

  t.is(canonicalJson(one), canonicalJson(two));
});

test('a blueprint is frozen all the way down', async (t) => {
  const blueprint = await blueprintOf(t, site);

  const isFrozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(isFrozen));
  t.true(isFrozen(blueprint));
});

test('instances are numbered from 1, in start order', async (t) => {
  const blueprint = await blueprintOf(t, site);

  t.deepEqual(
    instancesOf(blueprint).map(({ name }) => name),
    [
      'gate.1',
      'mail.1',
      'shop/db.1',
      'shop/relay.1',
      'shop/web.1',
      'store.1',
      'web.1',
      'web.2',
      'web.3',
      'lb.1',
      'door.1',
    ],
  );
});

test('a secret never stands in what compiling gives, but where it is handed over', async (t) => {
  const { givenSecrets, ...rest } = await compiled(site);

  t.deepEqual([...givenSecrets], [['parameter/token', 'HUNTER2-token']]);
  t.false(
    JSON.stringify(rest, (_, value) => (value instanceof Map ? [...value] : value)).includes('HUNTER2'),
  );
});

test('a secret that the deployment has need not be given again', async (t) => {
  const { problems } = await compiled(site, { set: {}, heldSecrets: ['parameter/token'] });

  t.deepEqual(problems, []);
});

test('without inputs problems are found, and nothing is settled', async (t) => {
  const { blueprint, problems } = await compiled(site, null);

  t.deepEqual(problems, []);
  t.is(blueprint, null);
});

test('given parameters are read by their type', async (t) => {
  const blueprint = await blueprintOf(t, site, { set: { ...given.set, limit: '1.5MiB', title: 'Given' } });

  const web = blueprint.appliances.find(({ path }) => path === 'web');
  t.deepEqual(web?.properties['upload'], { value: 1_572_864, origin: 'parameter limit' });
  t.deepEqual(web?.properties['title'], { value: 'Given', origin: 'parameter title' });
});

test('templates, contents and images come with the blueprint that names them', async (t) => {
  const source = await readSource(resolve('applications/guestbook'), {
    catalogs: [resolve('appliances')],
    workingDirectory: resolve('.'),
  });

  const { blueprint, templates, contents, images } = compile(source, { set: {} }, () => []);

  const named = blueprint?.appliances.flatMap(({ files }) => files.map(({ template }) => template)) ?? [];
  t.true(named.length > 0);
  for (const digest of named) t.true(templates.has(digest));
  t.deepEqual(
    contents.map(({ appliance, name, to }) => `${appliance} ${name} ${to}`),
    ['web app /srv/app'],
  );
  t.deepEqual(
    images.map(({ name }) => name),
    ['gateway', 'haproxy', 'php', 'postgresql'],
  );
});
