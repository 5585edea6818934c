import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openBundle } from '../../../catalog/format/open-bundle.ts';
import { packFile } from '../../../catalog/format/pack-bundle.ts';
import { judgeFiles } from '../../../catalog/trust/judge-file.ts';
import { closedPolicy, type TrustPolicy } from '../../../catalog/trust/policy.ts';
import { signFile } from '../../../catalog/trust/sign-file.ts';
import type { SignatureVerdict } from '../../../catalog/trust/signatures.ts';
import type { EventBody } from '../../../engine/model/event.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { quiet, sampleBundle } from '../sample-bundle.ts';
import { newKey } from './keys.ts';

const written: TrustPolicy = { isWritten: true, rules: [], revoked: new Set() };

test('without a policy an unsigned file is taken, with one warning that names the remedy', async (t) => {
  const { verdict, warnings } = await judged(t, { policy: closedPolicy });

  t.like(verdict, { state: 'unsigned', keys: [] });
  t.is(warnings.length, 1);
  t.like(warnings[0], { type: 'warning', code: 'SIGNATURE_MISSING' });
  t.regex(
    JSON.stringify(warnings[0]),
    /nobody vouches for it: sample 1\.0\.0 is not signed.*sheaf key trust/,
  );
});

test('without a policy a file that somebody unknown signed is taken, with one warning', async (t) => {
  const { verdict, warnings } = await judged(t, { policy: closedPolicy, isSigned: true });

  t.like(verdict, { state: 'untrusted', keys: [] });
  t.is(warnings.length, 1);
  t.like(warnings[0], { type: 'warning', code: 'SIGNATURE_UNTRUSTED' });
});

test('with a policy a file that it does not name is refused', async (t) => {
  await t.throwsAsync(judged(t, { policy: written }), { message: /not signed/ });
  await t.throwsAsync(judged(t, { policy: written, isSigned: true }), { message: /nobody whom/ });
});

test('--insecure takes what a policy refuses, and says so', async (t) => {
  const { verdict, warnings } = await judged(t, { policy: written, isInsecure: true });

  t.like(verdict, { state: 'untrusted' });
  t.regex(JSON.stringify(warnings), /signatures were not checked/);
});

async function judged(
  t: ExecutionContext,
  request: { readonly policy: TrustPolicy; readonly isSigned?: true; readonly isInsecure?: true },
): Promise<{ readonly verdict: SignatureVerdict; readonly warnings: readonly EventBody[] }> {
  const { contents, source } = sampleBundle();
  const file = join(temporaryFolder(t), 'sample.sheaf');
  await packFile({ contents, source, file }, quiet);
  if (request.isSigned) await signFile(file, (await newKey()).signing, 0, quiet);
  const warnings: EventBody[] = [];
  const judge = judgeFiles({
    policy: async () => request.policy,
    isInsecure: request.isInsecure === true,
    now: () => 1000,
    report: (event) => void warnings.push(event),
  });
  const bundle = await openBundle(file);
  try {
    return { verdict: await judge(bundle), warnings };
  } finally {
    await bundle.close();
  }
}
