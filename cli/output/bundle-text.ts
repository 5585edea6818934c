import type { Inspection } from '../../catalog/index.ts';
import { formatSize } from '../../engine/units.ts';
import type { Style } from './style.ts';
import { formatTable } from './table.ts';
import { visibleLine } from './visible.ts';

/** Writes what a bundle is, for people; names in it are anybody's, so nothing in them reaches the terminal as it is. */
export function formatInspection(inspection: Inspection, style: Style): string {
  const { name, version, title, packs, form, base, kit, signatures, appliances, contents } = inspection;
  const facts: readonly (readonly string[])[] = [
    ['identity', inspection.digest],
    ['manifest', inspection.manifest],
    ['form', base === undefined ? form : `${form} of ${base}`],
    ['size', `${formatSize(inspection.bytes)} of ${formatSize(inspection.totalBytes)}`],
    ['platform', inspection.platform],
    ...(kit === undefined ? [] : [['kit', kit]]),
    ['signatures', signatures === 0 ? 'none' : String(signatures)],
    ['needs', inspection.prerequisites.join(', ')],
  ];
  const parts = appliances.map((appliance) => [
    visibleLine(appliance.path),
    visibleLine(`${appliance.name}@${appliance.version}`),
    appliance.image ?? 'an assembly',
    appliance.imageBytes === undefined ? '' : formatSize(appliance.imageBytes),
  ]);
  const layers = contents.map(({ appliance, name: place, bytes }) => [
    visibleLine(`${appliance}/${place}`),
    'content',
    '',
    formatSize(bytes),
  ]);
  const heading = `${packs} ${visibleLine(`${name} ${version}`)}${title === undefined ? '' : `: ${visibleLine(title)}`}`;
  return [style.bold(heading), formatTable(facts, '  '), '', formatTable([...parts, ...layers], '  ')]
    .join('\n')
    .trimEnd();
}
