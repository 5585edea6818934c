import type { DeploymentIdentity, Driver } from '../drivers/driver.ts';

/** A piece of an instance's log, as it was written. */
export type LogChunk = { readonly instance: string; readonly bytes: Uint8Array };

/**
 * Streams the logs of several instances: one after the other, or, when followed, as they come.
 *
 * Memory holds at most one chunk per instance.
 */
export async function* readLogs(
  driver: Driver,
  deployment: DeploymentIdentity,
  instances: readonly string[],
  options: { readonly follow: boolean; readonly signal: AbortSignal },
): AsyncGenerator<LogChunk> {
  const streams = instances.map((instance) => ({
    instance,
    chunks: driver.logs(deployment, instance, options)[Symbol.asyncIterator](),
  }));
  if (!options.follow) {
    for (const { instance, chunks } of streams)
      for (let next = await chunks.next(); !next.done; next = await chunks.next())
        yield { instance, bytes: next.value };
    return;
  }
  const ask = async (stream: (typeof streams)[number]) => ({ stream, next: await stream.chunks.next() });
  const waiting = new Map(streams.map((stream) => [stream, ask(stream)]));
  while (waiting.size > 0) {
    const { stream, next } = await Promise.race(waiting.values());
    if (next.done) {
      waiting.delete(stream);
      continue;
    }
    waiting.set(stream, ask(stream));
    yield { instance: stream.instance, bytes: next.value };
  }
}
