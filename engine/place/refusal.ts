import { EngineError } from '../errors.ts';
import type { PlacementEntry } from '../model/status.ts';

/**
 * Says why instances have no place, naming what each server lacks; undefined when all have one.
 *
 * @returns EngineError PLACEMENT_IMPOSSIBLE; `details.refused` lists every instance with every server's reason
 */
export function placementRefusal(entries: readonly PlacementEntry[]): EngineError | undefined {
  const refused = entries.filter((entry) => entry.server === null);
  const first = refused[0];
  if (!first) return undefined;
  const reasons = first.rejected.map(({ server, reason }) => `${server}: ${reason}`).join('; ');
  const others = refused.length === 1 ? '' : ` (and ${refused.length - 1} more instances)`;
  return new EngineError('PLACEMENT_IMPOSSIBLE', `${first.instance} has no server${others}: ${reasons}`, {
    hint: 'Lower its resources, stop another deployment, or add a server.',
    details: { refused },
  });
}
