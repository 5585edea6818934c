import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { packFile } from '../../catalog/index.ts';
import { quiet, sampleBundle } from '../catalog/sample-bundle.ts';
import { runCli, temporaryFolder } from './run-cli.ts';

test('who publishes and withdraws with a key of his own needs no policy; who pulls needs one', async (t) => {
  const folder = await temporaryFolder(t);
  const { contents, source } = sampleBundle();
  await packFile({ contents, source, file: join(folder, 'sample.sheaf') }, quiet);
  const sheaf = async (...args: readonly string[]) =>
    await runCli(args, {
      folder,
      environment: { SHEAF_HOME: join(folder, 'home'), XDG_CONFIG_HOME: join(folder, 'config') },
    });
  const key = ['--key', 'acme.key'];
  await sheaf('key', 'new', 'acme', '--plain');

  const published = await sheaf('publish', 'sample.sheaf', '--to', 'shelf', ...key);
  const again = await sheaf('publish', 'sample.sheaf', '--to', 'shelf', ...key);
  const pulled = await sheaf('pull', 'sample', '--catalog', 'shelf', '--json');
  const yanked = await sheaf('yank', 'sample@1.0.0', '--reason', 'old', '--catalog', 'shelf', ...key);

  t.is(published.code, 0, published.stderr);
  t.is(again.code, 0, again.stderr);
  t.is(yanked.code, 0, yanked.stderr);
  t.not(pulled.code, 0);
  t.regex(pulled.stdout, /SIGNATURE_UNTRUSTED.*sheaf key trust/);
});

test('a catalog of others takes nothing that is not signed, and says so before anything is sent', async (t) => {
  const folder = await temporaryFolder(t);
  await packFile({ ...sampleBundle(), file: join(folder, 'sample.sheaf') }, quiet);
  const sheaf = async (...args: readonly string[]) =>
    await runCli([...args, '--json'], {
      folder,
      environment: { SHEAF_HOME: join(folder, 'home'), XDG_CONFIG_HOME: join(folder, 'config') },
    });

  const refused = await sheaf('publish', 'sample.sheaf', '--to', 'shelf');
  const isEmpty = !existsSync(join(folder, 'shelf'));
  const taken = await sheaf('publish', 'sample.sheaf', '--to', 'shelf', '--insecure');
  const own = await sheaf('publish', 'sample.sheaf', '--to', join(folder, 'home/catalog'));
  const found = await sheaf('check', 'sample@^1', '--catalog', 'shelf');

  t.regex(refused.stdout, /SIGNATURE_MISSING.*--key/);
  t.true(isEmpty);
  t.is(taken.code, 0, taken.stdout + taken.stderr);
  t.is(own.code, 0, own.stdout + own.stderr);
  t.regex(found.stdout, /SIGNATURE_MISSING.*--insecure/);
});
