#!/usr/bin/env node
// Plain JavaScript on purpose: an older Node must be able to read this file to say that it is too old.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `sheaf needs Node 24 or newer; this is Node ${process.versions.node}.\n` +
      'hint: In the checkout run "npm ci" once, then "npx sheaf": it brings its own Node.\n',
  );
  process.exit(2);
}
await import('./sheaf.ts');
