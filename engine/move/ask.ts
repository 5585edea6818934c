import { EngineError } from '../errors.ts';
import type { Capabilities } from '../model/pool.ts';
import type { DeploymentRecord, Recorded } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { asEngineError } from '../run/failure.ts';
import { status } from '../run/status.ts';
import type { MoveContext } from './context.ts';
import { decideTarget, targetView } from './target.ts';

/** Something that stands against a move. */
export type Refusal = { readonly code: string; readonly message: string; readonly hint?: string };

/**
 * Asks both sides whether a deployment can be moved. Changes nothing.
 *
 * @throws EngineError MOVE_REFUSED with everything that stands against it in `details.refusals`
 */
export async function askForMove(context: MoveContext, record: DeploymentRecord, to: string): Promise<void> {
  const { store } = context;
  const inventory = await store.inventory(record.id);
  const refusals: Refusal[] = [];
  const ask = async (question: () => Promise<readonly Refusal[]>): Promise<void> => {
    refusals.push(...(await question().catch((cause: unknown) => [refusalOf(cause)])));
  };
  if (record.pool === to) refusals.push(refusal(`${record.name} is on the pool ${to} already`));
  await ask(async () => await askSource(await context.contextOf(record.pool), record));
  refusals.push(...askVolumes(inventory));
  await ask(async () => await askImages(context, inventory));
  if (record.pool !== to) await ask(async () => await askTarget(await context.contextOf(to), record));
  if (context.signal.aborted)
    throw new EngineError('OPERATION_INTERRUPTED', 'stopped before anything was changed');
  if (refusals.length === 0) return;
  const lines = refusals.map(({ message }) => message);
  const [first] = refusals;
  throw new EngineError('MOVE_REFUSED', `${record.name} cannot be moved to ${to}: ${lines.join('; ')}`, {
    hint: (refusals.length === 1 && first?.hint) || 'Nothing was changed. See to these, then run it again.',
    details: { refusals },
  });
}

async function askSource(source: RunContext, { owner, name }: DeploymentRecord): Promise<readonly Refusal[]> {
  const seen = await status(source, owner, name);
  if (seen.state === 'running') return [];
  const why = seen.reason === undefined ? '' : `: ${seen.reason}`;
  const hint =
    seen.state === 'kept'
      ? 'Bring it up first, with `up` and its source.'
      : `Mend it first: sheaf repair ${name}`;
  return [refusal(`${name} is ${seen.state}${why}`, hint)];
}

function askVolumes(inventory: readonly Recorded[]): readonly Refusal[] {
  const states = inventory.flatMap((one) => (one.kind === 'instance' ? [one] : []));
  const used = new Set(states.flatMap(({ state }) => state.volumes.map(({ key }) => key)));
  const disks = states.filter(({ state }) => state.boot !== undefined);
  const left = inventory.filter(
    (one) => one.kind === 'volume' && one.state.kind === 'data' && !used.has(one.key),
  );
  return [
    ...disks.map(({ key }) =>
      refusal(`${key} is a whole disk, whose services cannot be held nor its data read from outside`),
    ),
    ...left.map(({ key }) => {
      const [appliance = '', number = ''] = key.slice(0, key.lastIndexOf('/')).split(/\.(?=\d+$)/);
      return refusal(
        `the volume ${key} belongs to a replica that is scaled away, and would be left behind`,
        `Scale up to take it along: sheaf scale NAME ${appliance}=${number}`,
      );
    }),
  ];
}

async function askImages(
  { hasBlob }: MoveContext,
  inventory: readonly Recorded[],
): Promise<readonly Refusal[]> {
  const missing: Refusal[] = [];
  for (const one of inventory) {
    if (one.kind !== 'image') continue;
    const found = await Promise.all(
      [one.state.kit, ...one.state.layers.map(({ digest }) => digest)].map(hasBlob),
    );
    if (found.every(Boolean)) continue;
    const hint = 'Run `up` with its source, which makes it again.';
    missing.push({
      code: 'IMAGE_MISSING',
      message: `the image ${one.key} is not stored here any more`,
      hint,
    });
  }
  return missing;
}

async function askTarget(target: RunContext, record: DeploymentRecord): Promise<readonly Refusal[]> {
  const capabilities = await target.driver.capabilities(target.signal);
  const refusals = [...askRuns(target.pool.name, capabilities, record)];
  try {
    const view = await targetView(target, record);
    const others = (await target.store.deployments()).filter(({ id }) => id !== record.id);
    decideTarget(record, others, view, target.newId());
  } catch (cause) {
    refusals.push(refusalOf(cause));
  }
  return refusals;
}

function askRuns(pool: string, { runs }: Capabilities, { spec }: DeploymentRecord): readonly Refusal[] {
  if (runs === 'vm') return [];
  return spec.blueprint.appliances
    .filter(({ image }) => image.kind === 'disk')
    .map(({ path }) => refusal(`${path} is a whole disk, and the pool ${pool} runs containers`));
}

function refusal(message: string, hint?: string): Refusal {
  return { code: 'INPUT_REFUSED', message, ...(hint !== undefined && { hint }) };
}

function refusalOf(cause: unknown): Refusal {
  const { code, message, hint } = asEngineError(cause);
  return { code, message, ...(hint !== undefined && { hint }) };
}
