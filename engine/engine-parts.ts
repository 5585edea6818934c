import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { buildApart } from './build-apart.ts';
import type { Digest } from './digest.ts';
import type { DeploymentIdentity, Driver } from './drivers/driver.ts';
import type { CallOptions, EngineOptions } from './engine-options.ts';
import { EngineError } from './errors.ts';
import { nameHint } from './formats/nearest-name.ts';
import { freePorts } from './free-ports.ts';
import { makeAttendant } from './images/attendant.ts';
import type { BuildContext } from './images/context.ts';
import { findKit } from './images/kit.ts';
import { listenRefusal } from './listen-refusal.ts';
import type { Pool } from './model/pool.ts';
import type { DeploymentRecord } from './model/store.ts';
import type { MoveContext } from './move/context.ts';
import { volumeCopier } from './move/copy-volume.ts';
import { openState, type State } from './open-state.ts';
import { type OpenOuterAppliances, openOuterAppliances } from './packing/outer-appliances.ts';
import { openProcessFolder } from './process-folder.ts';
import { currentProcess, isAlive } from './process-identity.ts';
import { openRenderer, type Renderer } from './render/renderer.ts';
import { type RunContext, usualLimits } from './run/context.ts';
import { identityOf } from './run/identity.ts';
import { renderFromBlobs } from './run/render-files.ts';
import { deploymentMissing } from './run/status.ts';

/** Everybody's, until there are tenants. */
export const owner = 'default';

/** A call that nobody watches and nobody ends. */
export const silent: CallOptions = { signal: new AbortController().signal, report: () => undefined };

/**
 * What is open while an engine works, and the contexts that its verbs are carried out in.
 *
 * Nothing is opened before it is needed, and nothing twice.
 */
export class EngineParts {
  readonly options: EngineOptions;
  readonly #drivers = new Map<string, Promise<Driver>>();
  readonly #renderer: Renderer = openRenderer();
  #opened: Promise<State> | undefined;

  constructor(options: EngineOptions) {
    this.options = options;
  }

  /** Lends the catalogs that are asked for appliances which no folder has; undefined where there are none. */
  async withOuter<T>(
    call: CallOptions,
    use: (outer: OpenOuterAppliances | undefined) => Promise<T>,
  ): Promise<T> {
    const { home, openOuterCatalogs: open } = this.options;
    if (open === undefined) return await use(undefined);
    const scratch = join(home, 'scratch');
    const outer = openOuterAppliances({ open, folder: join(home, 'fetched'), scratch, call });
    try {
      return await use(outer);
    } finally {
      await outer.close();
    }
  }

  /** Finds a pool by name, the first when none is named. @throws EngineError POOL_MISSING */
  pool(name: string | undefined): Pool {
    const { pools } = this.options;
    const pool = name === undefined ? pools[0] : pools.find((one) => one.name === name);
    if (pool) return pool;
    throw new EngineError('POOL_MISSING', `there is no pool ${name ?? 'at all'}`, {
      hint: nameHint(
        name ?? '',
        pools.map((one) => one.name),
      ),
    });
  }

  /** Opens the state, once. @throws EngineError as `openState` does */
  async open(): Promise<State> {
    this.#opened ??= openState(this.options);
    return await this.#opened;
  }

  /** Opens the driver of a pool, once. */
  async driver(pool: Pool): Promise<Driver> {
    const { blobs, store } = await this.open();
    const { kitSources } = this.options;
    const kit = async () => (await findKit(kitSources, { blobs, refs: store.refs }))?.digest;
    const attendant = async (signal: AbortSignal) =>
      await makeAttendant({ sources: kitSources, ...(await this.buildContext({ ...silent, signal })) });
    const parts = { blobs, kit, attendant };
    const driver = this.#drivers.get(pool.name) ?? this.options.openDriver(pool, parts);
    this.#drivers.set(pool.name, driver);
    return await driver;
  }

  /** Gives what making images takes. */
  async buildContext({ signal, report }: CallOptions): Promise<BuildContext> {
    const { blobs, store, scratch, cache } = await this.open();
    const { images } = this.options;
    const { home, keyFile } = this.options;
    return {
      ...{ blobs, refs: store.refs, scratch, cache, signal, report },
      ...(images && { images }),
      ...(this.options.openOuterCatalogs && {
        storePublished: async (identity: Digest) =>
          await this.withOuter({ signal, report }, async (outer) => outer?.storeParts(identity, blobs)),
      }),
      buildApart: async (requests) =>
        await buildApart({ folders: { home, keyFile }, requests }, { signal, report }),
    };
  }

  /** Gives what an operation on a pool takes. */
  async runContext(pool: Pool, { signal, report }: CallOptions): Promise<RunContext> {
    const { store, blobs, secretBox } = await this.open();
    const { clock, newId } = this.options;
    return {
      store,
      driver: await this.driver(pool),
      pool,
      secretBox,
      renderFiles: renderFromBlobs(blobs, this.#renderer),
      isStored: async (digest) => await blobs.has(digest),
      report,
      clock,
      newId,
      holder: currentProcess(),
      isAlive,
      freePorts,
      listenRefusal,
      limits: usualLimits,
      signal,
    };
  }

  /** Gives what an operation on a deployment takes. @throws EngineError DEPLOYMENT_MISSING */
  async runContextOf(name: string, options: CallOptions): Promise<RunContext> {
    const { store } = await this.open();
    const record = await store.deployment(owner, name);
    if (!record) throw deploymentMissing(name);
    return await this.runContext(this.pool(record.pool), options);
  }

  /** Gives what a move takes. */
  async moveContext(options: CallOptions): Promise<MoveContext> {
    const { store, blobs, scratch } = await this.open();
    const { clock, newId } = this.options;
    return {
      ...options,
      ...{ store, clock, newId, isAlive },
      holder: currentProcess(),
      contextOf: async (pool) => await this.runContext(this.pool(pool), options),
      hasBlob: async (digest) => await blobs.has(digest),
      copyVolume: volumeCopier({
        newKey: () => randomBytes(32).toString('hex'),
        scratch: async () => await openProcessFolder(scratch),
      }),
    };
  }

  /** Gives what operations on many deployments take, one after the other. */
  contextsOf(options: CallOptions): (record: DeploymentRecord) => Promise<RunContext> {
    return async (record) => await this.runContext(this.pool(record.pool), options);
  }

  /** Finds a deployment and who runs it. @throws EngineError DEPLOYMENT_MISSING */
  async deployed(name: string): Promise<{
    readonly record: DeploymentRecord;
    readonly driver: Driver;
    readonly identity: DeploymentIdentity;
  }> {
    const { store } = await this.open();
    const record = await store.deployment(owner, name);
    if (!record) throw deploymentMissing(name);
    return { record, driver: await this.driver(this.pool(record.pool)), identity: identityOf(record) };
  }

  /** Lets go of everything that is open; deployments run on. Another engine of this process must not have the same home. */
  async close(): Promise<void> {
    this.#renderer.close();
    const opened = await this.#opened?.catch(() => undefined);
    if (opened === undefined) return;
    const drivers = await Promise.allSettled(this.#drivers.values());
    for (const driver of drivers) if (driver.status === 'fulfilled') await driver.value.close();
    await opened.close();
  }
}
