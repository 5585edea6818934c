import type { GraphNode } from '../model/graph-view.ts';

/** Appliances and assemblies directly inside one assembly; the path of the outermost is empty. */
export type NestedGroup = {
  readonly path: string;
  readonly nodes: readonly GraphNode[];
  readonly groups: readonly NestedGroup[];
};

type OpenGroup = { readonly path: string; readonly nodes: GraphNode[]; readonly groups: OpenGroup[] };

/** Puts appliances back into the assemblies that their paths name. */
export function nestingOf(nodes: readonly GraphNode[]): NestedGroup {
  const root: OpenGroup = { path: '', nodes: [], groups: [] };
  const groups = new Map<string, OpenGroup>([['', root]]);
  const open = (path: string): OpenGroup => {
    const known = groups.get(path);
    if (known !== undefined) return known;
    const group: OpenGroup = { path, nodes: [], groups: [] };
    groups.set(path, group);
    open(path.slice(0, Math.max(0, path.lastIndexOf('/')))).groups.push(group);
    return group;
  };
  for (const node of nodes)
    open(node.path.slice(0, Math.max(0, node.path.lastIndexOf('/')))).nodes.push(node);
  return root;
}
