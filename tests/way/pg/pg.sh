# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# pg.sh -- a private PostgreSQL cluster in $T/pg-NAME, which dies with the shell that started it. Sourced by lib.sh (whose
# head documents the functions for tests) and by run. Needs base.sh. Not durable: fsync is off.

declare -A PG_PIDS=() PG_STARTS=()
# Of the newest that is installed: 15 on Debian 12, 17 on 13.
PG_BIN=${PG_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
PG_PASSWORD=gateway-password

# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
	PG_USER=(setpriv --reuid=postgres --regid=postgres --init-groups --pdeathsig QUIT --)
else
	PG_USER=(setpriv --pdeathsig QUIT --)
fi
pg_as() { (cd / && "${PG_USER[@]}" "$@"); }

# pg_start NAME [SETTING=VALUE]...: a new cluster with the database "template_way" (schema, helpers of pg/helpers.sql) and
# the roles of pg/roles.sql; sets PG_SOCKET_DIR and PG_PORT.
pg_start()
{
	local name=$1 dir=$T/pg-$1 setting tries
	shift
	[ -x "$PG_BIN/initdb" ] || bail "no PostgreSQL in $PG_BIN"
	mkdir -p "$dir"
	[ "$(id -u)" != 0 ] || chown postgres: "$dir"
	pg_as "$PG_BIN/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --no-locale --no-sync >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log" >&2; bail "initdb failed"; }
	printf '%s\n' 'local all all trust' 'host all headgate_gw 127.0.0.1/32 scram-sha-256' \
		'host all all 127.0.0.1/32 trust' >"$dir/data/pg_hba.conf"
	cat >>"$dir/data/postgresql.conf" <<-END
		fsync = off
		full_page_writes = off
		shared_buffers = 16MB
		max_connections = 60
		jit = off
		unix_socket_directories = '$dir'
		listen_addresses = '127.0.0.1'
		log_line_prefix = '%m [%p] %q%u@%d '
	END
	for setting; do
		echo "${setting%%=*} = '${setting#*=}'"
	done >>"$dir/data/postgresql.conf"
	PG_STARTS[$name]=0
	for tries in 1 2 3; do
		PG_PORT=$(port_pick)
		echo "port = $PG_PORT" >>"$dir/data/postgresql.conf"
		pg_up "$name" && break
		((tries < 3)) || { cat "$dir"/server.*.log >&2; bail "PostgreSQL $name does not start"; }
	done
	PG_SOCKET_DIR=$dir
	echo "$PG_PORT" >"$dir/port"
	pg_sql postgres -f "$WAY/pg/roles.sql" || bail "can't make the roles"
	pg_sql postgres -c "ALTER ROLE headgate_gw PASSWORD '$PG_PASSWORD'" -c 'CREATE DATABASE template_way' ||
		bail "can't make the database"
	pg_sql template_way -1 -f "$WAY/../../conf/tenants.sql" || bail "conf/tenants.sql is refused"
	pg_sql template_way -f "$WAY/pg/helpers.sql" || bail "pg/helpers.sql is refused"
	pg_sql postgres -c 'GRANT headgate_reader TO headgate_gw' -c 'GRANT headgate_writer TO headgate_admin' ||
		bail "can't give the roles"
}

# pg_up NAME: starts the stopped cluster NAME on its old folder and port. Ready is a line in its log.
pg_up()
{
	local dir=$T/pg-$1 log
	log=$dir/server.$((++PG_STARTS[$1])).log
	: >"$log"
	"${PG_USER[@]}" "$PG_BIN/postgres" -D "$dir/data" >>"$log" 2>&1 </dev/null &
	PG_PIDS[$1]=$!
	disown $!
	wait_until 60s pg_settled "$1" "$log" && alive "${PG_PIDS[$1]}"
}

pg_settled() { grep -q 'database system is ready to accept connections' "$2" || gone "${PG_PIDS[$1]}"; }

pg_restart() { pg_up "$1" || bail "PostgreSQL $1 does not come back"; }

pg_pid()
{
	[ -n "${PG_PIDS[$1]-}" ] || bail "no PostgreSQL $1 of this test's own (pg_start $1)"
	PG_PID=${PG_PIDS[$1]}
}

pg_stop() { pg_pid "$1"; end_pid "$PG_PID" INT 30s; }	# fast shutdown
pg_kill() { pg_pid "$1"; end_pid "$PG_PID" QUIT 30s; }	# at once, with recovery at the next start

# The server's process and each of its children: a frozen one answers nothing, its kernel still does. It is stopped first, so that it makes no
# more of them.
pg_signal()
{
	pg_pid "$2"
	kill -"$1" "$PG_PID"
	# shellcheck disable=SC2046
	kill -"$1" $(<"/proc/$PG_PID/task/$PG_PID/children")
}
pg_freeze() { pg_signal STOP "$1"; }
pg_thaw() { pg_signal CONT "$1"; }

# pg_sql DATABASE PSQL-ARGUMENT...: as the superuser; plain rows out, stops at the first error.
pg_sql()
{
	local database=$1
	shift
	PGOPTIONS='-c client_min_messages=warning' psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$PG_SOCKET_DIR" -p "$PG_PORT" \
		-U postgres -d "$database" "$@"
}

# pg_session NAME [USER]: a psql in PG_DB that lives on, so that a transaction may stay open (never in a subshell).
declare -A PG_SESSION_IN=() PG_SESSION_OUT=()
pg_session()
{
	local base=$T/.session-$1 in out
	mkfifo "$base.in" "$base.out"
	background bash -c 'exec psql -X -q -A -t -h "$1" -p "$2" -U "$3" -d "$4" <"$5.in" >"$5.out" 2>&1' \
		session "$PG_SOCKET_DIR" "$PG_PORT" "${2:-postgres}" "$PG_DB" "$base"
	exec {in}>"$base.in" {out}<"$base.out"
	PG_SESSION_IN[$1]=$in PG_SESSION_OUT[$1]=$out
}

# pg_in NAME SQL: prints what the session says to it, also notifications and errors.
pg_in()
{
	local line
	printf '%s;\n\\echo ====\n' "$2" >&"${PG_SESSION_IN[$1]}"
	while read -rt 30 -u "${PG_SESSION_OUT[$1]}" line && [ "$line" != ==== ]; do echo "$line"; done
}

# pg_database NAME: a new database with the schema; sets PG_DB, PG_DSN (unix socket), PG_DSN_TCP (with a password).
pg_database()
{
	PG_DB=$1
	pg_sql postgres -c "CREATE DATABASE \"$PG_DB\" TEMPLATE template_way" || bail "can't make the database $PG_DB"
	PG_DSN="host=$PG_SOCKET_DIR port=$PG_PORT dbname=$PG_DB user=headgate_gw"
	PG_DSN_TCP="host=127.0.0.1 port=$PG_PORT dbname=$PG_DB user=headgate_gw password=$PG_PASSWORD"
}

pg_end_all()
{
	local pid
	for pid in "${PG_PIDS[@]}"; do
		end_pid "$pid" QUIT
	done
}
