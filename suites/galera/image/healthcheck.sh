#!/bin/bash
# Answers the checks of the official image's healthcheck.sh: exit 0 when all that are named hold, 1 otherwise.
# usage: healthcheck.sh [--su-mysql | --su=USER] [--datadir=D] [--defaults-file=F] [--no-defaults] CHECK...
set -eo pipefail

datadir=/var/lib/mysql
defaults=()
connected=

query() {
  mariadb "${defaults[@]}" --protocol=socket --batch --skip-column-names --skip-ssl -e "$1" 2>/dev/null
}

server_status() { query "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '$1'"; }

connect() {
  # A temporary server of the entrypoint has no port: only a server that accepts TCP connections counts.
  local port
  port=$(query 'SELECT @@skip_networking OR @@port = 0') || return 1
  [[ $port == 0 ]] && connected=1
}

innodb_initialized() {
  [[ $(query "SELECT 1 FROM information_schema.ENGINES WHERE engine = 'innodb' AND support IN ('YES', 'DEFAULT', 'ENABLED')") == 1 ]]
}

innodb_buffer_pool_loaded() { [[ $(server_status Innodb_buffer_pool_load_status) == *'load completed at'* ]]; }
galera_online() { [[ $(server_status WSREP_LOCAL_STATE) == 4 ]]; }
galera_ready() { [[ $(server_status WSREP_READY) == ON ]]; }
mariadbupgrade() { [[ -f $datadir/mariadb_upgrade_info || -f $datadir/mysql_upgrade_info ]]; }

replica_field() { mariadb "${defaults[@]}" --protocol=socket -e 'SHOW REPLICA STATUS\G' 2>/dev/null | sed -n "s/^ *$1: //p"; }
replication_io() { [[ $(replica_field Slave_IO_Running) == Yes ]]; }
replication_sql() { [[ $(replica_field Slave_SQL_Running) == Yes ]]; }
replication() { replication_io && replication_sql; }
replication_seconds_behind_master() {
  local behind
  behind=$(replica_field Seconds_Behind_Master)
  [[ $behind =~ ^[0-9]+$ && $behind -le $1 ]]
}

become() { exec setpriv --reuid="$1" --regid="$1" --init-groups -- "$0" "${@:2}"; }

usage() {
  sed -n '3s/^# //p' "$0" >&2
  exit 1
}

[[ $# -gt 0 ]] || usage
if [[ -z ${MARIADB_NO_DEFAULTS:-} && -f $datadir/.my-healthcheck.cnf ]]; then
  defaults=(--defaults-extra-file="$datadir/.my-healthcheck.cnf")
fi
arguments=("$@")
for ((index = 0; index < ${#arguments[@]}; index++)); do
  argument=${arguments[index]}
  case $argument in
  --su-mysql | --su=*)
    user=${argument#--su}
    user=${user#[-=]}
    become "$user" "${arguments[@]:0:index}" "${arguments[@]:index+1}"
    ;;
  --datadir=*) datadir=${argument#*=} ;;
  --defaults-file=* | --defaults-extra-file=*) defaults=("$argument") ;;
  --no-defaults) defaults=(--no-defaults) ;;
  --replication_seconds_behind_master=*) replication_seconds_behind_master "${argument#*=}" || exit 1 ;;
  --connect | --innodb_initialized | --innodb_buffer_pool_loaded | --galera_online | --galera_ready | --mariadbupgrade | \
    --replication | --replication_io | --replication_sql)
    "${argument#--}" || { echo "healthcheck ${argument#--} failed" >&2 && exit 1; }
    ;;
  *)
    echo "unknown argument $argument" >&2
    usage
    ;;
  esac
done
# As in the original: a check of what the server says implies that one can connect to it.
[[ -n $connected ]] || case " $* " in *--mariadbupgrade\ *) ;; *) connect ;; esac
