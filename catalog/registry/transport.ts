import type { AddressKind } from './address-kind.ts';
import { createAuthenticator } from './authenticator.ts';
import type { FindCredential } from './credentials.ts';
import { failureOfStatus, isPassing, redirectRefused } from './failures.ts';
import type { Http, HttpAnswer, HttpRequest } from './http.ts';
import { type Attempt, type Patience, readRetryAfter, withRetries } from './retry.ts';
import { reachFrom, sendOnce } from './send-once.ts';

/** One question to a registry. */
export type Call = Omit<HttpRequest, 'url' | 'reach' | 'headers'> & {
  /** Below the registry's root, `/v2/…`, or a place that the registry gave. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the call needs, such as `repository:acme/shop:pull`. */
  readonly scopes: readonly string[];
  /** Statuses that are answers; every other one is a failure. */
  readonly expect: readonly number[];
  /** 1 for a call that its caller tries again by itself. */
  readonly attempts?: number;
};

/** Asks one registry: tells it who asks, tries again, and follows where it may send us. */
export interface Transport {
  readonly host: string;
  /** @throws EngineError REGISTRY_UNREACHABLE, REGISTRY_REFUSED, REGISTRY_MALFORMED, REDIRECT_REFUSED, OPERATION_INTERRUPTED */
  call(call: Call): Promise<HttpAnswer>;
  /** Makes the absolute address of something on this registry. */
  url(target: string | URL): URL;
}

/** What {@link openTransport} works with. */
export type TransportOptions = {
  readonly host: string;
  readonly http: Http;
  readonly findCredential: FindCredential;
  readonly patience: Patience;
  /** Without encryption even beyond this machine; a registry on this machine's loopback is always asked so. */
  readonly isPlain?: boolean;
};

const maxRedirects = 5;

/** Opens the way to one registry. Nothing is sent before it is needed. */
export function openTransport(options: TransportOptions): Transport {
  const { host, http, patience } = options;
  const isPlain = options.isPlain === true || isLoopback(host);
  const { origin } = new URL(`${isPlain ? 'http' : 'https'}://${host}`);
  const authenticator = createAuthenticator(options, isPlain);
  const url = (target: string | URL): URL => new URL(target, origin);

  const attempt = async (call: Call): Promise<Attempt<HttpAnswer>> => {
    for (let round = 0; ; round += 1) {
      const answer = await follow(call, await authenticator.header(call.scopes, call.signal));
      if ('failure' in answer) return answer;
      const { status, headers } = answer.value;
      if (call.expect.includes(status)) return answer;
      if (status === 401 && round === 0) {
        await answer.value.drop();
        if (await authenticator.learn(answer.value, call.scopes, call.signal)) continue;
      }
      await answer.value.drop();
      const failure = failureOfStatus(host, status);
      if (!isPassing(status)) throw failure;
      const retryAfterMs = readRetryAfter(headers['retry-after'], patience.now());
      return { failure, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    }
  };

  const follow = async (call: Call, authorization: string | undefined): Promise<Attempt<HttpAnswer>> => {
    const start = url(call.target);
    let at = start;
    let reach: ReadonlySet<AddressKind> | undefined;
    if (at.origin !== origin) throw redirectRefused(host, 'to another registry');
    for (let redirects = 0; ; redirects += 1) {
      const isOwn = at.origin === start.origin;
      const answer = await sendOnce(http, host, {
        ...call,
        url: at,
        ...(!isOwn && reach && { reach }),
        headers: { ...call.headers, ...(isOwn && authorization !== undefined && { authorization }) },
      });
      if ('failure' in answer) return answer;
      const { status, headers, kind } = answer.value;
      if (![301, 302, 303, 307, 308].includes(status)) return answer;
      await answer.value.drop();
      if (call.method !== 'GET' && call.method !== 'HEAD')
        throw redirectRefused(host, 'only downloads may be sent on');
      if (redirects >= maxRedirects) throw redirectRefused(host, 'it sends us on and on');
      if (isOwn) reach = reachFrom(kind);
      at = redirectTarget(host, headers['location'], at, isPlain);
    }
  };

  return {
    host,
    url,
    call: async (call) => {
      const limited = {
        ...patience,
        attempts: Math.min(patience.attempts, call.attempts ?? patience.attempts),
      };
      return await withRetries(() => attempt(call), limited, call.signal);
    },
  };
}

/** Tells whether a host, with or without a port, is this machine's loopback. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);
}

function redirectTarget(host: string, location: string | undefined, from: URL, isPlain: boolean): URL {
  if (location === undefined || location.length > 8192 || !URL.canParse(location, from.href))
    throw redirectRefused(host, 'it does not say where to');
  const target = new URL(location, from);
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && isPlain))
    throw redirectRefused(host, `${target.protocol.slice(0, 20)} is not trusted`);
  if (target.username !== '' || target.password !== '')
    throw redirectRefused(host, 'the address holds a password');
  return target;
}
