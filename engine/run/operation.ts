import type { EngineError } from '../errors.ts';
import { publicName } from '../model/move.ts';
import type { Plan } from '../model/step.ts';
import type { BeginRequest, Begun, DeploymentSpec, Outcome } from '../model/store.ts';
import type { RunContext } from './context.ts';
import { noteText } from './deployment-note.ts';
import { asEngineError, interrupted, operationError } from './failure.ts';
import { identityOf } from './identity.ts';

/** What carries an operation on once it is planned. */
export type Carry = {
  /** Records the plan; from here on the operation is unfinished until its end. */
  readonly planned: (plan: Plan) => Promise<void>;
};

/** What is left when an operation is done: the decision that stands from now on, null when the deployment is gone. */
export type Ending<T> = { readonly spec: DeploymentSpec | null; readonly answer: T };

/**
 * Runs an operation from its first line in the journal to its last.
 *
 * What fails before the plan is recorded leaves everything as it was. What fails later leaves an unfinished operation,
 * which the next one takes over. The lease is given back either way.
 *
 * @throws EngineError DEPLOYMENT_BUSY, what `decide` and `body` throw
 */
export async function runOperation<T>(
  context: RunContext,
  request: Pick<BeginRequest, 'owner' | 'name' | 'verb' | 'data' | 'decide'>,
  body: (begun: Begun, carry: Carry) => Promise<Ending<T>>,
): Promise<T> {
  const { driver, store, report, clock, holder, isAlive, move } = context;
  const name = publicName(request.name);
  if (context.signal.aborted) throw interrupted(name, false);
  const operation = context.newId();
  const begun = await store.begin({
    ...request,
    ...(move !== undefined && { move }),
    ...{ operation, holder, isAlive, at: clock() },
  });
  let steps = 0;
  let isPlanned = false;
  type State = 'started' | 'resumed' | 'rolling-back' | 'done' | 'failed' | 'interrupted';
  const tell = (state: State): void =>
    report({ type: 'operation', operation, deployment: name, verb: request.verb, state, steps });
  const note = async (spec: DeploymentSpec | null): Promise<void> => {
    const { deployment } = begun;
    const secrets = await store.secrets(deployment.id);
    const text = spec && noteText({ deployment: { ...deployment, name, spec }, secrets });
    await driver.leaveNote(identityOf(deployment), text);
  };
  const planned = async (plan: Plan): Promise<void> => {
    await store.writePlan(begun.lease, operation, plan);
    steps = plan.steps.length;
    isPlanned = true;
    // before the first object is made: whatever exists can be found and told whose it is
    await note(begun.deployment.spec);
    tell(request.verb === 'rollback' ? 'rolling-back' : begun.resumed.length > 0 ? 'resumed' : 'started');
  };

  let ending: Ending<T>;
  try {
    ending = await body(begun, { planned });
    await note(ending.spec);
    await store.end(begun.lease, operation, { state: 'done', spec: ending.spec }, clock());
  } catch (cause) {
    const isUndoable = isPlanned || begun.resumed.length > 0;
    const error = context.signal.aborted
      ? asInterrupted(cause, interrupted(name, isUndoable))
      : asEngineError(cause);
    // whoever took over closes it
    if (error.code === 'LEASE_LOST') throw error;
    const state = error.code === 'OPERATION_INTERRUPTED' ? 'interrupted' : 'failed';
    if (isPlanned) tell(state);
    const outcome: Outcome = isPlanned ? { state, error: operationError(error) } : { state: 'abandoned' };
    // a journal that cannot be written now says what a kill would have left, and the first failure is the one to tell
    await store.end(begun.lease, operation, outcome, clock()).catch(() => undefined);
    throw error;
  }
  tell('done');
  return ending.answer;
}

// whatever broke while everything was being stopped broke because of that
function asInterrupted(cause: unknown, told: EngineError): EngineError {
  const error = asEngineError(cause);
  return error.code === 'LEASE_LOST' ? error : told;
}
