import { fileURLToPath } from 'node:url';
import { compile } from '../../engine/compile/compile.ts';
import { type Digest, digestOf } from '../../engine/digest.ts';
import type { NeededImage } from '../../engine/model/closure.ts';
import type { GuestFile } from '../../engine/model/guest-file.ts';
import { type InstanceState, isExit } from '../../engine/model/step.ts';
import { isSecretRef } from '../../engine/model/value.ts';
import { allocate } from '../../engine/plan/allocate.ts';
import { desired } from '../../engine/plan/desired.ts';
import type { Problem } from '../../engine/problems.ts';
import { readSource } from '../../engine/read/read-source.ts';
import { checkTemplate } from '../../engine/render/check-template.ts';
import { renderInstance } from '../../engine/render/render-instance.ts';
import type { Renderer } from '../../engine/render/renderer.ts';

/** The checkout's root folder. */
export const checkout = fileURLToPath(new URL('../../', import.meta.url));

/** An application of the checkout, as it would be deployed. */
export type SampleDeployment = {
  /** By name. */
  readonly instances: ReadonlyMap<string, InstanceState>;
  /** Names of instances whose door tells them who their clients are. */
  readonly toldClients: ReadonlySet<string>;
  readonly templates: ReadonlyMap<Digest, string>;
  /** By the appliance's name. */
  readonly images: ReadonlyMap<string, NeededImage>;
};

/** Finds the problems of an appliance or application of the checkout. */
export async function problemsOf(path: string): Promise<readonly Problem[]> {
  return compile(await read(path), null, checkTemplate).problems;
}

/** Compiles an application and settles all its instances, with addresses from 10.83.0.1 on. */
export async function sampleDeployment(path: string): Promise<SampleDeployment> {
  const { blueprint, problems, templates, images } = compile(await read(path), { set: {} }, checkTemplate);
  if (blueprint === null) throw new Error(JSON.stringify(problems));
  const allocation = allocate({
    deployment: 'sampleaaaaaa',
    blueprint,
    range: '10.83.0.0/16',
    taken: { subnets: [], listening: [] },
    expose: {},
    ports: blueprint.externals.map((_, index) => 8080 + index),
  });
  const objects = desired({
    name: 'sample',
    blueprint,
    allocation,
    placement: Object.fromEntries(Object.keys(allocation.instances).map((name) => [name, 'here'])),
    closure: {
      kit: digestOf('kit'),
      images: new Map(blueprint.appliances.map((appliance) => [appliance.path, []])),
      contents: new Map(),
    },
    secretVersions: new Map(),
    recorded: [],
  });
  return {
    toldClients: new Set(
      objects.flatMap((object) =>
        object.kind === 'endpoint' && !isExit(object.state) && object.state.proxyProtocol
          ? object.state.targets.map((target) => target.name)
          : [],
      ),
    ),
    instances: new Map(
      objects.flatMap((object) => (object.kind === 'instance' ? [[object.key, object.state] as const] : [])),
    ),
    templates: new Map([...templates].map(([digest, { text }]) => [digest, text])),
    images: new Map(images.map((image) => [image.name, image])),
  };
}

/** Renders an instance's files; every secret has the same value. */
export async function filesOf(
  state: InstanceState,
  { templates }: SampleDeployment,
  renderer: Renderer,
  secret = `pass'word"\\`,
): Promise<readonly GuestFile[]> {
  return await renderInstance(state, {
    deployment: 'sampleaaaaaa',
    generation: 1,
    readTemplate: async (digest) => templates.get(digest) ?? '',
    secrets: new Map(
      Object.values(state.scope.properties).flatMap((value) =>
        isSecretRef(value) ? [[value.secret, secret] as const] : [],
      ),
    ),
    renderer,
    signal: new AbortController().signal,
  });
}

async function read(path: string): ReturnType<typeof readSource> {
  return await readSource(path, { catalogs: ['appliances'], workingDirectory: checkout });
}
