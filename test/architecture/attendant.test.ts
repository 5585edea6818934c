import { join } from 'node:path';
import test from 'ava';
import { attendantPinFile, readAttendantPin } from '../../engine/images/attendant.ts';

const sources = join(import.meta.dirname, '../../kit');

test('the checkout names the attendant that its sources give', async (t) => {
  const pin = await readAttendantPin(sources);

  t.truthy(pin, `kit/${attendantPinFile} speaks of other sources: run node scripts/pin-attendant.ts`);
});
