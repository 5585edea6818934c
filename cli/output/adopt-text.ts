import type { AdoptAnswer } from '../../engine/index.ts';
import type { Host } from '../host.ts';
import { count } from './table.ts';
import { visibleLine } from './visible.ts';

/** Writes what `adopt` found. */
export function formatAdoption(
  { pool, adopted, known }: AdoptAnswer,
  { style, program }: Pick<Host, 'style' | 'program'>,
): string {
  const lines = adopted.flatMap((one) => [
    `${style.bold(one.name)} is adopted: ${one.application} ${one.version}, ${count(one.objects, 'object')}`,
    ...one.losses.map((loss) => `  ${style.red(visibleLine(loss))}`),
    ...(one.unreadableSecrets.length === 0
      ? []
      : [
          `  ${style.red(`no key here opens its secrets ${one.unreadableSecrets.map(visibleLine).join(', ')}`)}`,
          '  Put back the key file that belongs to the lost state; until then `up` cannot give them to new instances.',
        ]),
  ]);
  if (lines.length === 0) lines.push(`nothing to adopt in the pool ${pool}`);
  else lines.push(`Look at it with: ${program} status NAME, then bring it up again with its source.`);
  if (known.length > 0) lines.push(style.dim(`recorded already: ${known.join(', ')}`));
  return lines.join('\n');
}
