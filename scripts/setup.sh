#!/bin/sh
# Installs what a checkout needs and lacks: npm packages (Node 24 among them) and Debian packages.
# Usage: sh scripts/setup.sh [--tests]     with --tests also what only the tests need.
# Quiet and quick when nothing is missing; safe when several run at once.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
PATH="$root/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH
stamp=node_modules/.sheaf-setup

say() { echo "setup: $*" >&2; }

has_npm_packages() {
  [ -x node_modules/.bin/node ] || return 1
  # What a person's own "npm ci" or "npm install" brought is as good as ours.
  [ "$(cat "$stamp" 2>/dev/null)" = "$(cksum <package-lock.json)" ] ||
    [ node_modules/.package-lock.json -nt package-lock.json ] || return 1
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)'
}

install_npm_packages() {
  command -v npm >/dev/null || {
    say 'npm is not installed. Install Node.js 18 or newer with npm, then run this again.'
    exit 1
  }
  say 'installing the npm packages (npm ci)'
  npm ci --no-audit --no-fund --loglevel=error >&2
  # npm may hold back install scripts; the one of "node" fetches nothing, it links the program.
  [ -x node_modules/.bin/node ] || npm rebuild node --foreground-scripts >&2
  cksum <package-lock.json >"$stamp"
  has_npm_packages || {
    say 'the npm package "node" brought no Node 24. Delete node_modules and run this again.'
    exit 1
  }
}

install_debian_packages() {
  # shellcheck disable=SC2086 # a list of words
  set -- $1
  install="env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $*"
  if ! command -v apt-get >/dev/null; then
    say "these programs' Debian packages are missing, and this machine has no apt-get: $*"
    say 'Install what your system calls them, then run this again.'
    exit 1
  fi
  as_root=''
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
      as_root=sudo
    else
      say "Debian packages are missing. As root, run:"
      echo "apt-get update && apt-get install -y --no-install-recommends $*" >&2
      exit 1
    fi
  fi
  say "installing Debian packages: $*"
  case " $* " in
    # On a machine that did not have it, cloud-init must not take the next boot for a first one.
    *' cloud-init '*) $as_root sh -c 'mkdir -p /etc/cloud && touch /etc/cloud/cloud-init.disabled' ;;
  esac
  log="$root/.cache/setup.log"
  update="env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 update -q"
  if ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && $as_root $install >"$log" 2>&1 </dev/null; then
    return
  fi
  # The lists were absent, or too old to find a package.
  if $as_root $update >"$log" 2>&1 </dev/null && $as_root $install >>"$log" 2>&1 </dev/null; then
    return
  fi
  tail -n 15 "$log" >&2
  say 'the packages could not be installed; the lines above say why.'
  exit 1
}

mkdir -p .cache
if ! has_npm_packages; then
  exec 8>.cache/setup.lock
  flock 8
  has_npm_packages || install_npm_packages
  flock -u 8
fi
missing=$(node scripts/missing-packages.ts "$@")
if [ -n "$missing" ]; then
  exec 8>.cache/setup.lock
  flock 8
  missing=$(node scripts/missing-packages.ts "$@")
  [ -z "$missing" ] || install_debian_packages "$missing"
  missing=$(node scripts/missing-packages.ts "$@")
  [ -z "$missing" ] || { say "still missing after the installation: $missing"; exit 1; }
fi
