import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../engine/units.ts';
import type { ValueFiles } from './read-values.ts';

/** Takes a folder; an empty text, such as an unset variable gives, is refused, not taken for the default. */
export function takeFolder(text: string): string {
  if (text === '') throw new InvalidArgumentError('Give a folder.');
  return text;
}

/** Takes an option that may be given many times: `--set a=1 --set b=2`. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** Takes `name=value`, many times; a name given twice is refused, for one of the two would be lost in silence. */
export function collectPair(
  text: string,
  earlier: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write it as name=value.');
  const name = text.slice(0, at);
  if (Object.hasOwn(earlier, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...earlier, [name]: text.slice(at + 1) };
}

/** Takes `name=path`, many times; a name given twice is refused. */
export function collectFile(text: string, earlier?: Readonly<Record<string, string>>): ValueFiles {
  if (!/^[^=]+=./.test(text))
    throw new InvalidArgumentError('Write it as name=path, or name=- for standard input.');
  return collectPair(text, earlier);
}

/** Where an external terminal shall listen, by `appliance.terminal`. */
export type Exposures = Readonly<Record<string, { readonly address: string; readonly port: number }>>;

/** Takes `appliance.terminal=address:port`, many times; an IPv6 address stands in brackets. */
export function collectExposure(text: string, earlier: Exposures = {}): Exposures {
  const match = /^([^=]+)=(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const [, terminal, address6, address4, portText] = match ?? [];
  const address = address6 ?? address4;
  const port = Number(portText);
  if (terminal === undefined || address === undefined || port < 1 || port > 65_535)
    throw new InvalidArgumentError(
      'Write it as appliance.terminal=address:port, such as edge.web=127.0.0.1:8080.',
    );
  if (Object.hasOwn(earlier, terminal)) throw new InvalidArgumentError(`${terminal} is given twice.`);
  return { ...earlier, [terminal]: { address, port } };
}

const secondMs = 1000;
const dayMs = 86_400_000;

/** Takes a time for which something is waited, in milliseconds: a second to a day. */
export function takeDuration(text: string): number {
  const duration = parseDuration(text);
  if ('message' in duration) throw new InvalidArgumentError(duration.hint);
  if (duration.value >= secondMs && duration.value <= dayMs) return duration.value;
  throw new InvalidArgumentError('Take at least 1s and at most 1d.');
}

/** Writes the example that ends a verb's help. */
export function example(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  $ sheaf ${line}`).join('\n')}`;
}

/** Adds what says which catalogs are asked, and whether signatures count. */
export function takeCatalogOptions(command: Command): Command {
  return command
    .option(
      '--catalog <place>',
      'a folder or oci://host/path that is asked instead of the usual ones; may be repeated',
      collect,
    )
    .option('--insecure', 'take what nobody trusted has signed, and say so');
}
