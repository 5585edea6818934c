/** One thing that was looked at on this machine, and what was found. */
export type Diagnosis = {
  readonly area: 'machine' | 'programs' | 'state' | 'pool';
  /** What was looked at, such as `building images`; for pools the pool's name comes first: `local isolation`. */
  readonly name: string;
  /** `good`; `limited`: works with less, or not everything works; `failed`: what it is for does not work. */
  readonly state: 'good' | 'limited' | 'failed';
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
};
