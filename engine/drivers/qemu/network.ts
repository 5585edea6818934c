import { EngineError } from '../../errors.ts';
import { isExit, type NetworkState } from '../../model/step.ts';
import type { DriverContext } from './context.ts';
import type { Layout } from './layout.ts';
import { loadedRuleset, loadRuleset, prepareNamespace } from './namespace.ts';
import type { Namespace } from './namespaces.ts';
import { listRecords } from './record.ts';
import { type RulesetInput, rulesetDigest, rulesetOf } from './ruleset.ts';
import { probeTargets } from './whole-disk.ts';

type NetworkContext = Pick<DriverContext, 'layout' | 'namespaces'>;

/** Brings a deployment's namespace to its state. Its rules are in force before it can carry a packet. */
export async function ensureNetwork(
  context: NetworkContext,
  deployment: string,
  network: NetworkState,
  signal: AbortSignal,
): Promise<void> {
  const namespace = await context.namespaces.ensure(deployment, signal);
  await applyRules(context, deployment, signal, network);
  await prepareNamespace(namespace, network, signal);
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
  context: NetworkContext,
  deployment: string,
  signal: AbortSignal,
  network?: NetworkState,
): Promise<void> {
  const input = await rulesetInput(context.layout, deployment, network);
  const namespace = await requireNamespace(context, deployment);
  if (input === undefined) throw networkMissing();
  const ruleset = rulesetOf(input);
  await loadRuleset(namespace, ruleset, signal);
  if ((await loadedRuleset(namespace, signal)) !== rulesetDigest(ruleset))
    throw new EngineError('ISOLATION_UNAVAILABLE', 'nft took the packet rules, but they are not in force', {
      hint: 'Is the program nft the one of the package nftables?',
    });
}

/** Puts the rules in force that remain when an object is removed; without a namespace there is nothing to do. */
export async function reduceRules(
  context: NetworkContext,
  deployment: string,
  signal: AbortSignal,
): Promise<void> {
  const namespace = await context.namespaces.find(deployment);
  if (namespace !== undefined && (await rulesetInput(context.layout, deployment)) !== undefined)
    await applyRules(context, deployment, signal);
}

/** Tells whether the namespace is there and holds exactly the rules that follow from the records. */
export async function networkWorks(
  context: NetworkContext,
  deployment: string,
  signal: AbortSignal,
): Promise<boolean> {
  const input = await rulesetInput(context.layout, deployment);
  const namespace = await context.namespaces.find(deployment);
  if (input === undefined || namespace === undefined) return false;
  return (await loadedRuleset(namespace, signal)) === rulesetDigest(rulesetOf(input));
}

/** Gives a deployment's namespace. @throws EngineError ISOLATION_UNAVAILABLE when it is not there */
export async function requireNamespace(
  { namespaces }: Pick<DriverContext, 'namespaces'>,
  deployment: string,
): Promise<Namespace> {
  const namespace = await namespaces.find(deployment);
  if (namespace === undefined) throw networkMissing();
  return namespace;
}

function networkMissing(): EngineError {
  return new EngineError('ISOLATION_UNAVAILABLE', 'the private network of the deployment is not there', {
    hint: 'Run the same command again.',
  });
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
  const instances = await listRecords(layout, deployment, 'instance');
  return {
    network: settled,
    policy: policy?.state ?? null,
    targets: [
      ...endpoints.flatMap(({ state }) =>
        isExit(state)
          ? []
          : state.targets.map(({ address, port }) => ({ address, port, transport: state.transport })),
      ),
      ...instances.flatMap(({ state }) => probeTargets(state)),
    ],
    ways: endpoints.flatMap(({ state }) =>
      isExit(state) ? state.sources.map(({ name }) => ({ instance: name, ...state.listen })) : [],
    ),
  };
}
