import type { EngineEvent } from '../../engine/model/event.ts';
import { formatSize } from '../../engine/units.ts';

/** One thing in the making: an image that is built, a step, or an instance on its way up or down. */
export type ProgressRow = {
  readonly group: 'build' | 'step' | 'instance';
  /** Absent of a build, which is everybody's. */
  readonly deployment?: string;
  readonly label: string;
  readonly state: 'active' | 'done' | 'failed';
  /** What it does now, or how it ended. */
  readonly detail: string;
  readonly startedAt: number;
  /** When it was done or failed. */
  readonly endedAt?: number;
};

/** What has been heard of an operation so far. */
export type ProgressState = {
  readonly startedAt: number;
  /** Labels carry the deployment's name. */
  readonly isMany: boolean;
  /** By deployment. */
  readonly steps: ReadonlyMap<string, number>;
  readonly stepsDone: number;
  /** By group and subject, in the order in which they were first heard of. */
  readonly rows: ReadonlyMap<string, ProgressRow>;
};

/** Begins with nothing heard. @param isMany - whether several deployments are worked on at once */
export function beginProgress(startedAt: number, isMany = false): ProgressState {
  return { startedAt, isMany, steps: new Map(), stepsDone: 0, rows: new Map() };
}

/** Takes one event in. */
export function advanceProgress(state: ProgressState, event: EngineEvent): ProgressState {
  switch (event.type) {
    case 'operation':
      return settleRows({ ...state, steps: new Map(state.steps).set(event.deployment, event.steps) }, event);
    case 'build':
      return withRow(state, `build ${event.subject}`, event.at, {
        group: 'build',
        label: event.subject,
        state: event.state === 'done' || event.state === 'cached' ? 'done' : 'active',
        // What it was built into is a digest: of no use to somebody who waits.
        detail:
          event.state === 'cached' ? 'stored already' : event.state === 'done' ? 'built' : event.message,
      });
    case 'step': {
      const hasEnded = event.state === 'done' || event.state === 'undone';
      const { deployment } = event;
      const owner = state.isMany ? `${deployment} ` : '';
      const next = hasEnded ? { ...state, stepsDone: state.stepsDone + 1 } : state;
      if (event.kind === 'instance') {
        // An instance that was started is not up yet: what its supervisor says decides.
        const isGone = event.state === 'done' && event.change === 'remove';
        return withRow(next, `${deployment} instance ${event.key}`, event.at, {
          group: 'instance',
          deployment,
          label: `${owner}${event.key}`,
          state: event.state === 'failed' ? 'failed' : isGone || event.state === 'undone' ? 'done' : 'active',
          detail: instanceDetail(event.change, event.state),
        });
      }
      return withRow(next, `${deployment} step ${event.kind} ${event.key}`, event.at, {
        group: 'step',
        deployment,
        label: `${owner}${event.kind} ${event.key}`,
        state: event.state === 'failed' ? 'failed' : hasEnded ? 'done' : 'active',
        detail: event.change,
      });
    }
    case 'instance': {
      const isUp = event.condition === 'running' && event.healthy === true;
      return withRow(state, `${event.deployment} instance ${event.instance}`, event.at, {
        group: 'instance',
        deployment: event.deployment,
        label: `${state.isMany ? `${event.deployment} ` : ''}${event.instance}`,
        state: event.condition === 'failed' ? 'failed' : isUp ? 'done' : 'active',
        detail: describeInstance(event.condition, event.healthy, event.message),
      });
    }
    case 'move':
      return withRow(state, `move ${event.deployment} ${event.phase}`, event.at, {
        group: 'step',
        deployment: event.deployment,
        label: `${event.from} to ${event.to}`,
        state: event.state === 'done' ? 'done' : 'active',
        detail: event.phase,
      });
    case 'copy':
      return withRow(state, `copy ${event.deployment} ${event.volume}`, event.at, {
        group: 'build',
        deployment: event.deployment,
        label: event.volume,
        state: event.state === 'done' && event.isLast ? 'done' : 'active',
        detail: describePass(event),
      });
    case 'warning':
      return state;
  }
  return event satisfies never;
}

/** Says in a few words how an instance is: `running, healthy`, `waiting: waits for db`. */
export function describeInstance(condition: string, healthy: boolean | null, message: string): string {
  const health = healthy === null ? '' : healthy ? ', healthy' : ', not healthy';
  return `${condition}${condition === 'running' ? health : ''}${message ? `: ${message}` : ''}`;
}

/** Says how far the copying of a volume is: `pass 2, 12 MiB`. */
export function describePass({ pass, isLast, bytes }: Extract<EngineEvent, { type: 'copy' }>): string {
  return `${isLast ? 'last pass' : `pass ${pass}`}, ${formatSize(bytes)}`;
}

/** An operation that is done has found every instance well, those that have no health to tell of too. */
function settleRows(
  state: ProgressState,
  event: EngineEvent & { readonly type: 'operation' },
): ProgressState {
  if (event.state !== 'done') return state;
  const rows = new Map(state.rows);
  for (const [key, row] of rows)
    if (row.state === 'active' && (row.deployment ?? event.deployment) === event.deployment)
      rows.set(key, { ...row, state: 'done', endedAt: event.at });
  return { ...state, rows };
}

function instanceDetail(change: string, state: 'started' | 'done' | 'failed' | 'undone'): string {
  if (state === 'failed') return 'failed';
  if (state === 'undone') return 'undone';
  if (change === 'remove') return state === 'done' ? 'removed' : 'stopping';
  return state === 'done' ? 'booting' : 'starting';
}

function withRow(
  state: ProgressState,
  key: string,
  at: number,
  row: Omit<ProgressRow, 'startedAt' | 'endedAt'>,
): ProgressState {
  const known = state.rows.get(key);
  const rows = new Map(state.rows).set(key, {
    ...row,
    startedAt: known?.startedAt ?? at,
    ...(row.state !== 'active' && { endedAt: known?.state === row.state ? (known.endedAt ?? at) : at }),
  });
  return { ...state, rows };
}
