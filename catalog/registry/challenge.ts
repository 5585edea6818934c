/** How a registry wants to be told who asks. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'bearer';
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    };

const parameter = /([a-z0-9_-]{1,32})=(?:"([^"\\]{0,2048})"|([^\s",]{1,2048}))/gi;

/**
 * Reads `WWW-Authenticate`, of which registries use two forms.
 *
 * @returns undefined when it is neither of them
 * @source RFC 9110 section 11.6.1; the distribution project's token authentication specification
 */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined || header.length > 8192) return undefined;
  const scheme = /^\s*([a-z]+)/i.exec(header)?.[1]?.toLowerCase();
  if (scheme === 'basic') return { scheme };
  if (scheme !== 'bearer') return undefined;
  const values = new Map<string, string>();
  for (const [, name = '', quoted, bare] of header.matchAll(parameter))
    if (!values.has(name.toLowerCase())) values.set(name.toLowerCase(), quoted ?? bare ?? '');
  const realm = values.get('realm');
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  return { scheme, realm, service: values.get('service'), scope: values.get('scope') };
}
