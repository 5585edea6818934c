import { distance } from 'fastest-levenshtein';
import { filters } from './filters.ts';
import { parseTemplate } from './nunjucks.ts';
import { type DeclaredNames, loopShape, type Shape, scopeShapes } from './template-shape.ts';
import type { RefusedName, TemplateNode } from './template-tree.ts';

/** One finding in a template; line and column from 1. */
export type TemplateFinding = {
  readonly line: number;
  readonly column: number;
  /** The text is no template; it wants what templates may not do; it names what does not exist. */
  readonly code: 'TEMPLATE_BROKEN' | 'TEMPLATE_UNSAFE' | 'TEMPLATE_UNDEFINED';
  readonly message: string;
  readonly hint?: string;
};

/** Characters that a template may have. */
const templateLimit = 2 ** 20;

/** Nunjucks trims white space with an expression of quadratic cost, so runs of it are bounded before it parses. */
const longestBlank = /\s{512}/;
const deepestNesting = 100;
/** Nunjucks compiles the body of a loop over pairs twice, so each level inside such a loop doubles the code. */
const deepestLoops = 4;
const mostFindings = 20;
const brokenHint =
  'Look for a bracket, a quote or a block that is not closed here or above; see docs/model.md.';

const refusals: Readonly<Record<RefusedName, string>> = {
  AsyncAll: 'asyncAll',
  AsyncEach: 'asyncEach',
  Block: 'block',
  CallExtension: 'a tag of an extension',
  Caller: 'caller',
  Capture: 'a filter block or a set without "="',
  Dict: 'a group of values in braces',
  Extends: 'extends',
  FromImport: 'import',
  FunCall: 'a call',
  IfAsync: 'ifAsync',
  Import: 'import',
  Include: 'include',
  Is: 'an "is" test',
  KeywordArgs: 'a named argument',
  Macro: 'macro',
  Pow: 'the operator **',
  Switch: 'switch',
};

const allowedHint =
  'Templates may use values, if, for, set, comparisons, sums and the listed filters: see docs/model.md.';

/**
 * Finds everything in a template that keeps it from being rendered safely, without running any of it.
 *
 * The list of what is allowed is closed: literals, names in scope, members by constant names, `if`, `for`, `set`,
 * comparisons, sums and our own filters. At most 20 findings, in the order of the text.
 *
 * @param declared - what the appliance declares; with it, members of `properties`, `terminals` … are checked too
 */
export function checkTemplate(text: string, declared: DeclaredNames = {}): readonly TemplateFinding[] {
  if (text.length > templateLimit)
    return [
      {
        line: 1,
        column: 1,
        code: 'TEMPLATE_UNSAFE',
        message: `the template has more than ${templateLimit} characters`,
        hint: 'Put what never changes into the image or the content.',
      },
    ];
  const blank = longestBlank.exec(text);
  if (blank)
    return [
      {
        ...placeAt(text, blank.index),
        code: 'TEMPLATE_UNSAFE',
        message: 'more than 500 blank characters follow each other',
        hint: 'Take most of them out.',
      },
    ];
  const parsed = parseTemplate(text);
  if ('message' in parsed) return [{ ...parsed, code: 'TEMPLATE_BROKEN', hint: brokenHint }];
  const check = new TemplateCheck();
  check.visit(parsed.tree, new Map(Object.entries(scopeShapes(declared))), 0, 0);
  return check.findings.slice(0, mostFindings);
}

type Names = Map<string, Shape>;

/** One walk over a template's tree. */
class TemplateCheck {
  readonly findings: TemplateFinding[] = [];

  /** Looks at a node and what lies below it; `names` gains what the node sets. @returns what is known of its value */
  visit(node: TemplateNode, names: Names, depth: number, loops: number): Shape {
    if (this.findings.length >= mostFindings) return 'unknown';
    if (depth > deepestNesting) return this.#unsafe(node, 'this is nested too deep', 'Split the expression.');
    const into = (child: TemplateNode): Shape => this.visit(child, names, depth + 1, loops);
    switch (node.typename) {
      case 'Root':
      case 'NodeList':
      case 'Output':
        for (const child of node.children) into(child);
        return 'value';
      case 'Group': {
        const [only, ...more] = node.children;
        if (only === undefined || more.length > 0)
          return this.#unsafe(node, 'parentheses hold exactly one expression', allowedHint);
        return into(only);
      }
      case 'Array':
        return { list: node.children.map(into).at(0) ?? 'unknown' };
      case 'TemplateData':
        return 'value';
      case 'Literal':
        return node.value instanceof RegExp ? this.#refuse(node, 'a regular expression') : 'value';
      case 'Symbol':
        return this.#name(node, node.value, names);
      case 'LookupVal':
        return this.#member(node, into(node.target), node.val);
      case 'If':
        into(node.cond);
        // What a branch sets may not exist after it, so it lives in the branch alone.
        this.visit(node.body, new Map(names), depth + 1, loops);
        if (node.else_) this.visit(node.else_, new Map(names), depth + 1, loops);
        return 'value';
      case 'InlineIf': {
        into(node.cond);
        const shape = into(node.body);
        if (node.else_) into(node.else_);
        return shape;
      }
      case 'For':
        return this.#loop(node, names, depth, loops);
      case 'Set':
        if (node.value === null) return this.#refuse(node, refusals.Capture);
        this.#declare(node.targets, names, into(node.value));
        return 'value';
      case 'Filter':
        return this.#filter(node, node.args.children.map(into));
      case 'Or':
      case 'And':
      case 'In':
      case 'Add':
      case 'Concat':
      case 'Sub':
      case 'Mul':
      case 'Div':
      case 'FloorDiv':
      case 'Mod':
        into(node.left);
        into(node.right);
        return node.typename === 'Or' || node.typename === 'And' ? 'unknown' : 'value';
      case 'Neg':
      case 'Pos':
        // Two signs become JavaScript's ++ and --, which change a variable.
        if (node.target.typename === 'Neg' || node.target.typename === 'Pos')
          return this.#refuse(node, 'two signs in a row');
        into(node.target);
        return 'value';
      case 'Not':
        into(node.target);
        return 'value';
      case 'Compare':
        into(node.expr);
        for (const operand of node.ops) into(operand.expr);
        return 'value';
      default:
        return this.#refuse(node, refusals[node.typename] ?? 'this');
    }
  }

  #loop(node: TemplateNode & { typename: 'For' }, names: Names, depth: number, loops: number): Shape {
    if (loops >= deepestLoops)
      return this.#unsafe(node, `loops stand in each other more than ${deepestLoops} deep`, allowedHint);
    const over = this.visit(node.arr, names, depth + 1, loops);
    if (over === 'value')
      this.#unsafe(node.arr, 'a loop needs a list', 'Name a list, such as the peers of a terminal.');
    const inside: Names = new Map(names).set('loop', loopShape);
    if (node.name.typename === 'Array') {
      this.#declare(node.name.children, inside, itemOf(over));
      const [key] = node.name.children;
      if (node.name.children.length !== 2)
        this.#unsafe(node, 'a loop has one name, or two for a group', allowedHint);
      else if (key?.typename === 'Symbol') inside.set(key.value, 'value');
    } else {
      this.#declare([node.name], inside, itemOf(over));
    }
    this.visit(node.body, inside, depth + 1, loops + 1);
    if (node.else_) this.visit(node.else_, new Map(names), depth + 1, loops);
    return 'value';
  }

  #declare(targets: readonly TemplateNode[], names: Names, shape: Shape): void {
    for (const target of targets) {
      if (target.typename !== 'Symbol' || !/^[a-z][A-Za-z0-9_]{0,40}$/.test(target.value))
        this.#unsafe(
          target,
          'this is not a name that can be set',
          'Use a small letter, then letters and digits.',
        );
      else if (target.value in scopeShapes({}) || target.value === 'loop' || isReserved(target.value))
        this.#unsafe(target, `${target.value} cannot be set`, 'Choose another name.');
      else names.set(target.value, shape);
    }
  }

  #name(node: TemplateNode, name: string, names: Names): Shape {
    const shape = names.get(name);
    if (shape !== undefined) return shape;
    return this.#undefined(node, name, [...names.keys()], '');
  }

  #member(node: TemplateNode, target: Shape, member: TemplateNode | null): Shape {
    if (member?.typename !== 'Literal' || member.value instanceof RegExp)
      return this.#refuse(node, 'a member whose name is computed');
    if (typeof member.value === 'number' && Number.isSafeInteger(member.value) && member.value >= 0)
      return itemOf(target);
    const name = String(member.value);
    if (!/^[a-z][A-Za-z0-9_-]*$/.test(name) || isReserved(name))
      return this.#refuse(member, `the member ${show(name)}`);
    if (target === 'unknown') return 'unknown';
    if (target === 'value' || 'list' in target)
      return this.#undefined(member, name, [], ' in a value or list');
    if ('each' in target) return target.each;
    if (Object.hasOwn(target.members, name)) return target.members[name] ?? 'unknown';
    return this.#undefined(member, name, Object.keys(target.members), ' here');
  }

  #filter(node: TemplateNode & { typename: 'Filter' }, [value]: readonly Shape[]): Shape {
    const name = node.name.typename === 'Symbol' ? node.name.value : '';
    const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
    if (!filter)
      return this.#unsafe(
        node,
        `there is no filter ${show(name)}`,
        nearest(name, Object.keys(filters)) ?? allowedHint,
      );
    const given = node.args.children.length - 1;
    const [min, max] = filter.takes;
    if (given < min || given > max)
      this.#unsafe(
        node,
        `the filter ${name} takes ${min === max ? min : `${min} to ${max}`} arguments`,
        allowedHint,
      );
    if (name === 'first' || name === 'last') return itemOf(value ?? 'unknown');
    if (name === 'sort') return { list: 'value' };
    return name === 'default' ? 'unknown' : 'value';
  }

  #undefined(node: TemplateNode, name: string, known: readonly string[], where: string): Shape {
    this.#add(node, 'TEMPLATE_UNDEFINED', `${show(name)} is not defined${where}`, nearest(name, known));
    return 'unknown';
  }

  #refuse(node: TemplateNode, what: string): Shape {
    return this.#unsafe(node, `templates may not use ${what}`, allowedHint);
  }

  #unsafe(node: TemplateNode, message: string, hint: string): Shape {
    this.#add(node, 'TEMPLATE_UNSAFE', message, hint);
    return 'unknown';
  }

  #add(node: TemplateNode, code: TemplateFinding['code'], message: string, hint: string | undefined): void {
    // a few of nunjucks' nodes carry no place; those of their neighbours do
    const line = (node.lineno ?? 0) + 1;
    const column = (node.colno ?? 0) + 1;
    this.findings.push({ line, column, code, message, ...(hint !== undefined && { hint }) });
  }
}

function itemOf(shape: Shape): Shape {
  if (typeof shape === 'string') return 'unknown';
  if ('list' in shape) return shape.list;
  return 'each' in shape ? shape.each : 'unknown';
}

/** Names that mean something on every JavaScript object, such as `constructor`. */
function isReserved(name: string): boolean {
  return name in Object.prototype || name === 'prototype';
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, far: distance(name.slice(0, 64), candidate) }))
    .filter(({ candidate, far }) => far <= Math.max(2, candidate.length / 3))
    .sort((a, b) => a.far - b.far);
  if (best) return `Did you mean ${best.candidate}?`;
  return known.length > 0 && known.length <= 12 ? `Known here: ${known.join(', ')}.` : undefined;
}

function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function placeAt(text: string, index: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, index);
  return { line: before.split('\n').length, column: index - before.lastIndexOf('\n') };
}
