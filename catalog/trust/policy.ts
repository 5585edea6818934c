import type { PublicKey } from './key.ts';

/** Which signatures count for what. Of the rules that fit, each one's keys count. */
export type TrustRule = {
  /** Names of appliances and applications; `*` stands for any letters. */
  readonly names: readonly string[];
  /** Catalogs, as they are written on the command line; `*` stands for any letters. What comes as a file is `file`. */
  readonly catalogs: readonly string[];
  readonly keys: readonly PublicKey[];
  /** What nobody signed is taken too. */
  readonly acceptsUnsigned: boolean;
};

/** Whom an operator trusts. */
export type TrustPolicy = {
  /** Whether anybody wrote one; who has not is warned of files that nobody vouches for, and not refused. */
  readonly isWritten: boolean;
  readonly rules: readonly TrustRule[];
  /** Ids of keys whose signatures never count, whenever they were made. */
  readonly revoked: ReadonlySet<string>;
};

/** The policy of who has not written one: no catalog of others is believed. */
export const closedPolicy: TrustPolicy = { isWritten: false, rules: [], revoked: new Set() };

/** What has a name and comes from somewhere. */
export type TrustSubject = {
  /** Undefined for the index of a catalog, for which the keys of all names count. */
  readonly name?: string;
  /** `oci://host/path`, a folder, or `file` for a bundle that was handed in. */
  readonly catalog: string;
};

/** Gives the keys that count for a subject, and whether it may come without a signature. */
export function trustFor(
  policy: TrustPolicy,
  { name, catalog }: TrustSubject,
): { readonly keys: readonly PublicKey[]; readonly acceptsUnsigned: boolean } {
  const fitting = policy.rules.filter(
    (rule) =>
      rule.catalogs.some((pattern) => fits(pattern, catalog)) &&
      (name === undefined || rule.names.some((pattern) => fits(pattern, name))),
  );
  return {
    keys: fitting.flatMap(({ keys }) => keys).filter(({ id }) => !policy.revoked.has(id)),
    acceptsUnsigned: fitting.some(({ acceptsUnsigned }) => acceptsUnsigned),
  };
}

/** Tells whether a text fits a pattern in which `*` stands for any letters. Linear in both. */
export function fits(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === text;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > text.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
