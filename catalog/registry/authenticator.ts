import { EngineError } from '../../engine/errors.ts';
import type { AddressKind } from './address-kind.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import type { Credential, FindCredential } from './credentials.ts';
import { malformed, redirectRefused } from './failures.ts';
import type { Http, HttpAnswer, HttpRequest } from './http.ts';
import { readJson } from './read-body.ts';
import { type Attempt, type Patience, readRetryAfter, withRetries } from './retry.ts';
import { reachFrom, sendOnce } from './send-once.ts';

/** Knows what to send as `Authorization`. */
export interface Authenticator {
  header(scopes: readonly string[], signal: AbortSignal): Promise<string | undefined>;
  /** Does what a refusal (401) asks for. @returns false when there is nothing more to offer */
  learn(refusal: HttpAnswer, scopes: readonly string[], signal: AbortSignal): Promise<boolean>;
}

/** What {@link createAuthenticator} works with. */
export type AuthenticatorOptions = {
  readonly host: string;
  readonly http: Http;
  readonly findCredential: FindCredential;
  readonly patience: Patience;
};

type Token = { readonly text: string; readonly expires: number };
type TokenServer = Extract<Challenge, { scheme: 'bearer' }> & { readonly reach: ReadonlySet<AddressKind> };

const tokenBytes = 256 * 1024;
// the specification's default; and a little less than promised, for clocks and slow networks
const usualSeconds = 60;
const marginMs = 5_000;

/**
 * Makes what proves to one registry who asks: nothing, a password, or a token from its token server.
 *
 * @param isPlain - the registry is asked without encryption, so its token server may be too
 * @source the distribution project's token authentication specification
 */
export function createAuthenticator(options: AuthenticatorOptions, isPlain: boolean): Authenticator {
  const { host, patience, findCredential } = options;
  const tokens = new Map<string, Token>();
  const servers = new Map<string, TokenServer>();
  let isBasic = false;
  const keyOf = (scopes: readonly string[]): string => [...scopes].sort().join(' ');

  const renew = async (
    server: TokenServer,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<string> => {
    const credential = await findCredential(host, signal);
    const token = await fetchToken(tokenRequest(server, scopes, credential, signal), options);
    tokens.set(keyOf(scopes), token);
    return token.text;
  };

  return {
    header: async (scopes, signal) => {
      if (isBasic) return basic(await findCredential(host, signal));
      const key = keyOf(scopes);
      const token = tokens.get(key);
      if (token !== undefined && token.expires > patience.now()) return `Bearer ${token.text}`;
      const server = servers.get(key);
      return server && `Bearer ${await renew(server, scopes, signal)}`;
    },
    learn: async ({ headers, kind }, scopes, signal) => {
      const challenge = parseChallenge(headers['www-authenticate']);
      if (challenge === undefined) return false;
      if (challenge.scheme === 'basic') {
        if (isBasic) return false;
        isBasic = (await findCredential(host, signal))?.kind === 'password';
        return isBasic;
      }
      const { protocol } = new URL(challenge.realm);
      if (protocol !== 'https:' && !(protocol === 'http:' && isPlain))
        throw redirectRefused(host, `its token server is asked by ${protocol.slice(0, 20)}`);
      const server = { ...challenge, reach: reachFrom(kind) };
      await renew(server, scopes, signal);
      servers.set(keyOf(scopes), server);
      return true;
    },
  };
}

function basic(credential: Credential | undefined): string | undefined {
  if (credential?.kind !== 'password') return undefined;
  return `Basic ${Buffer.from(`${credential.user}:${credential.password}`).toString('base64')}`;
}

function tokenRequest(
  { realm, service, scope, reach }: TokenServer,
  scopes: readonly string[],
  credential: Credential | undefined,
  signal: AbortSignal,
): HttpRequest {
  // what the call needs; what the registry asks for only where the call itself names nothing
  const wanted = scopes.length > 0 ? scopes : scope === undefined ? [] : [scope];
  const url = new URL(realm);
  if (credential?.kind === 'token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'sheaf',
      scope: wanted.join(' '),
      refresh_token: credential.token,
      ...(service !== undefined && { service }),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url, headers, body: Buffer.from(form.toString()), reach, signal };
  }
  if (service !== undefined) url.searchParams.append('service', service);
  for (const each of wanted) url.searchParams.append('scope', each);
  const authorization = basic(credential);
  const headers = authorization === undefined ? {} : { authorization };
  return { method: 'GET', url, headers, reach, signal };
}

async function fetchToken(
  request: HttpRequest,
  { host, http, patience }: AuthenticatorOptions,
): Promise<Token> {
  const attempt = async (): Promise<Attempt<HttpAnswer>> => {
    const outcome = await sendOnce(http, host, request);
    return 'failure' in outcome || outcome.value.status === 200
      ? outcome
      : await refusedBy(outcome.value, host, patience.now());
  };
  const answer = await withRetries(attempt, patience, request.signal);
  const { token, access_token, expires_in } = await readJson(answer, {
    host,
    limit: tokenBytes,
    what: 'token',
  });
  const text = typeof token === 'string' && token !== '' ? token : access_token;
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text))
    throw malformed(host, 'its token server gives no token');
  const isTimed = typeof expires_in === 'number' && expires_in > 0;
  const seconds = isTimed ? Math.min(expires_in, 86_400) : usualSeconds;
  return { text, expires: patience.now() + seconds * 1000 - marginMs };
}

async function refusedBy(answer: HttpAnswer, host: string, now: number): Promise<Attempt<never>> {
  await answer.drop();
  const { status, headers } = answer;
  const details = { host, status };
  if (status !== 429 && status < 500)
    throw new EngineError('REGISTRY_REFUSED', `the token server of ${host} refuses (${status})`, {
      hint: `Log in again: docker login ${host}, or podman or skopeo login.`,
      details,
    });
  const retryAfterMs = readRetryAfter(headers['retry-after'], now);
  const failure = new EngineError(
    'REGISTRY_UNREACHABLE',
    `the token server of ${host} keeps failing (${status})`,
    {
      hint: 'Run the same command again later.',
      details,
    },
  );
  return { failure, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}
