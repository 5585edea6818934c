import { nameHint } from '../formats/nearest-name.ts';
import type { FindingSink } from '../model/finding.ts';
import { leadsOut } from '../model/terminal.ts';
import { spotAt } from './described.ts';
import type { Tree } from './tree.ts';

/** Checks that every address asked for belongs to an external terminal. */
export function checkExposed(tree: Tree, expose: Readonly<Record<string, unknown>>, sink: FindingSink): void {
  const asked = Object.keys(expose);
  if (asked.length === 0) return;
  const known = tree.parts.flatMap((part) =>
    [...part.described.model.terminals.values()]
      .filter((terminal) => terminal.direction === 'external' && !leadsOut(terminal))
      .map(({ name }) => `${part.path}.${name}`),
  );
  for (const name of asked) {
    if (known.includes(name)) continue;
    sink({
      code: 'EXPOSE_UNKNOWN',
      at: spotAt(tree.root.described, [], 'key'),
      message: `there is no external terminal ${name} to expose`,
      hint: nameHint(name, known),
    });
  }
}
