import type { NeededImage } from '../model/closure.ts';
import type { BuildContext } from './context.ts';
import { findKit } from './kit.ts';
import { findNeeded } from './make-images.ts';
import { buildTools } from './tools.ts';

/**
 * Names the programs that making images and the kit will take, so that they are looked for before minutes go into one of them.
 *
 * @param images - of which those that are stored take nothing
 * @param kitSources - absent when no kit is made
 */
export async function neededTools(
  images: readonly NeededImage[],
  kitSources: string | undefined,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<readonly string[]> {
  const lacksKit = kitSources !== undefined && (await findKit(kitSources, context)) === undefined;
  let lacksImage = false;
  for (const image of images)
    lacksImage ||=
      image.image.kind === 'packages' &&
      (image.renews !== undefined || (await findNeeded(image, context)) === undefined);
  return [...(lacksKit ? buildTools['the guest kit'] : []), ...(lacksImage ? buildTools.images : [])];
}
