import type { FoundDeployment } from '../drivers/driver.ts';
import { EngineError } from '../errors.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { type DeploymentNote, readNote } from './deployment-note.ts';
import { asEngineError } from './failure.ts';
import { identityOf } from './identity.ts';

/** A deployment that was taken back into the records. */
export type Adopted = {
  readonly name: string;
  readonly owner: string;
  readonly application: string;
  readonly version: string;
  /** Objects that were found of it. */
  readonly objects: number;
  /** What is lost for good or in danger, each as a sentence for people. */
  readonly losses: readonly string[];
  /** Secrets that the key of this machine does not open. */
  readonly unreadableSecrets: readonly string[];
};

/** What `adopt` answers. */
export type AdoptAnswer = {
  readonly pool: string;
  readonly adopted: readonly Adopted[];
  /** Names of those that were recorded all the time. */
  readonly known: readonly string[];
};

/**
 * Makes the records of deployments again that exist in a pool and are not recorded, from what was left with their objects.
 *
 * Deployments that are recorded stay as they are. One that cannot be taken back does not hold up the others.
 *
 * @throws EngineError DEPLOYMENTS_FAILED with `details.failed` {id: {code, message}} and the answer in the details, when one
 *   was found and could not be taken back
 */
export async function adopt(context: RunContext): Promise<AdoptAnswer> {
  const { driver, store, pool, signal } = context;
  const records = await store.deployments();
  const adopted: Adopted[] = [];
  const known: string[] = [];
  const failures = new Map<string, EngineError>();
  for (const found of await driver.find(signal)) {
    const record = records.find((one) => one.id === found.id);
    if (record) {
      known.push(record.name);
      continue;
    }
    try {
      adopted.push(await adoptOne(context, found));
    } catch (cause) {
      failures.set(found.id, asEngineError(cause));
    }
  }
  const answer = { pool: pool.name, adopted, known };
  const [first] = failures.values();
  if (first) throw failed(failures, answer, first);
  return answer;
}

async function adoptOne(context: RunContext, found: FoundDeployment): Promise<Adopted> {
  const { driver, store, pool, signal, clock, newId } = context;
  if (found.note === undefined) {
    throw new EngineError(
      'STATE_CORRUPT',
      `nothing that describes the deployment ${found.id} was left with it`,
      {
        hint: 'It can be removed by hand only; its objects carry its id.',
      },
    );
  }
  const note = readNote(found.note, found.id);
  // the pool may have another name here
  const deployment: DeploymentRecord = { ...note.deployment, pool: pool.name };
  const losses = await driver.adopt(identityOf(deployment), signal);
  await store.adopt({
    deployment,
    secrets: note.secrets,
    inventory: found.objects,
    operation: newId(),
    at: clock(),
  });
  const { application } = deployment.spec.blueprint;
  return {
    name: deployment.name,
    owner: deployment.owner,
    application: application.name,
    version: application.version,
    objects: found.objects.length,
    losses,
    unreadableSecrets: unreadableSecrets(context, note),
  };
}

function unreadableSecrets(
  { secretBox }: Pick<RunContext, 'secretBox'>,
  { deployment, secrets }: DeploymentNote,
): readonly string[] {
  const closed = secrets.filter(({ name, sealed }) => {
    try {
      secretBox.open({ deployment: deployment.id, name }, sealed);
      return false;
    } catch (error) {
      if (error instanceof EngineError && error.code === 'SECRET_UNREADABLE') return true;
      throw error;
    }
  });
  return [...new Set(closed.map(({ name }) => name))];
}

function failed(
  failures: ReadonlyMap<string, EngineError>,
  answer: AdoptAnswer,
  cause: EngineError,
): EngineError {
  const lines = [...failures.values()].map(({ message }) => message);
  return new EngineError(
    'DEPLOYMENTS_FAILED',
    `${failures.size} of the deployments that were found could not be adopted: ${lines.join('; ')}`,
    {
      hint: cause.hint ?? 'Run the same command again.',
      details: {
        failed: Object.fromEntries([...failures].map(([id, { code, message }]) => [id, { code, message }])),
        ...answer,
      },
      cause,
    },
  );
}
