import { EngineError } from '../engine/errors.ts';
import type { Report } from '../engine/model/event.ts';
import { readSignatures } from './sign-bundle.ts';
import type { JudgeSignatures } from './signatures.ts';
import { judgeBundle } from './trust/judge.ts';
import type { TrustPolicy } from './trust/policy.ts';

/** What a bundle file is judged by. */
export type FileJudgement = {
  readonly policy: () => Promise<TrustPolicy>;
  /** Tells whether this user packed a bundle of this identity here, so that it does not come from outside. */
  readonly isOwn: (identity: string) => Promise<boolean>;
  readonly isInsecure: boolean;
  readonly now: () => number;
  readonly report: Report;
};

/** Makes the judge of bundles that come as files; in rules of trust their catalog is called `file`. */
export function judgeFiles({ policy, isOwn, isInsecure, now, report }: FileJudgement): JudgeSignatures {
  return async (bundle) => {
    const { list, manifest } = bundle.contents;
    const identity = manifest.config.digest;
    const envelopes = await readSignatures({ contents: bundle.contents, source: bundle });
    const subject = { name: list.name, version: list.version, identity, catalog: 'file' };
    const verdict = judgeBundle(await policy(), subject, envelopes, now());
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
        const { error } = verdict;
        const isTolerable = error.code === 'SIGNATURE_MISSING' || error.code === 'SIGNATURE_UNTRUSTED';
        if (isTolerable && (await isOwn(identity)))
          return {
            state: 'unsigned',
            keys: [],
            reason: 'nobody whom the trust policy names has signed it, but it was packed here',
          };
        if (!isInsecure || !(error instanceof EngineError)) throw error;
        const reason = `not checked, as --insecure says: ${error.message}`;
        report({ type: 'warning', code: error.code, message: reason });
        return { state: 'untrusted', keys: [], reason };
      }
      default:
        return verdict satisfies never;
    }
  };
}
