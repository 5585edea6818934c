import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { missingTool, toolPath } from '../command.ts';
import { EngineError } from '../errors.ts';
import type { TemplateFault } from './nunjucks.ts';

/** What the process is asked. */
export type RenderQuestion = {
  readonly template: string;
  readonly scope: Readonly<Record<string, unknown>>;
  /** Characters that the result may have. */
  readonly limit: number;
};

/** What the process answers. */
export type RenderAnswer = { readonly text: string } | TemplateFault;

/** The process ended, or was ended by us, before it answered; it answers nothing more. */
export class RenderProcessLost extends Error {}

/** A process that renders one template after another. */
export type RenderProcess = {
  /** One question at a time. @throws RenderProcessLost */
  ask(question: RenderQuestion, timeMs: number, signal: AbortSignal): Promise<RenderAnswer>;
  isAlive(): boolean;
  end(): void;
};

const startTimeMs = 60_000;
const tooLarge = 'it needs more memory than a template may have';

/**
 * Gives the arguments that confine Node: a bounded memory, and its permission model without a right but to read the
 * program that it runs. That leaves no other files, no programs, no threads and no native code; Node 24 cannot deny the
 * network, so the process is started without one.
 */
export function confinement(memoryMiB: number): readonly string[] {
  const engine = fileURLToPath(new URL('..', import.meta.url));
  const nunjucks = fileURLToPath(import.meta.resolve('nunjucks'));
  const packages = dirname(nunjucks.slice(0, nunjucks.lastIndexOf('nunjucks')));
  return [
    `--max-old-space-size=${memoryMiB}`,
    ...['--disable-proto=delete', '--no-warnings', '--permission'],
    ...[`--allow-fs-read=${engine}*`, `--allow-fs-read=${packages}/*`],
  ];
}

/**
 * Starts a process for rendering, with an empty environment. It dies with this one, and does not keep it alive while
 * nothing is asked.
 *
 * @throws EngineError TOOL_MISSING, INTERNAL_ERROR with the end of what it said
 */
export async function startRenderProcess(memoryMiB: number): Promise<RenderProcess> {
  const child = spawnProcess(memoryMiB);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  child.stdin.on('error', () => undefined); // that the process is gone is told by the end of its output
  const failed = new Promise<never>((_, reject) =>
    child.on('error', (cause) => reject(missingTool('setpriv', cause))),
  );
  failed.catch(() => undefined);

  const next = async (timeMs: number, signal?: AbortSignal): Promise<string> => {
    let isLate = false;
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, timeMs);
    signal?.addEventListener('abort', kill, { once: true });
    setReferenced(child, true);
    try {
      const { done, value } = await Promise.race([lines.next(), failed]);
      if (!done) return value;
      throw new RenderProcessLost(isLate ? `it takes longer than ${timeMs} ms` : tooLarge);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      setReferenced(child, false);
    }
  };

  await next(startTimeMs).catch((cause: unknown) => {
    if (!(cause instanceof RenderProcessLost)) throw cause;
    throw new EngineError(
      'INTERNAL_ERROR',
      `the process that renders templates did not start: ${said.trim()}`,
    );
  });
  return {
    async ask(question, timeMs, signal) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      return JSON.parse(await next(timeMs, signal)) as RenderAnswer;
    },
    isAlive: () => child.exitCode === null && child.signalCode === null && !child.killed,
    end: () => void child.kill('SIGKILL'),
  };
}

/** Puts a command where there is no network, as far as this machine allows it: by root's right, or in a namespace of users. */
export function withoutNetwork(...command: readonly string[]): readonly string[] {
  const script = `unshare --net true 2>/dev/null && exec unshare --net -- "$@"
unshare --user --net true 2>/dev/null && exec unshare --user --net -- "$@"
exec "$@"`;
  return ['sh', '-c', script, 'sh', ...command];
}

function spawnProcess(memoryMiB: number): ChildProcessWithoutNullStreams {
  const worker = fileURLToPath(new URL('render-worker.ts', import.meta.url));
  const [program = '', ...args] = withoutNetwork(
    ...['setpriv', '--pdeathsig', 'KILL', '--no-new-privs'],
    ...[process.execPath, ...confinement(memoryMiB), worker],
  );
  return spawn(program, args, {
    env: { PATH: toolPath() },
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Says whether the process keeps this one alive. */
function setReferenced(child: ChildProcessWithoutNullStreams, isReferenced: boolean): void {
  for (const part of [
    child,
    child.stdin,
    child.stdout,
    child.stderr,
  ] as readonly Partial<NodeJS.RefCounted>[])
    if (isReferenced) part.ref?.();
    else part.unref?.();
}
