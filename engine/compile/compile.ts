import type { Appliance } from '../model/appliance.ts';
import type { Blueprint } from '../model/blueprint.ts';
import type { NeededImage, NeededParts } from '../model/closure.ts';
import type { FindingSink } from '../model/finding.ts';
import type { Properties } from '../model/property.ts';
import type { Source } from '../model/source.ts';
import { hasErrors, type Problem } from '../problems.ts';
import { settleFindings } from '../read/settle-findings.ts';
import { checkBoundary } from './boundary.ts';
import { checkAppliance, checkProtocols } from './check-appliance.ts';
import { checkAssemblyUses } from './check-assembly-uses.ts';
import { checkExposed } from './check-exposed.ts';
import { checkOuts } from './check-outs.ts';
import { checkProperties } from './check-properties.ts';
import { collectProtocols } from './collect-protocols.ts';
import { connectWires } from './connect-wires.ts';
import { type Described, type DescribedBy, isAppliance, spotAt } from './described.ts';
import { expandAssemblies } from './expand-assemblies.ts';
import { createFindingList } from './finding-list.ts';
import { pinsOf } from './lock.ts';
import { makeBlueprint } from './make-blueprint.ts';
import { orderAppliances } from './order-appliances.ts';
import type { PatternMemo } from './plain-value.ts';
import { settleContents } from './settle-contents.ts';
import { type SettledFiles, settleFiles, type TemplateCheck } from './settle-files.ts';
import { settleNames } from './settle-names.ts';
import { type CompileInputs, settleParameters } from './settle-parameters.ts';
import { settlePorts } from './settle-ports.ts';
import { settleProperties } from './settle-properties.ts';
import { settleResources } from './settle-resources.ts';
import { validateDescriptions } from './validate-descriptions.ts';

/** What compiling gives. */
export type Compiled = NeededParts & {
  /** Null when there are errors, when the source is no application, and when there were no inputs. */
  readonly blueprint: Blueprint | null;
  /** All of them, sorted by place. */
  readonly problems: readonly Problem[];
  /** Values given for secrets, by secret name: to be sealed at once, never shown or stored plainly. */
  readonly givenSecrets: ReadonlyMap<string, string>;
};

/**
 * Turns what was read into a blueprint, and finds every problem on the way.
 *
 * Pure: same source and inputs, same bytes. A pass looks at whatever the passes before it could make sense of, so one
 * mistake does not hide another.
 *
 * @param inputs - null to find problems only; then parameters may stay open
 * @param checkTemplate - looks into templates' texts
 * Cost O((appliances + wires) log appliances), and a second parse of each text with problems.
 */
export function compile(
  source: Source,
  inputs: CompileInputs | null,
  checkTemplate: TemplateCheck,
): Compiled {
  const list = createFindingList();
  const { sink } = list;
  const patterns: PatternMemo = new Map();
  for (const finding of source.findings) sink(finding);

  // 1. Shapes first: every later pass reads models, not raw values.
  const describedBy = validateDescriptions(source, sink);
  // 2. What each description says of itself, once, however often it is used.
  const files = checkDescriptions(describedBy, patterns, checkTemplate, sink);
  const protocols = collectProtocols(describedBy, sink);
  // 3. Uses are resolved by path, since the lock may choose differently for each, and assemblies opened.
  const tree = expandAssemblies(source, describedBy, sink);
  if (tree === null) {
    const problems = settleFindings(list.findings);
    const root = describedBy.get(source.root);
    const isSound = root !== undefined && root !== null && isAppliance(root) && !hasErrors(problems);
    return { ...nothing, problems, images: isSound ? imageOf(source, root, files.get(root)) : [] };
  }
  for (const scope of tree.scopes) checkBoundary(scope, sink);
  checkAssemblyUses(tree, sink);
  // 4. Wires need the boundaries of opened assemblies; what has none can be told only when all are known.
  const connections = connectWires(tree, protocols, sink);
  checkOuts(tree, connections, protocols, sink);
  const names = settleNames(connections.wires, sink);
  // 5. Start order needs the wires between appliances, wherever they were written.
  const order = orderAppliances(tree, connections.wires, sink);
  // 6. Values flow from parameters inwards; ports may come from them.
  const parameters = settleParameters(
    tree.root.described,
    parametersOf(tree.root.described),
    inputs,
    patterns,
    sink,
  );
  const properties = settleProperties(tree, parameters, patterns, sink);
  reportUnused(tree.root.described, parameters.properties, properties.used, sink);
  const portOf = settlePorts(tree, properties.settings, sink);
  // 7. Sizes and contents may come from outside of an assembly, through its boundary.
  const resources = settleResources(tree, sink);
  const contents = settleContents(tree, sink);
  checkExposed(tree, inputs?.expose ?? {}, sink);

  const problems = settleFindings(list.findings);
  if (hasErrors(problems)) return { ...nothing, problems };
  const used = new Set(tree.parts.map((part) => part.described));
  const parts: NeededParts = {
    templates: new Map(
      [...used].flatMap((described) =>
        (files.get(described)?.templates ?? []).map(({ digest, text, source: name }) => [
          digest,
          { text, source: name },
        ]),
      ),
    ),
    contents: tree.parts.flatMap((part) => contents.get(part) ?? []),
    images: [...used].flatMap((described) => imageOf(source, described, files.get(described))),
  };
  if (inputs === null || tree.root.described.model.kind !== 'application')
    return { ...nothing, ...parts, problems };
  // 8. Last, since a blueprint holds settled values only.
  const secrets = [...parameters.secrets, ...properties.secrets];
  const { wires } = connections;
  const blueprint =
    makeBlueprint({
      tree,
      order,
      wires,
      names,
      protocols,
      properties,
      resources,
      contents,
      files,
      portOf,
      secrets,
    }) ?? null;
  return {
    blueprint,
    problems,
    ...parts,
    givenSecrets: parameters.givenSecrets,
  };
}

const nothing = {
  blueprint: null,
  templates: new Map<never, never>(),
  contents: [],
  images: [],
  givenSecrets: new Map<never, never>(),
} as const;

function checkDescriptions(
  describedBy: DescribedBy,
  patterns: PatternMemo,
  checkTemplate: TemplateCheck,
  sink: FindingSink,
): ReadonlyMap<Described, SettledFiles> {
  const files = new Map<Described, SettledFiles>();
  for (const described of describedBy.values()) {
    if (described === null) continue;
    checkProtocols(described, sink);
    const key = described.model.kind === 'application' ? 'parameters' : 'properties';
    checkProperties(described, key, declaredIn(described), patterns, sink);
    if (!isAppliance(described)) continue;
    checkAppliance(described, sink);
    files.set(described, settleFiles(described, checkTemplate, sink));
  }
  return files;
}

function declaredIn({ model }: Described): Properties {
  return model.kind === 'application' ? model.parameters : model.properties;
}

function parametersOf(described: Described): Properties {
  return described.model.kind === 'application' ? described.model.parameters : new Map();
}

function reportUnused(
  described: Described,
  parameters: Properties,
  used: ReadonlySet<string>,
  sink: FindingSink,
): void {
  for (const name of parameters.keys()) {
    if (used.has(name) || described.removed.size > 0) continue;
    sink({
      code: 'PARAMETER_UNUSED',
      at: spotAt(described, ['parameters', name], 'key'),
      message: `the parameter ${name} feeds nothing`,
      hint: `Write {parameter: ${name}} as the value of a property, or remove it.`,
    });
  }
}

function imageOf(
  source: Source,
  described: Described<Appliance>,
  files: SettledFiles | undefined,
): readonly NeededImage[] {
  if (files?.image === undefined) return [];
  const { name, version } = described.model;
  const { folder } = described.description;
  const { published } = described.description;
  const image = published?.images[`${name}@${version}`];
  const pins = published === undefined ? pinsOf(source, described.model) : undefined;
  return [
    {
      ...{ name, version, image: files.image, folder },
      ...(files.setup && { setup: files.setup.text }),
      ...(pins && { pins }),
      ...(published && image && { published: { identity: published.identity, image } }),
    },
  ];
}
