import nunjucks from 'nunjucks';
import { filters, textOf, ValueRefused } from './filters.ts';
import type { TemplateNode } from './template-tree.ts';

/** Why a text is no template, or why it could not be rendered; line and column from 1. */
export type TemplateFault = { readonly line: number; readonly column: number; readonly message: string };

type Frame = { readonly variables: Record<string, unknown>; lookup(name: string): unknown };
type Tokens = {
  readonly lineno: number;
  readonly colno: number;
  readonly str: string;
  readonly index: number;
  forwardN(count: number): void;
};
type Parsing = {
  readonly tokens: Tokens;
  advanceAfterBlockEnd(): Tokens;
  fail(message: string, lineno: number, colno: number): never;
  parsePostfix(node: TemplateNode | null): TemplateNode | null;
  parseAsRoot(): TemplateNode;
};
type NodeType<Content> = new (lineno: number, colno: number, content: Content) => TemplateNode;
type Compiling = {
  _emit(code: string): void;
  _emitLine(code: string): void;
  _compileExpression(node: TemplateNode, frame: Frame): void;
  _compileAggregate(node: { readonly children: readonly TemplateNode[] }, frame: Frame): void;
  compileFor(node: TemplateNode, frame: Frame): void;
  compile(node: TemplateNode): void;
  getCode(): string;
};

// Parts that nunjucks exports and that its type package does not know.
const { compiler, lexer, nodes, parser, runtime } = nunjucks as unknown as {
  readonly lexer: { lex(text: string, options: typeof syntax): Tokens };
  readonly nodes: {
    readonly Output: NodeType<readonly TemplateNode[]>;
    readonly TemplateData: NodeType<string>;
  };
  readonly parser: { readonly Parser: new (tokens: Tokens) => Parsing };
  readonly compiler: { readonly Compiler: new (name: string, throwOnUndefined: boolean) => Compiling };
  readonly runtime: { readonly Frame: new () => Frame & { topLevel: boolean } };
};

const syntax = { trimBlocks: true, lstripBlocks: true };

/** Reads a template into its syntax tree. Runs nothing of it. */
export function parseTemplate(text: string): { readonly tree: TemplateNode } | TemplateFault {
  const tokens = lexer.lex(text, syntax);
  try {
    return { tree: new StrictParser(tokens).parseAsRoot() };
  } catch (error) {
    return parseFault(error, tokens);
  }
}

/**
 * Renders a template that `checkTemplate` found clean.
 *
 * Turns it into JavaScript and runs that, so it belongs into a process of its own. Nothing is escaped; whatever is
 * undefined is a fault. Only our own filters and look-ups can be reached from the code.
 *
 * @param limit - characters that the result may have
 */
export function renderTemplate(
  text: string,
  scope: Readonly<Record<string, unknown>>,
  limit: number,
): { readonly text: string } | TemplateFault {
  const parsed = parseTemplate(text);
  if ('message' in parsed) return parsed;
  let answer: { readonly text: string } | TemplateFault = {
    line: 1,
    column: 1,
    message: 'nothing was rendered',
  };
  try {
    const compiling = new LocatedCompiler('template', true);
    compiling.compile(parsed.tree);
    const { root } = new Function(compiling.getCode())() as { readonly root: Root };
    const frame = new runtime.Frame();
    frame.topLevel = true;
    root(environment, contextOf(scope), frame, runtimeWith(limit), (fault, result) => {
      answer = fault === null ? { text: result } : faultOf(fault);
    });
  } catch (error) {
    answer = faultOf(error);
  }
  return answer;
}

type Root = (
  environment: object,
  context: object,
  frame: Frame,
  runtime: object,
  done: (fault: Error | null, result: string) => void,
) => void;

/** A failure at a known place of the template. */
class LocatedError extends Error {
  readonly lineno: number;
  readonly colno: number;

  constructor(message: string, lineno: number, colno: number) {
    super(message);
    this.lineno = lineno;
    this.colno = colno;
  }
}

/**
 * Nunjucks' parser, but for two faults of it: it seeks the end of a raw block from every character anew, which takes hours
 * for a mebibyte, and takes a member or a call of nothing (`{{ ~ .a }}`) for an expression.
 */
class StrictParser extends parser.Parser {
  override parsePostfix(node: TemplateNode | null): TemplateNode | null {
    return node === null ? null : super.parsePostfix(node); // null becomes "unexpected token"
  }

  parseRaw(tag = 'raw'): TemplateNode {
    const { lineno, colno } = this.advanceAfterBlockEnd();
    const { str, index } = this.tokens;
    const tags = new RegExp(`\\{%\\s*(?:end)?${tag}\\s*%\\}`, 'g');
    tags.lastIndex = index;
    for (let depth = 1; ; ) {
      const found = tags.exec(str);
      if (found === null) this.fail(`end${tag} is missing`, lineno, colno);
      depth += found[0].includes('end') ? -1 : 1;
      if (depth > 0) continue;
      this.tokens.forwardN(tags.lastIndex - index);
      const content = new nodes.TemplateData(lineno, colno, str.slice(index, found.index));
      return new nodes.Output(lineno, colno, [content]);
    }
  }
}

/** Nunjucks' compiler, which also tells each look-up and filter where it stands. */
class LocatedCompiler extends compiler.Compiler {
  compileSymbol(node: TemplateNode & { readonly value: string }, frame: Frame): void {
    const local = frame.lookup(node.value);
    if (typeof local === 'string') this._emit(local);
    else
      this._emit(
        `runtime.contextOrFrameLookup(context, frame, ${JSON.stringify(node.value)}, ${node.lineno}, ${node.colno})`,
      );
  }

  compileLookupVal(
    node: TemplateNode & { readonly target: TemplateNode; readonly val: TemplateNode },
    frame: Frame,
  ): void {
    this._emit('runtime.memberLookup((');
    this._compileExpression(node.target, frame);
    this._emit('),');
    this._compileExpression(node.val, frame);
    this._emit(`, ${node.val.lineno}, ${node.val.colno})`);
  }

  compileFilter(
    node: TemplateNode & {
      readonly name: { readonly value: string };
      readonly args: { readonly children: readonly TemplateNode[] };
    },
    frame: Frame,
  ): void {
    this._emit(`env.filter(${JSON.stringify(node.name.value)}, ${node.lineno}, ${node.colno}, [`);
    this._compileAggregate(node.args, frame);
    this._emit('])');
  }

  compileConcat(
    node: TemplateNode & { readonly left: TemplateNode; readonly right: TemplateNode },
    frame: Frame,
  ): void {
    this._emit(`env.filter("join", ${node.lineno}, ${node.colno}, [[`);
    this._compileAggregate({ children: [node.left, node.right] }, frame);
    this._emit(']])');
  }

  override compileFor(node: TemplateNode, frame: Frame): void {
    this._emitLine(`lineno = ${node.lineno}; colno = ${node.colno};`); // for the fault of fromIterator below
    super.compileFor(node, frame);
  }
}

const environment = {
  opts: { autoescape: false },
  filter(name: string, lineno: number, colno: number, args: readonly [unknown, ...unknown[]]): unknown {
    return located(lineno, colno, () => filters[name]?.apply(...args));
  },
};

function contextOf(scope: Readonly<Record<string, unknown>>): object {
  const own = new Map(Object.entries(scope));
  return {
    lookup: (name: string) => own.get(name),
    setVariable: (name: string, value: unknown) => void own.set(name, value),
    addExport: () => undefined,
  };
}

/** What the compiled code may call; it takes the place of nunjucks' own runtime, whose look-ups reach prototypes. */
function runtimeWith(limit: number): object {
  let written = 0;
  return {
    contextOrFrameLookup(
      context: { lookup(name: string): unknown },
      frame: Frame,
      name: string,
      lineno: number,
      colno: number,
    ) {
      const value = frame.lookup(name) ?? context.lookup(name);
      if (value === undefined) throw new LocatedError(`${name} is not defined`, lineno, colno);
      return value;
    },
    memberLookup(target: unknown, name: string | number, lineno: number, colno: number) {
      if (typeof target === 'object' && target !== null && Object.hasOwn(target, name)) {
        const value: unknown = Reflect.get(target, name);
        if (value !== undefined && value !== null) return value;
      }
      throw new LocatedError(`${name} is not defined here`, lineno, colno);
    },
    ensureDefined: (value: unknown, lineno: number, colno: number) =>
      located(lineno, colno, () => textOf(value)),
    suppressValue(text: string) {
      written += text.length;
      if (written > limit) throw new ValueRefused(`the file would have more than ${limit} characters`);
      return text;
    },
    fromIterator(value: unknown) {
      if (typeof value === 'object') return value;
      throw new ValueRefused('a loop needs a list');
    },
    inOperator(value: unknown, list: unknown) {
      if (Array.isArray(list)) return list.includes(value);
      if (typeof list === 'string') return list.includes(textOf(value));
      return typeof list === 'object' && list !== null && Object.hasOwn(list, textOf(value));
    },
    isArray: Array.isArray,
    keys: Object.keys,
    handleError: (error: Error, lineno: number, colno: number) =>
      error instanceof LocatedError ? error : new LocatedError(error.message, lineno, colno),
  };
}

function located<T>(lineno: number, colno: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof Error ? new LocatedError(error.message, lineno, colno) : error;
  }
}

function faultOf(error: unknown): TemplateFault {
  if (error instanceof LocatedError)
    return { line: error.lineno + 1, column: error.colno + 1, message: error.message };
  return { line: 1, column: 1, message: error instanceof Error ? error.message : 'it cannot be rendered' };
}

function parseFault(error: unknown, tokens: Tokens): TemplateFault {
  const { lineno, colno, message } = error as {
    readonly lineno?: number;
    readonly colno?: number;
    readonly message?: string;
  };
  if (error instanceof RangeError) return { line: 1, column: 1, message: 'it is nested too deep' };
  // the parser falls over a missing token at the end of the file with a TypeError of its own
  if (error instanceof TypeError)
    return {
      line: tokens.lineno + 1,
      column: tokens.colno + 1,
      message: 'a tag or expression is not finished',
    };
  return {
    line: lineno ?? tokens.lineno + 1,
    column: colno ?? tokens.colno + 1,
    // the message repeats parts of the template, which may be as long as all of it
    message: (message ?? 'it cannot be read')
      .replace(/^parse\w+: |^advanceAfterBlockEnd: /, '')
      .slice(0, 200),
  };
}
