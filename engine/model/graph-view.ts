/** One appliance as a graph shows it. */
export type GraphNode = {
  /** `web`, nested `shop/web`. */
  readonly path: string;
  /** Name and version of the appliance. */
  readonly uses: string;
  readonly replicas: number;
  /** Names of its data volumes. */
  readonly volumes: readonly string[];
  /** Names of its content places that are filled. */
  readonly contents: readonly string[];
};

/** One wire as a graph shows it. */
export type GraphEdge = {
  readonly from: { readonly path: string; readonly terminal: string };
  readonly to: { readonly path: string; readonly terminal: string };
  readonly protocol: string;
  /** Absent when it comes from a property that has no value yet. */
  readonly port?: number;
  /** False when the start does not wait for it. */
  readonly isOrdered: boolean;
  /** What is reached through it in the outer world, `NAME:PORT`; absent when it stays inside. */
  readonly names?: readonly string[];
};

/** A terminal that leads out of the picture: a door to the world, or a place on an assembly's boundary. */
export type GraphDoor = {
  /** `external`, or what it is on the boundary. */
  readonly direction: 'external' | 'in' | 'out';
  /** How it is called outside: `edge.web` for an external, the boundary's name for the others. */
  readonly name: string;
  readonly path: string;
  readonly terminal: string;
  readonly protocol: string;
  readonly port?: number;
  /** Set on an external through which the world is reached. */
  readonly isExit?: true;
};

/** Tells whether traffic goes out at a door. */
export function goesOut({ direction, isExit }: Pick<GraphDoor, 'direction' | 'isExit'>): boolean {
  return direction === 'out' || isExit === true;
}

/** A graph made for looking at: flat, sorted by path and terminal. */
export type GraphView = {
  /** Name and version. */
  readonly title: string;
  readonly kind: 'application' | 'assembly' | 'appliance';
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly doors: readonly GraphDoor[];
};
