#!/bin/sh
# Runs one thing in a Debian root, in namespaces of its own that the caller has made (mount, pid, ipc, uts, network).
#
#   in-root.sh ROOT install ARCHIVES ARGUMENT…   apt-get of this machine, with dpkg in the root
#   in-root.sh ROOT setup SCRIPT                 a script of an appliance, which is not trusted
#
# Nothing is undone at the end: all mounts go with the namespace, whatever ends it.
set -eu
umask 022
root=$1
verb=$2
shift 2

hostname localhost
# read-only, because root may otherwise write /proc/sys without any capability
mount -t proc -o ro,nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=0755,nosuid,noexec devices "$root/dev"
# the root of a user namespace may make no device, but show those that are there
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  name=${device%%:*} number=${device#*:}
  mknod -m 0666 "$root/dev/$name" c "${number%:*}" "${number#*:}" 2>/dev/null && continue
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=0755,nosuid,nodev run "$root/run"
mkdir -m 1777 "$root/run/lock"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"

case $verb in
install)
  mkdir -p "$root/var/cache/apt/archives"
  mount --bind "$1" "$root/var/cache/apt/archives"
  shift
  # policy-rc.d keeps packages from starting what they bring
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  exec apt-get -o "DPkg::Chroot-Directory=$root" -o "Dir::Cache::Archives=$root/var/cache/apt/archives" "$@"
  ;;
setup)
  cp "$1" "$root/tmp/setup"
  chmod 0700 "$root/tmp/setup"
  unset APT_CONFIG
  # The kernel refuses user namespaces in a chroot, and what is left of root's rights leads neither out of it nor to a
  # device; exec leaves no process behind whose /proc/PID/root would.
  exec chroot "$root" /usr/bin/setpriv --no-new-privs --inh-caps=-all \
    --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid \
    /bin/sh -c 'cd / && exec /tmp/setup'
  ;;
esac
