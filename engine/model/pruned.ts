/** Which things that only save time go. */
export type PruneLimits = {
  /** What nothing names goes when it was not used since; in milliseconds since 1970. */
  readonly unnamedSince: number;
  /** What is named, and needed by no deployment, goes when it was not used since; never when absent. */
  readonly unusedSince?: number;
  /** Whether things are counted and left. */
  readonly isTrial: boolean;
};

/** What went, or would go. */
export type Pruned = { readonly count: number; readonly bytes: number };
