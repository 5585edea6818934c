import { EngineError } from '../errors.ts';
import type { DeploymentRecord } from '../model/store.ts';
import type { RunContext } from '../run/context.ts';
import { newestVersions } from '../run/secret-values.ts';
import { status } from '../run/status.ts';

/** Refuses a deployment that does not run: its data are read through it. @throws EngineError INPUT_REFUSED */
export async function requireRunning(
  context: RunContext,
  { owner, name }: { readonly owner: string; readonly name: string },
): Promise<void> {
  const seen = await status(context, owner, name);
  if (seen.state === 'running') return;
  throw new EngineError(
    'INPUT_REFUSED',
    `${name} is ${seen.state}${seen.reason === undefined ? '' : `: ${seen.reason}`}`,
    { hint: 'Bring it up first: its data are read through it.' },
  );
}

/** Opens the secrets of a deployment, the newest of each name. @throws EngineError SECRET_UNREADABLE */
export async function openSecrets(
  { store, secretBox }: RunContext,
  { id }: DeploymentRecord,
): Promise<ReadonlyMap<string, string>> {
  const stored = await store.secrets(id);
  const newest = newestVersions(stored);
  return new Map(
    stored
      .filter(({ name, version }) => newest.get(name) === version)
      .map(({ name, sealed }) => [name, secretBox.open({ deployment: id, name }, sealed)]),
  );
}
