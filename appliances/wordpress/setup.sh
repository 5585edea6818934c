#!/bin/sh
set -eu

# The first visitor of an empty database would be asked to take the site over; here only the deployment installs.
cd /usr/share/wordpress
rm -f wp-admin/install.php wp-admin/setup-config.php wp-config-sample.php readme.html .htaccess

# Debian's ways to configure it, which are not used.
rm -rf /usr/bin/wp-setup /etc/wordpress /etc/apparmor.d
install -d /etc/wordpress /var/tmp/wordpress

# Packages insist on a client program and its Perl; PHP speaks to the database itself.
rm -rf /usr/bin/mariadb* /usr/bin/mysql* /usr/bin/my_print_defaults /usr/bin/innotop /usr/bin/mytop /usr/bin/perror \
  /usr/bin/replace /usr/bin/resolve_stack_dump /usr/bin/msql2mysql
rm -rf /usr/lib/*/perl /usr/lib/*/libperl.so* /usr/share/perl /usr/share/perl5
