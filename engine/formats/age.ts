import { ReadableStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { EngineError } from '../errors.ts';

/** For whom a file is encrypted. */
export type Sealing =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  /** Public keys, such as `age1…`. */
  | { readonly kind: 'recipients'; readonly recipients: readonly string[] };

/** What opens an encrypted file. */
export type Opening =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  /** Secret keys, such as `AGE-SECRET-KEY-1…`. */
  | { readonly kind: 'identities'; readonly identities: readonly string[] };

/** What an encrypted file begins with. @source age-encryption.org/v1 */
export const sealedMark = 'age-encryption.org/v1\n';

/** Encrypts a stream in the format of age, which its own programs read too. @throws EngineError KEY_UNREADABLE for a key that is none */
export async function sealed(
  content: AsyncIterable<Uint8Array>,
  sealing: Sealing,
): Promise<AsyncIterable<Uint8Array>> {
  const encrypter = new Encrypter();
  try {
    if (sealing.kind === 'passphrase') encrypter.setPassphrase(sealing.passphrase);
    else for (const recipient of sealing.recipients) encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new EngineError('KEY_UNREADABLE', 'what the backup is to be encrypted to is no public key of age', {
      hint: 'Give a key such as age1…, as age-keygen prints it.',
      cause,
    });
  }
  return chunksOf(await encrypter.encrypt(webStream(content)));
}

/**
 * Decrypts a stream. Each piece is authenticated before it is given on, and so is the end.
 *
 * @throws EngineError BACKUP_LOCKED when nothing of what is given opens it; what is damaged later breaks the stream
 */
export async function unsealed(
  content: AsyncIterable<Uint8Array>,
  opening: Opening,
): Promise<AsyncIterable<Uint8Array>> {
  const decrypter = new Decrypter();
  try {
    if (opening.kind === 'passphrase') decrypter.addPassphrase(opening.passphrase);
    else for (const identity of opening.identities) decrypter.addIdentity(identity);
  } catch (cause) {
    throw new EngineError('KEY_UNREADABLE', 'what is to open the backup is no secret key of age', {
      hint: 'Give a file that age-keygen has written.',
      cause,
    });
  }
  try {
    return chunksOf(await decrypter.decrypt(webStream(content)));
  } catch (cause) {
    throw new EngineError('BACKUP_LOCKED', 'the backup does not open with this passphrase or key', {
      hint: 'Give the one with which it was made.',
      cause,
    });
  }
}

// the library's types are those of browsers
function webStream(content: AsyncIterable<Uint8Array>): globalThis.ReadableStream<Uint8Array> {
  return ReadableStream.from(content) as unknown as globalThis.ReadableStream<Uint8Array>;
}

async function* chunksOf(stream: unknown): AsyncGenerator<Uint8Array> {
  yield* stream as AsyncIterable<Uint8Array>;
}
