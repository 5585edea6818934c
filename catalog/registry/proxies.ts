import { EngineError } from '../../engine/errors.ts';

/** Proxies by the protocol of what is asked for; addresses may hold a name and a password. */
export type Proxies = {
  readonly http?: string;
  readonly https?: string;
  /** Hosts that are reached without one: names, which count for all below them too, separated by commas. */
  readonly except?: string;
};

/**
 * Reads the variables by which programs are told of proxies; small letters go first.
 *
 * @throws EngineError INPUT_REFUSED when one holds no address of a proxy; its text is not told, since it may hold a password
 * @source curl(1), "ENVIRONMENT"
 */
export function readProxies(environment: Readonly<Record<string, string | undefined>>): Proxies {
  const read = (name: string): string | undefined =>
    environment[name.toLowerCase()] || environment[name] || undefined;
  const proxyOf = (name: string): string | undefined => {
    const text = read(name);
    if (text === undefined) return undefined;
    const address = text.includes('://') ? text : `http://${text}`;
    if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return address;
    throw new EngineError('INPUT_REFUSED', `the variable ${name} holds no address of a proxy`, {
      hint: 'Write it as http://host:port, or unset it.',
    });
  };
  const [http, https, except] = [proxyOf('HTTP_PROXY'), proxyOf('HTTPS_PROXY'), read('NO_PROXY')];
  return {
    ...(http !== undefined && { http }),
    ...(https !== undefined && { https }),
    ...(except !== undefined && { except }),
  };
}
