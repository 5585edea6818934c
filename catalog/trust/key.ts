import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { canonicalJson, type Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { type Envelope, envelopeText, readEnvelope, seal } from './envelope.ts';
import { lockKey, pem } from './lock-key.ts';

/** A key by which signatures are checked. */
export type PublicKey = {
  /** Of its DER (SubjectPublicKeyInfo). */
  readonly id: Digest;
  readonly name: string;
  readonly key: KeyObject;
  /** Milliseconds since 1970 from which on nothing that it signs counts; never when absent. */
  readonly expires?: number;
};

/** A key by which things are signed. */
export type SigningKey = PublicKey & {
  readonly secret: KeyObject;
  /** In which the keys before this one vouch for their next, oldest first. */
  readonly vouchers: readonly Envelope[];
};

/** What a voucher says: who holds the key that vouches holds this one too. */
export type Voucher = {
  readonly name: string;
  /** PEM. */
  readonly publicKey: string;
  readonly expires?: string;
  /** When it was given. */
  readonly signedAt: string;
};

/** How a key is made. */
export type NewKey = {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly expires?: number;
  /** The private key is written openly when absent. */
  readonly passphrase?: string;
  /** The key in whose place this one comes. */
  readonly after?: SigningKey;
};

/** The payload type of a voucher. */
export const voucherType = 'application/vnd.sheaf.voucher.v1+json';

const fileLimit = 256 * 1024;

/**
 * Makes an ECDSA key on the curve P-256, as texts of two files.
 *
 * Both begin with lines for people (name, id, expiry) above the PEM block, which openssl passes over.
 */
export function makeKey(request: NewKey): {
  readonly id: Digest;
  readonly publicText: string;
  readonly secretText: string;
} {
  const { name, now, expires, passphrase, after } = request;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const id = keyId(publicKey);
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const secretDer = privateKey.export({ type: 'pkcs8', format: 'der' });
  const secretPem = passphrase === undefined ? pem('PRIVATE KEY', secretDer) : lockKey(secretDer, passphrase);
  const ends = expires === undefined ? undefined : new Date(expires).toISOString();
  const voucher: Voucher = {
    name,
    publicKey: publicPem,
    ...(ends && { expires: ends }),
    signedAt: new Date(now).toISOString(),
  };
  const vouchers =
    after === undefined
      ? []
      : [...after.vouchers, { ...seal(voucherType, canonicalJson(voucher), { ...after, vouchers: [] }) }];
  const head = (kind: string): string =>
    [
      `Sheaf ${kind} key`,
      `Name: ${name}`,
      `Id: ${id}`,
      ...(ends === undefined ? [] : [`Expires: ${ends}`]),
      '',
    ].join('\n');
  const tail = vouchers.map((each) => pem('SHEAF VOUCHER', Buffer.from(envelopeText(each)))).join('');
  return {
    id,
    publicText: `${head('public')}${publicPem}`,
    secretText: `${head('private')}${secretPem}${tail}`,
  };
}

/** Reads a public key's file: PEM, with or without our lines above it. @throws EngineError KEY_UNREADABLE */
export function readPublicKey(text: string, place: string): PublicKey {
  if (text.length > fileLimit) throw unreadable(`${place} is too large for a key`);
  if (/PRIVATE KEY-----/.test(text))
    throw unreadable(
      `${place} holds a private key`,
      'Give the file that ends in .pub, and keep the other to yourself.',
    );
  const block = blocksOf(text, 'PUBLIC KEY')[0];
  if (block === undefined)
    throw unreadable(`${place} holds no public key`, 'Give a PEM file, as sheaf key new makes it.');
  return { ...publicKeyOf(block, place), ...factsOf(text, place) };
}

/**
 * Reads a private key's file.
 *
 * @param passphrase - asked for only when the key is locked
 * @throws EngineError KEY_UNREADABLE
 */
export async function readSigningKey(
  text: string,
  place: string,
  passphrase: () => Promise<string | undefined>,
): Promise<SigningKey> {
  const block = blocksOf(text.slice(0, fileLimit), '(?:EC |ENCRYPTED )?PRIVATE KEY')[0];
  if (block === undefined)
    throw unreadable(`${place} holds no private key`, 'Give a file that sheaf key new made.');
  const isLocked = /ENCRYPTED/.test(block);
  const word = isLocked ? await passphrase() : undefined;
  if (isLocked && word === undefined)
    throw unreadable(
      `${place} is locked, and there is no passphrase`,
      'Give it by --passphrase-file, or run this on a terminal.',
    );
  let secret: KeyObject;
  try {
    secret = createPrivateKey({ key: block, ...(word !== undefined && { passphrase: word }) });
  } catch {
    // the library's words say nothing that helps, and might say something of the key
    throw unreadable(
      isLocked ? `the passphrase does not open ${place}` : `${place} holds no private key that can be read`,
    );
  }
  const { id, key } = publicKeyOf(
    createPublicKey(secret).export({ type: 'spki', format: 'pem' }).toString(),
    place,
  );
  const vouchers = blocksOf(text, 'SHEAF VOUCHER').map((each) =>
    readEnvelope(Buffer.from(each.replace(/-----[^-]+-----/g, ''), 'base64')),
  );
  return { id, key, secret, vouchers, ...factsOf(text, place) };
}

/** Reads the PEM of a key. @throws EngineError KEY_UNREADABLE when it is none on the curve P-256 */
export function publicKeyOf(text: string, place: string): { readonly id: Digest; readonly key: KeyObject } {
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (cause) {
    throw unreadable(`${place} holds no public key that can be read`, undefined, cause);
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw unreadable(
      `${place} holds another kind of key`,
      'Use an ECDSA key on the curve P-256, as sheaf key new makes it.',
    );
  return { id: keyId(key), key };
}

function keyId(key: KeyObject): Digest {
  return `sha256:${createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')}`;
}

function factsOf(text: string, place: string): { readonly name: string; readonly expires?: number } {
  const head = text.slice(0, text.indexOf('-----'));
  const name = /^Name: ([^\r\n]{1,100})$/m.exec(head)?.[1] ?? place;
  const ends = /^Expires: ([^\r\n]{1,100})$/m.exec(head)?.[1];
  if (ends === undefined) return { name };
  const expires = Date.parse(ends);
  if (Number.isNaN(expires)) throw unreadable(`${place} says no readable date on which the key ends`);
  return { name, expires };
}

function blocksOf(text: string, label: string): readonly string[] {
  return (
    text.match(new RegExp(`-----BEGIN ${label}-----[A-Za-z0-9+/=\\s]*-----END ${label}-----`, 'g')) ?? []
  );
}

function unreadable(message: string, hint?: string, cause?: unknown): EngineError {
  return new EngineError('KEY_UNREADABLE', message, { ...(hint !== undefined && { hint }), cause });
}
