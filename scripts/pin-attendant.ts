import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../engine/command.ts';
import { digestOf } from '../engine/digest.ts';
import { type AttendantPin, attendantPinFile } from '../engine/images/attendant.ts';
import { buildKitPrograms, digestSources } from '../engine/images/kit-programs.ts';

// Writes kit/attendant.json: which program the sources of the kit give. To be run after each change of them.

const sources = fileURLToPath(new URL('../kit', import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'sheaf-pin-'));
try {
  const { attendant } = await buildKitPrograms(['attendant'], sources, scratch, new AbortController().signal);
  const { stdout } = await runCommand('go', ['env', 'GOVERSION'], { environment: { HOME: scratch } });
  const pin: AttendantPin = {
    sources: await digestSources(sources),
    program: digestOf(attendant),
    go: stdout.trim(),
  };
  await writeFile(join(sources, attendantPinFile), `${JSON.stringify(pin, null, 2)}\n`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
