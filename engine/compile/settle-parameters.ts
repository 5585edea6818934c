import { nameHint } from '../formats/nearest-name.ts';
import type { FindingSink } from '../model/finding.ts';
import type { Properties } from '../model/property.ts';
import type { Setting } from '../model/value.ts';
import { type Described, spotAt } from './described.ts';
import { misfitOf, type PatternMemo, readPlainText } from './plain-value.ts';

/** What somebody gives at deploy time. */
export type CompileInputs = {
  /** Parameters as text, by name. */
  readonly set: Readonly<Record<string, string>>;
  /** Values that were given before and still stand, like `set`; those whose parameter no longer exists are passed over. */
  readonly recorded?: Readonly<Record<string, string>>;
  /** Where external terminals listen, by `appliance.terminal`. */
  readonly expose?: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
  /** Names of secrets that the deployment has already; those parameters need not be given again. */
  readonly heldSecrets?: readonly string[];
};

/** The parameters of an application and their values. */
export type SettledParameters = {
  readonly properties: Properties;
  /** Absent for a parameter that has no value, or not yet. */
  readonly settings: Readonly<Record<string, Setting>>;
  /** Every secret parameter as a secret of the deployment. */
  readonly secrets: readonly { readonly name: string; readonly generate?: number }[];
  /** The values given for secrets, by secret name: to be sealed at once, never shown or stored plainly. */
  readonly givenSecrets: ReadonlyMap<string, string>;
};

// most programs take an empty password for none at all
const emptySecret = { message: 'is empty, which is no secret', hint: 'Give at least one character.' };

/**
 * Gives every parameter its value: as given, else its default.
 *
 * @param inputs - null when nothing is to be deployed: then mandatory parameters may stay open
 */
export function settleParameters(
  described: Described,
  properties: Properties,
  inputs: CompileInputs | null,
  patterns: PatternMemo,
  sink: FindingSink,
): SettledParameters {
  const settings: Record<string, Setting> = {};
  const secrets: { name: string; generate?: number }[] = [];
  const givenSecrets = new Map<string, string>();
  const recorded = Object.entries(inputs?.recorded ?? {}).filter(([name]) => properties.has(name));
  const given = new Map([...recorded, ...Object.entries(inputs?.set ?? {})]);
  for (const name of given.keys()) {
    if (properties.has(name)) continue;
    sink({
      code: 'PARAMETER_UNKNOWN',
      at: spotAt(described, ['parameters'], 'key'),
      message: `there is no parameter ${name}`,
      hint: nameHint(name, [...properties.keys()]),
    });
  }
  for (const property of properties.values()) {
    const { name, type, generate } = property;
    const at = spotAt(described, ['parameters', name], 'key');
    const origin = `parameter ${name}`;
    const secret = `parameter/${name}`;
    if (type === 'secret') {
      secrets.push({ name: secret, ...(generate !== undefined && { generate }) });
      settings[name] = { value: { secret }, origin };
    }
    const text = given.get(name);
    if (text === undefined) {
      if (type !== 'secret' && property.default !== undefined)
        settings[name] = { value: property.default, origin };
      const isHeld = generate !== undefined || inputs?.heldSecrets?.includes(secret) === true;
      const isOpen = type === 'secret' ? !isHeld : property.default === undefined;
      if (inputs !== null && isOpen) {
        sink({
          code: 'PARAMETER_MISSING',
          at,
          message: `the parameter ${name} was not given`,
          hint: `Give it: --set${type === 'secret' ? '-file' : ''} ${name}=…`,
        });
      }
      continue;
    }
    const read = readPlainText(type, text);
    const misfit =
      'message' in read
        ? read
        : type === 'secret' && text === ''
          ? emptySecret
          : misfitOf(property, read.value, patterns);
    if (misfit !== undefined) {
      sink({
        code: 'PARAMETER_UNFIT',
        at,
        message: `the value given for ${name} ${misfit.message}`,
        hint: misfit.hint,
      });
    } else if ('value' in read) {
      if (type === 'secret') givenSecrets.set(secret, text);
      else settings[name] = { value: read.value, origin };
    }
  }
  return { properties, settings, secrets, givenSecrets };
}
