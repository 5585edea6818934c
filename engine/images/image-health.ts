import type { Digest } from '../digest.ts';
import type { Health } from '../model/blueprint.ts';
import { isObject, listOf, unreadable } from './json-blob.ts';

type Surroundings = Pick<Extract<Health['probe'], { kind: 'command' }>, 'environment' | 'user' | 'directory'>;

// what Docker takes where an image says nothing
const usualMs = 30_000;
const usualFailures = 3;
const longestMs = 3_600_000;
const shortestMs = 100;

/**
 * Reads the probe that an image brings (`HEALTHCHECK` of a Dockerfile); undefined where it has none or turns one off.
 *
 * The time that Docker gives a container to start is not needed: nothing is unhealthy here before it was healthy once.
 *
 * @param value - the member `Healthcheck` of an image's settings; times in nanoseconds, 0 for the usual one
 * @param surroundings - of the image's own program, which are also the probe's
 * @throws EngineError BLOB_CORRUPT
 * @source Docker image specification 1.2, "Healthcheck"
 */
export function imageHealth(value: unknown, surroundings: Surroundings, digest: Digest): Health | undefined {
  if (!isObject(value)) return undefined;
  const test = value['Test'] ?? [];
  const [kind, ...words] = listOf(test, digest).map((word) => {
    if (typeof word === 'string' && !word.includes('\0')) return word;
    throw unreadable(digest, 'has a probe that is no text');
  });
  const command = kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : kind === 'CMD' ? words : [];
  if (words.length === 0 || command.length === 0) return undefined;
  const { Interval, Timeout, Retries } = value;
  return {
    probe: { kind: 'command', command, ...surroundings },
    intervalMs: milliseconds(Interval),
    timeoutMs: milliseconds(Timeout),
    failures: Number.isSafeInteger(Retries) && Number(Retries) > 0 ? Number(Retries) : usualFailures,
  };
}

function milliseconds(nanoseconds: unknown): number {
  if (typeof nanoseconds !== 'number' || !(nanoseconds > 0)) return usualMs;
  return Math.min(Math.max(Math.round(nanoseconds / 1e6), shortestMs), longestMs);
}
