import { type CommandOptions, type CommandOutput, missingTool, runCommand } from '../command.ts';
import { EngineError } from '../errors.ts';
import { imageTime } from './tree.ts';

/** How {@link runInNamespace} runs a program: as commands run, and whether the network of this machine is there. */
export type NamespaceOptions = CommandOptions & { readonly hasNetwork: boolean };

// what would otherwise differ from machine to machine
const environment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  DEBIAN_FRONTEND: 'noninteractive',
  DEBCONF_NONINTERACTIVE_SEEN: 'true',
  SOURCE_DATE_EPOCH: String(imageTime),
};

// of the caller's own environment only the ways to the network stay
const enter = `umask 022
exec env --ignore-environment \${http_proxy:+"http_proxy=$http_proxy"} \${https_proxy:+"https_proxy=$https_proxy"} \
  \${no_proxy:+"no_proxy=$no_proxy"} "$@"`;

/**
 * Runs a program as root in mount, process, IPC and host-name namespaces of its own, with a settled environment.
 *
 * Whatever ends it, a kill of this process included, ends every process that it started and undoes every mount.
 *
 * @throws EngineError as {@link runCommand} does
 */
export async function runInNamespace(
  tool: string,
  args: readonly string[],
  options: NamespaceOptions,
): Promise<CommandOutput> {
  const variables = Object.entries({ ...environment, ...options.environment });
  try {
    return await runCommand(
      'unshare',
      [
        ...['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child'],
        ...(options.hasNetwork ? [] : ['--net']),
        ...['sh', '-c', enter, 'sh'],
        ...variables.map(([name, value]) => `${name}=${value}`),
        ...[tool, ...args],
      ],
      options,
    );
  } catch (error) {
    const isMissing =
      error instanceof EngineError && /^env: .*: No such file or directory$/m.test(error.message);
    throw isMissing ? missingTool(tool, error) : error;
  }
}
