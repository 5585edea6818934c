import type { EngineEvent } from '../../engine/model/event.ts';
import { describeInstance, describePass } from './progress-state.ts';
import { visibleLine } from './visible.ts';

/**
 * Writes an event as one plain line, for pipes and logs: `step create volume db.1/data: done`.
 *
 * @param isMany - whether the line has to say which deployment it is about: `shop: step create …`
 */
export function formatEvent(event: EngineEvent, isMany = false): string {
  const isOwn = event.type === 'step' || event.type === 'instance';
  return isMany && isOwn ? `${event.deployment}: ${lineOf(event)}` : lineOf(event);
}

function lineOf(event: EngineEvent): string {
  switch (event.type) {
    case 'operation':
      return `${event.verb} ${event.deployment}: ${event.state} (operation ${event.operation}, ${event.steps} steps)`;
    case 'step':
      return `step ${event.change} ${event.kind} ${visibleLine(event.key)}: ${event.state}`;
    case 'instance':
      return `instance ${event.instance}: ${visibleLine(describeInstance(event.condition, event.healthy, event.message))}`;
    case 'build':
      return `build ${visibleLine(event.subject)}: ${event.state}${event.message ? `: ${visibleLine(event.message)}` : ''}`;
    case 'move':
      return `move ${event.deployment}, ${event.from} to ${event.to}: ${event.phase} ${event.state}`;
    case 'copy':
      return `copy ${event.volume}: ${describePass(event)}${event.state === 'done' ? ', done' : ''}`;
    case 'warning':
      return `warning ${event.code}: ${visibleLine(event.message)}${event.hint ? ` (${visibleLine(event.hint)})` : ''}`;
  }
  return event satisfies never;
}
