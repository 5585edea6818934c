import { isExit } from '../../model/step.ts';
import { type Records, recordsOf } from './records.ts';

/** What may pass in an instance's network, as `kit/internal/sandbox` reads it. */
export type SandboxRules = {
  readonly address: string;
  readonly ways: readonly {
    readonly leads: 'in' | 'out';
    readonly address: string;
    readonly transport: string;
    readonly port: number;
  }[];
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
  const ways: SandboxRules['ways'][number][] = [];
  for (const { rules } of policies)
    for (const { from, to, transport, port } of rules) {
      const [source, target] = [addresses.get(from), addresses.get(to)];
      if (source === undefined || target === undefined || from === to) continue;
      if (to === instance) ways.push({ leads: 'in', address: source, transport, port });
      if (from === instance) ways.push({ leads: 'out', address: target, transport, port });
    }
  for (const { state, door } of recordsOf(records, 'endpoint')) {
    if (isExit(state) || door === undefined) continue;
    for (const target of state.targets)
      if (target.name === instance)
        ways.push({ leads: 'in', address: door, transport: state.transport, port: target.port });
  }
  const written = new Map(ways.map((way) => [JSON.stringify(way), way]));
  return { address, ways: [...written.keys()].sort().flatMap((text) => written.get(text) ?? []) };
}
