import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Digest } from '../../engine/digest.ts';
import { EngineError } from '../../engine/errors.ts';
import { descriptionLimits, parseYaml } from '../../engine/formats/parse-yaml.ts';
import { writeWhole } from '../../engine/whole-file.ts';
import { readSettings } from '../read-settings.ts';

/** One rule of a trust policy, as its file has it. */
export type RuleText = {
  readonly names?: readonly string[];
  readonly catalogs?: readonly string[];
  readonly keys?: readonly string[];
  readonly unsigned?: boolean;
};

/** A trust policy, as its file has it. */
export type PolicyFile = {
  readonly keys?: Readonly<Record<string, { readonly file: string }>>;
  readonly rules?: readonly RuleText[];
  readonly revoked?: readonly string[];
};

/** Something that is added to a policy. */
export type PolicyChange =
  | { readonly kind: 'key'; readonly name: string; readonly file: string; readonly rule: RuleText }
  | { readonly kind: 'rule'; readonly rule: RuleText }
  | { readonly kind: 'revoked'; readonly id: Digest };

/** Reads a policy as its file has it; undefined without a file. @throws EngineError INPUT_INVALID */
export async function readPolicyFile(file: string): Promise<PolicyFile | undefined> {
  return (await readSettings(file, 'trust')) as PolicyFile | undefined; // as its schema says
}

/**
 * Adds something to a policy's file, or begins one; all else in it stays as somebody wrote it.
 *
 * @throws EngineError INPUT_INVALID; INPUT_REFUSED as {@link changedPolicy}
 */
export async function changePolicyFile(file: string, change: PolicyChange): Promise<void> {
  const before = await readPolicyFile(file);
  await writeWhole(
    file,
    changedPolicy(before === undefined ? undefined : await readFile(file, 'utf8'), change),
  );
}

/**
 * Gives the text of a policy with something added.
 *
 * @param text - a policy that its schema allows; undefined begins one
 * @throws EngineError INPUT_REFUSED when it is written so that the lines cannot be put in, and has comments that writing it
 *   anew would lose
 */
export function changedPolicy(text: string | undefined, change: PolicyChange): string {
  const before = text === undefined ? head : text;
  const lines = linesOf(change);
  const wanted = changedValue(policyOf(before), change);
  const inserted = lines.reduce((all, [section, line]) => insert(all, section, line), before);
  if (isDeepStrictEqual(policyOf(inserted), wanted)) return inserted;
  if (!before.includes('#')) return wholeText(wanted);
  throw new EngineError(
    'INPUT_REFUSED',
    'the trust policy is written in a way that only its author can change',
    {
      hint: `Add this by hand: ${lines.map(([section, line]) => `under ${section}, ${line}`).join('; ')}.`,
    },
  );
}

type Section = 'keys' | 'rules' | 'revoked';

const head = 'apiVersion: sheaf/v1\nkind: TrustPolicy\n';

function linesOf(change: PolicyChange): readonly (readonly [Section, string])[] {
  switch (change.kind) {
    case 'key':
      return [
        ['keys', `${change.name}: {file: ${JSON.stringify(change.file)}}`],
        ['rules', ruleLine(change.rule)],
      ];
    case 'rule':
      return [['rules', ruleLine(change.rule)]];
    case 'revoked':
      return [['revoked', `- ${JSON.stringify(change.id)}`]];
    default:
      return change satisfies never;
  }
}

/** Every JSON text is YAML; with a space after each colon people read it as such. */
function ruleLine(rule: RuleText): string {
  const members = Object.entries(rule).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return `- {${members.join(', ')}}`;
}

function changedValue(before: PolicyFile, change: PolicyChange): PolicyFile {
  const { keys = {}, rules = [], revoked = [] } = before;
  switch (change.kind) {
    case 'key': {
      const { name, file, rule } = change;
      return { ...before, keys: { ...keys, [name]: { file } }, rules: [...rules, rule] };
    }
    case 'rule':
      return { ...before, rules: [...rules, change.rule] };
    case 'revoked':
      return { ...before, revoked: [...revoked, change.id] };
    default:
      return change satisfies never;
  }
}

/** Puts a line at the end of a section that is written in lines; begins the section where there is none. */
function insert(text: string, section: Section, line: string): string {
  const lines = text.replace(/\n*$/, '\n').split('\n').slice(0, -1);
  const at = lines.findIndex((each) => new RegExp(`^${section}:`).test(each));
  if (at < 0) return [...lines, `${section}:`, `  ${line}`, ''].join('\n');
  const heading = (lines[at] ?? '').replace(/^(\w+:)\s*(?:\[\s*\]|\{\s*\})(?=\s*(?:#.*)?$)/, '$1');
  const isInside = (each: string): boolean => /^(?:\s|#|-|$)/.test(each);
  const next = lines.findIndex((each, index) => index > at && !isInside(each));
  const inside = lines.slice(at + 1, next < 0 ? lines.length : next);
  const last = inside.findLastIndex((each) => /^\s*[^\s#]/.test(each));
  const indent = /^\s*/.exec(inside.find((each) => /^\s*[^\s#]/.test(each)) ?? '  ')?.[0] ?? '  ';
  return [
    ...lines.slice(0, at),
    heading,
    ...inside.slice(0, last + 1),
    `${indent}${line}`,
    ...lines.slice(at + 2 + last),
    '',
  ].join('\n');
}

function wholeText({ keys = {}, rules = [], revoked = [] }: PolicyFile): string {
  const section = (name: Section, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [`${name}:`, ...lines.map((line) => `  ${line}`)];
  const texts = [
    ...section(
      'keys',
      Object.entries(keys).map(([name, { file }]) => `${name}: {file: ${JSON.stringify(file)}}`),
    ),
    ...section('rules', rules.map(ruleLine)),
    ...section(
      'revoked',
      revoked.map((id) => `- ${JSON.stringify(id)}`),
    ),
  ];
  return `${head}${texts.map((line) => `${line}\n`).join('')}`;
}

function policyOf(text: string): PolicyFile {
  const { value, problems } = parseYaml(text, descriptionLimits);
  return problems.length === 0 ? (value as PolicyFile) : {};
}
