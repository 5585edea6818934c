import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ProblemCode } from '../problem-table.ts';
import { systemCode } from '../system-code.ts';

/** The text of a file, or why it cannot be had; the message continues a sentence that begins with the file's name. */
export type TextOutcome =
  | { readonly text: string }
  | { readonly code: ProblemCode; readonly message: string; readonly hint: string };

/**
 * Reads a regular file of UTF-8 text; a byte order mark is left out.
 *
 * Never waits for a pipe or reads a device, and reads no more than it may even when the file grows meanwhile.
 *
 * @param maxBytes - of the file
 */
export async function readText(file: string, maxBytes: number): Promise<TextOutcome> {
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const facts = await handle.stat();
    if (!facts.isFile()) {
      return { code: 'FILE_UNFIT', message: 'is not a regular file', hint: 'Name a text file.' };
    }
    if (facts.size > maxBytes) return tooLarge(maxBytes);
    const buffer = Buffer.alloc(facts.size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length === buffer.length) return tooLarge(maxBytes);
    }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length)) };
  } catch (error) {
    return refusalOf(error);
  }
}

function tooLarge(maxBytes: number): TextOutcome {
  const limit = maxBytes < 2 ** 20 ? `${maxBytes} bytes` : `${maxBytes / 2 ** 20} MiB`;
  return { code: 'TEXT_TOO_LARGE', message: `is larger than ${limit}`, hint: `Keep it below ${limit}.` };
}

function refusalOf(error: unknown): TextOutcome {
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { code: 'FILE_MISSING', message: 'does not exist', hint: 'Add the file or correct its name.' };
  }
  if (error instanceof TypeError) {
    return { code: 'TEXT_UNREADABLE', message: 'is not UTF-8 text', hint: 'Save it as UTF-8.' };
  }
  return {
    code: 'TEXT_UNREADABLE',
    message: `cannot be read (${code ?? 'unknown error'})`,
    hint: 'Look at its permissions.',
  };
}
