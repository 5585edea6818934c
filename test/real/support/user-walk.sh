#!/bin/sh
# What an ordinary user does with a deployment, and what befalls it: user-walk.sh HOME. The working folder is the checkout.
# Each act writes a line `== NAME CODE` and what it said; the next begins whatever the one before was.
export SHEAF_HOME="$1"
node=$(command -v node)
sheaf() { "$node" cli/start.js "$@"; }
act() {
  act=$1
  shift
  said=$("$@" 2>&1)
  printf '== %s %s\n%s\n' "$act" "$?" "$said"
}
knock() { sheaf exec pair "$1" -- /run/sheaf/bin/busybox nc -w 2 "$2" "$3"; }
holders() {
  for process in /proc/[0-9]*; do
    case $(tr '\0' ' ' 2>/dev/null <"$process/cmdline") in
    sheaf-????????????\ infinity\ ) echo "${process#/proc/}" ;;
    esac
  done
}

act up sheaf up test/fixtures/pair --as pair --json
act declared sh -c 'printf "GET / HTTP/1.0\r\n\r\n" | "$0" cli/start.js exec pair front.1 -- /run/sheaf/bin/busybox nc -w 5 out 80' "$node"
front=$(sheaf exec pair front.1 -- /run/sheaf/bin/busybox hostname -i)
act undeclared knock back.1 "$front" 80
act other-port knock front.1 out 81
sheaf exec pair back.1 -- /run/sheaf/bin/busybox sh -c 'echo kept >/data/kept; sync'
act killed kill -9 $(holders)
act bereft sheaf status pair --json
act heal sheaf repair pair --json
act healed sheaf status pair --json
act kept sheaf exec pair back.1 -- /run/sheaf/bin/busybox cat /data/kept
act down sheaf down pair --delete-data pair --json
act left find "$SHEAF_HOME/qemu/deployments" "$XDG_RUNTIME_DIR/sheaf" -mindepth 1
