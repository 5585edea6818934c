import { EngineError } from '../../errors.ts';
import type { NetworkState } from '../../model/step.ts';
import type { Layout } from './layout.ts';
import {
  ensureNamespace,
  hasNamespace,
  loadedRuleset,
  loadRuleset,
  prepareNamespace,
  removeNamespace,
} from './namespace.ts';
import { listRecords } from './record.ts';
import { type RulesetInput, rulesetDigest, rulesetOf } from './ruleset.ts';

/** Brings a deployment's namespace to its state. Its rules are in force before it can carry a packet. */
export async function ensureNetwork(
  layout: Layout,
  deployment: string,
  network: NetworkState,
  signal: AbortSignal,
): Promise<void> {
  await ensureNamespace(deployment, signal);
  await applyRules(layout, deployment, signal, network);
  await prepareNamespace(deployment, network, signal);
}

/**
 * Puts the rules in force that follow from the deployment's records: its policy and the targets of its endpoints.
 *
 * Callers change a record first and then call this, one at a time for each deployment.
 *
 * @param network - when it is not recorded yet
 * @throws EngineError ISOLATION_UNAVAILABLE when the rules are not in force afterwards
 */
export async function applyRules(
  layout: Layout,
  deployment: string,
  signal: AbortSignal,
  network?: NetworkState,
): Promise<void> {
  const input = await rulesetInput(layout, deployment, network);
  if (input === undefined || !(await hasNamespace(deployment)))
    throw new EngineError('ISOLATION_UNAVAILABLE', 'the private network of the deployment is not there', {
      hint: 'Run the same command again.',
    });
  const ruleset = rulesetOf(input);
  await loadRuleset(deployment, ruleset, signal);
  if ((await loadedRuleset(deployment, signal)) !== rulesetDigest(ruleset))
    throw new EngineError('ISOLATION_UNAVAILABLE', 'nft took the packet rules, but they are not in force', {
      hint: 'Is the program nft the one of the package nftables?',
    });
}

/** Puts the rules in force that remain when an object is removed; without a namespace there is nothing to do. */
export async function reduceRules(layout: Layout, deployment: string, signal: AbortSignal): Promise<void> {
  if ((await hasNamespace(deployment)) && (await rulesetInput(layout, deployment)) !== undefined)
    await applyRules(layout, deployment, signal);
}

/** Tells whether the namespace is there and holds exactly the rules that follow from the records. */
export async function networkWorks(
  layout: Layout,
  deployment: string,
  signal: AbortSignal,
): Promise<boolean> {
  const input = await rulesetInput(layout, deployment);
  if (input === undefined || !(await hasNamespace(deployment))) return false;
  return (await loadedRuleset(deployment, signal)) === rulesetDigest(rulesetOf(input));
}

/** Removes a deployment's namespace. */
export async function removeNetwork(deployment: string, signal: AbortSignal): Promise<void> {
  await removeNamespace(deployment, signal);
}

async function rulesetInput(
  layout: Layout,
  deployment: string,
  network?: NetworkState,
): Promise<RulesetInput | undefined> {
  const settled = network ?? (await listRecords(layout, deployment, 'network'))[0]?.state;
  if (settled === undefined) return undefined;
  const [policy] = await listRecords(layout, deployment, 'policy');
  const endpoints = await listRecords(layout, deployment, 'endpoint');
  return {
    network: settled,
    policy: policy?.state ?? null,
    targets: endpoints.flatMap(({ state }) =>
      state.targets.map(({ address, port }) => ({ address, port, transport: state.transport })),
    ),
  };
}
