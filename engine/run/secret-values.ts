import { EngineError } from '../errors.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { InstanceState } from '../model/step.ts';
import type { SealedSecret } from '../model/store.ts';
import { isSecretRef } from '../model/value.ts';
import { generateSecret, type SecretBox } from '../store/secrets.ts';

/**
 * Opens the secrets that an instance's properties refer to.
 *
 * @returns values by name; a name that is not stored is absent
 * @throws EngineError SECRET_UNREADABLE
 */
export function secretValues(
  state: InstanceState,
  stored: readonly SealedSecret[],
  deployment: string,
  box: SecretBox,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const value of Object.values(state.scope.properties)) {
    if (!isSecretRef(value)) continue;
    const found = stored.find((one) => one.name === value.secret && one.version === (value.version ?? 1));
    if (found) values.set(value.secret, box.open({ deployment, name: found.name }, found.sealed));
  }
  return values;
}

/** Gives the newest version of each secret. */
export function newestVersions(stored: readonly SealedSecret[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { name, version } of stored) newest.set(name, Math.max(version, newest.get(name) ?? 0));
  return newest;
}

/** A secret that a deployment does not have yet, or not with this value. */
export type SecretChange = { readonly name: string; readonly version: number; readonly value: () => string };

/**
 * Finds the secrets that a deployment is still to get: those given with new values, and those to be generated.
 *
 * @throws EngineError INPUT_REFUSED when one is neither given nor to be generated
 */
export function secretChanges(
  blueprint: Blueprint,
  given: ReadonlyMap<string, string>,
  stored: readonly SealedSecret[],
  deployment: string,
  box: SecretBox,
): readonly SecretChange[] {
  const newest = newestVersions(stored);
  return blueprint.secrets.flatMap(({ name, generate }) => {
    const version = newest.get(name) ?? 0;
    const value = given.get(name);
    if (version > 0) {
      if (value === undefined) return [];
      const current = stored.find((one) => one.name === name && one.version === version);
      if (current && box.open({ deployment, name }, current.sealed) === value) return [];
    } else if (value === undefined && generate === undefined) {
      throw new EngineError('INPUT_REFUSED', `the secret ${name} is not given`, {
        hint: `Give it with --set-file ${name.replace(/^parameter\//, '')}=FILE.`,
      });
    }
    return [{ name, version: version + 1, value: () => value ?? generateSecret(generate ?? 0) }];
  });
}

/** Finds the secrets that a deployment is still to get, and seals them. @throws EngineError INPUT_REFUSED as {@link secretChanges} */
export function sealedChanges(
  blueprint: Blueprint,
  given: ReadonlyMap<string, string>,
  stored: readonly SealedSecret[],
  deployment: string,
  box: SecretBox,
): readonly SealedSecret[] {
  return secretChanges(blueprint, given, stored, deployment, box).map(({ name, version, value }) => ({
    name,
    version,
    sealed: box.seal({ deployment, name }, value()),
  }));
}
