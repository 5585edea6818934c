import { type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';

/** One signature of an envelope. */
export type EnvelopeSignature = {
  /** Id of the key, which only helps to find it. */
  readonly keyid: string;
  /** Base64 of an ECDSA signature with SHA-256, in DER. */
  readonly sig: string;
};

/**
 * A text with its signatures, as JSON. What is signed binds the type to the text, so that neither stands in for another.
 *
 * `vouchers` are envelopes themselves, in which older keys vouch for newer ones.
 */
export type Envelope = {
  readonly payloadType: string;
  /** Base64. */
  readonly payload: string;
  readonly signatures: readonly EnvelopeSignature[];
  readonly vouchers?: readonly Envelope[];
};

const maxSignatures = 16;
const maxVouchers = 16;
/** An envelope may have so many bytes. */
export const envelopeBytes = 64 * 2 ** 20;

/** Gives the bytes that are signed. @source DSSE 1.0, "pre-authentication encoding" */
export function signedBytes(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Puts a text into an envelope, signed when there is a key. */
export function seal(
  payloadType: string,
  text: string,
  key?: { readonly id: string; readonly secret: KeyObject; readonly vouchers: readonly Envelope[] },
): Envelope {
  const payload = Buffer.from(text);
  const envelope = { payloadType, payload: payload.toString('base64') };
  if (key === undefined) return { ...envelope, signatures: [] };
  const sig = sign('sha256', signedBytes(payloadType, payload), key.secret).toString('base64');
  const vouchers = key.vouchers.length > 0 ? { vouchers: key.vouchers } : {};
  return { ...envelope, signatures: [{ keyid: key.id, sig }], ...vouchers };
}

/** Writes an envelope. Same envelope, same bytes. */
export function envelopeText(envelope: Envelope): string {
  return canonicalJson(envelope);
}

/** Reads an envelope of a stranger. @throws EngineError SIGNATURE_WRONG when it is none */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.byteLength > envelopeBytes) throw noEnvelope('is too large');
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (isEnvelope(value, true)) return value;
  } catch (cause) {
    throw noEnvelope('is no JSON', cause);
  }
  throw noEnvelope('is not made as envelopes are');
}

/** Gives the bytes in an envelope, whoever signed them. */
export function payloadOf(envelope: Envelope): Buffer {
  return Buffer.from(envelope.payload, 'base64');
}

/** Tells whether one of an envelope's signatures is this key's. */
export function isSignedBy(envelope: Envelope, key: KeyObject): boolean {
  const content = signedBytes(envelope.payloadType, payloadOf(envelope));
  return envelope.signatures.some(({ sig }) => verify('sha256', content, key, Buffer.from(sig, 'base64')));
}

function isEnvelope(value: unknown, mayHaveVouchers: boolean): value is Envelope {
  if (typeof value !== 'object' || value === null) return false;
  const { payloadType, payload, signatures, vouchers }: Partial<Record<string, unknown>> = { ...value };
  if (typeof payloadType !== 'string' || payloadType.length > 200 || typeof payload !== 'string')
    return false;
  if (!Array.isArray(signatures) || signatures.length > maxSignatures || !signatures.every(isSignature))
    return false;
  if (vouchers === undefined) return true;
  return (
    mayHaveVouchers &&
    Array.isArray(vouchers) &&
    vouchers.length <= maxVouchers &&
    vouchers.every((voucher) => isEnvelope(voucher, false))
  );
}

function isSignature(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { keyid, sig }: Partial<Record<string, unknown>> = { ...value };
  return typeof keyid === 'string' && keyid.length <= 100 && typeof sig === 'string' && sig.length <= 1000;
}

function noEnvelope(what: string, cause?: unknown): EngineError {
  return new EngineError('SIGNATURE_WRONG', `an envelope of a signature ${what}`, {
    hint: 'Have it signed and published again.',
    cause,
  });
}
