import type { Report } from '../../engine/model/event.ts';
import { judgeBundle } from './judge.ts';
import type { TrustPolicy } from './policy.ts';
import { readSignatures } from './sign-bundle.ts';
import type { JudgeSignatures } from './signatures.ts';

/** What a bundle file is judged by. */
export type FileJudgement = {
  readonly policy: () => Promise<TrustPolicy>;
  readonly isInsecure: boolean;
  /** Whether nothing of it will be run or kept; then it is taken with a warning, too. */
  readonly isOnlyShown?: boolean;
  readonly now: () => number;
  readonly report: Report;
};

/**
 * Makes the judge of bundles that come as files; in rules of trust their catalog is called `file`.
 *
 * Where no policy was written, a file that nobody known vouches for is taken with a warning: who names a file chose it,
 * and nothing of it runs outside of the machines of its deployment.
 */
export function judgeFiles(judgement: FileJudgement): JudgeSignatures {
  const { policy, isInsecure, isOnlyShown = false, now, report } = judgement;
  return async (bundle) => {
    const { list, manifest } = bundle.contents;
    const envelopes = await readSignatures({ contents: bundle.contents, source: bundle });
    const subject = {
      name: list.name,
      version: list.version,
      identity: manifest.config.digest,
      catalog: 'file',
    };
    const rules = await policy();
    const verdict = judgeBundle(rules, subject, envelopes, now());
    switch (verdict.kind) {
      case 'signed':
        return {
          state: 'trusted',
          keys: [verdict.key.name],
          reason: `signed by ${verdict.key.name} at ${verdict.signedAt}`,
        };
      case 'unsigned':
        return { state: 'unsigned', keys: [], reason: 'the trust policy takes it as it is' };
      case 'refused': {
        const { code, message } = verdict.error;
        if (isInsecure || isOnlyShown) {
          const reason = `${isInsecure ? 'signatures were not checked' : 'it is only looked at'}: ${message}`;
          report({ type: 'warning', code, message: reason });
          return { state: 'untrusted', keys: [], reason };
        }
        if (rules.isWritten) throw verdict.error;
        const reason = `nobody vouches for it: ${message}`;
        report({ type: 'warning', code, message: reason, hint: policyHint });
        return { state: code === 'SIGNATURE_MISSING' ? 'unsigned' : 'untrusted', keys: [], reason };
      }
      default:
        return verdict satisfies never;
    }
  };
}

const policyHint =
  'It is taken since there is no trust policy. `sheaf key trust FILE` begins one: then only what somebody you trust has signed is taken.';
