import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import type { Descriptor } from '../model/blob.ts';
import type { ImageSource } from '../model/blueprint.ts';
import { openProcessFolder } from '../process-folder.ts';
import { type BaseLayer, buildBase, findBase } from './base-layer.ts';
import type { BuildContext } from './context.ts';
import { orImageFailed } from './image-failure.ts';
import { storeImage } from './image-manifest.ts';
import { type LoadedImage, loadImage } from './load-image.ts';
import { buildOwnLayer } from './own-layer.ts';

/** An appliance whose image is made of Debian packages. */
export type ImageRequest = {
  readonly name: string;
  readonly version: string;
  readonly image: Extract<ImageSource, { readonly kind: 'packages' }>;
  /** Text of the script that `image.setup` names: run once as root in the root, without a network. */
  readonly setup?: string;
};

/** An image in the store. */
export type BuiltImage = {
  readonly manifest: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  readonly wasCached: boolean;
};

// raised whenever the same source shall give another image than before
const recipe = 1;
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
 * @throws EngineError IMAGE_FAILED (a package that does not exist, a script that ends with an error), DISK_FULL, ROOT_REQUIRED,
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
  const known = await findImage(request, context);
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
  const { name, version, setup } = request;
  const { packages, suite } = request.image;
  const subject = `${name}@${version}`;
  context.report({ type: 'build', subject, state: 'started', message: packages.join(', ') });
  const base = await sharedBase(suite, folder, bases, context);
  const own = await buildOwnLayer({ subject, suite, packages, setup }, base, join(folder, 'own'), context);
  const origin = `packages ${packages.join(' ')}${setup === undefined ? '' : ', set-up script'}`;
  const manifest = await storeImage(
    {
      name,
      version,
      layers: [
        { ...base, origin: `base ${suite}` },
        { ...own.stored, origin },
      ],
      packages: own.packages,
    },
    context.blobs,
  );
  context.refs.set(refOf(request, base), manifest.digest);
  return { manifest, layers: [base.layer, own.stored.layer], wasCached: false };
}

/** Gives the base layer of a suite, built by whichever of several builds comes first. */
async function sharedBase(
  suite: string,
  folder: string,
  bases: Map<string, Promise<BaseLayer>>,
  context: BuildContext,
): Promise<BaseLayer> {
  const found = bases.get(suite);
  if (found !== undefined) return await found;
  const base = findBase(suite, context).then(
    (stored) => stored ?? buildBase(suite, join(folder, 'base'), context),
  );
  bases.set(suite, base);
  return await base;
}

/** Gives the image of an appliance when it is stored whole; builds nothing. */
export async function findImage(
  request: ImageRequest,
  context: Pick<BuildContext, 'blobs' | 'refs'>,
): Promise<LoadedImage | undefined> {
  const base = await findBase(request.image.suite, context);
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

function refOf({ name, version, image, setup }: ImageRequest, base: BaseLayer): string {
  const source: Digest = digestOf(
    canonicalJson({
      recipe,
      name,
      version,
      base: base.layer.digest,
      packages: [...new Set(image.packages)].sort(),
      setup: setup === undefined ? null : digestOf(setup),
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
  if (error instanceof EngineError && error.code === 'IMAGE_FAILED')
    return new EngineError('IMAGE_FAILED', `the image of ${subject} could not be built: ${error.message}`, {
      hint: error.hint ?? 'Correct the image.',
      details: error.details,
      cause: error,
    });
  const failure = orImageFailed(error, `building the image of ${subject}`, 'Look at what the program said.');
  return orDiskFull(failure, folder);
}
