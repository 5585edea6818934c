import { isVersionRange } from '../formats/semver.ts';

/** The name and the range of versions in `NAME@RANGE`. */
export type ParsedUses = { readonly name: string; readonly range: string };

/** Splits `NAME@RANGE`; tells which half is not right when one is not. */
export function parseUses(text: string): ParsedUses | { readonly fault: 'name' | 'range' } {
  const at = text.indexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  const range = at < 0 ? '' : text.slice(at + 1).trim();
  // A name becomes a folder's name here, so nothing but a name may pass.
  if (!/^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$/.test(name)) return { fault: 'name' };
  return range !== '' && isVersionRange(range) ? { name, range } : { fault: 'range' };
}
