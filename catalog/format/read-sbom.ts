import { EngineError } from '../../engine/errors.ts';
import { nameHint } from '../../engine/formats/nearest-name.ts';
import type { BundleFile } from './open-bundle.ts';
import { refusal } from './refusals.ts';

/**
 * Reads the bill of materials of an appliance's image out of a bundle.
 *
 * @param name - of the appliance, with its version where the bundle has two; of the only one when absent
 * @returns CycloneDX, as whoever packed the bundle wrote it
 * @throws EngineError SOURCE_MISSING when there is none of that name, or several to choose from; BUNDLE_…
 */
export async function readSbom(bundle: BundleFile, name: string | undefined): Promise<unknown> {
  const known = Object.entries(bundle.contents.list.images).filter(([, { sbom }]) => sbom !== undefined);
  const names = known.map(([key]) => key);
  const [found, second] = known.filter(
    ([key]) => name === undefined || key === name || key.startsWith(`${name}@`),
  );
  const part = found?.[1].sbom;
  if (part !== undefined && second === undefined) return parse(await bundle.read(part));
  const message =
    part === undefined
      ? `the bundle has no bill of materials ${name === undefined ? 'at all' : `of ${name}`}`
      : 'the bundle has several bills of materials';
  const hint =
    part === undefined ? nameHint(name ?? '', names) : `Name one of its appliances: ${names.join(', ')}.`;
  throw new EngineError('SOURCE_MISSING', message, { hint });
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw refusal('BUNDLE_UNREADABLE', 'holds a bill of materials that is no JSON', { cause });
  }
}
