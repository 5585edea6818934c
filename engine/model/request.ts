/** What somebody asks to be deployed. */
export type DeployRequest = {
  /** A folder with an `application.yaml`, or that file. */
  readonly source: string;
  /** The deployment's name: lower-case letters, digits and hyphens, at most 40. */
  readonly name: string;
  /** `local` when absent. */
  readonly pool?: string;
  /** Parameters as text, by name; the compiler reads them by the parameter's type. */
  readonly set: Readonly<Record<string, string>>;
  /** Where external terminals listen, by `appliance.terminal`. */
  readonly expose: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
};

/** What becomes of the data when a deployment goes. */
export type DataDecision = 'keep' | 'delete';

/** How a graph is written. */
export const graphFormats = ['text', 'mermaid', 'dot', 'json', 'svg'] as const;

/** One of {@link graphFormats}. */
export type GraphFormat = (typeof graphFormats)[number];
