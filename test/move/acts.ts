import type { Blueprint } from '../../engine/model/blueprint.ts';
import type { MoveContext } from '../../engine/move/context.ts';
import { confirmMove, move, rollBackMove, undoMove } from '../../engine/move/move.ts';
import { up } from '../../engine/run/up.ts';
import { guestbook, sampleClosure, sampleWire } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';

/** Something that is done in a life of the program. */
export type Act = (context: MoveContext) => Promise<unknown>;

export const shop = { owner: 'default', name: 'shop' };

const whole = guestbook();

/** A door and a database: every kind of step, and not more of them than needed. */
export const small: Blueprint = {
  ...whole,
  appliances: whole.appliances.filter(({ path }) => path === 'db' || path === 'edge'),
  wires: [sampleWire('edge.out', 'db.in', 'postgresql', 5432)],
};

export const goUp: Act = async (context) =>
  await up(await context.contextOf('near'), upRequest(small), async () => sampleClosure(small));
export const goFar = async (context: MoveContext) => await move(context, { ...shop, to: 'far' });
export const rollBack: Act = (context) => rollBackMove(context, shop);
export const undo: Act = (context) => undoMove(context, { ...shop, discards: false });
export const discard: Act = (context) => undoMove(context, { ...shop, discards: true });
export const confirm: Act = (context) => confirmMove(context, shop);
