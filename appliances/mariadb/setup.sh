#!/bin/sh
set -eu

# Debian's package makes this user when it makes a server of its own, which is not used.
echo 'mysql:x:990:990:MariaDB:/nonexistent:/usr/sbin/nologin' >>/etc/passwd
echo 'mysql:x:990:' >>/etc/group
# The date of the last change is left out: it would be that of the build.
echo 'mysql:!:::::::' >>/etc/shadow
install -d /var/lib/mysql

# What nobody needs beside a server that is looked after from outside; each is five megabytes.
cd /usr/bin
rm -f innochecksum innotop mariadb-access mariadb-conv mariadb-convert-table-format mariadb-dumpslow mariadb-find-rows \
  mariadb-fix-extensions mariadb-hotcopy mariadb-plugin mariadb-report mariadb-secure-installation mariadb-setpermission \
  mariadb-show mariadb-slap mariadb-tzinfo-to-sql mariadb-waitpid msql2mysql mytop perror replace resolve_stack_dump \
  resolveip mariadb-install-db
find /usr/bin -xtype l -delete # the old names of those
find /usr/share/mysql -mindepth 1 -maxdepth 1 -type d ! -name english ! -name charsets -exec rm -r {} +
rm -f /usr/share/mysql/fill_help_tables.sql /usr/share/mysql/mysql_test_*

# The rest of Debian's tools is Perl.
rm -rf /usr/lib/*/perl /usr/lib/*/libperl.so* /usr/share/perl /usr/share/perl5
