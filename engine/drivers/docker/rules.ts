import { isExit } from '../../model/step.ts';
import { type Records, recordsOf } from './records.ts';

/** One port that is open between an instance and one other address. */
type Way = {
  readonly leads: 'in' | 'out';
  readonly address: string;
  readonly transport: string;
  readonly port: number;
};

/** What may pass in an instance's network, as `kit/internal/sandbox` reads it. */
export type SandboxRules = {
  readonly address: string;
  /** The deployment's network, when all that lies outside of it may be connected to. */
  readonly inner?: string;
  readonly ways: readonly Way[];
};

/**
 * Gives what may pass in an instance's network: its wires, and the doors that lead to it. Sorted, so equal rules have equal
 * bytes.
 */
export function rulesOf(records: Records, instance: string, address: string): SandboxRules {
  const policies = recordsOf(records, 'policy').map(({ state }) => state);
  const addresses = new Map(
    policies.flatMap(({ members }) => members.map((one) => [one.instance, one.address])),
  );
  const ways: Way[] = [];
  for (const { rules } of policies)
    for (const { from, to, transport, port } of rules) {
      const [source, target] = [addresses.get(from), addresses.get(to)];
      if (source === undefined || target === undefined || from === to) continue;
      if (to === instance) ways.push({ leads: 'in', address: source, transport, port });
      if (from === instance) ways.push({ leads: 'out', address: target, transport, port });
    }
  for (const { state, door } of recordsOf(records, 'endpoint')) {
    if (isExit(state)) {
      const { address: target, port } = state.listen;
      if (state.sources.some(({ name }) => name === instance))
        ways.push({ leads: 'out', address: target, transport: state.transport, port });
      continue;
    }
    if (door === undefined) continue;
    for (const target of state.targets)
      if (target.name === instance)
        ways.push({ leads: 'in', address: door, transport: state.transport, port: target.port });
  }
  return { address, ways: sorted(ways) };
}

/** Gives what may pass in the network of the ways out: those who may use them come in, everything beyond the deployment is open. */
export function outletRulesOf(records: Records, address: string, inner: string): SandboxRules {
  const ways = recordsOf(records, 'endpoint').flatMap(({ state }) =>
    isExit(state)
      ? state.sources.map(
          (source): Way => ({
            ...{ leads: 'in', address: source.address },
            ...{ transport: state.transport, port: state.listen.port },
          }),
        )
      : [],
  );
  return { address, inner, ways: sorted(ways) };
}

function sorted(ways: readonly Way[]): readonly Way[] {
  const written = new Map(ways.map((way) => [JSON.stringify(way), way]));
  return [...written.keys()].sort().flatMap((text) => written.get(text) ?? []);
}
