import { EngineError, type ErrorCode } from '../../engine/errors.ts';

/** The codes with which a bundle is refused. */
export type BundleCode = Extract<ErrorCode, `BUNDLE_${string}`>;

const hints: Readonly<Record<BundleCode, string>> = {
  BUNDLE_UNREADABLE: 'Name a file that sheaf pack wrote.',
  BUNDLE_TRUNCATED: 'Copy or download it again.',
  BUNDLE_PATH_UNSAFE: 'Do not trust where it comes from.',
  BUNDLE_ENTRY_REFUSED: 'Have it packed again by sheaf pack; nothing of it was unpacked.',
  BUNDLE_ENTRY_DUPLICATE: 'Do not trust where it comes from.',
  BUNDLE_ENTRY_UNLISTED: 'Have it packed again by sheaf pack; nothing of it was unpacked.',
  BUNDLE_TOO_LARGE: 'Have it packed with fewer or smaller parts.',
  BUNDLE_SIZE_WRONG: 'Copy or download it again.',
  BUNDLE_DIGEST_WRONG: 'Copy or download it again; if it stays so, do not trust where it comes from.',
  BUNDLE_TYPE_UNKNOWN: 'Use a newer Sheaf.',
  BUNDLE_INCOMPLETE: 'Use the thick bundle, or bring the base up first.',
  BUNDLE_CONTRADICTORY: 'Have it packed again; if it comes from somebody else, do not trust it.',
};

/**
 * Makes the error that refuses a bundle.
 *
 * @param what - after "the bundle", such as `holds the link x`; names in it are quoted as JSON
 */
export function refusal(
  code: BundleCode,
  what: string,
  options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
): EngineError {
  return new EngineError(code, `the bundle ${what}`, { hint: hints[code], ...options });
}
