import type { DeploymentStatus, DeploymentSummary } from '../../engine/model/status.ts';
import type { Host } from '../host.ts';
import { visibleLine } from './visible.ts';

/** Says in a few words how far a move is: ` (move from local to docker: copying)`; nothing without one. */
export function moveText({ move }: Pick<DeploymentSummary, 'move'>): string {
  if (move === undefined) return '';
  const what = move.isUndo ? 'undo of the move' : 'move';
  return ` (${what} from ${move.from} to ${move.to}: ${move.phase})`;
}

/** Says what there is to do about a move, one sentence a line. @param now - milliseconds since 1970 */
export function moveAdvice(
  { name, state, move }: Pick<DeploymentSummary, 'name' | 'state' | 'move'>,
  now: number,
  { program }: Pick<Host, 'program'>,
): readonly string[] {
  if (move === undefined) return [];
  const why = move.error === undefined ? [] : [`It returned: ${visibleLine(move.error)}`];
  if (move.phase === 'waiting') {
    const limit = move.confirmBy ?? now;
    const until = `${limit < now ? 'That was due' : 'Decide'} by ${new Date(limit).toISOString()}`;
    return [
      ...why,
      `The old copy on ${move.from} is held and kept. ${until}: ${program} confirm ${name} removes it, ${program} undo ${name} goes back.`,
    ];
  }
  if (state !== 'unfinished' && move.phase !== 'cleaning' && move.phase !== 'confirming') return why;
  const again =
    move.phase === 'confirming'
      ? `${program} confirm ${name}`
      : move.isUndo
        ? `${program} undo ${name}`
        : `${program} move ${name} --to ${move.to}`;
  const isOpen = ['preparing', 'copying', 'holding', 'finishing'].includes(move.phase);
  return [
    ...why,
    `Go on with: ${again}${isOpen ? `, or return with: ${program} move ${name} --rollback` : ''}`,
  ];
}

/** Writes what a successful `move` ends with: where it works now, and the decision that waits. */
export function formatMoved(
  status: DeploymentStatus,
  host: Pick<Host, 'style' | 'program'>,
  now = Date.now(),
): string {
  const endpoints = status.endpoints.map(({ name, url }) => `  ${name}  ${host.style.cyan(url)}`);
  return [
    `${host.style.bold(status.name)} works on ${status.pool}: ${status.application} ${status.version}`,
    ...(endpoints.length > 0 ? ['endpoints:', ...endpoints] : []),
    ...moveAdvice(status, now, host),
  ].join('\n');
}
