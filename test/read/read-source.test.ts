import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { memberOf } from '../../engine/model/members.ts';
import type { Source } from '../../engine/model/source.ts';
import { readSource } from '../../engine/read/read-source.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const application = (uses: string) =>
  `apiVersion: sheaf/v1\nkind: Application\nname: app\nversion: 1.0.0\nappliances:\n  web: {uses: "${uses}"}\n`;
const appliance = (name: string, version: string, more = '') =>
  `apiVersion: sheaf/v1\nkind: Appliance\nname: ${name}\nversion: ${version}\n${more}`;
const lock = (version: string) =>
  `{"apiVersion": "sheaf/v1", "kind": "Lock", "appliances": {"web": {"name": "web", "version": "${version}", "digest": "sha256:${'0'.repeat(64)}"}}}`;

function chosen(source: Source, uses: string): unknown {
  const resolution = source.resolutions.get(uses);
  return resolution?.kind === 'found' ? memberOf(resolution.newest.value, 'version') : resolution?.kind;
}

const versions = Object.fromEntries(
  ['1.0.0', '1.4.0', '1.10.0', '2.0.0', '2.1.0-rc.1'].map((version) => [
    `catalog/web/${version}/appliance.yaml`,
    appliance('web', version),
  ]),
);

async function read(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
  update?: readonly string[],
) {
  const folder = temporaryFolder(t, files);
  return await readSource('app', {
    catalogs: ['catalog', 'more'],
    workingDirectory: folder,
    ...(update && { update }),
  });
}

test('a use resolves to the newest allowed version', async (t) => {
  for (const [range, version] of [
    ['^1', '1.10.0'],
    ['*', '2.0.0'],
    ['~1.4', '1.4.0'],
    ['2.1.0-rc.1', '2.1.0-rc.1'],
  ]) {
    const uses = `web@${range}`;

    const source = await read(t, { ...versions, 'app/application.yaml': application(uses) });

    t.is(chosen(source, uses), version, range);
  }
});

test('an appliance of the application itself comes before any catalog', async (t) => {
  const source = await read(t, {
    ...versions,
    'app/application.yaml': application('web@^1'),
    'app/appliances/web/appliance.yaml': appliance('web', '1.1.0'),
  });

  t.is(chosen(source, 'web@^1'), '1.1.0');
});

test('a catalog without an allowed version gives way to the next', async (t) => {
  const source = await read(t, {
    ...versions,
    'app/application.yaml': application('web@^3'),
    'app/appliances/web/appliance.yaml': appliance('web', '1.1.0'),
    'more/web/appliance.yaml': appliance('web', '3.0.1'),
  });

  t.is(chosen(source, 'web@^3'), '3.0.1');
});

test('locked versions are read beside the newest, and not when they shall give way', async (t) => {
  const files = {
    ...versions,
    'app/application.yaml': application('web@^1'),
    'app/sheaf.lock': lock('1.4.0'),
  };

  const kept = (await read(t, files)).resolutions.get('web@^1');
  const updated = (await read(t, files, ['web'])).resolutions.get('web@^1');

  t.deepEqual(kept?.kind === 'found' && [...kept.locked.keys()], ['1.4.0']);
  t.deepEqual(updated?.kind === 'found' && [...updated.locked.keys()], []);
});

test('assemblies bring what they use', async (t) => {
  const source = await read(t, {
    'app/application.yaml': application('shop@^1'),
    'catalog/shop/assembly.yaml': `apiVersion: sheaf/v1\nkind: Assembly\nname: shop\nversion: 1.0.0\nappliances:\n  a: {uses: inner@^1}\n`,
    'catalog/inner/appliance.yaml': appliance('inner', '1.0.0'),
  });

  t.is(chosen(source, 'shop@^1'), '1.0.0');
  t.is(chosen(source, 'inner@^1'), '1.0.0');
});

test('files are named relative to the working folder, and do not depend on where it lies', async (t) => {
  const files = {
    'app/application.yaml': application('web@^1'),
    'app/appliances/web/appliance.yaml': appliance('web', '1.0.0', 'files: [{path: /x, template: x.njk}]\n'),
    'app/appliances/web/x.njk': 'x\n',
  };

  const [one, two] = [await read(t, files), await read(t, files)];

  t.is(one.root.text.file, 'app/application.yaml');
  const found = [one, two].map((source) => source.resolutions.get('web@^1'));
  const digests = found.map((each) => each?.kind === 'found' && each.newest.digest);
  t.is(digests[0], digests[1]);
});

test('an appliance is digested with its templates', async (t) => {
  const digests = [];
  for (const template of ['one\n', 'two\n']) {
    const source = await read(t, {
      'app/application.yaml': application('web@^1'),
      'catalog/web/appliance.yaml': appliance('web', '1.0.0', 'files: [{path: /x, template: x.njk}]\n'),
      'catalog/web/x.njk': template,
    });
    const found = source.resolutions.get('web@^1');
    digests.push(found?.kind === 'found' && found.newest.digest);
  }

  t.not(digests[0], digests[1]);
});

test('a description may be named itself', async (t) => {
  const folder = temporaryFolder(t, {
    'any.yaml': application('web@^1'),
    'appliance.yaml': appliance('web', '1.0.0'),
  });

  const named = await readSource('any.yaml', { catalogs: [], workingDirectory: folder });
  const found = await readSource('.', { catalogs: [], workingDirectory: folder });

  t.is(named.root.kind, 'application');
  t.is(found.root.kind, 'appliance');
});

test('a place without a description is told as such', async (t) => {
  const folder = temporaryFolder(t, { 'empty/readme.txt': '' });

  for (const path of ['empty', 'nowhere', 'empty/readme.txt/deeper']) {
    await t.throwsAsync(readSource(path, { catalogs: [], workingDirectory: folder }), {
      code: 'SOURCE_MISSING',
    });
  }
});

test('catalogs may be reached by symbolic links, an application’s own appliances may not', async (t) => {
  const folder = temporaryFolder(t, { ...versions, 'app/application.yaml': application('web@^1') });
  renameSync(join(folder, 'catalog'), join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'catalog'));

  const allowed = await readSource('app', { catalogs: ['catalog'], workingDirectory: folder });
  mkdirSync(join(folder, 'app/appliances'));
  symlinkSync(join(folder, 'real/web'), join(folder, 'app/appliances/web'));
  const refused = await readSource('app', { catalogs: ['catalog'], workingDirectory: folder });

  t.is(chosen(allowed, 'web@^1'), '1.10.0');
  t.is(chosen(refused, 'web@^1'), 'refused');
});
