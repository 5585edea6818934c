import type { EngineEvent, Report } from '../../engine/model/event.ts';
import type { Host } from '../host.ts';
import { formatEvent } from './event-line.ts';
import { advanceProgress, beginProgress } from './progress-state.ts';
import { drawProgress } from './progress-view.ts';

/** Shows an operation while it runs; {@link Reporter.end} must be called before anything else is printed. */
export type Reporter = { readonly report: Report; end(): void };

const stoppingNotice = 'stopping cleanly; the same command resumes (once more to stop at once)';

/**
 * Makes the reporter that fits the host: a live picture, plain lines, or lines of JSON.
 *
 * It also answers the user's wish to end, for only it knows where on the screen there is room.
 */
export async function startReporter(
  host: Host,
  title: string,
  { isMany = false }: { readonly isMany?: boolean } = {},
): Promise<Reporter> {
  if (host.isTerminal) return await startLive(host, title, isMany);
  const notice = (): void => host.warn(stoppingNotice);
  host.signal.addEventListener('abort', notice, { once: true });
  return {
    report: (body) => {
      const event: EngineEvent = { at: Date.now(), ...body };
      if (host.isJson) host.printJson(event);
      else if (event.type === 'warning') host.warn(formatEvent(event, isMany));
      // A build tells of its progress many times a second: only a live picture has a use for that.
      else if (event.type !== 'build' || event.state !== 'progress') host.print(formatEvent(event, isMany));
    },
    end: () => host.signal.removeEventListener('abort', notice),
  };
}

/** Makes a report that writes every event as a line, on a terminal too, for verbs that go on for days. */
export function reportLines(host: Host): Report {
  return (body) => {
    const event: EngineEvent = { at: Date.now(), ...body };
    if (host.isJson) host.printJson(event);
    else host.print(formatEvent(event, true));
  };
}

/** Makes a report that writes warnings to standard error and passes over the rest, for verbs that show no progress. */
export function reportWarnings(host: Host): Report {
  return (body) => {
    if (body.type === 'warning') host.warn(formatEvent({ at: 0, ...body }));
  };
}

const frameMs = 200;

async function startLive(host: Host, title: string, isMany: boolean): Promise<Reporter> {
  const { createLogUpdate } = await import('log-update');
  const picture = createLogUpdate(host.stdout);
  let state = beginProgress(Date.now(), isMany);
  const draw = (isLive: boolean): void =>
    picture(
      drawProgress(state, {
        title,
        now: Date.now(),
        columns: host.stdout.columns ?? 80,
        rows: host.stdout.rows ?? 24,
        style: host.style,
        isLive,
      }).join('\n'),
    );
  const timer = setInterval(() => draw(true), frameMs);
  const redraw = (): void => {
    picture.clear();
    draw(true);
  };
  host.stdout.on('resize', redraw);
  const notice = (): void => picture.persist(host.style.yellow(stoppingNotice));
  host.signal.addEventListener('abort', notice, { once: true });
  draw(true);
  return {
    report: (body) => {
      const event: EngineEvent = { at: Date.now(), ...body };
      state = advanceProgress(state, event);
      if (event.type === 'warning') picture.persist(host.style.yellow(formatEvent(event)));
    },
    end: () => {
      clearInterval(timer);
      host.signal.removeEventListener('abort', notice);
      host.stdout.off('resize', redraw);
      draw(false);
      picture.done();
    },
  };
}
