import { join } from 'node:path';
import test from 'ava';
import { formatDiagnoses } from '../../cli/output/diagnosis-text.ts';
import { requireTools } from '../../engine/command.ts';
import { openMemoryDriver } from '../../engine/drivers/memory/open-driver.ts';
import { EngineError } from '../../engine/errors.ts';
import { buildTools } from '../../engine/images/tools.ts';
import { type DiagnosisSubject, diagnose } from '../../engine/run/diagnose.ts';
import { openStore } from '../../engine/store/store.ts';
import { memoryHost } from '../cli/memory-host.ts';
import { runCli, temporaryFolder } from '../cli/run-cli.ts';
import { violations } from '../cli/schemas.ts';

const pool = { name: 'local', driver: 'memory', range: '10.83.0.0/16' };
const { host } = memoryHost('pipe');

function subjectIn(home: string, changes: Partial<DiagnosisSubject> = {}): DiagnosisSubject {
  return {
    home,
    pools: [pool],
    openStore: async () => openStore(join(home, 'state.db')),
    openDriver: async () => openMemoryDriver(),
    requireBuilder: async () => undefined,
    signal: new AbortController().signal,
    ...changes,
  };
}

test('a machine on which everything works is told so', async (t) => {
  const found = await diagnose(subjectIn(await temporaryFolder(t)));

  const ofPool = found.filter(({ area }) => area === 'pool');
  t.is(
    formatDiagnoses(ofPool, host.style),
    `good  local driver       memory runs virtual machines
good  local isolation    wires are enforced
good  local accelerator  none: nothing is run`,
  );
  t.true(found.some(({ name, state }) => name === 'records' && state === 'good'));
});

test('emulation is a limit, a pool without isolation a failure, each with what to do', async (t) => {
  const openDriver = async () =>
    openMemoryDriver({
      capabilities: {
        isolates: false,
        isolationReason: 'nft keeps no rules',
        accelerator: { name: 'tcg', reason: 'there is no /dev/kvm' },
      },
    });

  const found = await diagnose(subjectIn(await temporaryFolder(t), { openDriver }));

  t.is(
    formatDiagnoses(
      found.filter(({ area }) => area === 'pool'),
      host.style,
    ),
    `good     local driver       memory runs virtual machines
failed   local isolation    wires cannot be enforced: nft keeps no rules
  hint: Nothing is run where traffic cannot be kept to the wires.
limited  local accelerator  emulation, several times slower: there is no /dev/kvm
  hint: Where the processor and the system offer KVM, let this user open /dev/kvm.`,
  );
});

test('what cannot be looked at is a finding, and the rest is still told', async (t) => {
  const refuse = async (): Promise<never> => {
    throw new EngineError('TOOL_MISSING', 'not installed: nft', {
      hint: 'Install the Debian package nftables.',
    });
  };

  const found = await diagnose(
    subjectIn(await temporaryFolder(t), { openDriver: refuse, openStore: refuse }),
  );

  t.deepEqual(
    found
      .filter(({ area }) => area === 'pool' || area === 'state')
      .map(({ name, state, message, hint }) => [name, state, message, hint]),
    [
      ['records', 'failed', 'not installed: nft', 'Install the Debian package nftables.'],
      ['local driver', 'failed', 'not installed: nft', 'Install the Debian package nftables.'],
    ],
  );
  t.true(found.some(({ area }) => area === 'machine'));
});

test('who may not build images is told why, though every program is there', async (t) => {
  const requireBuilder = async (): Promise<never> => {
    throw new EngineError('ROOT_REQUIRED', 'this user can build no images: no ids are lent', {
      hint: 'Have some lent.',
    });
  };
  const tools = await Promise.allSettled([requireTools(buildTools.images)]);

  const found = await diagnose(subjectIn(await temporaryFolder(t), { requireBuilder }));

  const building = found.find(({ name }) => name === 'building images');
  t.is(building?.state, 'limited');
  if (tools[0].status === 'fulfilled') t.is(building?.hint, 'Have some lent.');
  t.not(found.find(({ name }) => name === 'building the guest kit')?.hint, 'Have some lent.');
});

test('doctor --json fits its schema, and the exit code tells whether something does not work', async (t) => {
  const folder = await temporaryFolder(t);

  const run = await runCli(['doctor', '--json', '--home', folder], { environment: { PATH: '/nonexistent' } });

  const output = JSON.parse(run.stdout);
  t.deepEqual(violations('doctor', output), []);
  const fails = output.diagnoses.some(({ state }: { state: string }) => state === 'failed');
  t.is(run.code, fails ? 1 : 0);
});
