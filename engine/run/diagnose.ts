import { statfs } from 'node:fs/promises';
import { arch, availableParallelism, totalmem } from 'node:os';
import { requireTools } from '../command.ts';
import type { Driver } from '../drivers/driver.ts';
import { EngineError } from '../errors.ts';
import { buildTools } from '../images/tools.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import type { Capabilities, Pool } from '../model/pool.ts';
import type { Store } from '../model/store.ts';
import { formatSize } from '../units.ts';

/** What is looked at. */
export type DiagnosisSubject = {
  readonly home: string;
  readonly openStore: () => Promise<Store>;
  readonly pools: readonly Pool[];
  readonly openDriver: (pool: Pool) => Promise<Driver>;
  /** Throws what keeps this user from building images, when something does. */
  readonly requireBuilder: (signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
};

// the images of one application with some room to work
const roomBytes = 4 * 2 ** 30;

/**
 * Tells what this machine has, lacks and can do. What cannot be looked at is a finding, not a failure.
 *
 * The first look may boot a probe guest, which takes some seconds.
 */
export async function diagnose(subject: DiagnosisSubject): Promise<readonly Diagnosis[]> {
  const pools = [];
  for (const pool of subject.pools) pools.push(...(await examinePool(pool, subject)));
  return [examineMachine(), ...(await examinePrograms(subject)), ...(await examineState(subject)), ...pools];
}

function examineMachine(): Diagnosis {
  const found = `${arch() === 'x64' ? 'amd64' : arch()}, ${availableParallelism()} cores, ${formatSize(roundMebibytes(totalmem()))} memory`;
  const common = { area: 'machine', name: 'hardware' } as const;
  if (arch() === 'x64') return { ...common, state: 'good', message: found };
  return {
    ...common,
    state: 'failed',
    message: `${found}: virtual machines need an amd64 processor`,
    hint: 'Run it on an amd64 machine.',
  };
}

async function examinePrograms({ requireBuilder, signal }: DiagnosisSubject): Promise<readonly Diagnosis[]> {
  return await Promise.all(
    Object.entries(buildTools).map(async ([what, tools]) =>
      orFinding({ area: 'programs', name: `building ${what}` }, 'limited', async () => {
        await requireTools(tools);
        if (what === 'images') await requireBuilder(signal);
        return { state: 'good', message: 'everything is installed' };
      }),
    ),
  );
}

async function examineState({ home, openStore }: DiagnosisSubject): Promise<readonly Diagnosis[]> {
  const records = await orFinding({ area: 'state', name: 'records' }, 'failed', async () => {
    const deployments = await (await openStore()).deployments();
    return { state: 'good', message: `${home}, deployments: ${deployments.length}` };
  });
  if (records.state === 'failed') return [records];
  const disk = await statfs(home);
  const freeBytes = disk.bavail * disk.bsize;
  const message = `${formatSize(roundMebibytes(freeBytes))} free`;
  const room = { area: 'state', name: 'room' } as const;
  return [
    records,
    freeBytes >= roomBytes
      ? { ...room, state: 'good', message }
      : {
          ...room,
          state: 'limited',
          message,
          hint: `Free some space: images and disks of one application take about ${formatSize(roomBytes)}.`,
        },
  ];
}

async function examinePool(pool: Pool, subject: DiagnosisSubject): Promise<readonly Diagnosis[]> {
  let capabilities: Capabilities | undefined;
  // nobody needs every pool
  const failure = pool === subject.pools[0] ? 'failed' : 'limited';
  const driver = await orFinding({ area: 'pool', name: `${pool.name} driver` }, failure, async () => {
    const opened = await subject.openDriver(pool);
    capabilities = await opened.capabilities(subject.signal);
    const what = capabilities.runs === 'vm' ? 'virtual machines' : 'containers';
    return { state: 'good', message: `${pool.driver} runs ${what}` };
  });
  return capabilities === undefined ? [driver] : [driver, ...describe(pool, capabilities)];
}

function describe({ name }: Pool, capabilities: Capabilities): readonly Diagnosis[] {
  const { accelerator, confinement, isolates, isolationReason, isolationRemedy, runs } = capabilities;
  const isolation = { area: 'pool', name: `${name} isolation` } as const;
  const speed = { area: 'pool', name: `${name} accelerator` } as const;
  return [
    isolates
      ? { ...isolation, state: 'good', message: 'wires are enforced' }
      : {
          ...isolation,
          state: 'failed',
          message: `wires cannot be enforced: ${isolationReason ?? 'no reason is known'}`,
          hint: isolationRemedy ?? 'Nothing is run where traffic cannot be kept to the wires.',
        },
    runs === 'vm' && accelerator.name === 'tcg'
      ? {
          ...speed,
          state: 'limited',
          message: `emulation, several times slower: ${accelerator.reason}`,
          hint: 'Where the processor and the system offer KVM, let this user open /dev/kvm.',
        }
      : { ...speed, state: 'good', message: `${accelerator.name}: ${accelerator.reason}` },
    // where nothing may run, its rights are beside the point
    ...(confinement === undefined || !isolates
      ? []
      : [{ area: 'pool', name: `${name} rights`, state: 'good', message: confinement.reason } as const]),
  ];
}

/** Runs an examination; a failure of it becomes its result. */
async function orFinding(
  head: Pick<Diagnosis, 'area' | 'name'>,
  stateOfFailure: 'limited' | 'failed',
  examine: () => Promise<Pick<Diagnosis, 'state' | 'message'>>,
): Promise<Diagnosis> {
  try {
    return { ...head, ...(await examine()) };
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === 'OPERATION_INTERRUPTED') throw error;
    return {
      ...head,
      state: stateOfFailure,
      message: error.message,
      ...(error.hint !== undefined && { hint: error.hint }),
    };
  }
}

function roundMebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20) * 2 ** 20;
}
