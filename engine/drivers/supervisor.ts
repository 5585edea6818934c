import type { ObservedInstance } from '../model/observation.ts';
import { ask, plainText, wordOf } from './channel.ts';
import { type Connect, isMessage, type Message, type Patience } from './line-socket.ts';

/** What can be said of an instance at one moment. */
export type GuestReport = Pick<ObservedInstance, 'condition' | 'healthy' | 'message' | 'ended'>;

/** Asks an instance's supervisor how it is. @throws EngineError INSTANCE_SILENT */
export async function askSupervisor(connect: Connect, patience: Patience): Promise<GuestReport> {
  return reportOf(await ask(connect, 'status', {}, patience));
}

/** Reads a supervisor's answer. Nothing in it is trusted: what is not as agreed counts as not said. */
export function reportOf(status: Message): GuestReport {
  const condition = conditionOf(status['phase']);
  const healthy = typeof status['healthy'] === 'boolean' ? status['healthy'] : null;
  const said = typeof status['message'] === 'string' ? status['message'] : '';
  return { condition, healthy, message: plainText(said || waitMessage(status) || serviceMessage(status)) };
}

function conditionOf(phase: unknown): GuestReport['condition'] {
  switch (phase) {
    case 'booting':
    case 'hooks':
      return 'starting';
    case 'holding':
      return 'waiting';
    case 'held':
    case 'waiting':
    case 'running':
    case 'stopping':
    case 'failed':
      return phase;
    default:
      return 'unknown';
  }
}

function waitMessage({ waitingFor }: Message): string {
  if (!Array.isArray(waitingFor)) return '';
  const names = waitingFor.filter((name) => typeof name === 'string');
  return names.length === 0 ? '' : `waits for ${names.slice(0, 8).join(', ')}`;
}

function serviceMessage({ services }: Message): string {
  const list: readonly unknown[] = Array.isArray(services) ? services : [];
  const troubled = list.filter(isMessage).filter(({ state }) => state === 'backoff');
  return troubled
    .slice(0, 4)
    .map(
      ({ name, exitCode, restarts }) =>
        `service ${wordOf(name)} ended with ${wordOf(exitCode)} (restarted ${wordOf(restarts)} times)`,
    )
    .join('; ');
}
