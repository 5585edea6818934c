import { join } from 'node:path';
import { openCatalogs } from '../cli/compose.ts';

/** Puts catalogs together as the command line does, in a home of its own. */
export function openBenchCatalogs(folder: string): ReturnType<typeof openCatalogs> {
  const settings = {
    home: join(folder, 'home'),
    runtime: join(folder, 'runtime'),
    config: join(folder, 'config'),
  };
  const { signal } = new AbortController();
  const askPassphrase = async () => undefined;
  return openCatalogs(settings, { environment: {}, options: { insecure: true }, signal, askPassphrase });
}

/** Runs an act, and gives how long it took; milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}
