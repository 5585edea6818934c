import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../../engine/digest.ts';
import type { Driver } from '../../engine/drivers/driver.ts';
import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { EventBody } from '../../engine/model/event.ts';
import type { Store } from '../../engine/model/store.ts';
import { currentProcess, type ProcessIdentity } from '../../engine/process-identity.ts';
import type { RunContext } from '../../engine/run/context.ts';
import type { UpRequest } from '../../engine/run/decide-up.ts';
import { openSecretBox } from '../../engine/store/secrets.ts';

/** Makes a folder of its own for a test, in memory where the system has such a place; it goes with the process. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sheaf-test-'));
  if (folders.length === 0) process.on('exit', removeFolders);
  folders.push(folder);
  return folder;
}

const folders: string[] = [];

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Asks for a blueprint to be up as `shop`. */
export function upRequest(blueprint: Blueprint, parts: Partial<UpRequest> = {}): UpRequest {
  return {
    owner: 'default',
    name: 'shop',
    blueprint,
    inputs: { set: {}, expose: {} },
    secrets: new Map(),
    ...parts,
  };
}

/** A life of the program: a context, and what it reported. */
export type Life = { readonly context: RunContext; readonly events: readonly EventBody[] };

/** Makes a context on a home folder, a store and a driver; small pauses, ids that count, files that show the secrets. */
export function sampleContext(
  parts: { readonly home: string; readonly store: Store; readonly driver: Driver } & Partial<RunContext>,
): Life {
  const { home, ...given } = parts;
  const events: EventBody[] = [];
  const context: RunContext = {
    pool: { name: 'local', driver: 'memory', range: '10.83.0.0/16' },
    secretBox: openSecretBox(join(home, 'key')),
    isStored: async () => true,
    renderFiles: async (state, { secrets }) => [
      {
        path: '/etc/app.json',
        content: canonicalJson({ ...state.scope, secrets: Object.fromEntries(secrets) }),
        mode: '0600',
      },
    ],
    report: (event) => void events.push(event),
    clock: Date.now,
    newId: randomId,
    holder: currentProcess(),
    isAlive: (holder: ProcessIdentity) => holder.pid === process.pid,
    freePorts: async (count) => Array.from({ length: count }, (_, index) => 40_000 + index),
    listenRefusal: async () => undefined,
    limits: { parallelSteps: 4, settleTimeoutMs: 2000, settlePauseMs: 2 },
    signal: new AbortController().signal,
    ...given,
  };
  return { context, events };
}

function randomId(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  const pick = (count: number): string => letters.charAt(Math.floor(Math.random() * count));
  return pick(26) + Array.from({ length: 11 }, () => pick(36)).join('');
}
