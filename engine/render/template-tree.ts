type At = {
  /** From 0, as nunjucks counts. */
  readonly lineno: number;
  readonly colno: number;
};

/** A part of the language that templates may not use. */
export type RefusedName =
  | 'AsyncAll'
  | 'AsyncEach'
  | 'Block'
  | 'CallExtension'
  | 'Caller'
  | 'Capture'
  | 'Dict'
  | 'Extends'
  | 'FromImport'
  | 'FunCall'
  | 'IfAsync'
  | 'Import'
  | 'Include'
  | 'Is'
  | 'KeywordArgs'
  | 'Macro'
  | 'Pow'
  | 'Switch';

/** A node of nunjucks' syntax tree, as its parser makes it. Trees come from {@link parseTemplate} alone. */
export type TemplateNode = At &
  (
    | {
        readonly typename: 'Root' | 'NodeList' | 'Output' | 'Group' | 'Array';
        readonly children: readonly TemplateNode[];
      }
    | { readonly typename: 'TemplateData' | 'Literal'; readonly value: unknown }
    | { readonly typename: 'Symbol'; readonly value: string }
    | { readonly typename: 'LookupVal'; readonly target: TemplateNode; readonly val: TemplateNode | null }
    | {
        readonly typename: 'If' | 'InlineIf';
        readonly cond: TemplateNode;
        readonly body: TemplateNode;
        readonly else_: TemplateNode | null;
      }
    | {
        readonly typename: 'For';
        readonly arr: TemplateNode;
        readonly name: TemplateNode;
        readonly body: TemplateNode;
        readonly else_: TemplateNode | null;
      }
    /** `value` is null in the form that ends in `endset`. */
    | {
        readonly typename: 'Set';
        readonly targets: readonly TemplateNode[];
        readonly value: TemplateNode | null;
      }
    /** The first child of `args` is what is filtered. */
    | {
        readonly typename: 'Filter';
        readonly name: TemplateNode;
        readonly args: { readonly children: readonly TemplateNode[] };
      }
    | {
        readonly typename:
          | 'Or'
          | 'And'
          | 'In'
          | 'Add'
          | 'Concat'
          | 'Sub'
          | 'Mul'
          | 'Div'
          | 'FloorDiv'
          | 'Mod';
        readonly left: TemplateNode;
        readonly right: TemplateNode;
      }
    | { readonly typename: 'Not' | 'Neg' | 'Pos'; readonly target: TemplateNode }
    | {
        readonly typename: 'Compare';
        readonly expr: TemplateNode;
        readonly ops: readonly { readonly expr: TemplateNode }[];
      }
    | { readonly typename: RefusedName }
  );
