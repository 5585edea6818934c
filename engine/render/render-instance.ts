import type { Digest } from '../digest.ts';
import { EngineError } from '../errors.ts';
import type { GuestFile } from '../model/guest-file.ts';
import type { InstanceState } from '../model/step.ts';
import { isSecretRef, type PlainValue } from '../model/value.ts';
import { guestSpecOf } from './guest-spec.ts';
import type { Renderer, RenderRequest } from './renderer.ts';

/** Where the supervisor looks for its instructions. */
const guestSpecPath = '/etc/sheaf/instance.json';

/** What rendering an instance needs besides its state. */
export type RenderInputs = {
  /** The deployment's id. */
  readonly deployment: string;
  readonly generation: number;
  /** Gives a template's text; throws BLOB_CORRUPT when it is not stored. */
  readonly readTemplate: (digest: Digest) => Promise<string>;
  /** Values of all the secrets that the state's properties refer to, by name. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly renderer: Renderer;
  readonly signal: AbortSignal;
};

/**
 * Makes every file of an instance: its configuration, and last the supervisor's instructions.
 *
 * The files hold the secrets; they must not be stored but where only their owner reads.
 *
 * @throws EngineError TEMPLATE_FAILED, SECRET_UNREADABLE, BLOB_CORRUPT, OPERATION_INTERRUPTED
 */
export async function renderInstance(
  state: InstanceState,
  inputs: RenderInputs,
): Promise<readonly GuestFile[]> {
  const scope = {
    ...state.scope,
    terminals: Object.fromEntries(
      Object.entries(state.scope.terminals).map(([name, terminal]) => [
        name,
        { names: [], ports: [], ...terminal },
      ]),
    ),
    resources: { cpuMillicores: state.cpuMillicores, memoryBytes: state.memoryBytes },
    properties: Object.fromEntries(
      Object.entries(state.scope.properties).map(([name, value]) => [
        name,
        isSecretRef(value) ? secretOf(value.secret, inputs) : value,
      ]),
    ) satisfies Record<string, PlainValue>,
  };
  const { name, version } = state.uses;
  const requests: RenderRequest[] = [];
  for (const { source, template } of state.files)
    requests.push({
      source: `${name}@${version}/${source}`,
      template: await inputs.readTemplate(template),
      scope,
    });
  const texts = await inputs.renderer.render(requests, { signal: inputs.signal });
  const files = state.files.map(
    (file, index): GuestFile => ({
      path: file.path,
      content: texts[index] ?? '',
      mode: file.mode,
      ...(file.owner !== undefined && { owner: file.owner }),
      ...(file.onChange !== undefined && { onChange: file.onChange }),
    }),
  );
  const spec = guestSpecOf(state, inputs.deployment, inputs.generation);
  return [...files, { path: guestSpecPath, content: `${JSON.stringify(spec, null, 2)}\n`, mode: '0600' }];
}

function secretOf(name: string, { secrets }: RenderInputs): string {
  const value = secrets.get(name);
  if (value !== undefined) return value;
  throw new EngineError('SECRET_UNREADABLE', `the secret ${name} is not in the store`, {
    hint: 'Restore the state with its key file, or give the secret again with --set-file.',
    details: { secret: name },
  });
}
