#!/bin/bash
# Entrypoint of the stand-in: initialises an empty data folder, then becomes the server as user mysql.
# Written from the documented behaviour of the official image; README.md lists it.
set -eo pipefail
shopt -s nullglob

SETTINGS=(
  ROOT_PASSWORD ROOT_PASSWORD_HASH ALLOW_EMPTY_ROOT_PASSWORD RANDOM_ROOT_PASSWORD ROOT_HOST DATABASE USER PASSWORD
  PASSWORD_HASH INITDB_SKIP_TZINFO AUTO_UPGRADE DISABLE_UPGRADE_BACKUP MYSQL_LOCALHOST_USER MYSQL_LOCALHOST_GRANTS
  HEALTHCHECK_GRANTS REPLICATION_USER REPLICATION_PASSWORD REPLICATION_PASSWORD_HASH MASTER_HOST MASTER_PORT
)
SECRETS=(ROOT_PASSWORD ROOT_PASSWORD_HASH PASSWORD PASSWORD_HASH REPLICATION_PASSWORD REPLICATION_PASSWORD_HASH)
INITDB=/docker-entrypoint-initdb.d
declare -A SET

log() { printf '%s [%s] [Entrypoint]: %s\n' "$(date --rfc-3339=seconds)" "$1" "${*:2}"; }
note() { log Note "$@"; }
warn() { log Warn "$@" >&2; }
fail() {
  log ERROR "$@" >&2
  exit 1
}

# --- settings -------------------------------------------------------------------------------------------------------

from_variable() { # NAME: prints the value of NAME or the content of the file that NAME_FILE names
  local file="${1}_FILE" content
  if [[ -n ${!file:-} ]]; then
    [[ -r ${!file} ]] || fail "$file names ${!file}, which cannot be read"
    content=$(<"${!file}")
    if [[ -n ${!1:-} && ${!1} != "$content" ]]; then
      fail "Both $1 and $file are set (but are exclusive)"
    fi
    printf '%s' "$content"
  else
    printf '%s' "${!1:-}"
  fi
}

read_settings() {
  local name new old
  for name in "${SETTINGS[@]}"; do
    new=$(from_variable "MARIADB_$name")
    old=$(from_variable "MYSQL_$name")
    SET[$name]=${new:-$old}
    # Files are read once, as root; scripts in initdb.d find both names.
    unset "MARIADB_${name}_FILE" "MYSQL_${name}_FILE"
    if [[ -n ${SET[$name]} ]]; then
      export "MARIADB_$name=${SET[$name]}" "MYSQL_$name=${SET[$name]}"
    fi
  done
  SET[ROOT_HOST]=${SET[ROOT_HOST]:-%}
}

forget_secrets() {
  local name
  for name in "${SECRETS[@]}"; do
    unset "MARIADB_$name" "MYSQL_$name"
  done
}

# --- the server's own view of its configuration ----------------------------------------------------------------------

read_configuration() { # arguments: the server command; sets DATADIR and SOCKET
  local view
  if ! view=$("$@" --verbose --help --log-bin-index="$(mktemp -u)" 2>/tmp/configuration.log); then
    fail "the server refuses its configuration: $* --verbose --help"$'\n'"$(</tmp/configuration.log)"
  fi
  rm -f /tmp/configuration.log
  DATADIR=$(sed -n 's/^datadir  *//p' <<<"$view")
  SOCKET=$(sed -n 's/^socket  *//p' <<<"$view")
  DATADIR=${DATADIR%/}/
}

wants_help() {
  local argument
  for argument in "$@"; do
    case $argument in
    -'?' | --help | --print-defaults | -V | --version) return 0 ;;
    esac
  done
  return 1
}

# --- SQL ------------------------------------------------------------------------------------------------------------

quoted() { # TEXT: as an SQL string literal
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}

named() { printf '`%s`' "${1//\`/\`\`}"; }

docker_process_sql() { # SQL on standard input; the name is what scripts in initdb.d call
  MYSQL_PWD=$ROOT_NOW mariadb --protocol=socket --user=root --socket="$SOCKET" --comments "$@"
}

identified() { # SETTING: the IDENTIFIED clause from SETTING or SETTING_HASH
  if [[ -n ${SET[${1}_HASH]} ]]; then
    printf 'IDENTIFIED BY PASSWORD %s' "$(quoted "${SET[${1}_HASH]}")"
  else
    printf 'IDENTIFIED BY %s' "$(quoted "${SET[$1]}")"
  fi
}

random_password() { tr -dc 'A-Za-z0-9_-' </dev/urandom | head -c 32 || :; }

# --- the temporary server -------------------------------------------------------------------------------------------

start_temporary() { # arguments: the server command
  note "Starting temporary server"
  "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" --wsrep_on=OFF --expire-logs-days=0 \
    --skip-slave-start --loose-innodb_buffer_pool_load_at_startup=0 --loose-innodb_buffer_pool_dump_at_shutdown=0 &
  TEMPORARY=$!
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if docker_process_sql --database=mysql <<<'SELECT 1' >/dev/null 2>&1; then
      note "Temporary server started."
      return 0
    fi
    kill -0 "$TEMPORARY" 2>/dev/null || fail "Unable to start server."
    sleep 0.1
  done
  fail "Unable to start server."
}

stop_temporary() {
  note "Stopping temporary server"
  kill "$TEMPORARY"
  wait "$TEMPORARY" || fail "Unable to shut down server."
  note "Temporary server stopped"
}

# --- a fresh data folder ----------------------------------------------------------------------------------------------

check_fresh_settings() {
  local given="${SET[ROOT_PASSWORD]}${SET[ROOT_PASSWORD_HASH]}${SET[ALLOW_EMPTY_ROOT_PASSWORD]}${SET[RANDOM_ROOT_PASSWORD]}"
  if [[ -z $given ]]; then
    fail $'Database is uninitialized and password option is not specified\n' \
      'You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH,' \
      'MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD'
  fi
  if [[ -n ${SET[PASSWORD]} && -n ${SET[PASSWORD_HASH]} ]]; then
    fail "Cannot specify MARIADB_PASSWORD and MARIADB_PASSWORD_HASH option."
  fi
  if [[ -n ${SET[REPLICATION_USER]} && -z ${SET[REPLICATION_PASSWORD]}${SET[REPLICATION_PASSWORD_HASH]}${SET[MASTER_HOST]} ]]; then
    fail "MARIADB_REPLICATION_USER needs MARIADB_REPLICATION_PASSWORD or MARIADB_REPLICATION_PASSWORD_HASH."
  fi
}

create_database_files() { # arguments: the server command
  note "Initializing database files"
  mariadb-install-db --datadir="$DATADIR" --rpm --auth-root-authentication-method=normal --skip-test-db \
    --old-mode='UTF8_IS_UTF8MB3' --default-time-zone=SYSTEM --enforce-storage-engine= --skip-log-bin \
    --expire-logs-days=0 --loose-innodb_buffer_pool_load_at_startup=0 --loose-innodb_buffer_pool_dump_at_shutdown=0 \
    --wsrep-on=OFF "${@:2}" >/tmp/install.log || fail "the database files could not be made"$'\n'"$(</tmp/install.log)"
  rm -f /tmp/install.log
  note "Database files initialized"
}

load_time_zones() {
  [[ -z ${SET[INITDB_SKIP_TZINFO]} ]] || return 0
  { # One transaction instead of one table lock per zone.
    echo 'SET @@SESSION.SQL_LOG_BIN=0; SET sql_mode="";'
    mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null
  } | docker_process_sql --database=mysql
}

create_accounts() {
  if [[ -n ${SET[RANDOM_ROOT_PASSWORD]} ]]; then
    SET[ROOT_PASSWORD]=$(random_password)
    export MARIADB_ROOT_PASSWORD=${SET[ROOT_PASSWORD]} MYSQL_ROOT_PASSWORD=${SET[ROOT_PASSWORD]}
    note "GENERATED ROOT PASSWORD: ${SET[ROOT_PASSWORD]}"
  fi
  local root probe
  root=$(identified ROOT_PASSWORD)
  probe=$(random_password)
  {
    echo 'SET @@SESSION.SQL_LOG_BIN=0;'
    echo "DROP USER IF EXISTS root@'127.0.0.1', root@'::1', root@$(quoted "$HOSTNAME");"
    if [[ ${SET[ROOT_HOST]} != localhost ]]; then
      echo "CREATE USER root@$(quoted "${SET[ROOT_HOST]}") $root;"
      echo "GRANT ALL ON *.* TO root@$(quoted "${SET[ROOT_HOST]}") WITH GRANT OPTION;"
    fi
    local host
    for host in 127.0.0.1 ::1 localhost; do
      echo "CREATE USER healthcheck@'$host' IDENTIFIED BY $(quoted "$probe");"
      echo "GRANT ${SET[HEALTHCHECK_GRANTS]:-USAGE} ON *.* TO healthcheck@'$host';"
    done
    if [[ -n ${SET[MYSQL_LOCALHOST_USER]} ]]; then
      echo "CREATE USER mysql@localhost IDENTIFIED VIA unix_socket;"
      if [[ -n ${SET[MYSQL_LOCALHOST_GRANTS]} ]]; then
        echo "GRANT ${SET[MYSQL_LOCALHOST_GRANTS]} ON *.* TO mysql@localhost;"
      fi
    fi
    if [[ -n ${SET[REPLICATION_USER]} && -z ${SET[MASTER_HOST]} ]]; then
      echo "CREATE USER $(quoted "${SET[REPLICATION_USER]}")@'%' $(identified REPLICATION_PASSWORD);"
      echo "GRANT REPLICATION SLAVE ON *.* TO $(quoted "${SET[REPLICATION_USER]}")@'%';"
    fi
    if [[ -n ${SET[DATABASE]} ]]; then
      echo "CREATE DATABASE IF NOT EXISTS $(named "${SET[DATABASE]}");"
    fi
    if [[ -n ${SET[USER]} && -n ${SET[PASSWORD]}${SET[PASSWORD_HASH]} ]]; then
      echo "CREATE USER $(quoted "${SET[USER]}")@'%' $(identified PASSWORD);"
      if [[ -n ${SET[DATABASE]} ]]; then
        local database=${SET[DATABASE]//_/\\_}
        echo "GRANT ALL ON $(named "$database").* TO $(quoted "${SET[USER]}")@'%';"
      fi
    fi
    # Last, since it ends the right to come in without a password.
    if [[ -z ${SET[ROOT_PASSWORD_HASH]} ]]; then
      echo "SET PASSWORD FOR root@localhost = PASSWORD($(quoted "${SET[ROOT_PASSWORD]}"));"
    else
      echo "ALTER USER root@localhost $root;"
    fi
  } | docker_process_sql --database=mysql
  ROOT_NOW=${SET[ROOT_PASSWORD]}
  (
    umask 077
    printf '[mariadb-client]\nsocket=%s\nuser=healthcheck\npassword=%s\nprotocol=tcp\n' "$SOCKET" "$probe" \
      >"$DATADIR.my-healthcheck.cnf"
  )
}

follow_master() {
  [[ -n ${SET[MASTER_HOST]} ]] || return 0
  docker_process_sql --database=mysql <<-EOF
	CHANGE MASTER TO MASTER_HOST=$(quoted "${SET[MASTER_HOST]}"), MASTER_PORT=${SET[MASTER_PORT]:-3306},
	  MASTER_USER=$(quoted "${SET[REPLICATION_USER]}"), MASTER_PASSWORD=$(quoted "${SET[REPLICATION_PASSWORD]}"),
	  MASTER_CONNECT_RETRY=10;
	EOF
}

run_initdb() {
  local file database=()
  if [[ -n ${SET[DATABASE]} ]]; then
    database=(--database="${SET[DATABASE]}")
  fi
  for file in "$INITDB"/*; do
    note "$0: running $file"
    case $file in
    *.sh) if [[ -x $file ]]; then "$file"; else source "$file"; fi ;;
    *.sql) docker_process_sql "${database[@]}" <"$file" ;;
    *.sql.gz) gzip -dc "$file" | docker_process_sql "${database[@]}" ;;
    *.sql.xz) xz -dc "$file" | docker_process_sql "${database[@]}" ;;
    *.sql.zst) zstd -dc "$file" | docker_process_sql "${database[@]}" ;;
    *) warn "$0: ignoring $file" ;;
    esac
  done
}

initialise() { # arguments: the server command
  check_fresh_settings
  create_database_files "$@"
  ROOT_NOW=
  start_temporary "$@"
  load_time_zones
  create_accounts
  run_initdb
  follow_master
  stop_temporary
  note "MariaDB init process done. Ready for start up."
}

# --- a data folder that is there ----------------------------------------------------------------------------------------

upgrade_if_asked() { # arguments: the server command
  local information version
  information=$(cat "${DATADIR}mariadb_upgrade_info" "${DATADIR}mysql_upgrade_info" 2>/dev/null | tr -d '\0' | head -n 1) || :
  version=$(mariadbd --version | sed -E 's/.*Ver ([0-9]+\.[0-9]+).*/\1/')
  if [[ ${information%.*} == "$version" ]]; then
    note "MariaDB upgrade not required"
  elif [[ -z ${SET[AUTO_UPGRADE]} ]]; then
    note "MariaDB upgrade information missing or old (${information:-none}), and \$MARIADB_AUTO_UPGRADE is not set"
  else
    upgrade "$@"
  fi
}

upgrade() { # arguments: the server command
  ROOT_NOW=
  start_temporary "$@" --skip-grant-tables
  if [[ -z ${SET[DISABLE_UPGRADE_BACKUP]} ]]; then
    note "Backing up system database"
    mariadb-dump --protocol=socket --socket="$SOCKET" --skip-lock-tables --databases mysql | zstd -q \
      >"${DATADIR}system_mysql_backup_$(date +%s).sql.zst"
  fi
  note "Starting mariadb-upgrade"
  mariadb-upgrade --protocol=socket --socket="$SOCKET" --upgrade-system-tables
  stop_temporary
  note "Finished mariadb-upgrade"
}

# --- main ---------------------------------------------------------------------------------------------------------------

become_mysql() {
  mkdir -p "$DATADIR" "${SOCKET%/*}"
  find "$DATADIR" "${SOCKET%/*}" \! -user mysql -exec chown --no-dereference mysql: '{}' +
  note "Switching to dedicated user 'mysql'"
  exec setpriv --reuid=mysql --regid=mysql --init-groups --inh-caps=-all -- "$0" "$@"
}

main() {
  if [[ ${1:0:1} == - ]]; then
    set -- mariadbd "$@"
  fi
  if [[ ($1 == mariadbd || $1 == mysqld) ]] && ! wants_help "$@"; then
    note "Entrypoint script for MariaDB Server started."
    read_configuration "$@"
    read_settings
    if [[ $(id -u) == 0 ]]; then
      become_mysql "$@"
    fi
    if [[ -d ${DATADIR}mysql ]]; then
      upgrade_if_asked "$@"
    else
      initialise "$@"
    fi
    forget_secrets
  fi
  exec "$@"
}

# Sourced, this file only defines its functions.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  main "$@"
fi
