import { statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import { type EndpointState, type EntryState, isExit } from '../../model/step.ts';
import { type ProcessIdentity, processIdentity } from '../../process-identity.ts';
import { plainText } from '../channel.ts';
import type { DriverContext } from './context.ts';
import { firstLine, spawnDetached } from './launch.ts';
import { endpointMark, userIdOf } from './marks.ts';
import type { Namespace } from './namespaces.ts';
import { applyRules, reduceRules, requireNamespace } from './network.ts';
import { endProcess, findProcesses, isInNamespace, isStill } from './processes.ts';
import { ensureAttendant } from './programs.ts';
import { listRecords, type ObjectRecord, readRecord, removeRecord, writeRecord } from './record.ts';
import { removeUplinkLog, startUplink, uplinkLogFolder } from './uplink.ts';

const readyTimeoutMs = 10_000;
const graceMs = 1000;

/** Brings an endpoint to its state: the rules let it reach its targets, and one attendant listens for it. */
export async function ensureEndpoint(
  context: DriverContext,
  deployment: string,
  record: ObjectRecord<'endpoint'>,
  signal: AbortSignal,
): Promise<void> {
  const before = await readRecord(context.layout, deployment, 'endpoint', record.key);
  const attendants = findAttendants(deployment, record.key);
  const [kept] = attendants;
  const namespace = await context.namespaces.find(deployment);
  if (kept && attendants.length === 1 && before && works(deployment, before, namespace)) {
    if (before.fingerprint === record.fingerprint) {
      await writeRecord(context.layout, deployment, { ...record, process: kept });
      return;
    }
  }
  await writeRecord(context.layout, deployment, { ...record, fingerprint: null });
  await context.rules(() => applyRules(context, deployment, signal));
  for (const attendant of attendants) await endProcess(attendant, graceMs);
  const attendant = await start(context, deployment, record, signal);
  await writeRecord(context.layout, deployment, { ...record, process: attendant });
}

/** Removes an endpoint: its attendant, and the rules that let it in. */
export async function removeEndpoint(
  context: DriverContext,
  deployment: string,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  for (const attendant of findAttendants(deployment, key)) await endProcess(attendant, graceMs);
  await removeUplinkLog(context.layout, deployment, key);
  await removeRecord(context.layout, deployment, 'endpoint', key);
  await context.rules(() => reduceRules(context, deployment, signal));
}

/**
 * Tells whether an endpoint is served: by the process that is recorded, in its deployment's network as it is now.
 *
 * An entry's attendant lives there. An exit's has only its socket there; it names the network that it was made for.
 */
export function works(
  deployment: string,
  record: ObjectRecord<'endpoint'>,
  namespace: Namespace | undefined,
): boolean {
  const network = isExit(record.state) ? networkOf(namespace) : undefined;
  const { key, process: attendant } = record;
  return (
    attendant !== undefined &&
    isStill(attendant, marked(deployment, key, network), endpointUser(deployment, key)) &&
    (network !== undefined || isInNamespace(attendant, namespace))
  );
}

/** Tells whether any attendant of an endpoint is there. */
export function isServed(deployment: string, key: string): boolean {
  return findAttendants(deployment, key).length > 0;
}

/** Writes the attendant's command line. */
function endpointArguments(
  deployment: string,
  key: string,
  state: EndpointState,
  way: { readonly enter: readonly string[]; readonly user: number | undefined },
): readonly string[] {
  const user = String(way.user ?? 0);
  return [
    isExit(state) ? 'uplink' : 'endpoint',
    ...['--name', endpointMark(deployment, key), '--listen', placeText(state.listen)],
    ...way.enter.flatMap((word) => ['--enter', word]),
    ...['--uid', user],
  ];
}

function endpointUser(deployment: string, key: string): number {
  return userIdOf(deployment, `endpoint ${key}`);
}

/** Writes what an entry's attendant is told besides. */
function entryArguments(
  { transport, targets, proxyProtocol }: EntryState,
  gateway: string,
): readonly string[] {
  return [
    ...['--transport', transport, '--gateway', gateway],
    ...(proxyProtocol ? ['--proxy-protocol'] : []),
    ...targets.flatMap(({ address, port }) => ['--target', `${address}:${port}`]),
  ];
}

/** Names the network that is there now: a number of the kernel's, which no other has as long as anybody uses it. */
function networkOf(namespace: Namespace | undefined): string {
  return String(namespace && (statSync(namespace.path, { throwIfNoEntry: false })?.ino ?? 0));
}

function placeText({ address, port }: EndpointState['listen']): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function findAttendants(deployment: string, key: string): readonly ProcessIdentity[] {
  return findProcesses(marked(deployment, key), endpointUser(deployment, key));
}

/** @param network - the one that it must have been made for; any when absent */
function marked(deployment: string, key: string, network?: string): (args: readonly string[]) => boolean {
  const mark = endpointMark(deployment, key);
  return (args) => {
    const argumentOf = (option: string): string | undefined =>
      args.includes(option) ? args[args.indexOf(option) + 1] : undefined;
    if (!args.includes('endpoint') && !args.includes('uplink')) return false;
    return argumentOf('--name') === mark && (network === undefined || argumentOf('--network') === network);
  };
}

async function start(
  context: DriverContext,
  deployment: string,
  { key, state }: ObjectRecord<'endpoint'>,
  signal: AbortSignal,
): Promise<ProcessIdentity> {
  const [network] = await listRecords(context.layout, deployment, 'network');
  if (network === undefined)
    throw new EngineError('INTERNAL_ERROR', `endpoint ${key} comes before its deployment's network`);
  const namespace = await requireNamespace(context, deployment);
  const program = await ensureAttendant(context, signal);
  // a way out lives outside of the namespace, where only root can become somebody else
  const isAlone = isExit(state) && process.geteuid?.() !== 0;
  const user = isAlone ? undefined : context.namespaces.userOf(deployment, `endpoint ${key}`);
  const way = { enter: namespace.enterBare, user };
  const args = [program, ...endpointArguments(deployment, key, state, way)];
  const { child } = isExit(state)
    ? startUplink(
        [
          ...args,
          '--network',
          networkOf(namespace),
          '--log',
          uplinkLogFolder(context.layout, deployment, key),
        ],
        { ...state, subnet: network.state.subnet },
      )
    : spawnDetached([...args, ...entryArguments(state, network.state.gateway)], ['ignore', 'pipe', 'ignore']);
  const identity = child.pid === undefined ? undefined : processIdentity(child.pid);
  const said = child.stdout === null ? '' : await firstLine(child.stdout, readyTimeoutMs, signal);
  child.stdout?.destroy();
  if (identity !== undefined && said === 'ready' && (isExit(state) || (await moved(identity, namespace))))
    return identity;
  if (identity !== undefined) await endProcess(identity, 0);
  if (signal.aborted)
    throw new EngineError('OPERATION_INTERRUPTED', 'opening an endpoint was stopped on request');
  throw refused(key, state, said);
}

/** The attendant listens in the machine's network first and goes to live in the deployment's then. */
async function moved(identity: ProcessIdentity, namespace: Namespace): Promise<boolean> {
  const deadline = Date.now() + readyTimeoutMs;
  while (Date.now() < deadline && processIdentity(identity.pid)?.startTicks === identity.startTicks) {
    if (isInNamespace(identity, namespace)) return true;
    await delay(5);
  }
  return false;
}

function refused(key: string, { listen }: EndpointState, said: string): EngineError {
  const place = placeText(listen);
  const { code, message } = readRefusal(said);
  if (code === 'ADDRESS_TAKEN')
    return new EngineError('ADDRESS_TAKEN', `${key}: ${place} is in use by another program`, {
      hint: `Choose another one with --expose ${key}=${listen.address}:PORT.`,
      details: { endpoint: key, ...listen },
    });
  return new EngineError(
    'TOOL_FAILED',
    `${key}: nothing can listen on ${place}: ${plainText(message) || 'no reason given'}`,
    {
      hint: 'Choose an address that this machine has.',
      details: { tool: 'attendant', endpoint: key, ...listen },
    },
  );
}

/** Reads why an attendant ended; what is no JSON is the reason itself. */
function readRefusal(said: string): { readonly code: string; readonly message: string } {
  try {
    const { error } = JSON.parse(said) as { error?: { code?: string; message?: string } };
    return { code: error?.code ?? '', message: error?.message ?? said };
  } catch {
    return { code: '', message: said };
  }
}
