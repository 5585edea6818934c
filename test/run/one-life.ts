/**
 * A process that runs one operation on a home folder and a world of files, to be killed by a test.
 *
 * Usage: node one-life.ts HOME up|keep|delete; writes `begun` when it starts to work and `done` at the end.
 */

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { folderCells } from '../../engine/drivers/memory/cells.ts';
import { openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { isAlive } from '../../engine/process-identity.ts';
import { down } from '../../engine/run/down.ts';
import { up } from '../../engine/run/up.ts';
import { openStore } from '../../engine/store/store.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { sampleContext, upRequest } from '../sample/context.ts';

const [, , home = '', verb = ''] = process.argv;
process.stdout.write('begun\n');
const store = openStore(join(home, 'state.db'));
// every moment takes a while, so that a kill finds the middle of acts as often as their edges
const driver = openMemoryDriver({
  cells: folderCells(join(home, 'world')),
  interfere: async () => await pause(1),
});
const { context } = sampleContext({ home, store, driver, isAlive });
if (verb === 'up') await up(context, upRequest(guestbook()), async () => sampleClosure(guestbook()));
else await down(context, { owner: 'default', name: 'shop', data: verb === 'keep' ? 'keep' : 'delete' });
process.stdout.write('done\n');
