import { isIP } from 'node:net';

/** A name of the outer world and a port of it, or what is wrong with a text that should be both. */
export type ParsedOuterName =
  | { readonly name: string; readonly port: number }
  | { readonly message: string; readonly hint: string };

const example = 'Write NAME:PORT, such as api.example.com:443.';
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Reads `api.example.com:443`.
 *
 * A name has a dot, since names without are those of terminals, and is exact: it becomes an entry in the client's list
 * of hosts, which knows no patterns.
 */
export function parseOuterName(text: string): ParsedOuterName {
  const refuse = (why: string, hint = example) => ({ message: `"${shown(text)}" ${why}`, hint });
  if (/^[a-z]+:\/\//i.test(text)) return refuse('is a URL');
  const colon = text.lastIndexOf(':');
  if (isIP(text.replace(/^\[|\]$/g, '')) !== 0) return refuse('is an address', addressHint);
  if (colon < 0) return refuse('has no port');
  const name = text.slice(0, colon);
  const digits = text.slice(colon + 1);
  const port = /^[1-9][0-9]{0,4}$/.test(digits) ? Number(digits) : 0;
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0 || /^[0-9.]+$/.test(name))
    return refuse('is an address', addressHint);
  if (port < 1 || port > 65_535) return refuse('has no port from 1 to 65535 behind its colon');
  if (name.includes('*')) return refuse('is a pattern', 'List each name that is to be reached.');
  if (name !== name.toLowerCase()) return refuse('has capital letters', `Write ${text.toLowerCase()}.`);
  const labels = name.split('.');
  if (labels.length < 2) return refuse('has no domain', example);
  if (name.length > 253 || !labels.every((one) => label.test(one)))
    return refuse('is not a domain name', asciiHint);
  return { name, port };
}

const addressHint =
  'Egress goes by names: TLS and HTTP tell them. Give the service a name, such as api.example.com:443.';
const asciiHint =
  'Use letters, digits, hyphens and dots, without a dot at the end; write other letters in their xn-- form.';

function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
