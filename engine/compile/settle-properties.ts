import { nameHint } from '../formats/nearest-name.ts';
import type { GivenValue } from '../model/assembly.ts';
import type { FindingSink, Spot } from '../model/finding.ts';
import { deepFreeze } from '../model/freeze.ts';
import type { Properties, Property } from '../model/property.ts';
import type { Setting } from '../model/value.ts';
import { isAssembly, spotAt, wasRemoved } from './described.ts';
import { misfitOf, type PatternMemo, readPlain } from './plain-value.ts';
import type { SettledParameters } from './settle-parameters.ts';
import { type Part, type Scope, type Tree, useSpot } from './tree.ts';

/** A secret of a deployment that nobody gives by a parameter. */
export type GeneratedSecret = { readonly name: string; readonly generate: number };

/** The value of every property of every appliance. */
export type SettledProperties = {
  /** By part; a property whose value is not known is absent. */
  readonly settings: ReadonlyMap<Part, Readonly<Record<string, Setting>>>;
  readonly secrets: readonly GeneratedSecret[];
  /** Parameters that feed something. */
  readonly used: ReadonlySet<string>;
};

/**
 * Gives every property of every appliance its value and the value's origin: given in place, taken from a parameter or
 * from a property of the assembly around it, or its default.
 *
 * @param parameters - settled before, since their values come from outside of the descriptions
 */
export function settleProperties(
  tree: Tree,
  parameters: SettledParameters,
  patterns: PatternMemo,
  sink: FindingSink,
): SettledProperties {
  const settings = new Map<Part, Readonly<Record<string, Setting>>>();
  const ofScopes = new Map<Scope, Readonly<Record<string, Setting>>>();
  const defaults = new Map<Properties, Readonly<Record<string, Setting>>>();
  const secrets: GeneratedSecret[] = [];
  const used = new Set<string>();

  const settleOne = (member: Part | Scope, property: Property): Setting | undefined => {
    const given = member.parent?.use.properties.get(property.name);
    if (given === undefined || member.parent === null) return settleUnfed(member, property, secrets, sink);
    const at = useSpot(member.parent, ['properties', property.name], 'value');
    const label = `${member.parent.use.name}.${property.name}`;
    if (typeof given === 'object' && 'from' in given) {
      return settleFrom(member.parent.scope, given.from, property, label, at);
    }
    return settleGiven(member.parent.scope, given, property, label, at, patterns, sink);
  };

  const settleFrom = (
    scope: Scope,
    name: string,
    property: Property,
    label: string,
    at: Spot,
  ): Setting | undefined => {
    const isRoot = !isAssembly(scope.described);
    const declared = isRoot ? parameters.properties : propertiesOf(scope);
    const word = isRoot ? 'parameter' : 'property';
    const source = declared.get(name);
    if (source === undefined) {
      if (wasRemoved(scope.described, [isRoot ? 'parameters' : 'properties', name])) return undefined;
      const code = isRoot ? 'PARAMETER_UNKNOWN' : 'PROPERTY_UNKNOWN';
      const hint = nameHint(name, [...declared.keys()]);
      sink({ code, at, message: `there is no ${word} ${name} here`, hint });
      return undefined;
    }
    if (isRoot) used.add(name);
    if (source.type !== property.type && !(source.type === 'integer' && property.type === 'number')) {
      sink({
        code: 'SOURCE_TYPE_UNLIKE',
        at,
        message: `${label} is of type ${property.type}, but the ${word} ${name} is of type ${source.type}`,
        hint:
          source.type === 'secret'
            ? 'A secret feeds secrets only, since everything else may be shown.'
            : `Declare the ${word} ${name} as {type: ${property.type}}, or feed ${label} from another.`,
      });
      return undefined;
    }
    const setting = isRoot ? parameters.settings[name] : ofScopes.get(scope)?.[name];
    if (setting === undefined) return undefined;
    if (typeof setting.value === 'object' && 'secret' in setting.value) return setting;
    const misfit = misfitOf(property, setting.value, patterns);
    if (misfit !== undefined) {
      sink({
        code: 'PROPERTY_UNFIT',
        at,
        message: `${label}, from the ${word} ${name}, ${misfit.message}`,
        hint: misfit.hint,
      });
      return undefined;
    }
    return setting;
  };

  const settleAll = (member: Part | Scope, properties: Properties): Readonly<Record<string, Setting>> => {
    reportUnknown(member, properties, sink);
    const isPlain = (member.parent?.use.properties.size ?? 0) === 0;
    const shared = isPlain ? defaults.get(properties) : undefined;
    if (shared !== undefined) return shared;
    const record: Record<string, Setting> = {};
    for (const property of properties.values()) {
      const setting = settleOne(member, property);
      if (setting !== undefined) record[property.name] = setting;
    }
    // Equal for everyone who sets nothing, unless something is missing or a secret is made for each.
    if (isPlain && [...properties.values()].every(hasDefault)) defaults.set(properties, record);
    return deepFreeze(record);
  };

  // Scopes come outermost first, so what an inner one takes from an outer one is settled.
  for (const scope of tree.scopes) {
    if (isAssembly(scope.described)) ofScopes.set(scope, settleAll(scope, propertiesOf(scope)));
  }
  for (const part of tree.parts) settings.set(part, settleAll(part, part.described.model.properties));
  return { settings, secrets, used };
}

function propertiesOf({ described }: Scope): Properties {
  return isAssembly(described) ? described.model.properties : new Map();
}

function hasDefault(property: Property): boolean {
  return property.default !== undefined;
}

function settleUnfed(
  member: Part | Scope,
  property: Property,
  secrets: GeneratedSecret[],
  sink: FindingSink,
): Setting | undefined {
  if (property.default !== undefined) return { value: property.default, origin: 'default' };
  if (property.type === 'secret' && property.generate !== undefined) {
    const name = `${member.path}/${property.name}`;
    secrets.push({ name, generate: property.generate });
    return { value: { secret: name }, origin: 'generated' };
  }
  // A mandatory property of a root assembly is for whoever uses it.
  if (member.parent === null || wasRemoved(member.described, ['properties', property.name, 'default']))
    return undefined;
  if (
    wasRemoved(member.parent.scope.described, [
      'appliances',
      member.parent.use.name,
      'properties',
      property.name,
    ])
  ) {
    return undefined;
  }
  sink({
    code: 'PROPERTY_MISSING',
    at: useSpot(member.parent),
    message: `${member.parent.use.name} needs a value for its property ${property.name}`,
    hint:
      property.type === 'secret'
        ? `Feed it from a parameter: properties: {${property.name}: {parameter: ${property.name}}}, declared as {type: secret, generate: 24}.`
        : `Add properties: {${property.name}: …}, a ${property.type}.`,
  });
  return undefined;
}

function settleGiven(
  scope: Scope,
  given: Exclude<GivenValue, { readonly from: string }>,
  property: Property,
  label: string,
  at: Spot,
  patterns: PatternMemo,
  sink: FindingSink,
): Setting | undefined {
  if (property.type === 'secret') {
    sink({
      code: 'SECRET_PLAIN',
      at,
      message: `${label} is a secret, and secrets never stand in a description`,
      hint: `Take it from a parameter of type secret: {parameter: ${property.name}}.`,
    });
    return undefined;
  }
  const read = readPlain(property.type, given);
  const misfit = 'message' in read ? read : misfitOf(property, read.value, patterns);
  if (misfit !== undefined) {
    sink({ code: 'PROPERTY_UNFIT', at, message: `${label} ${misfit.message}`, hint: misfit.hint });
    return undefined;
  }
  if ('message' in read) return undefined;
  return { value: read.value, origin: scope.path === '' ? 'application' : `assembly ${scope.path}` };
}

function reportUnknown(member: Part | Scope, properties: Properties, sink: FindingSink): void {
  if (member.parent === null) return;
  for (const name of member.parent.use.properties.keys()) {
    if (properties.has(name) || wasRemoved(member.described, ['properties', name])) continue;
    sink({
      code: 'PROPERTY_UNKNOWN',
      at: spotAt(
        member.parent.scope.described,
        ['appliances', member.parent.use.name, 'properties', name],
        'key',
      ),
      message: `${member.parent.use.name} has no property ${name}`,
      hint: nameHint(name, [...properties.keys()]),
    });
  }
}
