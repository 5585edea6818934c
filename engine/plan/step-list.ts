import type { Change, Desired, ObjectKind, PolicyState, Step } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';
import { changeOf, exists, type Found, fingerprintOf, isOver } from './change.ts';
import type { DiffRequest } from './diff.ts';
import { isLedTo, newlyLedTo } from './led-to.ts';

type DesiredOf<K extends ObjectKind> = Extract<Desired, { readonly kind: K }>;
type Ensure = Exclude<Change, 'remove'>;

type StepParts = Pick<Step, 'key' | 'change' | 'after' | 'onceHealthy'> & {
  readonly kind: ObjectKind;
  readonly before: Desired['state'] | null;
} & (
    | { readonly action: 'ensure'; readonly desired: Desired['state'] }
    | { readonly action: 'remove'; readonly desired: null; readonly deletesData: boolean }
  );

/** Collects the steps of one plan in their order, and knows which step touched what. */
export class StepList {
  readonly #request: DiffRequest;
  readonly #recorded: ReadonlyMap<string, Recorded>;
  readonly #found: ReadonlyMap<string, Found>;
  readonly #changes: ReadonlyMap<string, Ensure>;
  readonly #steps: Step[] = [];
  readonly #ensured = new Map<string, string>();
  readonly #detached = new Map<string, string>();
  readonly #losesData: string[] = [];
  /** By appliance, the replica that is replaced last: they go one at a time. */
  readonly #replaced = new Map<string, string>();
  #isNetworkNew = false;

  constructor(request: DiffRequest) {
    this.#request = request;
    this.#recorded = new Map(request.recorded.map((one) => [nameOf(one.kind, one.key), one]));
    this.#found = new Map(
      request.observation.objects.filter(exists).map((one) => [nameOf(one.kind, one.key), one]),
    );
    this.#changes = this.#findChanges();
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  get losesData(): readonly string[] {
    return this.#losesData;
  }

  /**
   * Adds a step for every object of a kind that is not as it shall be and has no step yet.
   *
   * @param isMeant - leaves objects out for now
   * @returns their ids
   */
  ensureAll<K extends ObjectKind>(
    kind: K,
    after: (desired: DesiredOf<K>) => readonly string[],
    isMeant: (desired: DesiredOf<K>) => boolean = () => true,
  ): readonly string[] {
    // those that serve and are to be replaced come last, so that they can wait for others of their appliance
    const [last, first] = partition(
      this.#desired(kind),
      ({ key }) => kind === 'instance' && this.#serves(key),
    );
    return [...first, ...last].flatMap((desired) => {
      const name = nameOf(kind, desired.key);
      if (this.#ensured.has(name) || !isMeant(desired)) return [];
      const isDetached = kind === 'instance' && this.#detached.has(desired.key);
      const change = isDetached ? 'create' : this.#changes.get(name);
      if (!change) return [];
      const gates = kind === 'instance' ? this.#gatesOf(desired.key, change) : [];
      const id = this.#add({
        kind,
        key: desired.key,
        change,
        after: [...after(desired), ...this.stepsOn('instance', gates)],
        ...(gates.length > 0 && { onceHealthy: gates }),
        before: isDetached ? null : this.#before(desired),
        action: 'ensure',
        desired: desired.state,
      });
      this.#ensured.set(name, id);
      return [id];
    });
  }

  /** Adds the removal of every recorded or found object of a kind that is not desired. @returns their ids */
  removeAll(kind: ObjectKind, after: readonly string[]): readonly string[] {
    return this.#leaving(kind).flatMap((key) => {
      if (kind !== 'volume') return [this.#remove(kind, key, false, after)];
      const recorded = this.#recorded.get(nameOf(kind, key));
      // the data of a scratch volume was never promised to anybody
      const isScratch = recorded?.kind === 'volume' && recorded.state.kind === 'scratch';
      if (!isScratch && !this.#request.mayDelete(key)) return [];
      if (!isScratch) this.#losesData.push(key);
      return [this.#remove(kind, key, true, after)];
    });
  }

  /**
   * Adds the removal of snapshots that nobody needs any more: last, for until all is well they may be needed still.
   *
   * @returns their ids
   */
  removeSnapshots(after: readonly string[]): readonly string[] {
    const gates = this.#desired('instance').flatMap(({ key }) =>
      this.#ensured.has(nameOf('instance', key)) ? [key] : [],
    );
    return this.#leaving('snapshot').map((key) => this.#remove('snapshot', key, false, after, gates));
  }

  /** Adds the removal of instances that run on a volume which has to change; they are made again. @returns their ids */
  detachAll(after: readonly string[]): readonly string[] {
    return this.#desired('instance').flatMap(({ key, state }) => {
      const isMounted = this.#found.has(nameOf('instance', key));
      if (!isMounted || !state.volumes.some((one) => this.#changes.has(nameOf('volume', one.key)))) return [];
      const id = this.#remove('instance', key, false, after);
      this.#detached.set(key, id);
      return [id];
    });
  }

  /**
   * Adds the changes in place of instances that are led to some that leave, so that they know it before.
   *
   * @returns their ids
   */
  tellOfLeaving(after: (desired: DesiredOf<'instance'>) => readonly string[]): readonly string[] {
    const leaving = new Set(this.#leaving('instance'));
    if (leaving.size === 0) return [];
    return this.ensureAll('instance', after, ({ key }) => {
      const recorded = this.#recordedInstance(key);
      // a half-made one may not run yet, and may need the room of those that leave
      const isRunning = this.#found.get(nameOf('instance', key))?.fingerprint != null;
      const isUpdate = this.#changes.get(nameOf('instance', key)) === 'update';
      return isRunning && isUpdate && recorded !== undefined && isLedTo(recorded, leaving);
    });
  }

  /**
   * Tells whether the policy does nothing but forget instances that leave. Then it may wait for them: until they have
   * ended, what they still do is allowed.
   */
  isPolicyOnlyNarrowed(): boolean {
    const [desired] = this.#desired('policy');
    const recorded = desired && this.#recorded.get(nameOf('policy', desired.key));
    const found = desired && this.#found.get(nameOf('policy', desired.key));
    if (!desired || recorded?.kind !== 'policy' || !recorded.isSettled) return false;
    if (found?.kind !== 'policy' || !found.works) return false;
    if (found.fingerprint !== fingerprintOf(recorded.state)) return false;
    return isNarrowed(recorded.state, desired.state, new Set(this.#leaving('instance')));
  }

  /** Gives the removals that {@link detachAll} added for a volume's sake. */
  detachersOf(volume: string): readonly string[] {
    const users = this.#desired('instance').filter(({ state }) =>
      state.volumes.some((one) => one.key === volume),
    );
    return users.flatMap(({ key }) => this.#detached.get(key) ?? []);
  }

  /** Gives the ids of the ensuring steps on some objects. */
  stepsOn(kind: ObjectKind, keys: readonly string[]): readonly string[] {
    return keys.flatMap((key) => this.#ensured.get(nameOf(kind, key)) ?? []);
  }

  /** Gives the ids of all ensuring steps of a kind. */
  ensured(kind: ObjectKind): readonly string[] {
    return [...this.#ensured].filter(([name]) => name.startsWith(`${kind} `)).map(([, id]) => id);
  }

  #desired<K extends ObjectKind>(kind: K): readonly DesiredOf<K>[] {
    return this.#request.desired.filter((one): one is DesiredOf<K> => one.kind === kind);
  }

  #leaving(kind: ObjectKind): readonly string[] {
    const wanted = new Set(this.#desired(kind).map((one) => one.key));
    const known = [...this.#recorded.values(), ...this.#found.values()].filter((one) => one.kind === kind);
    return [...new Set(known.map((one) => one.key))].filter((key) => !wanted.has(key)).sort();
  }

  #recordedInstance(key: string): DesiredOf<'instance'>['state'] | undefined {
    const recorded = this.#recorded.get(nameOf('instance', key));
    return recorded?.kind === 'instance' ? recorded.state : undefined;
  }

  /** Lists those, of the steps before it, that have to be healthy before an instance is touched. */
  #gatesOf(key: string, change: Ensure): readonly string[] {
    const desired = this.#desired('instance').find((one) => one.key === key);
    if (desired === undefined) return [];
    const { state } = desired;
    if (change === 'replace') {
      if (!this.#serves(key)) return [];
      const before = this.#replaced.get(state.appliance);
      this.#replaced.set(state.appliance, key);
      return before === undefined ? this.#comingBeside(key, state.appliance) : [before];
    }
    const recorded = this.#recordedInstance(key);
    if (change !== 'update' || recorded === undefined) return [];
    return newlyLedTo(recorded, state).filter((name) => this.#ensured.has(nameOf('instance', name)));
  }

  /** Tells of an instance that is to be replaced that it runs; what does no work already need not be spared. */
  #serves(key: string): boolean {
    const name = nameOf('instance', key);
    const found = this.#found.get(name);
    if (this.#isNetworkNew || this.#changes.get(name) !== 'replace' || this.#detached.has(key)) return false;
    return found?.kind === 'instance' && !isOver(found.condition);
  }

  /** Lists the other replicas that are made by this plan, or still start: until they serve, nobody else may stop serving. */
  #comingBeside(key: string, appliance: string): readonly string[] {
    return this.#desired('instance').flatMap((one) => {
      const name = nameOf('instance', one.key);
      if (one.key === key || one.state.appliance !== appliance || this.#serves(one.key)) return [];
      const found = this.#found.get(name);
      // one that was being changed when somebody was killed may have to be started
      const runsOn = this.#changes.get(name) === 'update' && found?.fingerprint !== null;
      if (this.#ensured.has(name)) return runsOn ? [] : [one.key];
      const isComing = found?.kind === 'instance' && ['starting', 'waiting'].includes(found.condition);
      return isComing ? [one.key] : [];
    });
  }

  #findChanges(): ReadonlyMap<string, Ensure> {
    const changes = new Map<string, Ensure>();
    const look = (one: Desired, isNetworkNew: boolean): void => {
      const name = nameOf(one.kind, one.key);
      const found = this.#found.get(name);
      const isUnwell = one.kind === 'instance' && found !== undefined && this.#request.unwell?.has(one.key);
      const change = isUnwell ? 'replace' : changeOf(one, this.#recorded.get(name), found, isNetworkNew);
      if (change) changes.set(name, change);
    };
    const [networks, others] = partition(this.#request.desired, (one) => one.kind === 'network');
    for (const one of networks) look(one, false);
    this.#isNetworkNew = [...changes.values()].includes('create');
    for (const one of others) look(one, this.#isNetworkNew);
    return changes;
  }

  // a volume that was found and not recorded was not made by us now, so undoing must not take it away
  #before(desired: Desired): Desired['state'] | null {
    const name = nameOf(desired.kind, desired.key);
    const recorded = this.#recorded.get(name);
    if (recorded) return recorded.state;
    return desired.kind === 'volume' && this.#found.has(name) ? desired.state : null;
  }

  #remove(
    kind: ObjectKind,
    key: string,
    deletesData: boolean,
    after: readonly string[],
    gates: readonly string[] = [],
  ): string {
    const before = this.#recorded.get(nameOf(kind, key))?.state ?? null;
    return this.#add({
      kind,
      key,
      change: 'remove',
      after,
      ...(gates.length > 0 && { onceHealthy: gates }),
      before,
      action: 'remove',
      desired: null,
      deletesData,
    });
  }

  #add(parts: StepParts): string {
    const id = String(this.#steps.length + 1);
    // kind, before and desired come from one object each time, which the compiler cannot follow
    this.#steps.push({ ...parts, id, generation: this.#request.generation } as Step);
    return id;
  }
}

function isNarrowed(before: PolicyState, after: PolicyState, leaving: ReadonlySet<string>): boolean {
  const stays = (one: PolicyState): PolicyState => ({
    rules: one.rules.filter(({ from, to }) => !leaving.has(from) && !leaving.has(to)),
    members: one.members.filter(({ instance }) => !leaving.has(instance)),
  });
  return leaving.size > 0 && fingerprintOf(stays(before)) === fingerprintOf(after);
}

function nameOf(kind: ObjectKind, key: string): string {
  return `${kind} ${key}`;
}

function partition<T>(
  all: readonly T[],
  isFirst: (one: T) => boolean,
): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
