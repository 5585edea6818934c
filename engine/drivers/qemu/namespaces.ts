/** A deployment's private network that is there. */
export type Namespace = {
  /** The file that stands for it; two files with one inode are one network. */
  readonly path: string;
  /** The command that goes into it, in front of what shall run there with every right over the network. */
  readonly enter: readonly string[];
  /** The same, without any right, for what guests and strangers talk to; it may still have to change its user. */
  readonly enterBare: readonly string[];
};

/**
 * Who keeps the deployments' private networks on this machine, and as whom their processes run.
 *
 * This is all in which root differs from everybody else.
 */
export interface Namespaces {
  /** Finds a deployment's namespace; undefined when it is not there. */
  find(deployment: string): Promise<Namespace | undefined>;
  /** Makes a deployment's namespace when it is not there. */
  ensure(deployment: string, signal: AbortSignal): Promise<Namespace>;
  /** Removes a deployment's namespace with every device and rule in it. */
  remove(deployment: string, signal: AbortSignal): Promise<void>;
  /** Gives the user inside the namespace under which a process of an object goes on; undefined when there is none to spare. */
  userOf(deployment: string, key: string): number | undefined;
}
