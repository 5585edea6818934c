import type { JsonPath } from '../model/finding.ts';
import type { ProblemCode } from '../problem-table.ts';
import { parseDuration, parseSize } from '../units.ts';
import { nameHint, nearestName } from './nearest-name.ts';

/** What the validator reports, as far as it matters here. */
export type ValidationError = {
  readonly keyword: string;
  /** JSON pointer to the value. */
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Set when it is a key that breaks a rule for keys. */
  readonly propertyName?: string;
  readonly schema?: unknown;
  readonly parentSchema?: Readonly<Record<string, unknown>>;
  readonly data?: unknown;
};

/** One way in which a value breaks its schema. */
export type SchemaFault = {
  readonly code: ProblemCode;
  readonly path: JsonPath;
  readonly part: 'key' | 'value';
  readonly message: string;
  readonly hint?: string;
  /** What has to go so that the rest can be looked at; null when it can be as it is. */
  readonly culprit: JsonPath | null;
  /** The key that is absent. */
  readonly missing?: string;
  /** The key that an unknown one was probably meant to be. */
  readonly meant?: string;
};

/**
 * Says in words what a validation error means.
 *
 * @param error - made with `verbose`
 * @returns undefined for errors that only repeat another one
 */
export function faultOf(error: ValidationError): SchemaFault | undefined {
  const path = error.instancePath.split('/').slice(1).map(unescapePointer);
  if (error.propertyName !== undefined) return nameFault(error, [...path, error.propertyName]);
  // Branches of a choice and the conditions around a rule say nothing that the choice or the rule does not say.
  if (/\/(oneOf|if)\//.test(error.schemaPath)) return undefined;
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownKey(error, path);
    case 'required':
    case 'dependentRequired':
      return missingKey(error, path);
    case 'type': {
      const message = `${subjectOf(path)} is ${describe(error.data)}, not ${expected(error)}`;
      return valueFault('TYPE_WRONG', error, path, message, hintOf(error) ?? typeHint(error));
    }
    case 'enum':
    case 'const':
      return choiceFault(error, path);
    case 'format':
      return formatFault(error, path);
    case 'not':
      return {
        ...valueFault('VALUE_UNFIT', error, path, `${subjectOf(path)} has no meaning here`),
        part: 'key',
      };
    case 'oneOf':
      return {
        ...valueFault('VALUE_UNFIT', error, path, `${subjectOf(path)} is not exactly one of its forms`),
        part: 'key',
      };
    case 'propertyNames':
    case 'if':
      return undefined;
    case 'minProperties':
      return {
        ...valueFault('VALUE_UNFIT', error, path, limitMessage(error, path)),
        part: 'key',
        culprit: null,
      };
    default:
      return valueFault('VALUE_UNFIT', error, path, limitMessage(error, path));
  }
}

function unescapePointer(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function hintOf(error: ValidationError): string | undefined {
  const hint: unknown = error.parentSchema?.['x-hint'];
  return typeof hint === 'string' ? hint : undefined;
}

function valueFault(
  code: ProblemCode,
  error: ValidationError,
  path: JsonPath,
  message: string,
  hint = hintOf(error),
): SchemaFault {
  return { code, path, part: 'value', message, ...(hint !== undefined && { hint }), culprit: path };
}

function nameFault(error: ValidationError, path: JsonPath): SchemaFault | undefined {
  if (error.keyword === 'propertyNames') return undefined;
  const message = `${quote(error.propertyName)} cannot be a name here`;
  const hint = error.keyword === 'not' ? 'This name is reserved; choose another.' : hintOf(error);
  return { ...valueFault('NAME_UNFIT', error, path, message, hint), part: 'key' };
}

function unknownKey(error: ValidationError, path: JsonPath): SchemaFault {
  const key = String(error.params['additionalProperty']);
  const known = Object.keys((error.parentSchema?.['properties'] as object | undefined) ?? {});
  const meant = nearestName(key, known);
  return {
    code: 'KEY_UNKNOWN',
    path: [...path, key],
    part: 'key',
    message: `${quote(key)} is not a key of ${path.length === 0 ? 'this description' : subjectOf(path)}`,
    hint: nameHint(key, known),
    culprit: [...path, key],
    ...(meant !== undefined && { meant }),
  };
}

function missingKey(error: ValidationError, path: JsonPath): SchemaFault {
  const missing = String(error.params['missingProperty']);
  const subject = path.length === 0 ? 'the description' : subjectOf(path);
  const fault = valueFault('KEY_MISSING', error, path, `${subject} has no "${missing}"`);
  return { ...fault, part: 'key', missing, hint: fault.hint ?? `Add ${missing}.` };
}

function choiceFault(error: ValidationError, path: JsonPath): SchemaFault {
  const allowed = (
    error.keyword === 'const' ? [error.params['allowedValue']] : error.params['allowedValues']
  ) as unknown[];
  const message = `${subjectOf(path)} is ${describe(error.data)}, not ${allowed.length > 1 ? 'one of ' : ''}${allowed.map(String).join(', ')}`;
  const meant = typeof error.data === 'string' ? nearestName(error.data, allowed.map(String)) : undefined;
  return valueFault(
    'VALUE_UNFIT',
    error,
    path,
    message,
    meant === undefined ? hintOf(error) : `Did you mean ${meant}?`,
  );
}

function formatFault(error: ValidationError, path: JsonPath): SchemaFault {
  const text = String(error.data);
  switch (error.params['format']) {
    case 'sheaf-size':
      return quantityFault('SIZE_UNFIT', error, path, parseSize(text));
    case 'sheaf-duration':
      return quantityFault('DURATION_UNFIT', error, path, parseDuration(text));
    default:
      return valueFault('VERSION_UNFIT', error, path, `${quote(text)} is not a semantic version`);
  }
}

function quantityFault(
  code: ProblemCode,
  error: ValidationError,
  path: JsonPath,
  parsed: ReturnType<typeof parseSize>,
): SchemaFault {
  if ('value' in parsed) return valueFault(code, error, path, `${subjectOf(path)} does not fit`);
  return valueFault(code, error, path, parsed.message, parsed.hint);
}

function limitMessage(error: ValidationError, path: JsonPath): string {
  const limit = String(error.params['limit']);
  switch (error.keyword) {
    case 'minimum':
      return `${subjectOf(path)} is ${describe(error.data)}, below ${limit}`;
    case 'maximum':
      return `${subjectOf(path)} is ${describe(error.data)}, above ${limit}`;
    case 'minItems':
    case 'minProperties':
    case 'minLength':
      return `${subjectOf(path)} is empty`;
    case 'maxItems':
    case 'maxProperties':
      return `${subjectOf(path)} has more than ${limit} entries`;
    case 'maxLength':
      return `${subjectOf(path)} is longer than ${limit} characters`;
    case 'uniqueItems':
      return `${subjectOf(path)} holds one entry twice`;
    default:
      return `${subjectOf(path)} cannot be ${describe(error.data)}`;
  }
}

/** Names what a path leads to: its last key, or the place in a list and the list's name. */
function subjectOf(path: JsonPath): string {
  if (path.length === 0) return 'the description';
  const last = String(path.at(-1));
  const before = path.at(-2);
  return /^\d+$/.test(last) && before !== undefined
    ? `entry ${Number(last) + 1} of "${before}"`
    : `"${last}"`;
}

function expected(error: ValidationError): string {
  const types = [error.schema].flat().map((type) => typeNames[String(type)] ?? String(type));
  const last = types.pop() ?? 'what is expected';
  return types.length === 0 ? last : `${types.join(', ')} or ${last}`;
}

/** What to do about a wrong type where the schema has nothing better to say. */
function typeHint(error: ValidationError): string {
  switch ([error.schema].flat().at(-1)) {
    case 'object':
      return 'Write keys with values, one on each line.';
    case 'array':
      return 'Write a list: one entry on each line, after a hyphen.';
    case 'boolean':
      return 'Write true or false, without quotes.';
    case 'string':
      return 'Write text, in quotes when YAML would take it for something else.';
    default:
      return 'Write a number, without quotes.';
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
};

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return typeof value === 'string' ? quote(value) : String(value);
}

function quote(text: unknown): string {
  const shown = String(text);
  return JSON.stringify(shown.length > 60 ? `${shown.slice(0, 57)}…` : shown);
}
