# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# full.sh -- what quickstart --full adds: a private PostgreSQL in build/quickstart/pg, a private Apache Kafka in
# build/quickstart/kafka-private (or the one of KAFKA_BROKERS). Sourced by quickstart; without --full it does nothing.
# Unlike the servers of the tests this PostgreSQL is durable.

# Of the newest that is installed: 15 on Debian 12, 17 on 13.
PG_BIN=${PG_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}

# PostgreSQL refuses to run as root, and the other user must reach its folder.
pg_user()
{
	PG_AS=()
	PG_DIR=$T/pg
	[ "$(id -u)" = 0 ] || return 0
	PG_AS=(setpriv --reuid=postgres --regid=postgres --init-groups --)
	chmod 711 "$T"
	mkdir -p "$PG_DIR"
	if ! "${PG_AS[@]}" test -x "$PG_DIR" 2>/dev/null || ((${#PG_DIR} > 80)); then
		rmdir "$PG_DIR" 2>/dev/null
		[ -L "$PG_DIR" ] || ln -s "$(mktemp -d "${TMPDIR:-/tmp}/headgate-pg.XXXXXX")" "$PG_DIR"
		PG_DIR=$(readlink "$PG_DIR")
		mkdir -p "$PG_DIR"
	fi
	chown postgres: "$PG_DIR"
}

pg_in_dir() { (cd / && "${PG_AS[@]}" "$@"); }

pg_psql() { psql -X -q -v ON_ERROR_STOP=1 -h "$PG_DIR" -p 5432 -U postgres -d "$@"; }

pg_private()
{
	[ -x "$PG_BIN/initdb" ] || bail "no PostgreSQL in $PG_BIN"
	pg_user
	mkdir -p "$PG_DIR"
	if [ ! -e "$PG_DIR/data/PG_VERSION" ]; then
		pg_in_dir "$PG_BIN/initdb" -D "$PG_DIR/data" -U postgres -A trust -E UTF8 --no-locale >"$T/initdb.log" 2>&1 ||
			{ cat "$T/initdb.log" >&2; bail "initdb failed"; }
	fi
	: >"$T/postgres.log"
	pg_in_dir setpriv --pdeathsig INT -- "$PG_BIN/postgres" -D "$PG_DIR/data" -c listen_addresses= \
		-c unix_socket_directories="$PG_DIR" >>"$T/postgres.log" 2>&1 </dev/null &
	PG_PID=$!
	disown "$PG_PID"
	wait_until 60s grep -q 'ready to accept connections' "$T/postgres.log" ||
		{ cat "$T/postgres.log" >&2; bail "PostgreSQL does not start"; }
	if [ -z "$(pg_psql postgres -A -t -c "SELECT 1 FROM pg_database WHERE datname = 'headgate'")" ]; then
		pg_psql postgres -c 'CREATE DATABASE headgate' || bail "can't make the database"
	fi
	printf '%s\n' '[headgate-admin]' "host=$PG_DIR" port=5432 dbname=headgate user=postgres >"$T/pg_service.conf"
}

# How headgatectl writes to the database; the gateway itself only reads.
full_env() { ! $full || echo "export PGSERVICEFILE='$T/pg_service.conf' PGSERVICE=headgate-admin"; }

full_start()
{
	if [ -n "${KAFKA_BROKERS-}" ]; then
		say "Starting a private PostgreSQL; Kafka is $KAFKA_BROKERS ..."
	else
		say "Starting a private PostgreSQL and a private Apache Kafka ..."
	fi
	pg_private
	if [ -z "${KAFKA_BROKERS-}" ]; then
		rm -rf "$T/kafka-private"
		kafka_start private
		KAFKA_PRIVATE=1
	fi
}

full_conf()
{
	cat <<-END
	tenants: {source: postgres, dsn: "host=$PG_DIR port=5432 dbname=headgate user=headgate_reader"}
	sink: kafka
	kafka: {brokers: ["$KAFKA_BROKERS"]}
	END
}

full_prepare()
{
	title "0. The schema of tenants, and the topics"
	show "$HERE/ctl migrate"
	pg_psql headgate -c 'ALTER ROLE headgate_reader LOGIN' || bail "can't let the reader in"
	show "$HERE/ctl topics create --partitions 2 --replication 1"
}

# TOPIC KEY HEADERS of all topics; the values are protobuf.
full_consume() { printf "kcat -C -q -e -b %s -t %s -f '%%t offset=%%o key=%%k %%h\\\\n'" "$KAFKA_BROKERS" "$1"; }

full_read_back()
{
	local topic
	for topic in otlp_spans otlp_metrics otlp_logs prom_write prom_write_v2 loki_push; do
		show "$(full_consume "$topic")"
	done
}

full_next() { command_line "$(full_consume otlp_logs)"; }

full_end()
{
	[ -z "${KAFKA_PRIVATE-}" ] || kafka_end_all
	[ -z "${PG_PID-}" ] || end_pid "$PG_PID" INT 30s
}
