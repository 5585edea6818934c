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
mount -t tmpfs -o mode=0755,nosuid,noexec,size=256m devices "$root/dev"
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
mount -t tmpfs -o mode=0755,nosuid,nodev,size=256m run "$root/run"
mkdir -m 1777 "$root/run/lock"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=2g tmp "$root/tmp"

# Joins the control group of all set-up scripts, which holds them to a share of this machine; where there is none, it goes on.
share() {
  { mkdir -p "$1/sheaf/builds" && echo "$3" >"$1/sheaf/builds/$2" && echo 0 >"$1/sheaf/builds/cgroup.procs"; } 2>/dev/null || true
}

limit() {
  processes=1024
  memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 512)) # half of it, in bytes
  groups=/sys/fs/cgroup
  if [ -e "$groups/cgroup.controllers" ]; then
    mkdir -p "$groups/sheaf" 2>/dev/null || true
    for folder in "$groups" "$groups/sheaf"; do
      { echo '+pids +memory' >"$folder/cgroup.subtree_control"; } 2>/dev/null || true
    done
    share "$groups" pids.max "$processes"
    share "$groups" memory.max "$memory"
  else
    share "$groups/pids" pids.max "$processes"
    share "$groups/memory" memory.limit_in_bytes "$memory"
  fi
  # the processes of a user who is not root count together with all that run as this user
  for each in core=0 fsize=17179869184 nproc=8192; do
    prlimit --pid $$ "--$each" 2>/dev/null || true # it may be lower already
  done
}

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
  limit
  # The kernel refuses user namespaces in a chroot, and what is left of root's rights leads neither out of it nor to a
  # device; exec leaves no process behind whose /proc/PID/root would.
  exec chroot "$root" /usr/bin/setpriv --no-new-privs --inh-caps=-all \
    --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid \
    /bin/sh -c 'cd / && exec /tmp/setup'
  ;;
esac
