import type { Capabilities, Limits, Pool, Resources, Server } from '../../engine/model/pool.ts';
import { formatSize } from '../../engine/units.ts';
import type { Style } from './style.ts';
import { formatTable } from './table.ts';
import { visibleLine } from './visible.ts';

/** Writes what a pool can do, and its servers with what is free on them. */
export function formatPool(
  shown: { readonly pool: Pool; readonly capabilities: Capabilities; readonly servers: readonly Server[] },
  style: Style,
): string {
  const { pool, capabilities, servers } = shown;
  const isolation = capabilities.isolates
    ? style.green('wires are enforced')
    : style.red(`none: ${refusalText(capabilities)}`);
  return [
    style.bold(`pool ${visibleLine(pool.name)}`),
    formatTable(
      [
        ['driver', pool.driver],
        ['addresses', pool.range],
        ['runs', capabilities.runs === 'vm' ? 'virtual machines' : 'containers'],
        ['accelerator', `${capabilities.accelerator.name}: ${visibleLine(capabilities.accelerator.reason)}`],
        ['isolation', isolation],
        ...(capabilities.confinement ? [['rights', visibleLine(capabilities.confinement.reason)]] : []),
        ['limits', formatLimits(capabilities.limits, style)],
        ['overhead', `${formatResources(capabilities.overhead)} for each instance`],
      ],
      '  ',
    ),
    'servers:',
    formatTable(
      servers.map((server) => [
        visibleLine(server.name),
        server.isOpen ? style.green('open') : style.yellow('closed'),
        `${formatResources(free(server))} free of ${formatResources(server.capacity)}`,
        visibleLine(server.reason ?? ''),
      ]),
      '  ',
    ),
  ].join('\n');
}

function refusalText({ isolationReason, isolationRemedy }: Capabilities): string {
  const reason = visibleLine(isolationReason ?? 'no reason is known');
  return isolationRemedy === undefined ? reason : `${reason}. ${visibleLine(isolationRemedy)}`;
}

function formatLimits({ cpu, memory, reason }: Limits, style: Style): string {
  const held = [...(cpu ? ['cpu'] : []), ...(memory ? ['memory'] : [])].join(' and ');
  if (reason === undefined) return style.green(`${held} are held`);
  return `${held ? `only ${held} is held` : 'none'}: ${visibleLine(reason)}`;
}

function free({ capacity, used }: Server): Resources {
  return {
    cpuMillicores: Math.max(0, capacity.cpuMillicores - used.cpuMillicores),
    memoryBytes: Math.max(0, capacity.memoryBytes - used.memoryBytes),
    diskBytes: Math.max(0, capacity.diskBytes - used.diskBytes),
  };
}

function formatResources({ cpuMillicores, memoryBytes, diskBytes }: Resources): string {
  return `${cpuMillicores / 1000} cores, ${formatSize(memoryBytes)} memory, ${formatSize(diskBytes)} disk`;
}
