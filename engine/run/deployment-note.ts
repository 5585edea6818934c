import { canonicalJson } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { DeploymentRecord, SealedSecret } from '../model/store.ts';

/** Raised whenever an older program would misread what is written. */
const format = 1;

/** What is left with a deployment's objects, so that a lost state can be made again of what is found. */
export type DeploymentNote = {
  readonly deployment: DeploymentRecord;
  /** Sealed: without the key of the secrets they tell nothing. */
  readonly secrets: readonly SealedSecret[];
};

/** Writes a note. */
export function noteText({ deployment, secrets }: DeploymentNote): string {
  return `${canonicalJson({ kind: 'DeploymentNote', format, deployment, secrets })}\n`;
}

/**
 * Reads a note.
 *
 * @param id - of the deployment with which it was found
 * @throws EngineError STATE_NEWER when a newer program wrote it, STATE_CORRUPT when it is no note of this deployment
 */
export function readNote(text: string, id: string): DeploymentNote {
  const note = parsed(text);
  if (note['kind'] === 'DeploymentNote' && typeof note['format'] === 'number' && note['format'] > format) {
    throw new EngineError('STATE_NEWER', `the deployment ${id} was left by a newer program`, {
      hint: 'Use the newer program that wrote it.',
      details: { deployment: id, format: note['format'], known: format },
    });
  }
  const { deployment, secrets } = note;
  const isSound =
    note['format'] === format && isObject(deployment) && isRecord(deployment, id) && isSecretList(secrets);
  if (!isSound) throw unreadable(id);
  // written by us, and checked as far as a mistake could do harm
  return { deployment, secrets } as unknown as DeploymentNote;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isRecord(value: Readonly<Record<string, unknown>>, id: string): boolean {
  const { name, owner, pool, generation, createdAt, spec } = value;
  return (
    value['id'] === id &&
    [name, owner, pool].every((one) => typeof one === 'string' && /^[a-z][a-z0-9-]{0,39}$/.test(one)) &&
    [generation, createdAt].every(Number.isSafeInteger) &&
    isObject(spec) &&
    ['blueprint', 'inputs', 'allocation', 'placement', 'overhead'].every((part) => isObject(spec[part]))
  );
}

function isSecretList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (one) =>
        isObject(one) &&
        typeof one['name'] === 'string' &&
        Number.isSafeInteger(one['version']) &&
        typeof one['sealed'] === 'string',
    )
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unreadable(id: string): EngineError {
  return new EngineError('STATE_CORRUPT', `what was left with the deployment ${id} does not describe it`, {
    hint: 'It can be removed by hand only; its objects carry its id.',
    details: { deployment: id },
  });
}
