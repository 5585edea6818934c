import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import { der, derInteger, derObject, derTags } from './der.ts';

/** PBKDF2 rounds with SHA-256. @source OWASP's password storage advice, 2023 */
const rounds = 600_000;

/**
 * Encrypts a private key as PEM that openssl and Node read with the passphrase.
 *
 * Written here because Node's own export takes 2048 rounds and cannot be told otherwise.
 *
 * @param key - PKCS #8, DER
 * @source RFC 8018 (PBES2 with PBKDF2 and AES-256-CBC), RFC 5958
 */
export function lockKey(key: Uint8Array, passphrase: string): string {
  const salt = randomBytes(16);
  const vector = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(passphrase, salt, rounds, 32, 'sha256'), vector);
  const sealed = Buffer.concat([cipher.update(key), cipher.final()]);
  const { sequence, octets, nothing } = derTags;
  const hmacSha256 = der(sequence, derObject('1.2.840.113549.2.9'), der(nothing));
  const derivation = der(
    sequence,
    derObject('1.2.840.113549.1.5.12'),
    der(sequence, der(octets, salt), derInteger(rounds), hmacSha256),
  );
  const encryption = der(sequence, derObject('2.16.840.1.101.3.4.1.42'), der(octets, vector));
  const scheme = der(sequence, derObject('1.2.840.113549.1.5.13'), der(sequence, derivation, encryption));
  return pem('ENCRYPTED PRIVATE KEY', der(sequence, scheme, der(octets, sealed)));
}

/** Writes bytes as a PEM block. */
export function pem(label: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
