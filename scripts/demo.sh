#!/bin/sh
# Brings the guest book up as five virtual machines, writes an entry through its gateway and reads it back.
# Safe to run again, at once or later, and after a kill.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh scripts/setup.sh
PATH="$root/node_modules/.bin:$PATH"
export PATH

# The demo belongs to whoever runs it, in whose home the state lies; to root where an ordinary user lacks rights for it.
as_root=''
sheaf() {
  if [ -z "$as_root" ]; then
    node cli/start.js "$@"
  else
    sudo env "PATH=$PATH" npm_command=run-script node cli/start.js "$@"
  fi
}

# A second demo waits for the first. The machines must not inherit the lock, hence 8>&- below.
exec 8>.cache/demo.lock
flock 8

# The lock goes with a killed demo, but its "up" may still be at work: then the deployment is busy (6) for a while.
busy=6
lacks_rights=16
patience=120
while :; do
  if sheaf up applications/guestbook --as guestbook --yes 8>&-; then break; else status=$?; fi
  if [ "$status" -eq "$lacks_rights" ] && [ -z "$as_root" ] && [ "$(id -u)" -ne 0 ] && command -v sudo >/dev/null; then
    as_root=sudo
    continue
  fi
  if [ "$status" -ne "$busy" ] || [ "$patience" -eq 0 ]; then exit "$status"; fi
  patience=$((patience - 1))
  sleep 5
done

sheaf status guestbook --json 8>&- | node scripts/demo-visit.ts
