import { join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { buildApart } from './build-apart.ts';
import { requireTools } from './command.ts';
import { compile } from './compile/compile.ts';
import { graphOfSource } from './compile/graph-of-source.ts';
import { inputInvalid, type Loaded, load, requireSound } from './compile/load.ts';
import { changedNames, guestPlatform, lockOf, lockText } from './compile/lock.ts';
import type { CompileInputs } from './compile/settle-parameters.ts';
import type { Digest } from './digest.ts';
import type { DeploymentIdentity, Driver } from './drivers/driver.ts';
import type {
  BuildAnswer,
  CallOptions,
  EngineOptions,
  ExecOptions,
  InitAnswer,
  LockAnswer,
  LockRequest,
  PackAnswer,
} from './engine-options.ts';
import { EngineError } from './errors.ts';
import { nameHint } from './formats/nearest-name.ts';
import { freePorts } from './free-ports.ts';
import { renderGraph } from './graph/render-graph.ts';
import { makeAttendant } from './images/attendant.ts';
import { checkRunnable, findClosure, makeClosure } from './images/closure.ts';
import type { BuildContext } from './images/context.ts';
import { findPins } from './images/image-pins.ts';
import { buildKit, findKit } from './images/kit.ts';
import { loadImage } from './images/load-image.ts';
import { findNeeded, keyOf, makeImages } from './images/make-images.ts';
import { neededTools } from './images/needed-tools.ts';
import { sbomOf, storeSbom } from './images/sbom.ts';
import { writeTemplate } from './init/write-template.ts';
import { listenRefusal } from './listen-refusal.ts';
import { exitsOf, instancesOf } from './model/blueprint.ts';
import type { NeededImage } from './model/closure.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import type { PackedSource } from './model/packed-source.ts';
import type { Capabilities, Pool, Server } from './model/pool.ts';
import type { DataDecision, DeployRequest, GraphFormat } from './model/request.ts';
import type { DeploymentStatus, DeploymentSummary, LoggedEvent, PlanReport } from './model/status.ts';
import type { DeploymentRecord } from './model/store.ts';
import type { TemplateKind } from './model/template-kind.ts';
import { openState, restoreHome, type State } from './open-state.ts';
import { filesToPack } from './packing/files-to-pack.ts';
import { loadPacked, withoutInputs } from './packing/load-packed.ts';
import { makePackingList } from './packing/make-list.ts';
import { orStored } from './packing/or-stored.ts';
import { type OpenOuterAppliances, openOuterAppliances } from './packing/outer-appliances.ts';
import { checkPackedImages, packedClosure } from './packing/packed-closure.ts';
import { scanSecrets } from './packing/scan-secrets.ts';
import type { Problem } from './problems.ts';
import { openProcessFolder } from './process-folder.ts';
import { currentProcess, isAlive } from './process-identity.ts';
import { listNames } from './read/find-appliance.ts';
import { lockFile } from './read/read-lock.ts';
import { checkTemplate } from './render/check-template.ts';
import { openRenderer, type Renderer } from './render/renderer.ts';
import { type AdoptAnswer, adopt } from './run/adopt.ts';
import { type Arrival, bringAll } from './run/bring-all.ts';
import { bringBack } from './run/bring-back.ts';
import { type RunContext, usualLimits } from './run/context.ts';
import type { UpRequest } from './run/decide-up.ts';
import { diagnose } from './run/diagnose.ts';
import { type DownAnswer, down } from './run/down.ts';
import { haltAll } from './run/halt-all.ts';
import { identityOf } from './run/identity.ts';
import { type LogChunk, readLogs } from './run/read-logs.ts';
import { renderFromBlobs } from './run/render-files.ts';
import { repair } from './run/repair.ts';
import { rollBack } from './run/roll-back.ts';
import { scale } from './run/scale.ts';
import { deploymentMissing, status, summarize } from './run/status.ts';
import { planUp, up } from './run/up.ts';
import { openWatch, type WatchLimits, watch } from './run/watch.ts';
import { type BackupAnswer, backupState } from './store/backup.ts';
import type { RestoreAnswer } from './store/restore.ts';
import { writeWhole } from './whole-file.ts';

// everybody's, until there are tenants
const owner = 'default';
// each is many short questions to guests already
const observedAtOnce = 8;

/** Sheaf, as a library: every verb of the command line is one method. Nothing is opened before it is needed. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #drivers = new Map<string, Promise<Driver>>();
  readonly #renderer: Renderer = openRenderer();
  #opened: Promise<State> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Begins a description from its template. @throws EngineError INPUT_REFUSED
   *
   * @param folder - absent or empty
   */
  async init(kind: TemplateKind, name: string, path: string): Promise<InitAnswer> {
    const folder = resolve(this.#options.workingDirectory, path);
    const { templates } = this.#options;
    return { kind, name, folder, files: await writeTemplate({ kind, name, folder, templates }) };
  }

  /** Finds every problem of an appliance, assembly or application. Changes nothing. @throws EngineError SOURCE_MISSING */
  async check(path: string, options: CallOptions = silent): Promise<readonly Problem[]> {
    return await this.#withSource(path, null, options, async ({ compiled }) => compiled.problems);
  }

  /** Draws the graph of an application or assembly. @throws EngineError SOURCE_MISSING, INPUT_INVALID with `details.problems` */
  async graph(path: string, format: GraphFormat, options: CallOptions = silent): Promise<string> {
    return await this.#withSource(path, null, options, async (loaded) =>
      renderGraph(graphOfSource(requireSound(path, loaded).source), format),
    );
  }

  /**
   * Chooses versions, and the packages and kit of what is stored, and writes `sheaf.lock` beside the description.
   *
   * @throws EngineError SOURCE_MISSING, INPUT_INVALID; with `builds` those of `build`
   */
  async lock(path: string, { update, builds }: LockRequest, options: CallOptions): Promise<LockAnswer> {
    const { source, compiled } = requireSound(path, await this.#load(path, null, options, update));
    const context = await this.#buildContext(options);
    const { kitSources } = this.#options;
    if (builds) {
      const images = compiled.images.map(renewed(update));
      await requireTools(await neededTools(images, kitSources, context));
      await makeImages(images, context);
      await buildKit({ sources: kitSources, ...context });
    }
    const { images, unknown } = await findPins(compiled.images, context);
    const before = source.lock?.lock;
    const kit = source.unlocked.has('kit') ? undefined : before?.kit;
    const pinned = kit ?? (await findKit(kitSources, context))?.digest;
    const lock = lockOf(source, { ...(pinned && { kit: pinned }), platforms: { [guestPlatform]: images } });
    const file = join(source.root.folder, lockFile);
    if (before === undefined || lockText(before) !== lockText(lock))
      await writeWhole(file, lockText(lock), 0o666);
    return { file, changed: changedNames(before ?? null, lock), unpinned: unknown };
  }

  /**
   * Makes images of appliances of the catalog folders, and the kit, where they are not stored yet.
   *
   * @param names - all when empty
   * @param isFresh - images of Debian packages are built anew, from the newest there are
   */
  async build(
    names: readonly string[],
    isFresh: boolean,
    options: CallOptions,
  ): Promise<readonly BuildAnswer[]> {
    const context = await this.#buildContext(options);
    const folders = await this.#applianceFolders(names);
    const loaded = await Promise.all(
      folders.map(async (folder) => requireSound(folder, await this.#load(folder, null, options))),
    );
    const images = loaded.flatMap(({ compiled }) => compiled.images);
    const wanted = isFresh ? images.map((image) => ({ ...image, renews: 'all' }) as const) : images;
    const { kitSources } = this.#options;
    await requireTools(await neededTools(wanted, kitSources, context));
    // before the kit, which anybody can build: who may not build images is told at once
    const built = await makeImages(wanted, context);
    await buildKit({ sources: kitSources, ...context });
    await makeAttendant({ sources: kitSources, ...context });
    return await Promise.all(
      [...built].map(async ([appliance, { manifest, layers, wasCached }]) => {
        const image = await loadImage(manifest.digest, context.blobs);
        return {
          appliance,
          digest: manifest.digest,
          bytes: layers.reduce((sum, layer) => sum + layer.size, 0),
          wasCached,
          sbom: (await storeSbom(image, appliance, context)).document.digest,
        };
      }),
    );
  }

  /**
   * Gives the bill of materials of an appliance's image, as CycloneDX JSON.
   *
   * @param name - of an appliance of the catalog folders
   * @throws EngineError SOURCE_MISSING; IMAGE_MISSING when the image is not stored
   */
  async sbom(name: string): Promise<string> {
    const { blobs, store } = await this.#open();
    const context = { blobs, refs: store.refs };
    const [folder = ''] = await this.#applianceFolders([name]);
    const [needed] = requireSound(folder, await this.#load(folder, null, silent)).compiled.images;
    const made = needed && (await findNeeded(needed, context));
    if (needed === undefined || made === undefined)
      throw new EngineError('IMAGE_MISSING', `the image of ${name} is not stored here`, {
        hint: `Run \`sheaf build ${name}\` to make it.`,
      });
    return sbomOf(await loadImage(made.manifest.digest, blobs), keyOf(needed));
  }

  /**
   * Makes everything that a bundle of a source holds, or finds it made already.
   *
   * @param path - of an application, assembly or appliance, as a folder or description
   * @throws EngineError SOURCE_MISSING, INPUT_INVALID; as `build` does
   */
  async pack(path: string, options: CallOptions): Promise<PackAnswer> {
    const { source, compiled } = requireSound(path, await this.#load(path, null, options));
    const { blueprint } = compile(source, withoutInputs, checkTemplate);
    const { kitSources } = this.#options;
    const files = filesToPack(source);
    const { workingDirectory } = this.#options;
    const { folder } = source.root;
    const secrets = await scanSecrets({ files, folder, workingDirectory, signal: options.signal });
    if (secrets.length > 0) throw inputInvalid(path, secrets);
    const context = await this.#buildContext(options);
    const list = await makePackingList({ source, compiled, blueprint, files, kitSources }, context);
    return { list, blobs: context.blobs };
  }

  /** Tells what `up` would do, and why. Changes nothing. @throws EngineError as `up` does before it begins */
  async plan(request: DeployRequest, options: CallOptions): Promise<PlanReport> {
    const { store, blobs } = await this.#open();
    return await this.#prepare(request, options, async (upRequest, { compiled }, packed) => {
      const { kitSources } = this.#options;
      const { closure, missing } = packed
        ? { ...(await packedClosure(packed, upRequest.blueprint)), missing: [] }
        : await findClosure({ ...compiled, ...upRequest, kitSources }, { blobs, refs: store.refs });
      const run = await this.#runContext(this.#pool(request.pool), options);
      return await planUp(run, upRequest, closure, missing);
    });
  }

  /** Brings a deployment up, or resumes what was interrupted; returns when every instance is healthy. */
  async up(request: DeployRequest, options: CallOptions): Promise<DeploymentStatus> {
    return await this.#prepare(request, options, async (upRequest, { compiled }, packed) => {
      const { blueprint } = upRequest;
      const run = await this.#runContext(this.#pool(request.pool), options);
      return await up(run, upRequest, async (signal) => {
        const context = await this.#buildContext({ ...options, signal });
        const { kitSources } = this.#options;
        if (packed === undefined) return await makeClosure({ ...compiled, blueprint, kitSources }, context);
        const { closure, images } = await packedClosure(packed, blueprint);
        checkRunnable(blueprint, images, context);
        await packed.storeParts(context.blobs, context);
        await checkPackedImages(packed.list, context.blobs);
        await makeAttendant({ sources: kitSources, ...context });
        return closure;
      });
    });
  }

  /**
   * Gives appliances of a deployment other numbers of replicas; returns when every instance is healthy.
   *
   * @param replicas - by appliance path
   * @throws EngineError as `scale` of the run folder
   */
  async scale(
    name: string,
    replicas: Readonly<Record<string, number>>,
    options: CallOptions,
  ): Promise<DeploymentStatus> {
    return await scale(await this.#runContextOf(name, options), { owner, name, replicas });
  }

  /** Heals what has drifted from what is recorded of a deployment. @throws EngineError as `repair` of the run folder */
  async repair(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await repair(await this.#runContextOf(name, options), { owner, name });
  }

  /**
   * Watches deployments and repairs what drifts, until the signal says so.
   *
   * @param name - of one; all that there are, and come, when absent
   * @throws EngineError DEPLOYMENT_MISSING when that one is not there at the beginning
   */
  async watch(name: string | undefined, limits: WatchLimits, options: CallOptions): Promise<void> {
    const { store } = await this.#open();
    if (name !== undefined && !(await store.deployment(owner, name))) throw deploymentMissing(name);
    const list = async (): Promise<readonly DeploymentRecord[]> =>
      (await store.deployments()).filter((record) => name === undefined || record.name === name);
    await watch(openWatch(this.#contextsOf(options), limits), list, limits, options.signal);
  }

  /** Stops a deployment and removes it. @throws EngineError DEPLOYMENT_MISSING */
  async down(name: string, data: DataDecision, options: CallOptions): Promise<DownAnswer> {
    const run = await this.#runContextOf(name, options);
    return await down(run, { owner, name, data });
  }

  /** Undoes an unfinished operation. @returns null when the deployment is gone, because that operation had made it */
  async rollBack(name: string, options: CallOptions): Promise<DeploymentStatus | null> {
    const run = await this.#runContextOf(name, options);
    await rollBack(run, { owner, name });
    return (await run.store.deployment(owner, name)) ? await status(run, owner, name) : null;
  }

  /** Brings one deployment back to what is recorded of it, without its source. @throws EngineError as `bringBack` */
  async upRecorded(name: string, options: CallOptions): Promise<DeploymentStatus | null> {
    const run = await this.#runContextOf(name, options);
    await bringBack(run, { owner, name });
    return (await run.store.deployment(owner, name)) ? await status(run, owner, name) : null;
  }

  /** Brings every deployment back to what is recorded of it. @throws EngineError DEPLOYMENTS_FAILED when one did not come */
  async upAll(options: CallOptions): Promise<readonly Arrival[]> {
    const { store } = await this.#open();
    return await bringAll(await store.deployments(), this.#contextsOf(options), options.signal);
  }

  /** Stops the machines of every deployment in good order, because the server goes down. @returns names */
  async haltAll(options: CallOptions): Promise<readonly string[]> {
    const { store } = await this.#open();
    return await haltAll(await store.deployments(), this.#contextsOf(options));
  }

  /** Lists deployments, observed now. A pool that cannot be asked does not hold up the others. */
  async list(options: CallOptions): Promise<readonly DeploymentSummary[]> {
    const { store } = await this.#open();
    const limit = pLimit(observedAtOnce);
    const contextOf = this.#contextsOf(options);
    const records = await store.deployments();
    return await Promise.all(records.map((record) => limit(() => summarize(record, contextOf))));
  }

  /** Observes one deployment. @throws EngineError DEPLOYMENT_MISSING */
  async status(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await status(await this.#runContextOf(name, options), owner, name);
  }

  /**
   * Streams logs as raw bytes: of one instance, or of all, each chunk with its instance's name. A door that leads out, such
   * as `out.world`, has a log too: what was refused there.
   */
  async *logs(
    name: string,
    options: { readonly instance?: string; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogChunk> {
    const { record, driver, identity } = await this.#deployed(name);
    yield* readLogs(driver, identity, logNames(record, options.instance), options);
  }

  /** Runs a command in an instance. @returns the guest's exit code @throws EngineError DEPLOYMENT_MISSING, INSTANCE_MISSING, EXEC_FAILED */
  async exec(name: string, request: ExecOptions): Promise<number> {
    const { record, driver, identity } = await this.#deployed(name);
    instanceNames(record, request.instance);
    return await driver.exec(identity, request);
  }

  /** Gives the journal's events, oldest first, of one deployment or all. */
  async events(name?: string): Promise<readonly LoggedEvent[]> {
    const { store } = await this.#open();
    const events = await store.events(name);
    if (name !== undefined && events.length === 0 && !(await store.deployment(owner, name)))
      throw deploymentMissing(name);
    return events;
  }

  /** Names what is recorded, without observing anything. */
  async recorded(): Promise<readonly { readonly name: string; readonly instances: readonly string[] }[]> {
    const { store } = await this.#open();
    return (await store.deployments()).map((record) => ({
      name: record.name,
      instances: instanceNames(record, undefined),
    }));
  }

  /** Names the appliances of the catalog folders. */
  async appliances(): Promise<readonly string[]> {
    const lists = await Promise.all(this.#options.catalogs.map(listNames));
    return [...new Set(lists.flat())].sort();
  }

  /** Lists the pools. */
  async pools(): Promise<readonly Pool[]> {
    return this.#options.pools;
  }

  /** Shows one pool: its servers and what its driver can do, tried now where that is not known yet. */
  async pool(
    name: string,
    options: CallOptions,
  ): Promise<{
    readonly pool: Pool;
    readonly capabilities: Capabilities;
    readonly servers: readonly Server[];
  }> {
    const pool = this.#pool(name);
    const driver = await this.#driver(pool);
    return {
      pool,
      capabilities: await driver.capabilities(options.signal),
      servers: await driver.servers(options.signal),
    };
  }

  /** Tells what this machine has, lacks and can do. */
  async doctor({ signal }: CallOptions): Promise<readonly Diagnosis[]> {
    const { home, pools } = this.#options;
    const openStore = async () => (await this.#open()).store;
    return await diagnose({ home, pools, signal, openStore, openDriver: (pool) => this.#driver(pool) });
  }

  /** Makes the records again of deployments that exist in a pool and are not recorded. @throws EngineError DEPLOYMENTS_FAILED */
  async adopt(name: string, options: CallOptions): Promise<AdoptAnswer> {
    return await adopt(await this.#runContext(this.#pool(name), options));
  }

  /** Writes the records and all that they need into a file, while others go on working. @param withKey - the key of the secrets too */
  async backupState(file: string, withKey: boolean, { signal }: CallOptions): Promise<BackupAnswer> {
    const { home, keyFile, workingDirectory, clock } = this.#options;
    const { blobs, scratch } = await this.#open();
    return await backupState({
      database: join(home, 'state.db'),
      blobs,
      ...(withKey && { keyFile }),
      scratch: await openProcessFolder(scratch),
      file: resolve(workingDirectory, file),
      at: clock(),
      signal,
    });
  }

  /** Puts a backup of the state in place. To be called before anything else. @throws EngineError STATE_EXISTS unless `isReplacing` */
  async restoreState(file: string, isReplacing: boolean): Promise<RestoreAnswer> {
    const { home, keyFile, workingDirectory, clock } = this.#options;
    return await restoreHome({
      file: resolve(workingDirectory, file),
      home,
      keyFile,
      isReplacing,
      at: clock(),
    });
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

  async #load(
    path: string,
    inputs: CompileInputs | null,
    options: CallOptions,
    update: readonly string[] = [],
  ): Promise<Loaded> {
    const { catalogs, workingDirectory } = this.#options;
    const folders = { catalogs, workingDirectory, update };
    return await this.#withOuter(options, async (outer) =>
      load(path, inputs, { ...folders, ...(outer && { outer }) }),
    );
  }

  async #withOuter<T>(
    call: CallOptions,
    use: (outer: OpenOuterAppliances | undefined) => Promise<T>,
  ): Promise<T> {
    const { home, openOuterCatalogs: open } = this.#options;
    if (open === undefined) return await use(undefined);
    const scratch = join(home, 'scratch');
    const outer = openOuterAppliances({ open, folder: join(home, 'fetched'), scratch, call });
    try {
      return await use(outer);
    } finally {
      await outer.close();
    }
  }

  /** Reads a folder, or opens what comes packed; the latter stays open while `use` works. */
  async #withSource<T>(
    source: string,
    inputs: CompileInputs | null,
    options: CallOptions,
    use: (loaded: Loaded, packed: PackedSource | undefined) => Promise<T>,
  ): Promise<T> {
    const opened = await this.#options.openPacked?.(source, options);
    // a delta's texts may be stored already, but what only reads must not make a store
    const packed = opened && inputs ? orStored(opened, (await this.#open()).blobs) : opened;
    if (packed === undefined) return await use(await this.#load(source, inputs, options), undefined);
    try {
      const scratch = join(this.#options.home, 'scratch');
      return await use(await loadPacked(source, packed, inputs, scratch), packed);
    } finally {
      await packed.close();
    }
  }

  /** Compiles what shall be deployed and puts given secrets apart from all that is stored plainly. */
  async #prepare<T>(
    request: DeployRequest,
    options: CallOptions,
    use: (upRequest: UpRequest, loaded: Loaded, packed: PackedSource | undefined) => Promise<T>,
  ): Promise<T> {
    const { name, source, set, expose } = request;
    const { store } = await this.#open();
    const current = await store.deployment(owner, name);
    const held = current ? await store.secrets(current.id) : [];
    const recorded = current?.spec.inputs.set ?? {};
    const inputs = { set, recorded, expose, heldSecrets: held.map((secret) => secret.name) };
    return await this.#withSource(source, inputs, options, async (loaded, packed) => {
      const { blueprint, givenSecrets } = requireSound(source, loaded).compiled;
      if (blueprint === null) {
        throw new EngineError('SOURCE_MISSING', `${source} is no application, so it cannot be deployed`, {
          hint: 'Name a folder with an application.yaml, or a bundle of an application.',
        });
      }
      const open = Object.entries({ ...recorded, ...set }).filter(
        ([key]) => !givenSecrets.has(`parameter/${key}`),
      );
      const given = { set: Object.fromEntries(open), expose };
      return await use({ owner, name, blueprint, inputs: given, secrets: givenSecrets }, loaded, packed);
    });
  }

  async #applianceFolders(names: readonly string[]): Promise<readonly string[]> {
    const found = new Map<string, string>();
    for (const catalog of this.#options.catalogs)
      for (const name of await listNames(catalog)) if (!found.has(name)) found.set(name, join(catalog, name));
    if (names.length === 0) return [...found.values()];
    return names.map((name) => {
      const folder = found.get(name);
      if (folder !== undefined) return folder;
      throw new EngineError('SOURCE_MISSING', `there is no appliance ${name}`, {
        hint: nameHint(name, [...found.keys()]),
      });
    });
  }

  #pool(name: string | undefined): Pool {
    const { pools } = this.#options;
    const pool = name === undefined ? pools[0] : pools.find((one) => one.name === name);
    if (pool) return pool;
    throw new EngineError('POOL_MISSING', `there is no pool ${name ?? 'at all'}`, {
      hint: nameHint(
        name ?? '',
        pools.map((one) => one.name),
      ),
    });
  }

  async #open(): Promise<State> {
    this.#opened ??= openState(this.#options);
    return await this.#opened;
  }

  async #driver(pool: Pool): Promise<Driver> {
    const { blobs, store } = await this.#open();
    const { kitSources } = this.#options;
    const kit = async () => (await findKit(kitSources, { blobs, refs: store.refs }))?.digest;
    const attendant = async (signal: AbortSignal) =>
      await makeAttendant({ sources: kitSources, ...(await this.#buildContext({ ...silent, signal })) });
    const parts = { blobs, kit, attendant };
    const driver = this.#drivers.get(pool.name) ?? this.#options.openDriver(pool, parts);
    this.#drivers.set(pool.name, driver);
    return await driver;
  }

  async #buildContext({ signal, report }: CallOptions): Promise<BuildContext> {
    const { blobs, store, scratch, cache } = await this.#open();
    const { images } = this.#options;
    const { home, keyFile } = this.#options;
    return {
      ...{ blobs, refs: store.refs, scratch, cache, signal, report },
      ...(images && { images }),
      ...(this.#options.openOuterCatalogs && {
        storePublished: async (identity: Digest) =>
          await this.#withOuter({ signal, report }, async (outer) => outer?.storeParts(identity, blobs)),
      }),
      buildApart: async (requests) =>
        await buildApart({ folders: { home, keyFile }, requests }, { signal, report }),
    };
  }

  async #runContext(pool: Pool, { signal, report }: CallOptions): Promise<RunContext> {
    const { store, blobs, secretBox } = await this.#open();
    const { clock, newId } = this.#options;
    return {
      store,
      driver: await this.#driver(pool),
      pool,
      secretBox,
      renderFiles: renderFromBlobs(blobs, this.#renderer),
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

  async #runContextOf(name: string, options: CallOptions): Promise<RunContext> {
    const { store } = await this.#open();
    const record = await store.deployment(owner, name);
    if (!record) throw deploymentMissing(name);
    return await this.#runContext(this.#pool(record.pool), options);
  }

  #contextsOf(options: CallOptions): (record: DeploymentRecord) => Promise<RunContext> {
    return async (record) => await this.#runContext(this.#pool(record.pool), options);
  }

  async #deployed(name: string): Promise<{
    readonly record: DeploymentRecord;
    readonly driver: Driver;
    readonly identity: DeploymentIdentity;
  }> {
    const { store } = await this.#open();
    const record = await store.deployment(owner, name);
    if (!record) throw deploymentMissing(name);
    return { record, driver: await this.#driver(this.#pool(record.pool)), identity: identityOf(record) };
  }
}

/** Marks images whose packages were let go by the name of their appliance or suite. */
function renewed(names: readonly string[]): (image: NeededImage) => NeededImage {
  return (image) => {
    if (image.image.kind !== 'packages') return image;
    if (names.includes(image.image.suite)) return { ...image, renews: 'all' };
    return names.includes(image.name) ? { ...image, renews: 'own' } : image;
  };
}

const silent: CallOptions = { signal: new AbortController().signal, report: () => undefined };

function instanceNames(record: DeploymentRecord, wanted: string | undefined): readonly string[] {
  const names = instancesOf(record.spec.blueprint).map((instance) => instance.name);
  return chosen(record, names, wanted);
}

function logNames(record: DeploymentRecord, wanted: string | undefined): readonly string[] {
  return chosen(record, [...instanceNames(record, undefined), ...exitNames(record)], wanted);
}

function exitNames({ spec }: DeploymentRecord): readonly string[] {
  return exitsOf(spec.blueprint).map(({ appliance, terminal }) => `${appliance}.${terminal}`);
}

function chosen(
  { name }: DeploymentRecord,
  names: readonly string[],
  wanted: string | undefined,
): readonly string[] {
  if (wanted === undefined) return names;
  if (names.includes(wanted)) return [wanted];
  throw new EngineError('INSTANCE_MISSING', `${name} has no instance ${wanted}`, {
    hint: nameHint(wanted, names),
  });
}
