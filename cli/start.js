#!/usr/bin/env node
import module from 'node:module';
import { fileURLToPath } from 'node:url';

// Plain JavaScript on purpose: an older Node must be able to read this file to say that it is too old.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `sheaf needs Node 24 or newer; this is Node ${process.versions.node}.\n` +
      'hint: In the checkout run "npm ci" once, then "npx sheaf": it brings its own Node.\n',
  );
  process.exit(2);
}
// Without it Node loads a compiler for every run (50 MB, 0.1 s). Not in the folder that Node would take:
// in /tmp somebody else could have laid code there for us to run.
module.enableCompileCache(fileURLToPath(new URL('../.cache/compiled', import.meta.url)));
await import('./sheaf.ts');
