import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { type AddressKind, addressKind } from './address-kind.ts';
import type { Proxies } from './proxies.ts';

/** Bytes to send: at hand, or made anew for every attempt. */
export type HttpBody = Uint8Array | { readonly size: number; open(): AsyncIterable<Uint8Array> };

/** One request, without anything that is done about its answer. */
export type HttpRequest = {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** Kinds of addresses to which the host's name may lead; all when absent. */
  readonly reach?: ReadonlySet<AddressKind>;
  readonly signal: AbortSignal;
};

/** What came back. The body must be read to its end, or dropped. */
export type HttpAnswer = {
  readonly status: number;
  /** Lower-case names; of a header that came more than once, the first. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of a body that nobody wants. */
  drop(): Promise<void>;
  /** Of the address that answered. */
  readonly kind: AddressKind;
};

/** Sends requests over kept connections and follows nothing by itself. Failures are whatever undici throws. */
export interface Http {
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** What {@link openHttp} can be told. */
export type HttpOptions = {
  /** PEM certificates of authorities that count beside the usual ones. */
  readonly authorities?: readonly string[];
  /** Milliseconds without a byte after which an answer is given up; 30,000 when absent. */
  readonly silenceMs?: number;
  /** Through whom hosts beyond this machine are reached; nobody when absent. Names are then looked up by the proxy. */
  readonly proxies?: Proxies;
};

const maxHeaderBytes = 32 * 1024;

/** Thrown inside of a connection when a name leads to an address out of the request's reach. */
export class OutOfReachError extends Error {
  override readonly name = 'OutOfReachError';
}

/** Opens a client for HTTP and HTTPS. */
export function openHttp(options: HttpOptions = {}): Http {
  const { authorities = [], silenceMs = 30_000, proxies = {} } = options;
  const agents = new Map<string, Dispatcher>();
  const kinds = new Map<string, AddressKind>();

  // connections are shared only among requests of equal reach, so that none is used by who may not open it
  const agentOf = (url: URL, reach: ReadonlySet<AddressKind> | undefined): Dispatcher => {
    const proxy = isHere(url) ? undefined : proxies[url.protocol === 'https:' ? 'https' : 'http'];
    const key = [proxy ?? '', reach === undefined ? 'all' : [...reach].sort().join()].join(' ');
    const known = agents.get(key);
    if (known) return known;
    const tls = authorities.length > 0 ? { ca: [...getCACertificates('default'), ...authorities] } : {};
    const settings = {
      connections: 16,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      maxHeaderSize: maxHeaderBytes,
      connect: { timeout: Math.min(10_000, silenceMs), lookup: guarded(reach, kinds), ...tls },
    };
    const agent =
      proxy === undefined
        ? new Agent(settings)
        : new EnvHttpProxyAgent({
            ...settings,
            httpProxy: proxy,
            httpsProxy: proxy,
            noProxy: proxies.except ?? '',
            requestTls: tls,
          });
    agents.set(key, agent);
    return agent;
  };

  return {
    send: async ({ method, url, headers, body, reach, signal }) => {
      const host = url.hostname.replace(/^\[|\]$/g, '');
      if (isIP(host) !== 0 && reach !== undefined && !reach.has(addressKind(host))) throw outOfReach(host);
      const answer = await request(url, {
        dispatcher: agentOf(url, reach),
        method,
        headers: { ...headers, ...lengthOf(body) },
        signal,
        ...(body !== undefined && { body: bodyOf(body) }),
      });
      return {
        status: answer.statusCode,
        headers: plainHeaders(answer.headers),
        body: answer.body,
        drop: async () => {
          // a body may be endless: a little is read, to keep the connection, and then it is cut
          await answer.body.dump({ limit: 16 * 1024, signal }).catch(() => undefined);
        },
        kind: isIP(host) === 0 ? (kinds.get(host) ?? 'public') : addressKind(host),
      };
    },
    close: async () => {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
}

/** Tells whether a host is this machine, which no proxy can reach for us. */
function isHere({ hostname }: URL): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/** Looks names up and notes where they led; a name's most internal address decides what it is. */
function guarded(
  reach: ReadonlySet<AddressKind> | undefined,
  kinds: Map<string, AddressKind>,
): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0);
      const internal = found.map(({ address }) => addressKind(address)).find((kind) => kind !== 'public');
      kinds.set(host, internal ?? 'public');
      const allowed = found.filter(({ address }) => reach === undefined || reach.has(addressKind(address)));
      const [first] = allowed;
      if (first === undefined) return callback(outOfReach(host), '', 0);
      if (options.all === true) return callback(null, [...allowed]);
      return callback(null, first.address, first.family);
    });
  };
}

function outOfReach(host: string): OutOfReachError {
  return new OutOfReachError(`${host} is an internal address`);
}

function lengthOf(body: HttpBody | undefined): Readonly<Record<string, string>> {
  if (body === undefined) return {};
  return { 'content-length': String(body instanceof Uint8Array ? body.byteLength : body.size) };
}

function bodyOf(body: HttpBody): Uint8Array | Readable {
  return body instanceof Uint8Array ? body : Readable.from(body.open(), { objectMode: false });
}

function plainHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}
