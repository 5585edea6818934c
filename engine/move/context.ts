import type { Digest } from '../digest.ts';
import type { DeploymentIdentity, Driver } from '../drivers/driver.ts';
import type { MoveRecord } from '../model/move.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';

/** What a pass over one volume found and carried. */
export type PassFigures = { readonly bytesCarried: number };

/** `next`: while the source works. `whole`: that, too, and everything is looked at again. `last`: nobody works any more. */
export type PassKind = 'next' | 'whole' | 'last';

/** A volume on both sides. */
export type VolumePair = {
  readonly key: string;
  readonly from: { readonly driver: Driver; readonly deployment: DeploymentIdentity };
  readonly to: { readonly driver: Driver; readonly deployment: DeploymentIdentity };
  readonly signal: AbortSignal;
  /** Is told now and then how many bytes were carried. */
  readonly progress: (bytesCarried: number) => void;
};

/** Makes a volume of the other side that of the one, carrying what differs. */
export type CopyVolume = (pair: VolumePair, kind: PassKind) => Promise<PassFigures>;

/** What moves work with, beside that which every operation has. */
export type MoveContext = Pick<
  RunContext,
  'store' | 'report' | 'clock' | 'newId' | 'holder' | 'isAlive' | 'signal'
> & {
  /** @throws EngineError POOL_MISSING, and what opening its driver throws */
  readonly contextOf: (pool: string) => Promise<RunContext>;
  readonly hasBlob: (digest: Digest) => Promise<boolean>;
  readonly copyVolume: CopyVolume;
};

/** One copy of a deployment that is moved, and what it is worked on with. */
export type Copy = { readonly context: RunContext; readonly record: DeploymentRecord };

/** Gives the context of one side of a move: what is begun with it is a part of that move. */
export async function sideContext(
  context: MoveContext,
  { id }: Pick<MoveRecord, 'id'>,
  pool: string,
): Promise<RunContext> {
  return { ...(await context.contextOf(pool)), move: id, signal: context.signal };
}
