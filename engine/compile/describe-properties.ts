import type { Properties, Property } from '../model/property.ts';
import type { PlainValue } from '../model/value.ts';
import type { PropertyText } from './description-text.ts';
import { readPlain } from './plain-value.ts';

/**
 * Says in the words of the model what declared properties or parameters are.
 *
 * What does not fit a declaration is left out here; {@link checkProperties} reports it.
 */
export function describeProperties(texts: Readonly<Record<string, PropertyText>> | undefined): Properties {
  return new Map(Object.entries(texts ?? {}).map(([name, text]) => [name, describeProperty(name, text)]));
}

function describeProperty(name: string, text: PropertyText): Property {
  const { type, pattern, generate } = text;
  const byDefault = type === 'secret' ? undefined : plain(text, text.default);
  const allowed = text.enum?.flatMap((value) => plain(text, value) ?? []);
  const min = bound(text, text.min);
  const max = bound(text, text.max);
  return {
    name,
    type,
    ...(byDefault !== undefined && { default: byDefault }),
    ...(allowed !== undefined && { enum: allowed }),
    ...(pattern !== undefined && { pattern }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(generate !== undefined && { generate }),
  };
}

function plain({ type }: PropertyText, value: unknown): PlainValue | undefined {
  if (value === undefined) return undefined;
  const read = readPlain(type, value);
  return 'value' in read ? read.value : undefined;
}

function bound(text: PropertyText, value: unknown): number | undefined {
  const settled = plain(text, value);
  return typeof settled === 'number' ? settled : undefined;
}
