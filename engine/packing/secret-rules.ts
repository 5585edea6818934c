/** One shape of secret. */
export type SecretRule = {
  /** As `.sheafallow` names it. */
  readonly name: string;
  /** Global; matches are short, so that a file can be searched piece by piece. */
  readonly pattern: RegExp;
  /** Judges what the pattern's first group caught; without it every match counts. */
  readonly isSecret?: (caught: string) => boolean;
};

/** How far a match may reach, in characters. */
export const longestMatch = 1024;

/**
 * The shapes that are looked for: those that their makers gave a mark of their own, private keys, and assignments whose
 * value looks random. Each is narrow, since a scanner that cries wolf is switched off.
 *
 * @source the token formats that GitHub, GitLab, Slack, Stripe, AWS and others publish for secret scanning
 */
export const secretRules: readonly SecretRule[] = [
  {
    name: 'private-key',
    pattern: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[^-]{0,300}?[A-Za-z0-9+/]{40}/g,
  },
  { name: 'private-key', pattern: /\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b/g },
  {
    name: 'aws-key',
    pattern: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
    isSecret: (text) => !text.includes('EXAMPLE'),
  },
  { name: 'github-token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,90})\b/g },
  { name: 'gitlab-token', pattern: /\bglpat-[\w-]{20,64}\b/g },
  { name: 'slack-token', pattern: /\bxox[abeprs]-[0-9A-Za-z-]{20,120}/g },
  { name: 'stripe-key', pattern: /\b[rs]k_live_[0-9A-Za-z]{20,120}\b/g },
  { name: 'google-key', pattern: /\bAIza[\w-]{35}\b/g },
  { name: 'package-token', pattern: /\b(?:npm_[A-Za-z0-9]{36}|pypi-AgEI[\w-]{50,200})/g },
  { name: 'package-token', pattern: /\/\/[^\s:]{1,200}\/:_(?:authToken|password)\s*=\s*[^\s$]{8,200}/g },
  { name: 'cloud-token', pattern: /\b(?:dop_v1_[a-f0-9]{64}|dckr_pat_[\w-]{20,64})\b/g },
  { name: 'mail-token', pattern: /\bSG\.[\w-]{22}\.[\w-]{43}\b/g },
  { name: 'model-token', pattern: /\bsk-(?:ant-|proj-)[\w-]{32,200}/g },
  {
    name: 'password-in-url',
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/'"<>]{1,100}:([^\s:@/'"<>]{8,200})@[a-z0-9.-]+/gi,
    isSecret: looksRandom,
  },
  {
    name: 'assignment',
    pattern:
      /(?:password|passwd|secret|token|api_?key|access_?key|private_?key)["']?\s{0,8}(?:[:=]|=>|:=)\s{0,8}["']([^"'\s$<>{}%]{16,200})["']/gi,
    isSecret: looksRandom,
  },
];

/** File names that only secrets have; the extension of an example takes it back. */
const secretNames =
  /^(?:\.env(?:\.[\w-]+)*|\.netrc|\.pgpass|id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:p12|pfx|jks|kdbx|keystore))$/i;
const exampleNames = /\.(?:example|sample|template|dist|defaults?)$/i;

/** Tells whether a file's name alone says that it holds secrets. */
export function isSecretName(name: string): boolean {
  return secretNames.test(name) && !exampleNames.test(name);
}

/** Tells a random text from words: letters and digits, and at least 3.5 bits of entropy a character. */
function looksRandom(text: string): boolean {
  if (!/[0-9]/.test(text) || !/[A-Za-z]/.test(text)) return false;
  const counts = new Map<string, number>();
  for (const sign of text) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  const bits = [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0,
  );
  return bits >= 3.5;
}
