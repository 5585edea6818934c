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
  const shown = first.rejected.slice(0, 5).map(({ server, reason }) => `${server} ${reason}`);
  if (first.rejected.length > 5) shown.push(`and ${first.rejected.length - 5} more servers`);
  const others = refused.length === 1 ? '' : `, and ${refused.length - 1} more do not either`;
  return new EngineError(
    'PLACEMENT_IMPOSSIBLE',
    `${first.instance} fits on no server${others}: ${shown.join('; ')}`,
    {
      hint: 'Lower its resources, stop another deployment, or add a server.',
      details: { refused },
    },
  );
}
