import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { serviceUnit, unitName } from '../../cli/service-unit.ts';
import { runCommand } from '../../engine/command.ts';
import { runCli, temporaryFolder } from './run-cli.ts';
import { violations } from './schemas.ts';

const parts = {
  program: ['/opt/node', '/opt/sheaf/cli/start.js'],
  home: '/var/lib/sheaf',
  isUsualHome: true,
  environment: { HOME: '/root' },
  isSystem: true,
};

test('the unit brings everything up at boot and stops it in good order', (t) => {
  t.is(
    serviceUnit(parts),
    `[Unit]
Description=Sheaf deployments of sheaf
Wants=network-online.target
After=network-online.target
RequiresMountsFor="/var/lib/sheaf"

[Service]
Type=oneshot
RemainAfterExit=yes
Environment="HOME=/root"
ExecStart=-"/opt/node" "/opt/sheaf/cli/start.js" "--home" "/var/lib/sheaf" "up" "--all"
ExecStop="/opt/node" "/opt/sheaf/cli/start.js" "--home" "/var/lib/sheaf" "service" "stop"
TimeoutStartSec=infinity
TimeoutStopSec=300

[Install]
WantedBy=multi-user.target
`,
  );
  t.regex(serviceUnit({ ...parts, isSystem: false }), /WantedBy=default\.target/);
});

test('no path can say anything to systemd', (t) => {
  const unit = serviceUnit({ ...parts, home: '/a b/%h"$HOME\\x\nExecStop=/bin/false' });

  t.true(unit.includes('"/a b/%%h\\"$$HOME\\\\x ExecStop=/bin/false" "up"'));
  t.is(unit.split('\n').filter((line) => line.startsWith('ExecStop=')).length, 1);
});

test('each home has a unit of its own', (t) => {
  t.is(unitName(parts), 'sheaf.service');
  t.regex(unitName({ home: '/srv/other', isUsualHome: false }), /^sheaf-[0-9a-f]{8}\.service$/);
});

test('service install --print writes a unit that systemd takes, and nothing else', async (t) => {
  const home = await temporaryFolder(t);

  const text = await runCli(['service', 'install', '--print', '--home', home], {
    environment: { HOME: home },
  });
  const json = await runCli(['service', 'install', '--print', '--json', '--home', home], {
    environment: { HOME: home },
  });

  t.is(text.code, 0);
  const answer = JSON.parse(json.stdout);
  t.deepEqual(violations('service', answer), []);
  t.is(answer.text, text.stdout);
  t.false(existsSync(answer.file));
  if (existsSync('/usr/bin/systemd-analyze')) {
    const file = join(home, answer.unit);
    await writeFile(file, answer.text);
    const said = await runCommand('systemd-analyze', ['verify', '--man=no', file]);
    t.false(said.stderr.includes(answer.unit), said.stderr);
  }
});

test('service stop in an empty home stops nothing; remove without a unit says so', async (t) => {
  const home = await temporaryFolder(t);

  const stop = await runCli(['service', 'stop', '--json', '--home', home]);
  const remove = await runCli(['service', 'remove', '--json', '--home', home]);

  t.deepEqual(JSON.parse(stop.stdout), { stopped: [] });
  t.deepEqual(violations('service', JSON.parse(remove.stdout)), []);
  t.false(JSON.parse(remove.stdout).wasThere);
});
