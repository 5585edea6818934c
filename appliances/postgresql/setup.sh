#!/bin/sh
# Prepares the initial data once, so that a first start copies them instead of making them.
set -eu

bin=/usr/lib/postgresql/15/bin
initial=/usr/lib/sheaf/postgresql/initial

# The package made a cluster with settings of its own; it is not used.
rm -rf /var/lib/postgresql/15 /etc/postgresql/15

install -d /usr/lib/sheaf/postgresql
install -d -o postgres -g postgres -m 0700 "$initial"
LC_ALL=C.UTF-8 setpriv --reuid=postgres --regid=postgres --clear-groups \
  "$bin/initdb" --pgdata="$initial" --encoding=UTF8 --locale=C.UTF-8 --auth=peer --no-sync --no-instructions

# Where the next transaction and object numbers go on: the init script needs it to write a new control file.
LC_ALL=C "$bin/pg_controldata" "$initial" | sed -n \
  -e "s/^Latest checkpoint's NextXID: *0:\([0-9]*\)$/--next-transaction-id=\1/p" \
  -e "s/^Latest checkpoint's NextOID: *\([0-9]*\)$/--next-oid=\1/p" \
  -e "s/^Latest checkpoint's oldestXID: *\([0-9]*\)$/--oldest-transaction-id=\1/p" \
  >/usr/lib/sheaf/postgresql/counters
test "$(wc -l </usr/lib/sheaf/postgresql/counters)" = 3

# These name the cluster and the time at which it was made. Each deployment gets its own, and the image stays the
# same however often it is built.
find "$initial/pg_wal" -type f -delete
rm -f "$initial/pg_stat/pgstat.stat" "$initial/global/pg_control"
rm -f "$initial"/postgresql.conf "$initial"/pg_hba.conf # each instance has its own in /etc

# The JIT compiler is most of the package's size and gains nothing in a small machine; jit is off in the configuration.
rm -rf /usr/lib/postgresql/15/lib/bitcode /usr/lib/postgresql/15/lib/llvmjit*.so /usr/lib/llvm-14
find /usr/lib -name 'libLLVM-14.so*' -delete -o -name 'libz3.so*' -delete

# Debian's wrappers around several clusters are Perl; the server itself needs none of it, and the data are C.UTF-8.
rm -rf /usr/lib/*/perl /usr/lib/*/libperl.so* /usr/share/perl /usr/share/i18n
