import { basename, join } from 'node:path';
import { digestOf } from '../engine/digest.ts';

/** What a systemd unit is made of. */
export type ServiceParts = {
  /** Node and the program, absolute. */
  readonly program: readonly string[];
  /** Folder of the state, absolute. */
  readonly home: string;
  /** Whether it is the home that is taken when none is given. */
  readonly isUsualHome: boolean;
  /** Variables by which the program finds its folders, for systemd starts it with hardly any. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the machine starts it, or the user's own service manager. */
  readonly isSystem: boolean;
};

/** Gives the name of a home's unit; each home has one of its own. */
export function unitName({ home, isUsualHome }: Pick<ServiceParts, 'home' | 'isUsualHome'>): string {
  return isUsualHome
    ? 'sheaf.service'
    : `sheaf-${digestOf(home).slice('sha256:'.length).slice(0, 8)}.service`;
}

/** Gives the folder in which service managers look for the units of their users. @param config - the user's own, such as `~/.config` */
export function unitFolder(isSystem: boolean, config: string): string {
  return isSystem ? '/etc/systemd/system' : join(config, 'systemd/user');
}

/**
 * Writes the unit that brings the deployments of a home back at boot and stops their machines in good order at shutdown.
 *
 * - `oneshot` and `RemainAfterExit`: nothing of ours waits in between; the machines are nobody's children.
 * - The `-` of `ExecStart`: a unit that fails to start gets its processes killed, and with them every machine that did come
 *   up. The exit code still stands in `systemctl status`.
 * - `ExecStop` runs before anything of the unit is killed. It has as long as the slowest machine may take.
 *
 * @source systemd.service(5), systemd.kill(5)
 */
export function serviceUnit(parts: ServiceParts): string {
  const { program, home, environment, isSystem } = parts;
  const command = (...words: readonly string[]): string =>
    [...program, '--home', home, ...words].map(quoteCommand).join(' ');
  const order = isSystem
    ? ['Wants=network-online.target', 'After=network-online.target', `RequiresMountsFor=${quote(home)}`]
    : [];
  return [
    '[Unit]',
    `Description=Sheaf deployments of ${escapePercent(basename(home))}`,
    ...order,
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    ...Object.entries(environment).map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`),
    `ExecStart=-${command('up', '--all')}`,
    `ExecStop=${command('service', 'stop')}`,
    'TimeoutStartSec=infinity',
    'TimeoutStopSec=300',
    '',
    '[Install]',
    `WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}`,
    '',
  ].join('\n');
}

// a percent sign begins a specifier, a dollar sign a variable (in commands alone)
function quote(text: string): string {
  return `"${escapePercent(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function quoteCommand(text: string): string {
  return quote(text).replaceAll('$', '$$$$');
}

function escapePercent(text: string): string {
  return text.replaceAll('%', '%%').replaceAll(/[\r\n]/g, ' ');
}
