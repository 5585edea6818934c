import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openMemoryDriver } from '../engine/drivers/memory/open-driver.ts';
import type { Store } from '../engine/model/store.ts';
import { down } from '../engine/run/down.ts';
import { up } from '../engine/run/up.ts';
import { openStore } from '../engine/store/store.ts';
import { guestbook, sampleClosure } from '../test/sample/blueprint.ts';
import { sampleContext, upRequest } from '../test/sample/context.ts';
import { judge } from './judge.ts';

const rounds = 5;
// what the quickest of real providers takes, a third of a second for a container, in processes: a busy machine slows them as it
// slows the journal
const processesForInstance = 8;
const cache = fileURLToPath(new URL('../.cache', import.meta.url));

/**
 * Measures which part of an operation's time goes into the journal, on the disk that this checkout is on; the provider is
 * pretended, and as quick as the quickest real one. Writes that were made at the same time count one by one.
 */
async function main(): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const home = mkdtempSync(join(cache, 'bench-journal-'));
  try {
    const { store, spentMs } = timed(openStore(join(home, 'state.db')));
    const interfere = async (moment: string): Promise<void> => {
      if (!moment.startsWith('amid')) return;
      const count = moment.includes('instance') ? processesForInstance : 1;
      for (let index = 0; index < count; index++) await once(spawn(process.execPath, ['-e', '']), 'close');
    };
    const { context } = sampleContext({ home, store, driver: openMemoryDriver({ interfere }) });
    const start = performance.now();
    for (let round = 0; round < rounds; round++) {
      await up(context, upRequest(guestbook()), async () => sampleClosure(guestbook()));
      await down(context, { owner: 'default', name: 'shop', data: 'keep' });
    }
    const allMs = performance.now() - start;
    store.close();
    judge('journal / time of up and down, %', (100 * spentMs()) / allMs, 5);
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** Measures how long the writes of a store take together. */
function timed(store: Store): { readonly store: Store; readonly spentMs: () => number } {
  let spent = 0;
  const writes = new Set(['begin', 'writePlan', 'writeStep', 'writeEvents', 'end']);
  const proxy = new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      if (!writes.has(String(name))) return member.bind(target);
      return async (...args: readonly unknown[]) => {
        const begun = performance.now();
        try {
          return await member.apply(target, args);
        } finally {
          spent += performance.now() - begun;
        }
      };
    },
  });
  return { store: proxy, spentMs: () => spent };
}

await main();
