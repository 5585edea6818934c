import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';

/** What became of the requests of a {@link SteadyLoad}. */
export type LoadReport = {
  readonly answered: number;
  /** Why the others were not answered with 200. */
  readonly failures: readonly string[];
  /** Number of answers by what the page said. */
  readonly pages: ReadonlyMap<string, number>;
  readonly slowestMs: number;
};

/** Requests that go on until they are stopped. */
export type SteadyLoad = {
  /** Looks at what has come so far. */
  readonly report: () => LoadReport;
  /** Stops, and waits for the answers that are still to come. */
  readonly stop: () => Promise<LoadReport>;
};

/** Asks for a page again and again, each time on a connection of its own, as people who come by do. */
export function startLoad(url: string, clients = 3): SteadyLoad {
  const agent = new Agent({ pipelining: 0, connections: clients });
  const pages = new Map<string, number>();
  const failures: string[] = [];
  let answered = 0;
  let slowestMs = 0;
  let isOver = false;
  const ask = async (): Promise<void> => {
    const begun = performance.now();
    try {
      const { statusCode, body } = await request(url, {
        dispatcher: agent,
        headersTimeout: 30_000,
        bodyTimeout: 30_000,
      });
      const page = (await body.text()).trim();
      if (statusCode !== 200) failures.push(`${statusCode} ${page.slice(0, 100)}`);
      else {
        answered++;
        pages.set(page, (pages.get(page) ?? 0) + 1);
      }
    } catch (error) {
      failures.push(String(error));
    }
    slowestMs = Math.max(slowestMs, performance.now() - begun);
  };
  const client = async (): Promise<void> => {
    while (!isOver) {
      await ask();
      // a steady trickle: the machines under it are emulated
      await pause(50);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  const report = (): LoadReport => ({ answered, failures: [...failures], pages: new Map(pages), slowestMs });
  return {
    report,
    stop: async () => {
      isOver = true;
      await all;
      await agent.close();
      return report();
    },
  };
}
