import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { Plan } from '../model/step.ts';
import type { RunContext } from './context.ts';

/**
 * Makes sure that everything is stored of which a plan makes images and instances, before any of it is begun.
 *
 * Where the state was lost or moved, records can name what is here no more; only the source brings it again.
 *
 * @throws EngineError IMAGE_MISSING
 */
export async function requireStored(
  { isStored }: Pick<RunContext, 'isStored'>,
  { steps }: Plan,
  deployment: string,
): Promise<void> {
  const parts: [Digest, string][] = [];
  for (const step of steps) {
    if (step.action !== 'ensure') continue;
    if (step.kind === 'image')
      for (const { digest } of step.desired.layers) parts.push([digest, `the image ${step.key}`]);
    if (step.kind !== 'instance') continue;
    parts.push([step.desired.kit, `the guest kit of ${step.key}`]);
    for (const { template } of step.desired.files) parts.push([template, `a template of ${step.key}`]);
  }
  const missing: string[] = [];
  for (const [digest, what] of parts) if (!(await isStored(digest))) missing.push(what);
  if (missing.length === 0) return;
  const what = [...new Set(missing)].join(', ');
  throw new EngineError('IMAGE_MISSING', `not stored here any more: ${what}`, {
    hint: `Run \`up\` with the source of ${deployment}, which makes or brings it again.`,
    details: { missing: [...new Set(missing)] },
  });
}
