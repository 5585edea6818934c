import type { GuestFile } from '../model/guest-file.ts';
import type { InstanceState } from '../model/step.ts';
import { hostsOf } from './guest-spec.ts';

/** The three files of a cloud-init NoCloud seed. */
export type Seed = { readonly metaData: string; readonly networkConfig: string; readonly userData: string };

/**
 * Writes a cloud-init NoCloud seed: meta data, network configuration version 2, `#cloud-config` user data.
 *
 * All three are JSON, which is YAML that cloud-init reads as it is and that our supervisor reads without a YAML
 * parser.
 *
 * @param instanceId - a new one makes cloud-init treat the machine as a new one
 */
export function seedOf(state: InstanceState, files: readonly GuestFile[], instanceId: string): Seed {
  return {
    metaData: yamlOf({ 'instance-id': instanceId, 'local-hostname': state.hostname }),
    networkConfig: yamlOf({
      version: 2,
      ethernets: {
        lan: {
          match: { macaddress: state.mac },
          'set-name': 'lan',
          addresses: [`${state.address}/${state.prefix}`],
          routes: [{ to: '0.0.0.0/0', via: state.gateway }],
        },
      },
    }),
    userData: `#cloud-config\n${yamlOf({
      write_files: [
        ...files.map(({ path, content, mode, owner }) => ({
          path,
          content,
          permissions: mode,
          owner: owner ?? 'root:root',
        })),
        ...(state.boot ? [hostNames(state)] : []),
      ],
      ...(state.boot && bootedBy(state, state.boot)),
    })}`,
  };
}

/** Adds the names of the wires to a machine that has no supervisor to write its /etc/hosts. */
function hostNames(state: InstanceState): Readonly<Record<string, unknown>> {
  const lines = [
    `${state.address} ${state.hostname}`,
    ...hostsOf(state.scope).flatMap(({ name, addresses }) =>
      addresses.map((address) => `${address} ${name}`),
    ),
  ];
  return { path: '/etc/hosts', append: true, content: `\n${lines.join('\n')}\n` };
}

/** What the supervisor does by itself, in the words of cloud-init. */
function bootedBy({ volumes }: InstanceState, { run }: NonNullable<InstanceState['boot']>) {
  const options = 'defaults,nofail,nosuid,nodev,x-systemd.device-timeout=30s';
  return {
    manage_etc_hosts: false,
    mounts: volumes.map(({ name, mount }) => [
      ...[`/dev/disk/by-id/virtio-vol-${name}`, mount],
      ...['ext4', options, '0', '2'],
    ]),
    runcmd: run,
  };
}

/** Characters that JSON leaves as they are and that YAML 1.1 takes for line ends or refuses. */
const unprintable = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

function yamlOf(value: unknown): string {
  const escaped = (character: string): string =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${JSON.stringify(value, null, 1).replace(unprintable, escaped)}\n`;
}
