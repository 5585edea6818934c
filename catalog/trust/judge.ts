import type { Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { type Envelope, isSignedBy, payloadOf } from './envelope.ts';
import { type PublicKey, publicKeyOf, voucherType } from './key.ts';
import { type TrustPolicy, type TrustSubject, trustFor } from './policy.ts';
import { jsonOf, readStatement } from './statement.ts';

/** What became of the question whether something may be trusted. */
export type Verdict =
  | {
      readonly kind: 'signed';
      readonly key: { readonly id: Digest; readonly name: string };
      readonly signedAt: string;
    }
  /** Nobody signed it, and that is accepted. */
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'refused'; readonly error: EngineError };

/** Clocks of honest people differ by less. */
const clockMarginMs = 24 * 60 * 60 * 1000;

/** Something that is signed: its envelopes, and who must have made one of them. */
export type Question = {
  readonly subject: TrustSubject;
  /** For messages: `guestbook 1.0.0`. */
  readonly what: string;
  readonly envelopes: readonly Envelope[];
  /** Tells when an envelope was signed; undefined when it says something else than it should. */
  readonly signedAt: (envelope: Envelope) => string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
};

/** Judges the signatures of something by a policy. Never throws. */
export function judge(policy: TrustPolicy, question: Question): Verdict {
  const { subject, what, envelopes, now } = question;
  const { keys, acceptsUnsigned } = trustFor(policy, subject);
  const signed = envelopes.filter(({ signatures }) => signatures.length > 0);
  if (signed.length === 0) {
    if (acceptsUnsigned) return { kind: 'unsigned' };
    return refused('SIGNATURE_MISSING', `${what} is not signed`, unsignedHint);
  }
  let worst = refused(
    'SIGNATURE_UNTRUSTED',
    `${what} is signed by nobody whom the trust policy names`,
    `Signed by the key ${signed[0]?.signatures[0]?.keyid.slice(0, 100) ?? ''}. If you trust it, get its public key and run \`sheaf key trust\`.`,
  );
  for (const envelope of signed) {
    const at = question.signedAt(envelope);
    for (const key of [...keys, ...vouchedFor(keys, envelope, policy)]) {
      if (!isSignedBy(envelope, key.key)) continue;
      if (at === undefined)
        worst = refused(
          'SIGNATURE_WRONG',
          `a signature of ${key.name} stands for something else than ${what}`,
        );
      else if (key.expires !== undefined && Date.parse(at) >= key.expires)
        worst = refused(
          'KEY_EXPIRED',
          `${what} was signed by ${key.name} after that key had ended`,
          'Have it signed with a newer key.',
        );
      else if (Date.parse(at) > now + clockMarginMs)
        worst = refused(
          'SIGNATURE_WRONG',
          `the signature of ${what} is from the future`,
          'Is the clock of this machine right?',
        );
      else return { kind: 'signed', key: { id: key.id, name: key.name }, signedAt: at };
    }
    const claimed = keys.find(({ id }) => envelope.signatures.some(({ keyid }) => keyid === id));
    if (claimed && !isSignedBy(envelope, claimed.key))
      worst = refused(
        'SIGNATURE_WRONG',
        `the signature of ${what} by ${claimed.name} does not fit`,
        'It was changed after it was signed. Do not use it.',
      );
  }
  // an unsigned thing would have been taken; one that somebody unknown signed is no worse
  return acceptsUnsigned && worst.error.code === 'SIGNATURE_UNTRUSTED' ? { kind: 'unsigned' } : worst;
}

/** Judges the signatures of a bundle. */
export function judgeBundle(
  policy: TrustPolicy,
  bundle: {
    readonly name: string;
    readonly version: string;
    readonly identity: Digest;
    readonly catalog: string;
  },
  envelopes: readonly Envelope[],
  now: number,
): Verdict {
  return judge(policy, {
    subject: bundle,
    what: `${bundle.name} ${bundle.version}`,
    envelopes,
    now,
    signedAt: (envelope) => {
      const said = readStatement(envelope);
      const isMeant =
        said?.identity === bundle.identity && said.name === bundle.name && said.version === bundle.version;
      return isMeant ? said.signedAt : undefined;
    },
  });
}

const unsignedHint =
  'Ask its publisher for a signed one. To use it all the same, accept it in the trust policy, or give --insecure.';

/** Follows the vouchers in an envelope from trusted keys on; they stand oldest first. */
function vouchedFor(
  trusted: readonly PublicKey[],
  envelope: Envelope,
  policy: TrustPolicy,
): readonly PublicKey[] {
  const found: PublicKey[] = [];
  for (const voucher of envelope.vouchers ?? []) {
    const value = voucher.payloadType === voucherType ? jsonOf(payloadOf(voucher)) : undefined;
    if (typeof value !== 'object' || value === null) continue;
    const { name, publicKey, expires, signedAt }: Partial<Record<string, unknown>> = { ...value };
    if (typeof name !== 'string' || typeof publicKey !== 'string' || typeof signedAt !== 'string') continue;
    const by = [...trusted, ...found].find(({ key }) => isSignedBy(voucher, key));
    if (by === undefined || (by.expires !== undefined && !(Date.parse(signedAt) < by.expires))) continue;
    const ends = typeof expires === 'string' ? Date.parse(expires) : undefined;
    const next = readVouched(publicKey);
    if (next === undefined || policy.revoked.has(next.id) || Number.isNaN(ends)) continue;
    found.push({ ...next, name: name.slice(0, 100), ...(ends !== undefined && { expires: ends }) });
  }
  return found;
}

function readVouched(text: string): { readonly id: Digest; readonly key: PublicKey['key'] } | undefined {
  try {
    return publicKeyOf(text, 'a voucher');
  } catch {
    return undefined; // a voucher that vouches for nothing
  }
}

function refused(
  code: 'SIGNATURE_MISSING' | 'SIGNATURE_WRONG' | 'SIGNATURE_UNTRUSTED' | 'KEY_EXPIRED',
  message: string,
  hint?: string,
): Extract<Verdict, { kind: 'refused' }> {
  return { kind: 'refused', error: new EngineError(code, message, hint === undefined ? {} : { hint }) };
}
