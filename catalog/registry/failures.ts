import { EngineError } from '../../engine/errors.ts';
import { systemCode } from '../../engine/system-code.ts';

/** Tells whether a status is worth another attempt. */
export function isPassing(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}

/** Makes the error for a registry that does not answer. Never quotes what it sent. */
export function unreachable(host: string, cause: unknown): EngineError {
  const code = systemCode(cause) ?? (cause instanceof Error ? cause.name : 'no answer');
  return new EngineError('REGISTRY_UNREACHABLE', `the registry ${host} does not answer (${code})`, {
    hint: 'Check its name and the network, then run the same command again: it goes on where it stopped.',
    details: { host },
    cause,
  });
}

/** Makes the error for an answer that the protocol does not know. */
export function malformed(host: string, what: string, cause?: unknown): EngineError {
  return new EngineError(
    'REGISTRY_MALFORMED',
    `the registry ${host} does not keep to the protocol: ${what}`,
    {
      hint: 'Is it a registry, and does nothing in between change what it says?',
      details: { host },
      cause,
    },
  );
}

/** Makes the error for a place where a registry must not send us. */
export function redirectRefused(host: string, why: string): EngineError {
  return new EngineError('REDIRECT_REFUSED', `the registry ${host} sends us where it must not: ${why}`, {
    details: { host },
  });
}

/** Makes the error for a body that has more bytes than it may. */
export function tooLarge(host: string, what: string, limit: number): EngineError {
  return new EngineError(
    'ANSWER_TOO_LARGE',
    `the registry ${host} sends a ${what} of more than ${limit} bytes`,
    {
      details: { host, limit },
    },
  );
}

/** Makes the error for a status that no caller expected. */
export function failureOfStatus(host: string, status: number): EngineError {
  const details = { host, status };
  if (status === 401 || status === 403)
    return new EngineError('REGISTRY_REFUSED', `the registry ${host} does not allow it (${status})`, {
      hint: `Log in with an account that may: docker login ${host}, or podman or skopeo login.`,
      details,
    });
  if (isPassing(status))
    return new EngineError('REGISTRY_UNREACHABLE', `the registry ${host} keeps failing (${status})`, {
      hint: 'Run the same command again later: it goes on where it stopped.',
      details,
    });
  return new EngineError(
    'REGISTRY_MALFORMED',
    `the registry ${host} answered ${status}, which was not expected`,
    {
      hint: 'Is it a registry, and does nothing in between change what it says?',
      details,
    },
  );
}
