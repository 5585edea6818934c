import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { runCommand } from '../../engine/command.ts';
import { seedOf } from '../../engine/render/seed.ts';
import { sampleInstance } from '../render/samples.ts';

const content = 'plain\n\ttab "quote" \\ # {{ }} %{ \u0000\u0007\u001b\u007f\u0085\u2028\ufeff é 😀\n';

async function folder(remove: (how: () => Promise<void>) => void): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sheaf-seed-'));
  remove(() => rm(path, { recursive: true }));
  return path;
}

test('user data pass the schema of the real cloud-init', async (t) => {
  const file = join(await folder((how) => t.teardown(how)), 'user-data');
  const files = [
    { path: '/etc/app.conf', content, mode: '0640', owner: 'root:www-data' },
    { path: '/etc/sheaf/instance.json', content: '{}', mode: '0600' },
  ];

  await writeFile(file, seedOf(sampleInstance(), files, 'k3v9-web.1').userData);
  const { stdout } = await runCommand('cloud-init', ['schema', '--config-file', file]);

  t.regex(stdout, /^Valid cloud-config/m);
});

test('the YAML reader of cloud-init finds every file as it was', async (t) => {
  const file = join(await folder((how) => t.teardown(how)), 'user-data');

  await writeFile(
    file,
    seedOf(sampleInstance(), [{ path: '/x', content, mode: '0644' }], 'k3v9-web.1').userData,
  );
  const { stdout } = await runCommand('python3', [
    '-c',
    'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding="utf-8"))["write_files"][0]["content"]))',
    file,
  ]);

  t.is(JSON.parse(stdout), content);
});

test('the real cloud-init makes the same network of the seed', async (t) => {
  const path = await folder((how) => t.teardown(how));
  const state = sampleInstance();

  await writeFile(join(path, 'network-config'), seedOf(state, [], 'k3v9-web.1').networkConfig);
  await runCommand('cloud-init', [
    ...['devel', 'net-convert', '--network-data', join(path, 'network-config'), '--kind', 'yaml'],
    ...['--output-kind', 'eni', '--distro', 'debian', '--directory', path, '--mac', `lan,${state.mac}`],
  ]);

  const interfaces = await readFile(join(path, 'etc/network/interfaces'), 'utf8').catch(() =>
    readFile(join(path, 'etc/network/interfaces.d/50-cloud-init'), 'utf8'),
  );
  t.regex(interfaces, /iface lan inet static\n {4}address 10\.83\.4\.3\/24/);
  t.regex(
    interfaces,
    /route add default gw 10\.83\.4\.1|gateway 10\.83\.4\.1|route add -net 0\.0\.0\.0 netmask 0\.0\.0\.0 gw 10\.83\.4\.1/,
  );
});
