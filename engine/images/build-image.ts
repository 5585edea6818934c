import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';
import type { ImageSource } from '../model/blueprint.ts';
import type { ImagePins, LockedPackages } from '../model/lock.ts';
import { openProcessFolder } from '../process-folder.ts';
import { type BaseLayer, buildBase, findBase } from './base-layer.ts';
import type { BuildContext } from './context.ts';
import { orImageFailed } from './image-failure.ts';
import { storeImage } from './image-manifest.ts';
import { type LoadedImage, loadImage } from './load-image.ts';
import { buildOwnLayer } from './own-layer.ts';
import { pinsOfPackages } from './package-index.ts';

/** An appliance whose image is made of Debian packages. */
export type ImageRequest = {
  readonly name: string;
  readonly version: string;
  readonly image: Extract<ImageSource, { readonly kind: 'packages' }>;
  /** Text of the script that `image.setup` names: run once as root in the root, without a network. */
  readonly setup?: string;
  /** What a lock demands of its packages; the newest are taken when absent. */
  readonly pins?: ImagePins;
  /** Built anew although it is stored: its own layer, or the base layer as well. */
  readonly renews?: 'own' | 'all';
};

/** An image in the store. */
export type BuiltImage = {
  readonly manifest: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly wasCached: boolean;
};

// raised whenever the same source shall give another image than before
const recipe = 2;
const parallelBuilds = 2;

/**
 * Builds the images of several appliances; each is like {@link buildImage}. Layers that they share are built once.
 *
 * @returns one entry per request, in order
 */
export async function buildImages(
  requests: readonly ImageRequest[],
  context: BuildContext,
): Promise<readonly BuiltImage[]> {
  if (process.getuid?.() !== 0 && context.buildApart !== undefined) {
    const stored = await Promise.all(requests.map((request) => findImage(request, context)));
    if (stored.includes(undefined)) return await context.buildApart(requests);
  }
  const bases = new Map<string, Promise<BaseLayer>>();
  const limit = pLimit(parallelBuilds);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const building = requests.map((request) => limit(() => buildOne(request, bases, { ...context, signal })));
  // the first failure stops the other builds; all have ended, and tidied up, before it is told
  for (const each of building) each.catch(() => stop.abort());
  const results = await Promise.allSettled(building);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  const first = failures.find((error) => error?.code !== 'OPERATION_INTERRUPTED') ?? failures[0];
  if (first !== undefined) throw first;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/**
 * Builds the OCI image of an appliance: the base layer of its suite, and one layer with its packages and set-up.
 *
 * An image whose source was built before is taken from the store without work and without the network. Equal package
 * versions give equal digests, on any machine, as long as the set-up script does the same each time. A kill at
 * any instant leaves no mount, no process, and nothing in the store that is not whole.
 *
 * @throws EngineError IMAGE_FAILED (a package that does not exist, a script that ends with an error), PACKAGE_GONE, DISK_FULL, ROOT_REQUIRED,
 *   TOOL_MISSING, OPERATION_INTERRUPTED
 */
export async function buildImage(request: ImageRequest, context: BuildContext): Promise<BuiltImage> {
  return await buildOne(request, new Map(), context);
}

async function buildOne(
  request: ImageRequest,
  bases: Map<string, Promise<BaseLayer>>,
  context: BuildContext,
): Promise<BuiltImage> {
  const subject = `${request.name}@${request.version}`;
  const { report, signal } = context;
  checkNames(request);
  const known = request.renews === undefined ? await findImage(request, context) : undefined;
  if (known !== undefined) {
    report({ type: 'build', subject, state: 'cached', message: known.manifest.digest });
    return { manifest: known.manifest, layers: known.layers, wasCached: true };
  }
  if (process.getuid?.() !== 0) {
    throw new EngineError('ROOT_REQUIRED', `the image of ${subject} can only be built by root`, {
      hint: 'Run the same command with sudo, or build on another machine and pull.',
    });
  }
  const folder = await mkdtemp(join(await openProcessFolder(context.scratch), 'image-'));
  try {
    const built = await buildFresh(request, folder, bases, context);
    report({ type: 'build', subject, state: 'done', message: built.manifest.digest });
    return built;
  } catch (error) {
    throw explained(error, subject, folder, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildFresh(
  request: ImageRequest,
  folder: string,
  bases: Map<string, Promise<BaseLayer>>,
  context: BuildContext,
): Promise<BuiltImage> {
  const { name, version, setup, pins, renews } = request;
  const { packages, suite } = request.image;
  const subject = `${name}@${version}`;
  context.report({ type: 'build', subject, state: 'started', message: packages.join(', ') });
  const base = await sharedBase(
    { suite, pins: pins?.base, isNew: renews === 'all', folder: join(folder, 'base') },
    bases,
    context,
  );
  const own = await buildOwnLayer(
    { subject, suite, packages, setup, ...(pins?.own && { pins: pins.own }) },
    base,
    join(folder, 'own'),
    context,
  );
  const origin = `packages ${packages.join(' ')}${setup === undefined ? '' : ', set-up script'}`;
  const manifest = await storeImage(
    {
      name,
      version,
      layers: [
        { ...base, origin: `base ${suite}` },
        { ...own.stored, origin },
      ],
      packages: [...own.base, ...own.own].sort((a, b) => (a.name < b.name ? -1 : 1)),
    },
    context.blobs,
  );
  // found again by what it was made of, and by what a lock would say of it
  const found = { base: pinsOfPackages(base.packages), own: pinsOfPackages(own.own) };
  if (pins?.own === undefined) context.refs.set(refOf(request, base), manifest.digest);
  if (found.base !== undefined && found.own !== undefined)
    context.refs.set(
      refOf({ ...request, pins: { base: found.base, own: found.own } }, base),
      manifest.digest,
    );

  return { manifest, layers: [base.layer, own.stored.layer], wasCached: false };
}

/** Gives the base layer of a suite, built by whichever of several builds comes first. */
async function sharedBase(
  wanted: {
    readonly suite: string;
    readonly pins: LockedPackages | undefined;
    readonly isNew: boolean;
    readonly folder: string;
  },
  bases: Map<string, Promise<BaseLayer>>,
  context: BuildContext,
): Promise<BaseLayer> {
  const { suite, pins, isNew, folder } = wanted;
  const key = `${suite} ${canonicalJson(pins ?? null)}`;
  const found = bases.get(key);
  if (found !== undefined) return await found;
  const stored = isNew ? Promise.resolve(undefined) : findBase(suite, pins, context);
  const base = stored.then((known) => known ?? buildBase(suite, pins, folder, context));
  bases.set(key, base);
  return await base;
}

/** Gives the image of an appliance when it is stored whole; builds nothing. */
export async function findImage(
  request: ImageRequest,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<LoadedImage | undefined> {
  const base = await findBase(request.image.suite, request.pins?.base, context);
  const digest = base && context.refs.get(refOf(request, base));
  if (digest === undefined) return undefined;
  try {
    return await loadImage(digest, context.blobs);
  } catch (error) {
    // what was removed or damaged behind our back is built again
    if (error instanceof EngineError && ['IMAGE_MISSING', 'BLOB_CORRUPT'].includes(error.code))
      return undefined;
    throw error;
  }
}

function refOf({ name, version, image, setup, pins }: ImageRequest, base: BaseLayer): string {
  const source: Digest = digestOf(
    canonicalJson({
      recipe,
      name,
      version,
      base: base.layer.digest,
      packages: [...new Set(image.packages)].sort(),
      setup: setup === undefined ? null : digestOf(setup),
      ...(pins?.own && { pins: pins.own }),
    }),
  );
  return `image/${source}`;
}

/** Refuses names that apt would take for options or files. @source Debian policy 5.6.1 */
function checkNames({ name, image }: ImageRequest): void {
  const wrong = [
    ...image.packages.filter((each) => !/^[a-z0-9][a-z0-9.+-]+$/.test(each)),
    ...[image.suite].filter((each) => !/^[a-z][a-z0-9-]*$/.test(each)),
  ][0];
  if (wrong === undefined) return;
  throw new EngineError('IMAGE_FAILED', `${JSON.stringify(wrong)} is no name of a Debian package or suite`, {
    hint: `Correct the image of ${name}.`,
    details: { name: wrong },
  });
}

function explained(error: unknown, subject: string, folder: string, signal: AbortSignal): unknown {
  if (signal.aborted)
    return new EngineError('OPERATION_INTERRUPTED', `building ${subject} was stopped on request`, {
      hint: 'Run the same command again to go on.',
      cause: error,
    });
  if (error instanceof EngineError && (error.code === 'IMAGE_FAILED' || error.code === 'PACKAGE_GONE'))
    return new EngineError(error.code, `the image of ${subject} could not be built: ${error.message}`, {
      hint: error.hint ?? 'Correct the image.',
      details: error.details,
      cause: error,
    });
  const failure = orImageFailed(error, `building the image of ${subject}`, 'Look at what the program said.');
  return orDiskFull(failure, folder);
}
