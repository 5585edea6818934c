import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { writeTemplate } from '../../engine/init/write-template.ts';
import { templateKinds } from '../../engine/model/template-kind.ts';
import { root, runCli, temporaryFolder } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';

const templates = join(root, 'templates');

for (const kind of templateKinds)
  test(`a new ${kind} checks clean, bears its name and tells its files`, async (t) => {
    const folder = await temporaryFolder(t);

    const begun = await runCli(['init', kind, 'shop', '--json'], { folder });
    const checked = await runCli(['check', 'shop'], { folder });

    const answer = JSON.parse(begun.stdout);
    t.deepEqual(violations('init', answer), []);
    t.true(answer.files.includes(`${kind}.yaml`));
    t.regex(await readFile(join(folder, 'shop', `${kind}.yaml`), 'utf8'), /^name: shop$/m);
    t.is(checked.stdout, 'no problems\n', checked.stdout);
    t.deepEqual(await readdir(folder), ['shop']);
  });

test('an appliance that was begun in an application can be used by it', async (t) => {
  const folder = await temporaryFolder(t);
  await runCli(['init', 'application', 'shop'], { folder });
  const text = await readFile(join(folder, 'shop/application.yaml'), 'utf8');

  await runCli(['init', 'appliance', 'page', 'shop/appliances/page'], { folder });

  await writeFile(
    join(folder, 'shop/application.yaml'),
    text
      .replace('uses: php@^1', 'uses: page@^1')
      .replace(/^ +content: .*\n +properties:\n +title: .*\n/m, ''),
  );
  const checked = await runCli(['check', 'shop'], { folder });
  t.regex(checked.stdout, /^no problems|0 errors|PARAMETER_UNUSED/m);
  t.is(checked.code, 0, checked.stdout);
});

test('a folder with something in it is refused and stays as it is', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'shop'));
  await writeFile(join(folder, 'shop/mine'), 'mine');

  const attempt = writeTemplate({
    kind: 'application',
    name: 'shop',
    folder: join(folder, 'shop'),
    templates,
  });

  await t.throwsAsync(attempt, { code: 'INPUT_REFUSED', message: /is not empty/ });
  t.deepEqual(await readdir(folder, { recursive: true }), ['shop', 'shop/mine']);
});

test('a file in the place of the folder is refused', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'shop'), 'mine');

  const attempt = writeTemplate({
    kind: 'application',
    name: 'shop',
    folder: join(folder, 'shop'),
    templates,
  });

  await t.throwsAsync(attempt, { code: 'INPUT_REFUSED' });
});

for (const name of ['Shop', 'my shop', '../shop', '', 'a'.repeat(32)])
  test(`${JSON.stringify(name)} is refused as a name, and nothing is made`, async (t) => {
    const folder = await temporaryFolder(t);

    const attempt = writeTemplate({ kind: 'appliance', name, folder: join(folder, 'new'), templates });

    await t.throwsAsync(attempt, { code: 'INPUT_REFUSED', message: /is no name/ });
    t.deepEqual(await readdir(folder), []);
  });

test('an empty folder may be named, also the one that is current', async (t) => {
  const folder = await temporaryFolder(t);

  const files = await writeTemplate({ kind: 'application', name: 'shop', folder, templates });

  t.true(files.includes('application.yaml'));
});
