import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Digest, isDigest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { nameHint } from '../../engine/formats/nearest-name.ts';
import { systemCode } from '../../engine/system-code.ts';
import { makeFolder, writeWhole } from '../../engine/whole-file.ts';
import { type PublicKey, readPublicKey } from './key.ts';
import { changePolicyFile, type PolicyFile, type RuleText, readPolicyFile } from './policy-file.ts';

/** Whose signatures shall count, and for what. */
export type TrustRequest = {
  /** The text of a public key's file. */
  readonly text: string;
  /** Where it came from, for messages. */
  readonly place: string;
  /** The key's own name when absent. */
  readonly name?: string;
  /** Names of appliances and applications; all when absent. */
  readonly names?: readonly string[];
  /** As rules write them; all when absent. */
  readonly catalogs?: readonly string[];
};

/** A key of a policy. */
export type KnownKey = {
  readonly name: string;
  readonly id: Digest;
  readonly file: string;
  /** ISO 8601; absent when it never ends. */
  readonly expires?: string;
  readonly isRevoked: boolean;
  /** The rules that name it. */
  readonly rules: readonly RuleText[];
};

/** What a policy says, for people. */
export type PolicyListing = {
  readonly file: string;
  /** Without a file nobody is trusted, and files are taken with a warning. */
  readonly isWritten: boolean;
  readonly keys: readonly KnownKey[];
  /** Ids of all that are revoked, known or not. */
  readonly revoked: readonly string[];
};

/**
 * Lets a key's signatures count. The key is copied beside the policy, which is begun where there is none.
 *
 * @param file - of the policy
 * @returns the key, and whether anything changed
 * @throws EngineError KEY_UNREADABLE; INPUT_REFUSED when its name is another's, or it is revoked; INPUT_INVALID
 */
export async function trustKey(
  file: string,
  request: TrustRequest,
): Promise<{ readonly key: KnownKey; readonly isChanged: boolean }> {
  const { text, place, names, catalogs } = request;
  const key = readPublicKey(text, place);
  const policy = (await readPolicyFile(file)) ?? {};
  const name = request.name ?? key.name;
  if (!/^[a-z]([a-z0-9-]{0,62}[a-z0-9])?$/.test(name))
    throw refused(
      `${JSON.stringify(name.slice(0, 100))} is no name for a key`,
      'Give one by --name: lower-case letters, digits and hyphens, beginning with a letter.',
    );
  if (policy.revoked?.includes(key.id))
    throw refused(
      `the key ${key.id} is revoked in ${file}`,
      'If that was a mistake, take its id out of the file by hand first.',
    );
  const known = policy.keys?.[name] && (await readKnown(file, policy, name));
  if (known !== undefined && known.id !== key.id)
    throw refused(`${file} knows another key by the name ${name}`, 'Give this one another by --name.');
  const rule: RuleText = { ...(names && { names }), ...(catalogs && { catalogs }), keys: [name] };
  const isChanged = policy.rules?.some((each) => isDeepStrictEqual(each, rule)) !== true || !known;
  if (isChanged) {
    const copy = `keys/${name}.pub`;
    await makeFolder(join(dirname(file), 'keys'));
    if (known === undefined) await putKey(join(dirname(file), copy), text, key);
    await changePolicyFile(
      file,
      known === undefined ? { kind: 'key', name, file: copy, rule } : { kind: 'rule', rule },
    );
  }
  return { key: await readKnown(file, (await readPolicyFile(file)) ?? {}, name), isChanged };
}

/**
 * Lets nothing count any more that a key ever signed.
 *
 * @param file - of the policy
 * @param key - its name in the policy, or its id
 * @returns its id, and whether anything changed
 * @throws EngineError SOURCE_MISSING when the policy has no key of that name; INPUT_INVALID, INPUT_REFUSED
 */
export async function revokeKey(
  file: string,
  key: string,
): Promise<{ readonly id: Digest; readonly isChanged: boolean }> {
  const policy = (await readPolicyFile(file)) ?? {};
  const id = isDigest(key) ? key : await idOf(file, policy, key);
  const isChanged = policy.revoked?.includes(id) !== true;
  if (isChanged) {
    await makeFolder(dirname(file));
    await changePolicyFile(file, { kind: 'revoked', id });
  }
  return { id, isChanged };
}

/** Lists the keys of a policy. @throws EngineError INPUT_INVALID, KEY_UNREADABLE */
export async function listKeys(file: string): Promise<PolicyListing> {
  const policy = await readPolicyFile(file);
  const names = Object.keys(policy?.keys ?? {});
  return {
    file,
    isWritten: policy !== undefined,
    keys: await Promise.all(names.map((name) => readKnown(file, policy ?? {}, name))),
    revoked: policy?.revoked ?? [],
  };
}

async function idOf(file: string, policy: PolicyFile, name: string): Promise<Digest> {
  if (policy.keys?.[name] !== undefined) return (await readKnown(file, policy, name)).id;
  throw new EngineError('SOURCE_MISSING', `${file} knows no key ${name}`, {
    hint: `${nameHint(name, Object.keys(policy.keys ?? {}))} A key that stands in no policy is named by its id, sha256:….`,
  });
}

async function readKnown(file: string, policy: PolicyFile, name: string): Promise<KnownKey> {
  const place = resolve(dirname(file), policy.keys?.[name]?.file ?? '');
  const text = await readFile(place, 'utf8').catch((cause: unknown) => {
    throw new EngineError('KEY_UNREADABLE', `the key ${name} of ${file} cannot be read from ${place}`, {
      hint: 'Put the file there, or take the key out of the policy.',
      cause,
    });
  });
  const { id, expires } = readPublicKey(text, place);
  return {
    name,
    id,
    file: place,
    ...(expires !== undefined && { expires: new Date(expires).toISOString() }),
    isRevoked: policy.revoked?.includes(id) === true,
    rules: (policy.rules ?? []).filter(({ keys }) => keys?.includes(name)),
  };
}

/** Copies a key; one of the same name that no policy names any more gives way only to itself. */
async function putKey(path: string, text: string, key: PublicKey): Promise<void> {
  const present = await textOf(path);
  if (present !== undefined && readPublicKey(present, path).id !== key.id)
    throw refused(`${path} is another key`, 'Move it away, or give this one another name by --name.');
  await writeWhole(path, text, 0o644);
}

async function textOf(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw cause;
  });
}

function refused(message: string, hint: string): EngineError {
  return new EngineError('INPUT_REFUSED', message, { hint });
}
