import { nameHint } from '../formats/nearest-name.ts';
import type { Application, Assembly, Use } from '../model/assembly.ts';
import type { FindingSink } from '../model/finding.ts';
import { type Description, type KnownVersion, resolutionKey, type Source } from '../model/source.ts';
import { chooseVersion } from './choose-version.ts';
import { type Described, type DescribedBy, isAppliance, isAssembly, spotAt } from './described.ts';
import type { Part, Scope, Tree } from './tree.ts';
import { useSpot } from './tree.ts';

const maxDepth = 16;
const maxMembers = 200_000;

/**
 * Resolves what every appliance in use is, and puts the insides of assemblies in their place.
 *
 * @returns null when the source is a single appliance, or nothing of its root could be used
 */
export function expandAssemblies(source: Source, describedBy: DescribedBy, sink: FindingSink): Tree | null {
  const described = describedBy.get(source.root);
  if (described === undefined || described === null || described.model.kind === 'appliance') return null;
  const parts: Part[] = [];
  const scopes: Scope[] = [];
  let isFull = false;

  const expand = (
    composition: Described<Application> | Described<Assembly>,
    parent: Scope['parent'],
    path: string,
    ancestors: readonly Described[],
  ): Scope => {
    const members = new Map<string, Part | Scope>();
    const scope: Scope = { kind: 'scope', path, described: composition, parent, members };
    scopes.push(scope);
    for (const use of composition.model.uses.values()) {
      if (isFull) break;
      if (parts.length + scopes.length >= maxMembers) {
        isFull = true;
        sink({
          code: 'APPLICATION_TOO_LARGE',
          at: spotAt({ description: source.root }, [], 'key'),
          message: `the application expands to more than ${maxMembers} appliances`,
          hint: 'Split it into several applications.',
        });
        break;
      }
      const member = { scope, use };
      const memberPath = path === '' ? use.name : `${path}/${use.name}`;
      const description = chooseDescription(source, member, memberPath, sink);
      const chosen = description === undefined ? undefined : describedBy.get(description);
      if (chosen === undefined || chosen === null) continue;
      if (isAppliance(chosen)) {
        const part: Part = { kind: 'part', path: memberPath, described: chosen, parent: member };
        parts.push(part);
        members.set(use.name, part);
      } else if (isAssembly(chosen) && isNestable(chosen, member, [...ancestors, composition], sink)) {
        members.set(use.name, expand(chosen, member, memberPath, [...ancestors, composition]));
      }
    }
    return scope;
  };

  const root = expand(described as Described<Application> | Described<Assembly>, null, '', []);
  return { root, parts, scopes };
}

/** Gives what a use stands for; tells when it is nothing. */
function chooseDescription(
  source: Source,
  member: { readonly scope: Scope; readonly use: Use },
  path: string,
  sink: FindingSink,
): Description | undefined {
  const { uses } = member.use;
  const at = useSpot(member, ['uses'], 'value');
  const name = uses.split('@', 1)[0] ?? uses;
  const resolution = source.resolutions.get(resolutionKey(member.scope.described.description, uses));
  switch (resolution?.kind) {
    case undefined:
      return undefined;
    case 'found':
      return chooseVersion(source, resolution, path, at, sink);
    case 'refused':
      sink({ code: resolution.code, at, message: resolution.message, hint: resolution.hint });
      return undefined;
    case 'unknown':
      sink({
        code: 'APPLIANCE_UNKNOWN',
        at,
        message: `there is no appliance or assembly ${name}`,
        hint: nameHint(name, resolution.names),
      });
      return undefined;
    case 'unsatisfiable':
      sink({
        code: 'VERSION_UNSATISFIABLE',
        at,
        message: `no version of ${name} is in ${uses.slice(name.length + 1)}`,
        hint: whatThereIs(resolution.versions, resolution.offered),
      });
      return undefined;
    case 'unreadable':
      sink(
        resolution.fault === 'name'
          ? {
              code: 'NAME_UNFIT',
              at,
              message: `${JSON.stringify(name.slice(0, 60))} cannot be the name of an appliance`,
              hint: 'Names have lower-case letters, digits and hyphens only; appliances are found by name, not by path.',
            }
          : {
              code: 'RANGE_UNFIT',
              at,
              message: `${JSON.stringify(uses.slice(name.length + 1, 60))} is not a range of versions`,
              hint: `Write ${name}@^1, or ${name}@1.0.0 for exactly that version.`,
            },
      );
      return undefined;
    default:
      return resolution satisfies never;
  }
}

/** Tells which versions there are, where, and which of them were withdrawn and why. */
function whatThereIs(versions: readonly string[], offered: readonly KnownVersion[]): string {
  const here = versions.length === 0 ? [] : [`The newest versions are ${versions.slice(0, 5).join(', ')}.`];
  const places = [...new Set(offered.map(({ place }) => place))].map((place) => {
    const there = offered.filter((each) => each.place === place);
    return `${place} has ${there
      .slice(0, 5)
      .map(({ version, yanked }) => (yanked === undefined ? version : `${version} (withdrawn: ${yanked})`))
      .join(', ')}.`;
  });
  return [...here, ...places].join(' ');
}

function isNestable(
  chosen: Described<Assembly>,
  member: { readonly scope: Scope; readonly use: Use },
  ancestors: readonly Described[],
  sink: FindingSink,
): boolean {
  const at = useSpot(member, ['uses'], 'value');
  // The root may have been read a second time, as what a use of it found; the file is the same.
  const start = ancestors.findIndex(
    ({ description }) => description.text.file === chosen.description.text.file,
  );
  if (start >= 0) {
    const chain = [...ancestors.slice(start), chosen].map(({ model }) => model.name);
    sink({
      code: 'ASSEMBLY_RECURSIVE',
      at,
      message: `${chosen.model.name} contains itself: ${chain.join(' -> ')}`,
      hint: 'Remove this appliance, or use another one here.',
    });
    return false;
  }
  if (ancestors.length > maxDepth) {
    sink({
      code: 'NESTING_TOO_DEEP',
      at,
      message: `assemblies are nested more than ${maxDepth} deep here`,
      hint: 'Use the inner appliances directly.',
    });
    return false;
  }
  return true;
}
