/** Gives the code with which a system call failed, such as `ENOENT`; undefined when an error carries none. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
