import { EngineError } from '../../engine/errors.ts';
import { malformed, tooLarge, unreachable } from './failures.ts';
import type { HttpAnswer } from './http.ts';

/** Of whom a body is, what it is called in messages, and how many bytes it may have. */
export type BodyLimits = { readonly host: string; readonly limit: number; readonly what: string };

/** Reads a small body whole. @throws EngineError ANSWER_TOO_LARGE, REGISTRY_UNREACHABLE when it breaks off */
export async function readBytes(answer: HttpAnswer, { host, limit, what }: BodyLimits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body) {
      size += chunk.byteLength;
      if (size > limit) throw tooLarge(host, what, limit);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof EngineError ? cause : unreachable(host, cause);
  }
  return Buffer.concat(chunks);
}

/** Reads a small body that must be a JSON object. @throws EngineError as {@link readBytes}, REGISTRY_MALFORMED */
export async function readJson(
  answer: HttpAnswer,
  limits: BodyLimits,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBytes(answer, limits);
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (cause) {
    throw malformed(limits.host, `its ${limits.what} is no JSON`, cause);
  }
  throw malformed(limits.host, `its ${limits.what} is no JSON object`);
}
