import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EngineError } from '../../engine/errors.ts';
import { nameHint } from '../../engine/formats/nearest-name.ts';
import { type PublicKey, readPublicKey } from './key.ts';
import { closedPolicy, type TrustPolicy } from './policy.ts';
import { readPolicyFile } from './policy-file.ts';

/**
 * Reads a trust policy with the keys that it names; without a file nobody is trusted.
 *
 * @throws EngineError INPUT_INVALID, KEY_UNREADABLE
 */
export async function readPolicy(file: string): Promise<TrustPolicy> {
  const value = await readPolicyFile(file);
  if (value === undefined) return closedPolicy;
  const { keys = {}, rules = [], revoked = [] } = value;
  const known = new Map<string, PublicKey>();
  for (const [name, { file: place }] of Object.entries(keys)) {
    const path = resolve(dirname(file), place);
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new EngineError('KEY_UNREADABLE', `the key ${name} of ${file} cannot be read from ${path}`, {
        hint: 'Put the file there, or take the key out of the policy.',
        cause,
      });
    });
    known.set(name, { ...readPublicKey(text, path), name });
  }
  const keyOf = (name: string): PublicKey => {
    const key = known.get(name);
    if (key !== undefined) return key;
    throw new EngineError(
      'KEY_UNREADABLE',
      `a rule of ${file} names the key ${name}, which is not under its keys`,
      {
        hint: nameHint(name, [...known.keys()]),
      },
    );
  };
  return {
    isWritten: true,
    rules: rules.map((rule) => ({
      names: rule.names ?? ['*'],
      catalogs: rule.catalogs ?? ['*'],
      keys: (rule.keys ?? []).map(keyOf),
      acceptsUnsigned: rule.unsigned === true,
    })),
    revoked: new Set(revoked),
  };
}
