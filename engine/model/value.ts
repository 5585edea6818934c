/** A settled value of a property or parameter; sizes are bytes, durations milliseconds. */
export type PlainValue = string | number | boolean | readonly string[];

/**
 * Stands for a secret wherever data may be stored or shown; the name is unique in its deployment.
 *
 * A desired state also carries the version when it is not the first, so that a changed secret changes the state.
 */
export type SecretRef = { readonly secret: string; readonly version?: number };

/** What a property of a blueprint's appliance holds, and where it came from. */
export type Setting = {
  readonly value: PlainValue | SecretRef;
  /** For people: `default`, `application`, `parameter title`, `generated` … */
  readonly origin: string;
};

/** Tells a reference to a secret from a plain value. */
export function isSecretRef(value: PlainValue | SecretRef): value is SecretRef {
  return typeof value === 'object' && !Array.isArray(value) && 'secret' in value;
}
