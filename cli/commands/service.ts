import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { runCommand } from '../../engine/command.ts';
import { writeWhole } from '../../engine/whole-file.ts';
import type { Host, RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';
import { count } from '../output/table.ts';
import { type ServiceParts, serviceUnit, unitFolder, unitName } from '../service-unit.ts';
import { readSettings } from '../settings.ts';

/** Adds `service install`, `remove` and `stop`: what happens when the machine starts and when it goes down. */
export function addService(program: Command, run: RunVerb): void {
  const service = program
    .command('service')
    .summary('bring the deployments back when the machine starts')
    .description(
      'Has systemd bring the deployments back when the machine starts, and stop their machines in good order when it goes ' +
        'down: as a service of the machine for root, else as one of the user.',
    );
  const home = (): string | undefined => program.opts<{ home?: string }>().home;
  service
    .command('install')
    .description('Writes the systemd unit and enables it.')
    .option('--print', 'write the unit to standard output and change nothing')
    .addHelpText('after', example('service install', 'service install --print'))
    .action((options: { print?: true }) =>
      run('changes', async (host) => {
        const place = placeOf(host, home());
        const text = serviceUnit(place.parts);
        if (options.print && !host.isJson) {
          host.print(text.trimEnd());
          return 0;
        }
        if (!options.print) await writeWhole(place.file, text, 0o644);
        const isEnabled = !options.print && (await manage(place, host.signal, ['enable', place.unit]));
        const next = isEnabled ? [] : enabling(place);
        if (host.isJson) host.printJson({ unit: place.unit, file: place.file, isEnabled, next, text });
        else host.print([`${place.file} is written`, ...says(isEnabled, place, next)].join('\n'));
        return 0;
      }),
    );
  service
    .command('remove')
    .description('Disables the systemd unit and removes it. Machines that run go on.')
    .addHelpText('after', example('service remove'))
    .action(() =>
      run('changes', async (host) => {
        const place = placeOf(host, home());
        const wasThere = existsSync(place.file);
        if (wasThere) {
          await manage(place, host.signal, ['disable', place.unit]);
          await rm(place.file, { force: true });
          await manage(place, host.signal, []);
        }
        if (host.isJson) host.printJson({ unit: place.unit, file: place.file, wasThere });
        else host.print(wasThere ? `${place.file} is removed` : `there is no ${place.file}`);
        return 0;
      }),
    );
  service
    .command('stop')
    .description(
      'Stops all machines in good order, as the unit does when the machine goes down. "up --all" brings them back.',
    )
    .addHelpText('after', example('service stop'))
    .action(() =>
      run('changes', async (host) => {
        const engine = await host.engine();
        const stopped = await engine.haltAll({ signal: host.signal, report: reportWarnings(host) });
        if (host.isJson) host.printJson({ stopped });
        else host.print(`${count(stopped.length, 'deployment')} stopped`);
        return 0;
      }),
    );
}

type Place = { readonly parts: ServiceParts; readonly unit: string; readonly file: string };

function placeOf(host: Host, homeOption: string | undefined): Place {
  const { uid, homedir } = userInfo();
  const { HOME, XDG_CONFIG_HOME, XDG_DATA_HOME } = host.environment;
  const user = { id: uid, home: HOME || homedir };
  const { home } = readSettings(host.environment, user, homeOption);
  const parts: ServiceParts = {
    program: [process.execPath, fileURLToPath(new URL('../start.js', import.meta.url))],
    home,
    isUsualHome: home === readSettings({}, user).home,
    environment: {
      HOME: user.home,
      ...(XDG_CONFIG_HOME && { XDG_CONFIG_HOME: resolve(XDG_CONFIG_HOME) }),
      ...(XDG_DATA_HOME && { XDG_DATA_HOME: resolve(XDG_DATA_HOME) }),
    },
    isSystem: uid === 0,
  };
  const unit = unitName(parts);
  const folder = unitFolder(parts.isSystem, XDG_CONFIG_HOME || join(user.home, '.config'));
  return { parts, unit, file: join(folder, unit) };
}

function manager({ parts }: Place): readonly string[] {
  return parts.isSystem ? [] : ['--user'];
}

/** Tells systemd of the change, where it runs. @returns whether it took it */
async function manage(place: Place, signal: AbortSignal, words: readonly string[]): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return false;
  await runCommand('systemctl', [...manager(place), 'daemon-reload'], { signal });
  if (words.length > 0) await runCommand('systemctl', [...manager(place), ...words], { signal });
  return true;
}

function enabling(place: Place): readonly string[] {
  const systemctl = ['systemctl', ...manager(place)].join(' ');
  return [`${systemctl} daemon-reload`, `${systemctl} enable ${place.unit}`];
}

function says(isEnabled: boolean, { parts, unit, file }: Place, next: readonly string[]): readonly string[] {
  const lines = isEnabled
    ? [`${unit} is enabled: the deployments come back when the machine starts`]
    : ['systemd does not run here. Where it does:', ...next.map((line) => `  ${line}`)];
  const linger = `A user's services start at login; at boot with: loginctl enable-linger ${userInfo().username}`;
  return [
    ...lines,
    `It knows this program by its place: after the checkout has moved, install it again (${dirname(file)}).`,
    ...(parts.isSystem ? [] : [linger]),
  ];
}
