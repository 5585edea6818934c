import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Draws the picture of the README, `docs/guestbook.svg`, as `sheaf graph` does. */
export function guestbookPicture(): string {
  const args = ['cli/start.js', 'graph', 'applications/guestbook', '--format', 'svg'];
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).stdout;
}

if (import.meta.main) writeFileSync(new URL('../docs/guestbook.svg', import.meta.url), guestbookPicture());
