import type { Digest } from '../../engine/digest.ts';
import type { Descriptor } from '../../engine/model/blob.ts';
import type { BundleFile } from './open-bundle.ts';
import { refusal } from './refusals.ts';
import { watchLayer } from './unpacked-layer.ts';

/** Opens parts of a bundle so that everything about them is checked by the time their stream has ended. */
export type OpenChecked = (part: Descriptor) => AsyncIterable<Uint8Array>;

/**
 * Holds the texts inside of a bundle against its packing list: each image's manifest and configuration, and the kit's.
 *
 * @returns opens parts: digest and size are checked, and layers are unpacked beside, to what their image says of them
 * @throws EngineError BUNDLE_CONTRADICTORY, BUNDLE_DIGEST_WRONG
 */
export async function checkTexts(bundle: BundleFile): Promise<OpenChecked> {
  const { images, contents, kit } = bundle.contents.list;
  const diffIds = new Map<Digest, Digest | undefined>(contents.map(({ layer }) => [layer.digest, undefined]));
  for (const [name, { manifest, config, layers }] of Object.entries(images)) {
    for (const { digest } of layers) if (!diffIds.has(digest)) diffIds.set(digest, undefined);
    if (bundle.has(manifest)) {
      const text = await readObject(bundle, manifest);
      const named = [text['config'], ...listOf(text['layers'])].map(partIn);
      // the type too: it says how a layer is unpacked
      if (named.join() !== [config, ...layers].map(partIn).join())
        throw refusal('BUNDLE_CONTRADICTORY', `gives ${name} other parts than the manifest of its image`);
    }
    if (bundle.has(config)) {
      const { rootfs } = await readObject(bundle, config);
      const ids = listOf(
        typeof rootfs === 'object' && rootfs !== null && 'diff_ids' in rootfs ? rootfs.diff_ids : [],
      );
      if (ids.length !== layers.length)
        throw refusal(
          'BUNDLE_CONTRADICTORY',
          `has an image of ${name} that does not say what its layers unpack to`,
        );
      layers.forEach(({ digest }, at) => {
        diffIds.set(digest, String(ids[at]) as Digest);
      });
    }
  }
  if (kit !== undefined && bundle.has(kit.list)) {
    const text = await readObject(bundle, kit.list);
    const named = Object.values(text)
      .map(digestIn)
      .filter((digest) => digest !== undefined)
      .sort();
    if (
      named.join() !==
      kit.parts
        .map(({ digest }) => digest)
        .sort()
        .join()
    )
      throw refusal('BUNDLE_CONTRADICTORY', 'gives the kit other parts than its text names');
  }
  return (part) =>
    diffIds.has(part.digest)
      ? watchLayer(part, bundle.open(part), diffIds.get(part.digest))
      : bundle.open(part);
}

/** Reads every part that the file holds, and checks all of it. @returns bytes that were read @throws EngineError of {@link checkTexts} and of the streams; OPERATION_INTERRUPTED */
export async function checkParts(bundle: BundleFile, signal: AbortSignal): Promise<number> {
  const open = await checkTexts(bundle);
  let bytes = 0;
  for (const part of bundle.contents.manifest.layers) {
    if (!bundle.has(part)) continue;
    for await (const chunk of open(part)) {
      signal.throwIfAborted();
      bytes += chunk.byteLength;
    }
  }
  return bytes;
}

type JsonObject = Readonly<Record<string, unknown>>;

async function readObject(bundle: BundleFile, part: Descriptor): Promise<JsonObject> {
  const bytes = await bundle.read(part);
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch (cause) {
    throw refusal('BUNDLE_UNREADABLE', `holds ${part.digest}, which is no JSON`, { cause });
  }
  throw refusal('BUNDLE_UNREADABLE', `holds ${part.digest}, which is no JSON object`);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function partIn(value: unknown): string {
  const { mediaType, digest, size }: Partial<Record<string, unknown>> = { ...(value as object | null) };
  return [mediaType, digest, size].join(' ');
}

function digestIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('digest' in value)) return undefined;
  return typeof value.digest === 'string' ? value.digest : undefined;
}
