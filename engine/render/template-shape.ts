/**
 * What is known of a value before anything is rendered.
 *
 * `value`: a text, number or truth value; `unknown`: that or a list. `members`: a group whose names are all known;
 * `each`: a group of any names, all of one shape; `list`: of items of one shape.
 */
export type Shape =
  | 'value'
  | 'unknown'
  | { readonly members: Readonly<Record<string, Shape>> }
  | { readonly each: Shape }
  | { readonly list: Shape };

/** The names that an appliance declares; where a list is absent, any name is taken. */
export type DeclaredNames = {
  readonly properties?: readonly string[];
  readonly terminals?: readonly string[];
  readonly volumes?: readonly string[];
};

/** The variable that exists inside a loop. */
export const loopShape: Shape = group('index', 'index0', 'revindex', 'revindex0', 'first', 'last', 'length');

/** Gives the shapes of everything that a template may name: those of `RenderScope`, and `resources`. */
export function scopeShapes(declared: DeclaredNames): Readonly<Record<string, Shape>> {
  return {
    application: group('name', 'version'),
    deployment: group('name'),
    instance: group('name', 'number', 'appliance', 'hostname', 'address'),
    resources: group('cpuMillicores', 'memoryBytes'),
    properties: groupOf(declared.properties, 'unknown'),
    terminals: groupOf(declared.terminals, {
      members: {
        direction: 'value',
        protocol: 'value',
        transport: 'value',
        port: 'value',
        peers: { list: group('name', 'address', 'port') },
        names: { list: group('name', 'port', 'peer', 'address') },
        ports: { list: 'value' },
      },
    }),
    volumes: groupOf(declared.volumes, group('mount', 'sizeBytes')),
    // external terminals of the whole application, which an appliance cannot know
    endpoint: { each: group('address', 'port', 'url') },
  };
}

function group(...names: readonly string[]): Shape {
  return { members: Object.fromEntries(names.map((name) => [name, 'value'])) };
}

function groupOf(names: readonly string[] | undefined, shape: Shape): Shape {
  return names === undefined
    ? { each: shape }
    : { members: Object.fromEntries(names.map((name) => [name, shape])) };
}
