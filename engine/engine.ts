import { join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { type BackUpAnswer, type BackUpRequest, type BackupParts, backUp } from './backup/back-up.ts';
import { type CopyRequest, copy } from './backup/copy.ts';
import { type RestoreRequest, restore } from './backup/restore.ts';
import { requireBuilder } from './build-apart.ts';
import { requireTools } from './command.ts';
import { compile } from './compile/compile.ts';
import { graphOfSource } from './compile/graph-of-source.ts';
import { inputInvalid, requireSound } from './compile/load.ts';
import { changedNames, guestPlatform, lockOf, lockText } from './compile/lock.ts';
import type { Driver } from './drivers/driver.ts';
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
import { EngineParts, owner, silent } from './engine-parts.ts';
import { applianceFolders, loadSource, prepareRequest, withSource } from './engine-sources.ts';
import { EngineError } from './errors.ts';
import { nameHint } from './formats/nearest-name.ts';
import { renderGraph } from './graph/render-graph.ts';
import { makeAttendant } from './images/attendant.ts';
import { checkRunnable, findClosure, makeClosure } from './images/closure.ts';
import { findPins } from './images/image-pins.ts';
import { buildKit, findKit } from './images/kit.ts';
import { loadImage } from './images/load-image.ts';
import { findNeeded, keyOf, makeImages } from './images/make-images.ts';
import { neededTools } from './images/needed-tools.ts';
import { sbomOf, storeSbom } from './images/sbom.ts';
import { writeTemplate } from './init/write-template.ts';
import { exitsOf, instancesOf } from './model/blueprint.ts';
import type { NeededImage } from './model/closure.ts';
import type { Diagnosis } from './model/diagnosis.ts';
import { isAside } from './model/move.ts';
import type { Capabilities, Pool, Server } from './model/pool.ts';
import type { Pruned, PruneLimits } from './model/pruned.ts';
import type { DataDecision, DeployRequest, GraphFormat } from './model/request.ts';
import type { DeploymentStatus, DeploymentSummary, LoggedEvent, PlanReport } from './model/status.ts';
import type { DeploymentRecord } from './model/store.ts';
import type { TemplateKind } from './model/template-kind.ts';
import { confirmMove, move, resumeMove, rollBackMove, undoMove } from './move/move.ts';
import { restoreHome } from './open-state.ts';
import { filesToPack } from './packing/files-to-pack.ts';
import { withoutInputs } from './packing/load-packed.ts';
import { makePackingList } from './packing/make-list.ts';
import { checkPackedImages, packedClosure } from './packing/packed-closure.ts';
import { scanSecrets } from './packing/scan-secrets.ts';
import type { Problem } from './problems.ts';
import { openProcessFolder } from './process-folder.ts';
import { listNames } from './read/find-appliance.ts';
import { lockFile } from './read/read-lock.ts';
import { checkTemplate } from './render/check-template.ts';
import { type AdoptAnswer, adopt } from './run/adopt.ts';
import { type Arrival, bringAll } from './run/bring-all.ts';
import { bringBack } from './run/bring-back.ts';
import type { RunContext } from './run/context.ts';
import type { UpRequest } from './run/decide-up.ts';
import { diagnose } from './run/diagnose.ts';
import { type DownAnswer, down } from './run/down.ts';
import { forget } from './run/forget.ts';
import { haltAll } from './run/halt-all.ts';
import { planUp } from './run/plan-up.ts';
import { type PruneAnswer, type PruneRequest, prune } from './run/prune.ts';
import { type LogChunk, readLogs } from './run/read-logs.ts';
import { repair } from './run/repair.ts';
import { type RevertRequest, revert } from './run/revert.ts';
import { rollBack } from './run/roll-back.ts';
import { scale } from './run/scale.ts';
import { deploymentMissing, status, summarize } from './run/status.ts';
import { type MakeClosure, up } from './run/up.ts';
import { upgrade } from './run/upgrade.ts';
import { openWatch, type WatchLimits, watch } from './run/watch.ts';
import { type BackupAnswer, backupState } from './store/backup.ts';
import { pruneBlobs } from './store/prune-blobs.ts';
import type { RestoreAnswer } from './store/restore.ts';
import { writeWhole } from './whole-file.ts';

// each is many short questions to guests already
const observedAtOnce = 8;

/** Sheaf, as a library: every verb of the command line is one method. Nothing is opened before it is needed. */
export class Engine {
  readonly #parts: EngineParts;

  constructor(options: EngineOptions) {
    this.#parts = new EngineParts(options);
  }

  /**
   * Begins a description from its template. @throws EngineError INPUT_REFUSED
   *
   * @param folder - absent or empty
   */
  async init(kind: TemplateKind, name: string, path: string): Promise<InitAnswer> {
    const folder = resolve(this.#parts.options.workingDirectory, path);
    const { templates } = this.#parts.options;
    return { kind, name, folder, files: await writeTemplate({ kind, name, folder, templates }) };
  }

  /** Finds every problem of an appliance, assembly or application. Changes nothing. @throws EngineError SOURCE_MISSING */
  async check(path: string, options: CallOptions = silent): Promise<readonly Problem[]> {
    return await withSource(this.#parts, path, null, options, async ({ compiled }) => compiled.problems);
  }

  /** Draws the graph of an application or assembly. @throws EngineError SOURCE_MISSING, INPUT_INVALID with `details.problems` */
  async graph(path: string, format: GraphFormat, options: CallOptions = silent): Promise<string> {
    return await withSource(this.#parts, path, null, options, async (loaded) =>
      renderGraph(graphOfSource(requireSound(path, loaded).source), format),
    );
  }

  /**
   * Chooses versions, and the packages and kit of what is stored, and writes `sheaf.lock` beside the description.
   *
   * @throws EngineError SOURCE_MISSING, INPUT_INVALID; with `builds` those of `build`
   */
  async lock(path: string, { update, builds }: LockRequest, options: CallOptions): Promise<LockAnswer> {
    const { source, compiled } = requireSound(
      path,
      await loadSource(this.#parts, path, null, options, update),
    );
    const context = await this.#parts.buildContext(options);
    const { kitSources } = this.#parts.options;
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
    const context = await this.#parts.buildContext(options);
    const folders = await applianceFolders(this.#parts, names);
    const loaded = await Promise.all(
      folders.map(async (folder) =>
        requireSound(folder, await loadSource(this.#parts, folder, null, options)),
      ),
    );
    const images = loaded.flatMap(({ compiled }) => compiled.images);
    const wanted = isFresh ? images.map((image) => ({ ...image, renews: 'all' }) as const) : images;
    const { kitSources } = this.#parts.options;
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
    const { blobs, store } = await this.#parts.open();
    const context = { blobs, refs: store.refs };
    const [folder = ''] = await applianceFolders(this.#parts, [name]);
    const [needed] = requireSound(folder, await loadSource(this.#parts, folder, null, silent)).compiled
      .images;
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
    const { source, compiled } = requireSound(path, await loadSource(this.#parts, path, null, options));
    const { blueprint } = compile(source, withoutInputs, checkTemplate);
    const { kitSources } = this.#parts.options;
    const files = filesToPack(source);
    const { workingDirectory } = this.#parts.options;
    const { folder } = source.root;
    const secrets = await scanSecrets({ files, folder, workingDirectory, signal: options.signal });
    if (secrets.length > 0) throw inputInvalid(path, secrets);
    const context = await this.#parts.buildContext(options);
    const list = await makePackingList({ source, compiled, blueprint, files, kitSources }, context);
    return { list, blobs: context.blobs };
  }

  /** Tells what `up` would do, and why. Changes nothing. @throws EngineError as `up` does before it begins */
  async plan(request: DeployRequest, options: CallOptions): Promise<PlanReport> {
    return await this.#plan(request, options, (upRequest) => upRequest);
  }

  /** Tells what `upgrade` would do, and why. Changes nothing. @throws EngineError as `upgrade` does before it begins */
  async planUpgrade(request: DeployRequest, options: CallOptions): Promise<PlanReport> {
    const pool = await this.#poolOf(request.name);
    return await this.#plan({ ...request, pool }, options, (upRequest) => ({
      ...upRequest,
      isUpgrade: true,
    }));
  }

  async #plan(
    request: DeployRequest,
    options: CallOptions,
    meant: (upRequest: UpRequest) => UpRequest,
  ): Promise<PlanReport> {
    const { store, blobs } = await this.#parts.open();
    return await prepareRequest(this.#parts, request, options, async (upRequest, { compiled }, packed) => {
      const { kitSources } = this.#parts.options;
      const { closure, missing } = packed
        ? { ...(await packedClosure(packed, upRequest.blueprint)), missing: [] }
        : await findClosure({ ...compiled, ...upRequest, kitSources }, { blobs, refs: store.refs });
      const run = await this.#parts.runContext(this.#parts.pool(request.pool), options);
      return await planUp(run, meant(upRequest), closure, missing);
    });
  }

  /** Brings a deployment up, or resumes what was interrupted; returns when every instance is healthy. */
  async up(request: DeployRequest, options: CallOptions): Promise<DeploymentStatus> {
    return await this.#bringUp(request, options, up);
  }

  /**
   * Brings a deployment to another version, and back by itself when that fails; returns when every instance is healthy.
   *
   * @param patienceMs - how long it may take to get healthy, from the last progress; the usual time when absent
   * @throws EngineError as `upgrade` of the run folder
   */
  async upgrade(
    request: DeployRequest,
    patienceMs: number | undefined,
    options: CallOptions,
  ): Promise<DeploymentStatus> {
    const pool = await this.#poolOf(request.name);
    return await this.#bringUp({ ...request, pool }, options, (run, upRequest, make) => {
      const { limits } = run;
      const patient = patienceMs === undefined ? limits : { ...limits, settleTimeoutMs: patienceMs };
      return upgrade({ ...run, limits: patient }, upRequest, make);
    });
  }

  /** Brings a deployment back to the version before. @throws EngineError as `revert` of the run folder */
  async revert(name: string, data: RevertRequest['data'], options: CallOptions): Promise<DeploymentStatus> {
    const run = await this.#parts.runContextOf(name, options);
    return await revert(run, { owner, name, ...(data && { data }) });
  }

  /** Lets the version before go, with its snapshots. @throws EngineError as `forget` of the run folder */
  async forget(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await forget(await this.#parts.runContextOf(name, options), { owner, name });
  }

  async #poolOf(name: string): Promise<string> {
    const { store } = await this.#parts.open();
    const record = await store.deployment(owner, name);
    if (!record) throw deploymentMissing(name);
    return record.pool;
  }

  async #bringUp(
    request: DeployRequest,
    options: CallOptions,
    act: (run: RunContext, upRequest: UpRequest, make: MakeClosure) => Promise<DeploymentStatus>,
  ): Promise<DeploymentStatus> {
    return await prepareRequest(this.#parts, request, options, async (upRequest, { compiled }, packed) => {
      const { blueprint } = upRequest;
      const run = await this.#parts.runContext(this.#parts.pool(request.pool), options);
      return await act(run, upRequest, async (signal) => {
        const context = await this.#parts.buildContext({ ...options, signal });
        const { kitSources } = this.#parts.options;
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
    return await scale(await this.#parts.runContextOf(name, options), { owner, name, replicas });
  }

  /** Heals what has drifted from what is recorded of a deployment. @throws EngineError as `repair` of the run folder */
  async repair(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await repair(await this.#parts.runContextOf(name, options), { owner, name });
  }

  /**
   * Watches deployments and repairs what drifts, until the signal says so.
   *
   * @param name - of one; all that there are, and come, when absent
   * @throws EngineError DEPLOYMENT_MISSING when that one is not there at the beginning
   */
  async watch(name: string | undefined, limits: WatchLimits, options: CallOptions): Promise<void> {
    const { store } = await this.#parts.open();
    if (name !== undefined && !(await store.deployment(owner, name))) throw deploymentMissing(name);
    const list = async (): Promise<readonly DeploymentRecord[]> =>
      (await this.#valid()).filter((record) => name === undefined || record.name === name);
    await watch(openWatch(this.#parts.contextsOf(options), limits), list, limits, options.signal);
  }

  /**
   * Moves a deployment with its data to another pool, or goes on with that. The old copy stays, held, until
   * {@link confirmMove} or {@link undoMove}.
   *
   * @throws EngineError as `move` of the move folder
   */
  async move(name: string, to: string, options: CallOptions): Promise<DeploymentStatus> {
    this.#parts.pool(to);
    return await move(await this.#parts.moveContext(options), { owner, name, to });
  }

  /** Returns from a move that is not decided yet. @throws EngineError as `rollBackMove` */
  async rollBackMove(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await rollBackMove(await this.#parts.moveContext(options), { owner, name });
  }

  /** Removes the old copy of a deployment that was moved. @throws EngineError as `confirmMove` */
  async confirmMove(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await confirmMove(await this.#parts.moveContext(options), { owner, name });
  }

  /** Takes a deployment that was moved back, with what was written since unless that is given up. @throws EngineError as `undoMove` */
  async undoMove(name: string, discards: boolean, options: CallOptions): Promise<DeploymentStatus> {
    return await undoMove(await this.#parts.moveContext(options), { owner, name, discards });
  }

  /** Stops a deployment and removes it. @throws EngineError DEPLOYMENT_MISSING */
  async down(name: string, data: DataDecision, options: CallOptions): Promise<DownAnswer> {
    const run = await this.#parts.runContextOf(name, options);
    return await down(run, { owner, name, data });
  }

  /** Undoes an unfinished operation. @returns null when the deployment is gone, because that operation had made it */
  async rollBack(name: string, options: CallOptions): Promise<DeploymentStatus | null> {
    const run = await this.#parts.runContextOf(name, options);
    await rollBack(run, { owner, name });
    return (await run.store.deployment(owner, name)) ? await status(run, owner, name) : null;
  }

  /** Brings one deployment back to what is recorded of it, without its source. @throws EngineError as `bringBack` */
  async upRecorded(name: string, options: CallOptions): Promise<DeploymentStatus | null> {
    await resumeMove(await this.#parts.moveContext(options), { owner, name });
    const run = await this.#parts.runContextOf(name, options);
    await bringBack(run, { owner, name });
    return (await run.store.deployment(owner, name)) ? await status(run, owner, name) : null;
  }

  /** Brings every deployment back to what is recorded of it. @throws EngineError DEPLOYMENTS_FAILED when one did not come */
  async upAll(options: CallOptions): Promise<readonly Arrival[]> {
    const context = await this.#parts.moveContext(options);
    const contextsOf = this.#parts.contextsOf(options);
    return await bringAll(await this.#valid(), contextsOf, options.signal, async (record) => {
      const isResumed = await resumeMove(context, record);
      return (isResumed && (await context.store.deployment(record.owner, record.name))) || record;
    });
  }

  /** Stops the machines of every deployment in good order, because the server goes down. @returns names */
  async haltAll(options: CallOptions): Promise<readonly string[]> {
    const { store } = await this.#parts.open();
    return await haltAll(await store.deployments(), this.#parts.contextsOf(options));
  }

  /** Lists deployments, observed now. A pool that cannot be asked does not hold up the others. */
  async list(options: CallOptions): Promise<readonly DeploymentSummary[]> {
    const limit = pLimit(observedAtOnce);
    const contextOf = this.#parts.contextsOf(options);
    const records = await this.#valid();
    return await Promise.all(records.map((record) => limit(() => summarize(record, contextOf))));
  }

  /** Observes one deployment. @throws EngineError DEPLOYMENT_MISSING */
  async status(name: string, options: CallOptions): Promise<DeploymentStatus> {
    return await status(await this.#parts.runContextOf(name, options), owner, name);
  }

  /**
   * Streams logs as raw bytes: of one instance, or of all, each chunk with its instance's name. A door that leads out, such
   * as `out.world`, has a log too: what was refused there.
   */
  async *logs(
    name: string,
    options: { readonly instance?: string; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogChunk> {
    const { record, driver, identity } = await this.#parts.deployed(name);
    yield* readLogs(driver, identity, logNames(record, options.instance), options);
  }

  /** Runs a command in an instance. @returns the guest's exit code @throws EngineError DEPLOYMENT_MISSING, INSTANCE_MISSING, EXEC_FAILED */
  async exec(name: string, request: ExecOptions): Promise<number> {
    const { record, driver, identity } = await this.#parts.deployed(name);
    instanceNames(record, request.instance);
    return await driver.exec(identity, request);
  }

  /** Gives the journal's events, oldest first, of one deployment or all. */
  async events(name?: string): Promise<readonly LoggedEvent[]> {
    const { store } = await this.#parts.open();
    const events = await store.events(name);
    if (name !== undefined && events.length === 0 && !(await store.deployment(owner, name)))
      throw deploymentMissing(name);
    return events;
  }

  /** Names what is recorded, without observing anything. */
  async recorded(): Promise<readonly { readonly name: string; readonly instances: readonly string[] }[]> {
    return (await this.#valid()).map((record) => ({
      name: record.name,
      instances: instanceNames(record, undefined),
    }));
  }

  /** Names the appliances of the catalog folders. */
  async appliances(): Promise<readonly string[]> {
    const lists = await Promise.all(this.#parts.options.catalogs.map(listNames));
    return [...new Set(lists.flat())].sort();
  }

  /** Lists the pools. */
  async pools(): Promise<readonly Pool[]> {
    return this.#parts.options.pools;
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
    const pool = this.#parts.pool(name);
    const driver = await this.#parts.driver(pool);
    return {
      pool,
      capabilities: await driver.capabilities(options.signal),
      servers: await driver.servers(options.signal),
    };
  }

  /** Tells what this machine has, lacks and can do. */
  async doctor({ signal }: CallOptions): Promise<readonly Diagnosis[]> {
    const { home, pools } = this.#parts.options;
    const openStore = async () => (await this.#parts.open()).store;
    return await diagnose({
      ...{ home, pools, signal, openStore, requireBuilder },
      openDriver: (pool) => this.#parts.driver(pool),
    });
  }

  /** Removes images and disks that nothing needs and nobody used of late; never data. */
  async prune(request: PruneRequest, { signal, report }: CallOptions): Promise<PruneAnswer> {
    const { home, pools, clock } = this.#parts.options;
    const { scratch } = await this.#parts.open();
    const folders = { database: join(home, 'state.db'), folder: join(home, 'blobs') };
    const openDriver = async (pool: Pool): Promise<Driver> => await this.#parts.driver(pool);
    const pruneAll = async (limits: PruneLimits): Promise<Pruned> =>
      await pruneBlobs({ ...limits, ...folders, scratch: await openProcessFolder(scratch), signal });
    return await prune({ pools, openDriver, pruneBlobs: pruneAll, clock, report, signal }, request);
  }

  /** Makes the records again of deployments that exist in a pool and are not recorded. @throws EngineError DEPLOYMENTS_FAILED */
  async adopt(name: string, options: CallOptions): Promise<AdoptAnswer> {
    return await adopt(await this.#parts.runContext(this.#parts.pool(name), options));
  }

  /** Writes a deployment with its data into a file, while it runs. @throws EngineError as `backUp` */
  async backUp(request: Omit<BackUpRequest, 'owner'>, options: CallOptions): Promise<BackUpAnswer> {
    const context = await this.#parts.runContextOf(request.name, options);
    const { base, file } = request;
    return await backUp(context, await this.#backupParts(), {
      ...request,
      owner,
      file: this.#absolute(file),
      ...(base && { base: { ...base, file: this.#absolute(base.file) } }),
    });
  }

  /** Makes a deployment out of a backup. @param pool - the first when absent. @throws EngineError as `restore` */
  async restore(
    request: Omit<RestoreRequest, 'owner'> & { readonly pool?: string },
    options: CallOptions,
  ): Promise<DeploymentStatus> {
    const { pool, file, bases } = request;
    const context = await this.#parts.runContext(this.#parts.pool(pool), options);
    return await restore(context, await this.#backupParts(), {
      ...request,
      owner,
      file: this.#absolute(file),
      bases: bases.map((base) => this.#absolute(base)),
    });
  }

  /** Makes a second deployment with the data of one that runs. @param pool - that of the first when absent. @throws EngineError as `copy` */
  async copy(
    request: Omit<CopyRequest, 'owner'> & { readonly pool?: string },
    options: CallOptions,
  ): Promise<DeploymentStatus> {
    const source = await this.#parts.runContextOf(request.name, options);
    const { pool } = request;
    const target =
      pool === undefined ? source : await this.#parts.runContext(this.#parts.pool(pool), options);
    return await copy(source, target, await this.#backupParts(), { ...request, owner });
  }

  async #backupParts(): Promise<BackupParts> {
    const { blobs, scratch } = await this.#parts.open();
    return { blobs, scratch: await openProcessFolder(scratch) };
  }

  #absolute(file: string): string {
    return resolve(this.#parts.options.workingDirectory, file);
  }

  /** Writes the records and all that they need into a file, while others go on working. @param withKey - the key of the secrets too */
  async backupState(file: string, withKey: boolean, { signal }: CallOptions): Promise<BackupAnswer> {
    const { home, keyFile, workingDirectory, clock } = this.#parts.options;
    const { blobs, scratch } = await this.#parts.open();
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
    const { home, keyFile, workingDirectory, clock } = this.#parts.options;
    return await restoreHome({
      file: resolve(workingDirectory, file),
      home,
      keyFile,
      isReplacing,
      at: clock(),
    });
  }

  /** Lists the deployments that users know: of one that is moved the copy that is valid. */
  async #valid(): Promise<readonly DeploymentRecord[]> {
    const { store } = await this.#parts.open();
    return (await store.deployments()).filter(({ name }) => !isAside(name));
  }

  /** Lets go of everything that is open; deployments run on. Another engine of this process must not have the same home. */
  async close(): Promise<void> {
    await this.#parts.close();
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
