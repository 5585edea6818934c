import { EngineError } from '../../engine/errors.ts';
import { systemCode } from '../../engine/system-code.ts';
import type { AddressKind } from './address-kind.ts';
import { malformed, redirectRefused, unreachable } from './failures.ts';
import { type Http, type HttpAnswer, type HttpRequest, OutOfReachError } from './http.ts';
import { type Attempt, throwIfStopped } from './retry.ts';

/**
 * Sends a request; a failure of the network is worth another attempt, anything else is not.
 *
 * @throws EngineError REDIRECT_REFUSED for a host out of reach, REGISTRY_MALFORMED, OPERATION_INTERRUPTED
 */
export async function sendOnce(http: Http, host: string, request: HttpRequest): Promise<Attempt<HttpAnswer>> {
  try {
    return { value: await http.send(request) };
  } catch (cause) {
    throwIfStopped(request.signal);
    if (cause instanceof EngineError) throw cause;
    if (cause instanceof OutOfReachError) throw redirectRefused(host, cause.message);
    const code = systemCode(cause) ?? (cause instanceof Error ? cause.name : '');
    if (/HEADERS_OVERFLOW|^HPE_|^HTTPParserError$/.test(code))
      throw malformed(host, `its answer is no good HTTP (${code})`, cause);
    return { failure: unreachable(host, cause) };
  }
}

/** Where a registry may send us: to the public, or to a network of its own kind; never to where clouds keep a machine's secrets. */
export function reachFrom(kind: AddressKind): ReadonlySet<AddressKind> {
  return new Set(kind === 'link' ? ['public'] : ['public', kind]);
}
