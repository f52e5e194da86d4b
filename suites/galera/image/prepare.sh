# Runs in the installed tree: makes Debian's configuration and accounts look like the official image's.

# Debian reads conf.d first; the official image reads it last, so that what a user mounts there wins.
cat >/etc/mysql/mariadb.cnf <<'EOF'
[client-server]
socket = /run/mysqld/mysqld.sock

!includedir /etc/mysql/mariadb.conf.d/
!includedir /etc/mysql/conf.d/
EOF
ln -sf mariadb.cnf /etc/mysql/my.cnf

# Listen on all addresses, log to standard error, run as whoever starts it.
sed -i -E 's/^(bind-address|log_error|user|expire_logs_days)\b/#\1/' /etc/mysql/mariadb.conf.d/*.cnf
rm -f /etc/mysql/mariadb.conf.d/60-galera.cnf
sed -i 's/^syslog$//; s/^skip_log_error$//' /etc/mysql/mariadb.conf.d/50-mysqld_safe.cnf

# The package has made a database of its own; each container makes its own instead.
rm -rf /var/lib/mysql/* /var/lib/mysql-upgrade
usermod --home /var/lib/mysql mysql

# The 10.11 images still have the old names of the programs.
ln -sf mariadbd /usr/sbin/mysqld
