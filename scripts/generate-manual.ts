import { writeFile } from 'node:fs/promises';
import { manualOf } from '../cli/manual.ts';
import { createProgram } from '../cli/program.ts';

/** Gives the text of docs/sheaf.1. */
export function manualPage(): string {
  return manualOf(createProgram(async () => undefined));
}

if (import.meta.main) await writeFile(new URL('../docs/sheaf.1', import.meta.url), manualPage());
