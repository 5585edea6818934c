import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { keepingRoom } from '../../engine/images/keep-room.ts';

const limits = { mostBytes: 100, reserveBytes: 50, pauseMs: 1 };
const { signal } = new AbortController();

/** Takes so much of a disk, and then waits until it is ended; with nothing to take it ends by itself. */
function greedy(disk: { freeBytes: number }, bytes: number) {
  return async (stop: AbortSignal): Promise<string> => {
    disk.freeBytes -= bytes;
    if (bytes === 0) return 'done';
    const { promise, reject } = Promise.withResolvers<string>();
    const end = (): void => reject(new EngineError('OPERATION_INTERRUPTED', 'it was stopped'));
    if (stop.aborted) end();
    stop.addEventListener('abort', end, { once: true });
    return await promise;
  };
}

for (const [title, free, bytes] of [
  ['takes more than it may', 1000, 101],
  ['leaves less than others need', 120, 80],
] as const)
  test(`a set-up script that ${title} is ended`, async (t) => {
    const disk = { freeBytes: free };

    const error = await t.throwsAsync(
      keepingRoom(greedy(disk, bytes), async () => disk.freeBytes, limits, signal),
      { instanceOf: EngineError, code: 'IMAGE_FAILED' },
    );

    t.regex(error.message, /the set-up script was ended: it takes more than/);
  });

test('one that takes what it may ends by itself', async (t) => {
  t.is(await keepingRoom(greedy({ freeBytes: 1000 }, 0), async () => 1000, limits, signal), 'done');
});

test('one that is ended by its user is not told as greedy', async (t) => {
  const user = new AbortController();
  const running = keepingRoom(greedy({ freeBytes: 1000 }, 1), async () => 999, limits, user.signal);
  user.abort();

  await t.throwsAsync(running, { code: 'OPERATION_INTERRUPTED' });
});
