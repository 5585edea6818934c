import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { toolPath } from './command.ts';
import { EngineError, type ErrorCode } from './errors.ts';
import type { BuiltImage, ImageRequest } from './images/build-image.ts';
import type { EventBody, Report } from './model/event.ts';
import {
  currentUser,
  findSubordinates,
  type Refusal,
  type SubordinateIds,
  userNamespaceOptions,
  userNamespaceRefusal,
} from './user-namespace.ts';

/** What the building process is told, once. */
export type BuildOrder = {
  readonly folders: { readonly home: string; readonly keyFile: string };
  readonly requests: readonly ImageRequest[];
};

/** What the building process tells: events, then one of the others. */
export type BuildWord =
  | { readonly event: EventBody }
  | { readonly built: readonly BuiltImage[] }
  | {
      readonly failure: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly hint?: string;
        readonly details: Readonly<Record<string, unknown>>;
      };
    };

/** The ids that Debian's packages give to files: 0 to 65534, which is nobody. */
const idsOfDebian = 65_534;

/**
 * Builds images as root of a user namespace, in a process of its own.
 *
 * What a package gives to other users belongs to lent ids outside, so that this process could neither read it back
 * nor remove it; the images come out with the same bytes as root's. The process ends, and tidies up, when this one does.
 *
 * @throws EngineError ROOT_REQUIRED when this user cannot be lent ids or namespaces, with the reason and the remedy; and as `buildImages`
 */
export async function buildApart(
  order: BuildOrder,
  { signal, report }: { readonly signal: AbortSignal; readonly report: Report },
): Promise<readonly BuiltImage[]> {
  const subordinates = await requireSubordinates(signal);
  const program = fileURLToPath(new URL('./build-process.ts', import.meta.url));
  const command = [...userNamespaceOptions(subordinates), '--', process.execPath, '--no-warnings', program];
  const child = spawn('unshare', command, {
    env: { ...process.env, PATH: toolPath() },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    detached: true, // a Ctrl-C in the terminal is for us alone; our end ends it
  });
  const stop = (): void => {
    if (child.connected) child.disconnect();
  };
  signal.addEventListener('abort', stop, { once: true });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-2000);
  });
  let last: Exclude<BuildWord, { event: EventBody }> | undefined;
  child.on('message', (word: BuildWord) => {
    if ('event' in word) report(word.event);
    else last = word;
  });
  try {
    const code = await new Promise<number | null>((resolve) => {
      child.on('error', () => resolve(null));
      child.on('close', resolve);
      child.send(order, () => undefined); // its end is told by its exit
      if (signal.aborted) stop();
    });
    if (last !== undefined && 'built' in last) return last.built;
    if (signal.aborted)
      throw new EngineError('OPERATION_INTERRUPTED', 'building images was stopped on request', {
        hint: 'Run the same command again to go on.',
      });
    if (last !== undefined) throw failureOf(last.failure);
    throw new EngineError('TOOL_FAILED', `the building process ended with ${code}: ${said.trim()}`, {
      details: { tool: 'unshare' },
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function failureOf({
  code,
  message,
  hint,
  details,
}: Extract<BuildWord, { failure: unknown }>['failure']): EngineError {
  return new EngineError(code, message, { ...(hint !== undefined && { hint }), details });
}

/** Makes sure that this user may build images. @throws EngineError ROOT_REQUIRED with the reason and the remedy */
export async function requireBuilder(signal: AbortSignal): Promise<void> {
  if (currentUser().id !== 0) await requireSubordinates(signal);
}

async function requireSubordinates(signal: AbortSignal): Promise<SubordinateIds> {
  const found = await findSubordinates(currentUser());
  if ('reason' in found) throw refused(found);
  if (found.count < idsOfDebian)
    throw refused({
      reason: `/etc/subuid and /etc/subgid lend only ${found.count} ids, and Debian's packages take ${idsOfDebian}`,
      remedy: 'Have root lend more of them with: usermod --add-subuids, --add-subgids',
    });
  const refusal = await userNamespaceRefusal(found, signal);
  if (refusal !== undefined) throw refused(refusal);
  return found;
}

function refused({ reason, remedy }: Refusal): EngineError {
  return new EngineError('ROOT_REQUIRED', `this user can build no images: ${reason}`, { hint: remedy });
}
