#!/bin/sh
# Sets everything up, then runs every check and test, those with real virtual machines included.
# The last line is "N passed, N failed". Needs no terminal.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
if ! sh scripts/setup.sh --tests </dev/null; then
  echo '0 passed, 1 failed'
  exit 1
fi
PATH="$root/node_modules/.bin:$PATH"
export PATH
exec node scripts/run-tests.ts </dev/null
