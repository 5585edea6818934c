import type { FindingSink } from '../model/finding.ts';
import { knownProtocols, type ProtocolTable } from '../model/protocol.ts';
import { type DescribedBy, spotAt } from './described.ts';

/** Joins the protocols that all descriptions declare into one table, and refuses declarations that disagree. */
export function collectProtocols(describedBy: DescribedBy, sink: FindingSink): ProtocolTable {
  const table = new Map(knownProtocols);
  const declaredIn = new Map<string, string>();
  for (const described of describedBy.values()) {
    for (const [name, parent] of described?.model.protocols ?? []) {
      const other = table.get(name);
      if (described !== null && other !== undefined && other !== parent) {
        sink({
          code: 'PROTOCOL_CONFLICT',
          at: spotAt(described, ['protocols', name, 'parent']),
          message: `${name} stands below ${parent} here, but below ${other} in ${declaredIn.get(name) ?? 'the table'}`,
          hint: 'Make the two agree, or give one of them another name.',
        });
        continue;
      }
      table.set(name, parent);
      if (described !== null) declaredIn.set(name, described.description.text.file);
    }
  }
  return table;
}
