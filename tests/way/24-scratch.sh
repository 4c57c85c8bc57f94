#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 24-scratch.sh -- tenants in PostgreSQL from nothing, as headgate.yaml(5) says it: a database, its schema, a role for the gateway and one for
# who changes tenants, a file that says how to get there; the gateway reads there, and what is changed is known
. "${0%/*}/lib.sh"
need postgres

PAGE=$ROOT/packaging/man/headgate.yaml.5
block() { python3 "$WAY/tools/manual.py" show "$PAGE" "$@"; }
does() { ok "$1: as the page says" python3 "$WAY/tools/manual.py" run "$PAGE" "$@"; }
pg_start own
mkdir -p "$T/bin"
# shellcheck disable=SC2016 # to be expanded there
printf '#!/bin/sh\nexec %s -c "$HG_DIR/headgate.yaml" "$@"\n' "$HEADGATECTL" >"$T/bin/headgatectl"
chmod 755 "$T/bin/headgatectl"
export PATH=$T/bin:$PG_BIN:$PATH HG_DIR PGHOST=$PG_SOCKET_DIR PGPORT=$PG_PORT PGUSER=postgres
# The cluster has a role of that name already.
does postgres headgate_gw=gateway

(umask 077; echo "$(block file headgate_gw=gateway db.example.com=127.0.0.1) port=$PG_PORT" >"$T/dsn")
PG_DSN=''
conf_base discard file 1
conf "$(block conf /etc/headgate/secrets/dsn="$T/dsn" | sed 's/^tenants: {\(source\): \([a-z]*\), \(dsn_file\): \(.*\)}$/tenants.\1=\2\ntenants.\3=\4/')"
unset PGHOST PGPORT PGUSER
ok "headgate -t --online reads there" "$HEADGATE" -t --online -c "$HG_DIR/headgate.yaml"
export PGHOST=$PG_SOCKET_DIR PGPORT=$PG_PORT
does tenant
TOKEN=$(headgatectl token issue acme --dsn 'dbname=headgate user=alice')
unset PGHOST PGPORT
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
is "its token is let in" "$(post /v1/logs "$T/body")" 200
is "headgatectl reads as the gateway, without the options" "$(headgatectl tenant ls --json | jq -r .id)" acme
headgatectl tenant add another >"$T/said" 2>&1
is "and changes nothing as it" $? 2
finish
