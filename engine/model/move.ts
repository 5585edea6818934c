import type { ProcessIdentity } from '../process-identity.ts';
import type { OperationError } from './store.ts';

/**
 * How far a move came; each names what is being done, or done next after a kill.
 *
 * Up to `finishing` nothing is decided and any failure leads to `returning`. The commit point lies between `finishing`
 * and `switching`. Of an undo the same phases lead the other way.
 */
export const movePhases = [
  /** The copy that takes over is brought up, held. */
  'preparing',
  /** Data are copied while the other copy goes on working. */
  'copying',
  /** The copy that works is held. */
  'holding',
  /** What changed since is copied, and compared. */
  'finishing',
  /** The copy that took over starts its services and opens its endpoints. */
  'switching',
  /** It works; the old copy stays until somebody confirms or undoes. */
  'waiting',
  /** The old copy is removed. */
  'confirming',
  /** The copy that was held works again, because nothing came of it. */
  'returning',
  /** The copy that was given up is removed. */
  'cleaning',
] as const;

/** One of {@link movePhases}. */
export type MovePhase = (typeof movePhases)[number];

/** One of the two copies of a deployment that is moved. */
export type MoveSide = { readonly deployment: string; readonly pool: string };

/** A deployment on its way from one pool to another, as it is recorded. */
export type MoveRecord = {
  readonly id: string;
  readonly owner: string;
  /** Of the deployment, as users know it. Whichever copy is the valid one has it. */
  readonly name: string;
  /** Where it came from. */
  readonly source: MoveSide;
  /** Where it goes. Its deployment is recorded from the first step of `preparing` on. */
  readonly target: MoveSide;
  /** `back`: it is being undone. */
  readonly direction: 'there' | 'back';
  readonly phase: MovePhase;
  /** Of an undo: what was changed at the target since is given up. */
  readonly discards: boolean;
  readonly startedAt: number;
  /** When the target took over; null before. */
  readonly committedAt: number | null;
  /** By when somebody should confirm or undo. Nothing happens then but that `status` says so. */
  readonly confirmBy: number | null;
  /** Why it returned. */
  readonly error: OperationError | null;
  /** Who works on it. */
  readonly holder: ProcessIdentity | null;
};

/** The right to carry a move on. Every later holder has a higher epoch. */
export type MoveLease = { readonly move: string; readonly epoch: number };

/** What {@link Store.beginMove} shows to the one who decides. */
export type MoveBasis = {
  /** The deployment of that name. */
  readonly deployment: string | undefined;
  readonly move: MoveRecord | undefined;
};

/** What may be written about a move. */
export type MoveChange = Partial<
  Pick<MoveRecord, 'direction' | 'phase' | 'discards' | 'confirmBy' | 'error'>
>;

/** Asks to begin a move, or to carry on with one. */
export type BeginMoveRequest = {
  readonly owner: string;
  readonly name: string;
  readonly holder: ProcessIdentity;
  readonly isAlive: (holder: ProcessIdentity) => boolean;
  readonly at: number;
  /** Of what is done, for the event: `move`, `undo`, `confirm`. */
  readonly verb: string;
  /** Pure. A new move, or a change of the one that there is. What it throws undoes everything. */
  readonly decide: (
    basis: MoveBasis,
  ) => { readonly create: Pick<MoveRecord, 'id' | 'source' | 'target'> } | { readonly change: MoveChange };
};

/** A move in the hands of this process. */
export type BegunMove = { readonly move: MoveRecord; readonly lease: MoveLease };

// no name that a user gives has a dot
const suffix = '.aside';

/** Names the copy of a deployment that is not the valid one. */
export function asideName(name: string): string {
  return `${name}${suffix}`;
}

/** Tells whether a recorded name is that of a copy that is not the valid one. */
export function isAside(name: string): boolean {
  return name.endsWith(suffix);
}

/** Gives the name under which users know a deployment. */
export function publicName(name: string): string {
  return isAside(name) ? name.slice(0, -suffix.length) : name;
}

/** Gives the copy that works before the commit point of this direction, and that which takes over. */
export function sidesOf({ direction, source, target }: Pick<MoveRecord, 'direction' | 'source' | 'target'>): {
  readonly from: MoveSide;
  readonly to: MoveSide;
} {
  return direction === 'there' ? { from: source, to: target } : { from: target, to: source };
}

/** Tells whether everybody but the move itself has to leave both copies alone. */
export function isUnderWay({ phase }: Pick<MoveRecord, 'phase'>): boolean {
  return phase !== 'waiting' && phase !== 'cleaning' && phase !== 'confirming';
}
