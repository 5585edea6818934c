import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { missingTool, toolPath } from '../command.ts';
import { EngineError } from '../errors.ts';
import { checkTemplate } from './check-template.ts';
import type { TemplateFault } from './nunjucks.ts';

/** One file to render. */
export type RenderRequest = {
  /** The template's name for messages. */
  readonly source: string;
  readonly template: string;
  /** What the template may name; secrets inside are never repeated in a message. */
  readonly scope: Readonly<Record<string, unknown>>;
};

/** Bounds of one rendering. */
export type RenderLimits = {
  /** From the question to the answer; a start of the process is not counted. */
  readonly timeMs: number;
  /** Of the process. */
  readonly memoryMiB: number;
  /** Of one rendered file. */
  readonly outputCharacters: number;
  /** After which an unused process ends. */
  readonly idleMs: number;
};

/** Renders templates in a process of its own, which starts with the first request and ends when it is idle. */
export type Renderer = {
  /**
   * Renders files one after another.
   *
   * @returns their texts in the same order
   * @throws EngineError TEMPLATE_FAILED naming file, line and column; OPERATION_INTERRUPTED when the signal fired
   */
  render(
    requests: readonly RenderRequest[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly string[]>;
  /** Ends the process. */
  close(): void;
};

/** What the process is asked. */
export type RenderQuestion = {
  readonly template: string;
  readonly scope: Readonly<Record<string, unknown>>;
  readonly limit: number;
};

/** What the process answers. */
export type RenderAnswer = { readonly text: string } | TemplateFault;

/** A usual file takes milliseconds; the rest is for processors that running machines keep busy. */
const usualLimits: RenderLimits = {
  timeMs: 2000,
  memoryMiB: 64,
  outputCharacters: 2 ** 20,
  idleMs: 5000,
};
const startTimeMs = 60_000;

/**
 * Opens a renderer. Nothing is started yet.
 *
 * The process is Node with an empty environment and its permission model on: no files but its own program, no
 * programs, no threads, no native code. It dies with us.
 */
export function openRenderer(limits: Partial<RenderLimits> = {}): Renderer {
  return new ProcessRenderer({ ...usualLimits, ...limits });
}

class ProcessRenderer implements Renderer {
  readonly #limits: RenderLimits;
  #process: Promise<RenderProcess> | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Ends when the last request before the next one has its answer. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(limits: RenderLimits) {
    this.#limits = limits;
  }

  async render(
    requests: readonly RenderRequest[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<readonly string[]> {
    const texts: string[] = [];
    for (const request of requests) {
      const [finding] = checkTemplate(request.template);
      if (finding) throw failed(request, finding, finding.hint);
      const turn = this.#turn.then(() => this.#renderOne(request, signal));
      this.#turn = turn.catch(() => undefined);
      texts.push(await turn);
    }
    return texts;
  }

  close(): void {
    clearTimeout(this.#idle);
    void this.#process?.then(
      (running) => running.end(),
      () => undefined,
    );
    this.#process = undefined;
  }

  async #renderOne(request: RenderRequest, signal: AbortSignal): Promise<string> {
    if (signal.aborted) throw interrupted();
    clearTimeout(this.#idle);
    this.#process ??= startProcess(this.#limits.memoryMiB);
    try {
      const running = await this.#process;
      const { template, scope } = request;
      const answer = await running.ask(
        { template, scope, limit: this.#limits.outputCharacters },
        this.#limits.timeMs,
        signal,
      );
      if ('text' in answer) return answer.text;
      throw failed(request, answer);
    } catch (error) {
      if (!(error instanceof ProcessLost)) throw error;
      this.#process = undefined; // the next request gets a fresh one
      if (signal.aborted) throw interrupted();
      throw failed(
        request,
        { line: 1, column: 1, message: error.message },
        'Take loops and repeated texts out of the template.',
      );
    } finally {
      this.#idle = setTimeout(() => this.close(), this.#limits.idleMs).unref();
    }
  }
}

/** The process was ended, by itself or by us, before it answered. */
class ProcessLost extends Error {}

type RenderProcess = {
  ask(question: RenderQuestion, timeMs: number, signal: AbortSignal): Promise<RenderAnswer>;
  end(): void;
};

async function startProcess(memoryMiB: number): Promise<RenderProcess> {
  const child = spawnWorker(memoryMiB);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let failure: Error | undefined;
  child.on('error', (cause) => {
    failure = missingTool('setpriv', cause);
  });
  child.stdin.on('error', () => undefined); // a process that is gone is noticed by its output's end
  child.stderr.resume();

  const nextLine = async (timeMs: number, lateMessage: string, signal?: AbortSignal): Promise<string> => {
    let isLate = false;
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(() => {
      isLate = true;
      kill();
    }, timeMs);
    signal?.addEventListener('abort', kill, { once: true });
    setReferenced(child, true);
    try {
      const { done, value } = await lines.next();
      if (!done) return value;
      throw (
        failure ?? new ProcessLost(isLate ? lateMessage : 'it needs more memory than a template may have')
      );
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', kill);
      setReferenced(child, false);
    }
  };

  await nextLine(startTimeMs, 'the process that renders did not start');
  return {
    async ask(question, timeMs, signal) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const line = await nextLine(timeMs, `it takes longer than ${timeMs} ms`, signal);
      return JSON.parse(line) as RenderAnswer;
    },
    end: () => void child.kill('SIGKILL'),
  };
}

function spawnWorker(memoryMiB: number): ChildProcessWithoutNullStreams {
  const program = fileURLToPath(new URL('render-worker.ts', import.meta.url));
  const engine = dirname(dirname(program));
  const libraries = fileURLToPath(import.meta.resolve('nunjucks')).replace(
    /(.*[\\/]node_modules[\\/]).*/s,
    '$1',
  );
  return spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--no-new-privs', process.execPath],
      `--max-old-space-size=${memoryMiB}`,
      ...['--disable-proto=delete', '--no-warnings', '--permission'],
      ...[`--allow-fs-read=${engine}/*`, `--allow-fs-read=${libraries}*`, program],
    ],
    { env: { PATH: toolPath() }, cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'pipe'] },
  );
}

/** Says whether a waiting answer keeps this program alive. */
function setReferenced(child: ChildProcessWithoutNullStreams, isReferenced: boolean): void {
  for (const part of [child, child.stdin, child.stdout, child.stderr])
    if (isReferenced) (part as Partial<NodeJS.RefCounted>).ref?.();
    else (part as Partial<NodeJS.RefCounted>).unref?.();
}

function failed(
  request: RenderRequest,
  { line, column, message }: TemplateFault,
  hint?: string,
): EngineError {
  return new EngineError('TEMPLATE_FAILED', `${request.source}:${line}:${column}: ${message}`, {
    details: { file: request.source, line, column },
    ...(hint !== undefined && { hint }),
  });
}

function interrupted(): EngineError {
  return new EngineError('OPERATION_INTERRUPTED', 'rendering was stopped on request', {
    hint: 'Run the same command again to go on.',
  });
}
