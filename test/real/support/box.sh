#!/bin/sh
# box.sh FOLDER LAYERS [VOLUME MOUNT]…
#
# Becomes the supervisor of an instance in the namespaces that the caller has made. The root is LAYERS (as overlayfs
# takes them) below FOLDER/upper, FOLDER/run is its /run, and FOLDER/owners names owners of files.
set -eu
umask 022
folder=$1
layers=$2
shift 2
root=$folder/root

mount -t overlay -o "lowerdir=$layers,upperdir=$folder/upper,workdir=$folder/work" box "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=0755,nosuid,noexec devices "$root/dev"
mknod -m 0666 "$root/dev/null" c 1 3
mknod -m 0666 "$root/dev/zero" c 1 5
mknod -m 0666 "$root/dev/random" c 1 8
mknod -m 0666 "$root/dev/urandom" c 1 9
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
mount --bind "$folder/run" "$root/run"
while test $# -gt 0; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  shift 2
done
while read -r owner path; do chroot "$root" chown "$owner" "$path"; done <"$folder/owners"
hostname box
exec chroot "$root" /run/sheaf/bin/supervisor
