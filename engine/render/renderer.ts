import { EngineError } from '../errors.ts';
import { checkTemplate } from './check-template.ts';
import type { TemplateFault } from './nunjucks.ts';
import { type RenderProcess, RenderProcessLost, startRenderProcess } from './render-process.ts';

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

/** A usual file takes milliseconds; the rest is for processors that running machines keep busy. */
const usualLimits: RenderLimits = {
  timeMs: 2000,
  memoryMiB: 64,
  outputCharacters: 2 ** 20,
  idleMs: 5000,
};

/** Opens a renderer. Nothing is started yet. */
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

  async #running(): Promise<RenderProcess> {
    try {
      const running = await this.#process;
      if (running?.isAlive()) return running;
      this.#process = startRenderProcess(this.#limits.memoryMiB);
      return await this.#process;
    } catch (error) {
      this.#process = undefined; // the next request tries again
      throw error;
    }
  }

  async #renderOne(request: RenderRequest, signal: AbortSignal): Promise<string> {
    if (signal.aborted) throw interrupted();
    clearTimeout(this.#idle);
    try {
      const running = await this.#running();
      const { template, scope } = request;
      const answer = await running.ask(
        { template, scope, limit: this.#limits.outputCharacters },
        this.#limits.timeMs,
        signal,
      );
      if ('text' in answer) return answer.text;
      throw failed(request, answer);
    } catch (error) {
      if (!(error instanceof RenderProcessLost)) throw error;
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
