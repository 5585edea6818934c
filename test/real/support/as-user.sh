#!/bin/sh
# Runs a command as an ordinary user who exists for it alone, in mounts of its own: nothing of it stays on the machine.
#
#   as-user.sh FOLDER UID LENT COMMAND…
#
# FOLDER is made theirs; LENT is how many ids the system lends to them, and may be 0. With CHROOT=folder the command runs
# in a chroot that shows the machine, with CHROOT=mount in one that is a mount as well.
set -eu
if [ "${INSIDE:-}" = '' ]; then
  INSIDE=1 exec unshare --mount --propagation private sh "$0" "$@"
fi
folder=$1 uid=$2 lent=$3
shift 3
first=$((uid + 1000000))
mkdir -p "$folder/etc" "$folder/dev" "$folder/home" "$folder/run" "$folder/tmp"
chown -R "$uid:$uid" "$folder"
cp /etc/passwd "$folder/etc/passwd"
echo "tester:x:$uid:$uid::$folder/home:/bin/sh" >>"$folder/etc/passwd"
: >"$folder/etc/ids"
[ "$lent" -eq 0 ] || echo "tester:$first:$lent" >"$folder/etc/ids"
# systems that never lent ids have no such files
for name in subuid subgid; do [ -e "/etc/$name" ] || touch "/etc/$name"; done
mount --bind "$folder/etc/passwd" /etc/passwd
mount --bind "$folder/etc/ids" /etc/subuid
mount --bind "$folder/etc/ids" /etc/subgid
# open to everybody, as udev makes it
mount -t tmpfs devices "$folder/dev"
mknod -m 0666 "$folder/dev/tun" c 10 200
mount --bind "$folder/dev/tun" /dev/net/tun
export HOME="$folder/home" TMPDIR="$folder/tmp" XDG_RUNTIME_DIR="$folder/run" XDG_CONFIG_HOME="$folder/home/config"
unset XDG_DATA_HOME SHEAF_HOME SUDO_USER INSIDE
root="$folder/root"
mkdir -p "$root"
case "${CHROOT:-}" in
folder)
  for path in /*; do
    if [ -L "$path" ]; then
      cp -df "$path" "$root/"
    elif [ -d "$path" ]; then
      mkdir -p "$root$path"
      mount --rbind "$path" "$root$path"
    fi
  done
  ;;
mount) mount --rbind / "$root" ;;
*) root='' ;;
esac
exec ${root:+chroot "$root"} setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
