import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, randomInt } from 'node:crypto';
import { EngineError } from '../errors.ts';
import { createKey, readKey, sweepKeyDrafts } from './key-file.ts';

/** Which secret of which deployment; bound into the seal, so a sealed text cannot stand in for another. */
export type SecretPlace = { readonly deployment: string; readonly name: string };

/** Seals and opens secrets with a key that lies outside the state database. */
export interface SecretBox {
  /** @throws EngineError SECRET_UNREADABLE when the key file is readable by others */
  seal(place: SecretPlace, value: string): string;
  /** @throws EngineError SECRET_UNREADABLE when the key is not the one that it was sealed with, or the place is another */
  open(place: SecretPlace, sealed: string): string;
  /** Gives a digest that tells equal contents from unlike ones and tells nobody without the key what they are. */
  keyedDigest(deployment: string, content: string): string;
}

const digestKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Opens the box of a key file, which is made at the first need with rights for its owner alone.
 *
 * @source AES-256-GCM with random 96-bit nonces (NIST SP 800-38D): safe for 2^32 seals under one key
 */
export function openSecretBox(keyFile: string): SecretBox {
  let key: Buffer | undefined;
  const keyOf = (): Buffer => {
    if (key) return key;
    sweepKeyDrafts(keyFile);
    key = readKey(keyFile) ?? createKey(keyFile);
    return key;
  };
  return {
    seal(place, value) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', keyOf(), nonce).setAAD(placeBytes(place));
      const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
    },
    open(place, sealed) {
      const bytes = Buffer.from(sealed, 'base64');
      try {
        const decipher = createDecipheriv('aes-256-gcm', keyOf(), bytes.subarray(0, nonceBytes), {
          authTagLength: tagBytes,
        });
        decipher.setAAD(placeBytes(place)).setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        return (
          decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8')
        );
      } catch (cause) {
        if (cause instanceof EngineError) throw cause;
        throw new EngineError(
          'SECRET_UNREADABLE',
          `the key ${keyFile} does not open the secret ${place.name}`,
          {
            hint: 'Put back the key file that belongs to this state.',
            cause,
          },
        );
      }
    },
    keyedDigest(deployment, content) {
      const own = Buffer.from(hkdfSync('sha256', keyOf(), deployment, 'rendered files', digestKeyBytes));
      return `hmac-sha256:${createHmac('sha256', own).update(content).digest('hex')}`;
    },
  };
}

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Makes a secret of letters and digits, each equally likely; 5.95 bits a character. */
export function generateSecret(length: number): string {
  return Array.from({ length }, () => alphanumeric.charAt(randomInt(alphanumeric.length))).join('');
}

function placeBytes(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([place.deployment, place.name]));
}
