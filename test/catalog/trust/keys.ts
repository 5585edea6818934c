import {
  makeKey,
  type NewKey,
  type PublicKey,
  readPublicKey,
  readSigningKey,
  type SigningKey,
} from '../../../catalog/trust/key.ts';

/** Makes a key and reads both of its files. */
export async function newKey(request: Partial<NewKey> = {}): Promise<{
  readonly public: PublicKey;
  readonly signing: SigningKey;
  readonly publicText: string;
  readonly secretText: string;
}> {
  const made = makeKey({ name: 'acme', now: 0, ...request });
  const { passphrase } = request;
  return {
    public: readPublicKey(made.publicText, 'acme.pub'),
    signing: await readSigningKey(made.secretText, 'acme.key', async () => passphrase),
    ...made,
  };
}
