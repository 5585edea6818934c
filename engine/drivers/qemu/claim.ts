import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import { currentProcess, isAlive, type ProcessIdentity } from '../../process-identity.ts';
import { systemCode } from '../../system-code.ts';
import type { Patience } from '../line-socket.ts';

/** One of an instance's sockets, ours until it is released. */
export type Claim = { readonly socket: string; readonly release: () => Promise<void> };

/**
 * Takes one of several sockets that serve one client each, among all processes of the machine.
 *
 * The claim lies beside the socket and names its holder; a dead holder's claim is taken over.
 *
 * @throws EngineError INSTANCE_SILENT when all stay taken for the whole patience
 */
export async function claimOne(sockets: readonly string[], patience: Patience): Promise<Claim> {
  const deadline = Date.now() + patience.timeoutMs;
  for (;;) {
    for (const socket of sockets) {
      const path = `${socket}.claim`;
      if (await take(path)) return { socket, release: () => rm(path, { force: true }) };
    }
    if (patience.signal?.aborted)
      throw new EngineError('OPERATION_INTERRUPTED', 'waiting for the instance was stopped on request');
    if (Date.now() > deadline)
      throw new EngineError('INSTANCE_SILENT', `${sockets.length} commands run in the instance already`, {
        hint: 'Wait until one of them ends.',
      });
    await delay(50);
  }
}

async function take(path: string): Promise<boolean> {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await writeFile(draft, JSON.stringify(currentProcess()), { mode: 0o600, flag: 'wx' });
    if (await linked(draft, path)) return true;
    const holder = await holderOf(path);
    if (holder !== undefined && isAlive(holder)) return false;
    // only one of several who find a dead holder may remove its claim, else a fresh one would go
    const turn = `${path}.turn`;
    if (!(await linked(draft, turn))) {
      const turner = await holderOf(turn);
      if (turner === undefined || !isAlive(turner)) await rm(turn, { force: true });
      return false;
    }
    const again = await holderOf(path);
    if (again === undefined || !isAlive(again)) await rm(path, { force: true });
    await rm(turn, { force: true });
    return await linked(draft, path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new EngineError('INSTANCE_SILENT', 'the instance does not run', {
      hint: 'Look at its state and its log.',
      cause: error,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(path: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined; // released meanwhile
  }
}
