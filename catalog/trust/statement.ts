import { canonicalJson, type Digest, isDigest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { type Envelope, payloadOf, seal } from './envelope.ts';
import type { SigningKey } from './key.ts';

/** What a signature says of a bundle. */
export type Statement = {
  readonly name: string;
  readonly version: string;
  /** Digest of the packing list. */
  readonly identity: Digest;
  /** When it was signed, as its signer says. */
  readonly signedAt: string;
};

/** The payload type of a statement. */
export const statementType = 'application/vnd.sheaf.statement.v1+json';

/** Signs a bundle's identity. @param now - milliseconds since 1970 @throws EngineError KEY_EXPIRED */
export function signStatement(subject: Omit<Statement, 'signedAt'>, key: SigningKey, now: number): Envelope {
  requireFresh(key, now);
  const { name, version, identity } = subject;
  return seal(
    statementType,
    canonicalJson({ name, version, identity, signedAt: new Date(now).toISOString() }),
    key,
  );
}

/** Refuses to sign or vouch with a key that has ended: nobody would take it. @throws EngineError KEY_EXPIRED */
export function requireFresh({ name, expires }: SigningKey, now: number): void {
  if (expires === undefined || now < expires) return;
  throw new EngineError('KEY_EXPIRED', `the key ${name} ended on ${new Date(expires).toISOString()}`, {
    hint: 'Make a new key, and have it trusted anew. Before a key ends, sheaf key new --after makes one that it vouches for.',
  });
}

/** Reads what an envelope says of a bundle, whoever signed it; undefined when it says something else. */
export function readStatement(envelope: Envelope): Statement | undefined {
  if (envelope.payloadType !== statementType) return undefined;
  const value = jsonOf(payloadOf(envelope));
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, version, identity, signedAt }: Partial<Record<string, unknown>> = { ...value };
  if (typeof name !== 'string' || typeof version !== 'string' || typeof signedAt !== 'string')
    return undefined;
  if (typeof identity !== 'string' || !isDigest(identity) || Number.isNaN(Date.parse(signedAt)))
    return undefined;
  return { name, version, identity, signedAt };
}

/** Reads JSON of a stranger; undefined when it is none. */
export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
