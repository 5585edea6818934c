import { EngineError } from '../errors.ts';
import { nameHint } from '../formats/nearest-name.ts';
import type { Blueprint, BlueprintAppliance } from '../model/blueprint.ts';
import type { ScaledReplicas } from '../model/store.ts';

/** As many as a description may ask for. */
const mostReplicas = 1000;

/**
 * Gives a blueprint the numbers of replicas that were asked for. Pure.
 *
 * A number counts as long as the description says what it said when it was asked for; a description that says another
 * one is the newer word.
 *
 * @returns the blueprint, and the numbers that count still
 * @throws EngineError INPUT_REFUSED for more replicas than can be
 */
export function scaled(
  blueprint: Blueprint,
  scale: ScaledReplicas,
): { readonly blueprint: Blueprint; readonly scale: ScaledReplicas } {
  const asked = new Map(Object.entries(scale));
  const counting = blueprint.appliances.flatMap(({ path, replicas }) => {
    const one = asked.get(path);
    return one?.described === replicas && one.replicas !== replicas ? [[path, one] as const] : [];
  });
  const counts = new Map(counting);
  const appliances = blueprint.appliances.map((appliance) => {
    const one = counts.get(appliance.path);
    if (one === undefined) return appliance;
    checkReplicas(appliance, one.replicas);
    return { ...appliance, replicas: one.replicas };
  });
  return { blueprint: { ...blueprint, appliances }, scale: Object.fromEntries(counting) };
}

/** Gives a blueprint the numbers of replicas that its description says. The inverse of {@link scaled}. */
export function asDescribed(blueprint: Blueprint, scale: ScaledReplicas): Blueprint {
  const asked = new Map(Object.entries(scale));
  return {
    ...blueprint,
    appliances: blueprint.appliances.map((appliance) => ({
      ...appliance,
      replicas: asked.get(appliance.path)?.described ?? appliance.replicas,
    })),
  };
}

/**
 * Adds numbers of replicas to those that were asked for before.
 *
 * @param blueprint - as described
 * @param replicas - by appliance path
 * @throws EngineError INPUT_REFUSED for an appliance that there is not
 */
export function rescaled(
  blueprint: Blueprint,
  before: ScaledReplicas,
  replicas: Readonly<Record<string, number>>,
): ScaledReplicas {
  const described = new Map(blueprint.appliances.map((one) => [one.path, one.replicas]));
  const changed = Object.entries(replicas).map(([path, count]) => {
    const number = described.get(path);
    if (number !== undefined) return [path, { described: number, replicas: count }] as const;
    throw new EngineError('INPUT_REFUSED', `the application has no appliance ${path}`, {
      hint: nameHint(path, [...described.keys()]),
      details: { appliance: path },
    });
  });
  return { ...before, ...Object.fromEntries(changed) };
}

function checkReplicas({ path, volumes, replicas: described }: BlueprintAppliance, replicas: number): void {
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > mostReplicas) {
    throw new EngineError('INPUT_REFUSED', `${path} cannot have ${replicas} replicas`, {
      hint: `Ask for 1 to ${mostReplicas}. To stop everything: sheaf down NAME --keep-data`,
      details: { appliance: path, replicas },
    });
  }
  const shared = volumes.find(({ kind, perReplica }) => kind === 'data' && !perReplica);
  if (shared === undefined || replicas === 1) return;
  throw new EngineError(
    'INPUT_REFUSED',
    `${replicas} replicas of ${path} would share its data volume ${shared.name}`,
    {
      hint: `Leave it at ${described}: one data set belongs to one instance.`,
      details: { appliance: path, volume: shared.name },
    },
  );
}
