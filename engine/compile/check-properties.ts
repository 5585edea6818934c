import { compilePattern } from '../formats/pattern.ts';
import type { FindingSink, JsonPath } from '../model/finding.ts';
import { memberOf, membersOf } from '../model/members.ts';
import type { Properties, PropertyType } from '../model/property.ts';
import type { Described } from './described.ts';
import { spotAt } from './described.ts';
import type { PropertyText } from './description-text.ts';
import { misfitOf, type PatternMemo, readPlain } from './plain-value.ts';

/** The types that take each constraint. */
const takers: Readonly<Record<'enum' | 'pattern' | 'min' | 'max' | 'generate', readonly PropertyType[]>> = {
  enum: ['string', 'integer', 'number'],
  pattern: ['string', 'secret', 'list'],
  min: ['integer', 'number', 'duration', 'size'],
  max: ['integer', 'number', 'duration', 'size'],
  generate: ['secret'],
};

/**
 * Checks declared properties or parameters against themselves.
 *
 * @param key - where they stand in the description: `properties` or `parameters`
 */
export function checkProperties(
  described: Described,
  key: 'properties' | 'parameters',
  properties: Properties,
  patterns: PatternMemo,
  sink: FindingSink,
): void {
  for (const [name, declaration] of membersOf(memberOf(described.value, key))) {
    const text = declaration as PropertyText;
    const report = (
      code: Parameters<FindingSink>[0]['code'],
      path: JsonPath,
      message: string,
      hint: string,
    ) => sink({ code, at: spotAt(described, [key, name, ...path]), message: `${name}: ${message}`, hint });
    for (const [constraint, types] of Object.entries(takers)) {
      const value = text[constraint as keyof typeof takers];
      if (value === undefined) continue;
      if (!types.includes(text.type)) {
        report(
          'CONSTRAINT_UNFIT',
          [constraint],
          `${constraint} has no meaning for ${text.type}`,
          `It is for ${types.join(', ')}.`,
        );
        continue;
      }
      for (const [index, item] of constraint === 'enum' ? (text.enum ?? []).entries() : []) {
        const read = readPlain(text.type, item);
        if ('message' in read)
          report('CONSTRAINT_UNFIT', ['enum', index], `an allowed value ${read.message}`, read.hint);
      }
      if (constraint === 'min' || constraint === 'max') {
        const read = readPlain(text.type, value);
        if ('message' in read)
          report('CONSTRAINT_UNFIT', [constraint], `${constraint} ${read.message}`, read.hint);
      }
    }
    if (text.pattern !== undefined) {
      const pattern = compilePattern(text.pattern);
      patterns.set(text.pattern, pattern);
      if ('fault' in pattern) {
        report(
          'PATTERN_BROKEN',
          ['pattern'],
          `the pattern cannot be read: ${pattern.fault}`,
          'Use RE2 syntax: no look-around, no back references.',
        );
      }
    }
    const property = properties.get(name);
    if (property === undefined) continue;
    if (property.min !== undefined && property.max !== undefined && property.min > property.max) {
      report('LIMITS_CONTRADICT', ['max'], 'max is below min', 'Swap the two or raise max.');
    }
    if (text.default === undefined) continue;
    if (text.type === 'secret') {
      report(
        'SECRET_DEFAULT',
        ['default'],
        'a secret must not stand in a description',
        'Remove the default; write generate: 24, or have it given at deploy time.',
      );
      continue;
    }
    const read = readPlain(text.type, text.default);
    const misfit = 'message' in read ? read : misfitOf(property, read.value, patterns);
    if (misfit !== undefined)
      report('DEFAULT_UNFIT', ['default'], `the default ${misfit.message}`, misfit.hint);
  }
}
