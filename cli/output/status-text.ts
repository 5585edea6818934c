import type { DeploymentState, DeploymentStatus, DeploymentSummary } from '../../engine/model/status.ts';
import { formatSize } from '../../engine/units.ts';
import type { Host } from '../host.ts';
import { moveAdvice, moveText } from './move-text.ts';
import { describeInstance } from './progress-state.ts';
import type { Style } from './style.ts';
import { count, formatTable } from './table.ts';
import { visibleLine } from './visible.ts';

type Scene = Pick<Host, 'style' | 'program'>;

/** Writes the list of deployments, one a line. */
export function formatSummaries(
  deployments: readonly DeploymentSummary[],
  { style, program }: Scene,
): string {
  if (deployments.length === 0)
    return `no deployments\nBring one up with: ${program} up applications/guestbook --as guestbook`;
  return formatTable([
    ['NAME', 'APPLICATION', 'POOL', 'STATE'].map(style.dim),
    ...deployments.map((deployment) => [
      deployment.name,
      `${deployment.application} ${deployment.version}`,
      deployment.pool,
      paintState(deployment.state, style) +
        unfinishedText(deployment) +
        moveText(deployment) +
        reasonText(deployment),
    ]),
  ]);
}

/** Writes everything that was observed of a deployment. */
export function formatStatus(status: DeploymentStatus, { style, program }: Scene, now = Date.now()): string {
  const title = `${style.bold(status.name)}: ${paintState(status.state, style)}${unfinishedText(status)}${moveText(status)}${reasonText(status)}`;
  const parts = [
    `${title}, ${status.application} ${status.version} on ${status.pool}, owner ${status.owner}`,
    ...section('endpoints', endpointRows(status, style)),
    ...section('instances', instanceRows(status, style)),
    ...section(
      'wires',
      status.wires.map((wire) => [wire.from, '->', wire.to, `${wire.transport} ${wire.port}`]),
    ),
    ...section(
      'volumes',
      status.volumes.map((volume) => [
        volume.name,
        formatSize(volume.sizeBytes),
        volume.exists ? '' : style.red('missing'),
      ]),
    ),
    ...section(
      'drift',
      status.drift.map(({ kind, key, what }) => [kind, visibleLine(key), style.red(what)]),
    ),
  ];
  if (status.previous) parts.push(previousText(status.name, status.previous, program));
  if (status.drift.length > 0 && status.state === 'degraded')
    parts.push(`Heal it with: ${program} repair ${status.name}`);
  parts.push(...moveAdvice(status, now, { program }));
  if (status.state === 'unfinished' && status.move === undefined)
    parts.push(`Run the same command again to resume, or: ${program} up … --rollback`);
  if (status.state === 'stopped') parts.push(`Bring it back as it was: ${program} up --as ${status.name}`);
  if (status.state === 'kept')
    parts.push(
      `Its data are kept: up under this name takes them over, ${program} down ${status.name} --delete-data ${status.name} deletes them.`,
    );
  return parts.join('\n');
}

function previousText(
  name: string,
  { version, at, hasData }: NonNullable<DeploymentStatus['previous']>,
  program: string,
): string {
  const since = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  const how = hasData ? `--keep-data or --discard-changes ${name}` : '--keep-data';
  return `It had version ${version} until ${since} UTC. Back: ${program} rollback ${name} ${how}`;
}

/** Writes what a successful `up` ends with: endpoints, instances, and what to type next. */
export function formatArrival(status: DeploymentStatus, { style, program }: Scene): string {
  // One with a wire, whose /etc/hosts has something to show.
  const client = status.wires[0]?.from.split('.')[0];
  const { name: shown } = status.instances.find((instance) => instance.appliance === client) ??
    status.instances[0] ?? { name: 'INSTANCE' };
  return [
    `${style.bold(status.name)} is ${paintState(status.state, style)}: ${status.application} ${status.version} on ${status.pool}`,
    ...section('endpoints', endpointRows(status, style)),
    ...section('instances', instanceRows(status, style)),
    'next:',
    formatTable(
      [
        [`${program} status ${status.name}`],
        [`${program} logs ${status.name} ${shown}`],
        [`${program} exec ${status.name} ${shown} -- cat /etc/hosts`],
        [`${program} down ${status.name} --keep-data`],
      ],
      '  ',
    ),
  ].join('\n');
}

/** Writes what a successful `up --all` ends with, one deployment a line. */
export function formatArrivals(
  deployments: readonly { readonly name: string; readonly state: DeploymentState | 'absent' }[],
  { style }: Scene,
): string {
  if (deployments.length === 0) return 'no deployments';
  return formatTable(
    deployments.map(({ name, state }) => [
      style.bold(name),
      state === 'absent' ? 'gone: its removal is finished' : paintState(state, style),
    ]),
  );
}

/** Writes what a successful `down` ends with. */
export function formatDeparture(
  result: { readonly name: string; readonly removed: number; readonly keptVolumes: readonly string[] },
  { style, program }: Scene,
): string {
  const gone = `${style.bold(result.name)} is down: ${count(result.removed, 'object')} removed`;
  if (result.keptVolumes.length === 0) return gone;
  return [
    `${gone}, data kept: ${result.keptVolumes.map(visibleLine).join(', ')}`,
    `Up under this name takes them over; ${program} down ${result.name} --delete-data ${result.name} deletes them.`,
  ].join('\n');
}

function section(title: string, rows: readonly (readonly string[])[]): readonly string[] {
  return rows.length > 0 ? [`${title}:`, formatTable(rows, '  ')] : [];
}

function endpointRows(status: DeploymentStatus, style: Style): readonly (readonly string[])[] {
  return status.endpoints.map((endpoint) => [
    endpoint.name,
    style.cyan(endpoint.url),
    endpoint.works ? '' : style.red('nobody serves it'),
  ]);
}

function instanceRows(status: DeploymentStatus, style: Style): readonly (readonly string[])[] {
  return status.instances.map((instance) => {
    const since = instance.ended?.at ? ` (at ${new Date(instance.ended.at).toISOString()})` : '';
    const told = describeInstance(instance.state, instance.healthy, instance.message);
    const text = `${visibleLine(told)}${since}`;
    const isWell = instance.state === 'running' && instance.healthy !== false;
    const isBad = instance.state === 'failed' || instance.healthy === false;
    return [
      instance.name,
      visibleLine(instance.uses),
      instance.server,
      instance.address,
      isWell ? style.green(text) : isBad ? style.red(text) : style.yellow(text),
    ];
  });
}

function unfinishedText({ operation }: DeploymentSummary): string {
  return operation ? ` (${operation.verb}: ${operation.done} of ${count(operation.steps, 'step')} done)` : '';
}

function reasonText({ reason }: DeploymentSummary): string {
  return reason ? ` (${visibleLine(reason)})` : '';
}

function paintState(state: DeploymentState, style: Style): string {
  const paint: Readonly<Record<DeploymentState, (text: string) => string>> = {
    running: style.green,
    starting: style.yellow,
    degraded: style.red,
    stopped: style.yellow,
    kept: style.yellow,
    held: style.yellow,
    unfinished: style.red,
    unknown: style.red,
  };
  return paint[state](state);
}
