#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 81-ctl-postgres.sh -- headgatectl against PostgreSQL: migrate, tenants and tokens as a role of headgate_writer, waiting that trusts no bell,
# and a table of the operator's own, which is only read (O11, O12)
. "${0%/*}/lib.sh"
need postgres

ADMIN="host=$PG_SOCKET_DIR port=$PG_PORT dbname=$PG_DB user=headgate_admin"
ctl() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "$@" >"$T/said" 2>"$T/said.err"; }
db() { ctl "$@" --dsn "$ADMIN"; }
said() { cat "$T/said" "$T/said.err"; }
code() { is "$1" "$("${@:3}"; echo $?)" "$2"; }
answers() { TOKEN=$1 request /v1/logs -H 'Content-Type:' -d x; }
codes() { python3 "$WAY/tools/codes.py" "$ADDRESS" "${2:-1000}" <<<"$1"; }
verify() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "${@:2}" token verify - <<<"$1" >"$T/said" 2>"$T/said.err"; }
fails_to_find() { ! grep -qF "$1" "${@:2}"; }
finds() { grep -qF "$1" "${@:2}"; }

# -- the schema, on an empty database
pg_sql postgres -c "CREATE DATABASE \"$NAME-new\"" || bail "can't make a database"
NEW="host=$PG_SOCKET_DIR port=$PG_PORT dbname=$NAME-new user=postgres"
ok "schema print is conf/tenants.sql" ctl schema print
ok "byte for byte" cmp "$T/said" "$ROOT/conf/tenants.sql"
code "schema status before: exit 1" 1 ctl schema status --dsn "$NEW"
like "it says what is to come" "$(said)" 'no schema headgate.*pending: 001_tenants.sql'
ok "migrate --dry-run" ctl migrate --dry-run --dsn "$NEW"
like "says it too" "$(said)" 'would run: 001_tenants.sql'
is "and changes nothing" "$(pg_sql "$NAME-new" -c "SELECT to_regnamespace('headgate') IS NULL")" t
code "not by everybody" 77 ctl migrate --dsn "${NEW/user=postgres/user=headgate_admin}"
like "nothing is half done" "$(said)" 'rolled back'
"$HEADGATECTL" migrate --dsn "$NEW" >"$T/one" 2>&1 &
one=$!
"$HEADGATECTL" migrate --dsn "$NEW" >"$T/two" 2>&1
second=$?
wait "$one"
is "two at once" "$? $second" "0 0"
is "one of them does it" "$(cat "$T/one" "$T/two" | grep -c '^done: 001_tenants.sql')" 1
ok "again: no change" ctl --json migrate --dsn "$NEW"
is "as JSON" "$(jq -r '[.from, .version, .newest] | join(" ")' "$T/said")" "1 1 1"
ok "schema status after" ctl schema status --dsn "$NEW"
mkdir -p "$T/share/sql"
cp "$ROOT/conf/tenants.sql" "$T/share/sql/001_tenants.sql"
echo 'CREATE TABLE headgate.more(); SELECT nonsense; INSERT INTO headgate.schema_version VALUES (2)' >"$T/share/sql/002_more.sql"
code "a version that fails" 1 env HEADGATE_SHARE="$T/share" "$HEADGATECTL" migrate --dsn "$NEW"
is "leaves nothing of it" "$(pg_sql "$NAME-new" -c "SELECT to_regclass('headgate.more') IS NULL, (SELECT max(version) FROM headgate.schema_version)")" "t|1"
echo 'CREATE TABLE headgate.more(); INSERT INTO headgate.schema_version VALUES (2)' >"$T/share/sql/002_more.sql"
ok "one that is mended goes forward" env HEADGATE_SHARE="$T/share" "$HEADGATECTL" migrate --dsn "$NEW"
code "one that is newer than this program: exit 1" 1 ctl migrate --dsn "$NEW"
like "it says who is too old" "$(said)" 'version 2, this headgatectl knows 1'
rm "$T/share/sql/001_tenants.sql"
code "a number that is missing" 70 env HEADGATE_SHARE="$T/share" "$HEADGATECTL" schema print

# -- who may change tenants
conf_base 4
conf tenants.poll=1h log.access_file="$HG_DIR/access.log"
headgate_start
code "a change without a role to do it" 2 ctl tenant add acme
like "says which options" "$(said)" '--dsn .* or PGSERVICE.*headgate_writer'
code "the gateway's role may not" 77 ctl tenant add acme --dsn "$PG_DSN"
like "it says who it is and what it lacks" "$(said)" "'headgate_gw' may not change tenants: GRANT headgate_writer TO headgate_gw"
code "a password in argv" 2 ctl tenant add acme --dsn "$ADMIN password=geheim"
ok "is not repeated" fails_to_find geheim "$T/said.err"
code "a server that is not there" 69 ctl tenant add acme --dsn "host=$T dbname=x"
code "one that wants a password: exit 77" 77 env HOME="$T" "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" tenant add acme \
	--dsn "host=127.0.0.1 port=$PG_PORT dbname=$PG_DB user=headgate_gw"
code "no connection string" 2 ctl tenant add acme --dsn "host=x nonsense"
printf '[headgate]\nhost=%s\nport=%s\ndbname=%s\nuser=headgate_admin\n' "$PG_SOCKET_DIR" "$PG_PORT" "$PG_DB" >"$T/service.conf"
ok "by a service file" env PGSERVICEFILE="$T/service.conf" PGSERVICE=headgate "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" tenant add acme \
	--bytes 5MB/s --bytes-burst 20MB --requests 200/s --max-body-bytes 1MiB --topic-prefix a. --display-name 'Acme; --'
is "with its limits" "$(pg "SELECT bytes_per_s, bytes_burst, requests_per_s, max_body_bytes, topic_prefix, display_name FROM headgate.tenant")" \
	"5000000|20000000|200|1048576|a.|Acme; --"
is "the audit says who did it" "$(pg "SELECT DISTINCT actor, action FROM headgate.audit")" "headgate_admin|tenant.insert"
code "not twice" 1 db tenant add acme
code "a burst without its rate: the schema's check" 1 db tenant add burst --items-burst 10
like "its words are shown" "$(said)" 'violates check constraint'
ok "one limit goes, one changes" db tenant set acme --requests none --bytes 6MB/s
is "the others stay" "$(pg "SELECT bytes_per_s, bytes_burst, requests_per_s IS NULL FROM headgate.tenant")" "6000000|20000000|t"
ok "no limits for the rest of this test" db tenant set acme --bytes none --bytes-burst none --max-body-bytes none --topic-prefix none

# -- tokens
ok "a token is issued" db token issue acme --scope logs:write --expires 10d --name "ci'"
token=$(cat "$T/said")
known "$token"
is "its hash is kept, and who made it" "$(pg "SELECT token_id, encode(hash, 'hex'), created_by, scopes FROM headgate.token")" \
	"${token:4:8}|$(token_hash "$token")|headgate_admin|{logs:write}"
ok "the list" db token ls
like "marks what ends soon" "$(said)" "${token:4:8} +acme +valid +logs:write +[^ ]+ \((9|10)d!\)"
ok "reading works as the gateway" ctl --json token ls
like "which is said" "$(cat "$T/said.err")" 'reading as the gateway does \(tenants.dsn of '
is "with less" "$(jq -r '[.id, .name, .created_by] | join("|")' "$T/said")" "${token:4:8}||"
# One that nobody sends: of those that are used the gateway writes it down itself, each minute.
db token issue acme; idle=$(cat "$T/said")
pg "INSERT INTO headgate.token_use VALUES ('${idle:4:8}', now() - interval '40 days')"
ok "unused for 30 days" db --json token ls --unused 30d
is "is in that list" "$(jq -r .id "$T/said")" "${idle:4:8}"
pg "UPDATE headgate.token_use SET last_used_at = now()"
ok "used since" db --json token ls --unused 30d
is "is not" "$(cat "$T/said")" ""
pg "DELETE FROM headgate.token_use WHERE token_id = '${idle:4:8}'"
ok "never used" db --json token ls --unused 30d
is "but new: it is not unused for 30 days" "$(cat "$T/said")" ""
pg "INSERT INTO headgate.token_use VALUES ('${token:4:8}', now()) ON CONFLICT DO NOTHING"
verify "$token" --json
is "verify" "$(jq -r '[.ok, .tenant, .id, .verdict, (.last_used_at | length > 0)] | join("|")' "$T/said")" "true|acme|${token:4:8}|valid|true"
ok "rotate" db token rotate "${token:4:8}" --grace 2s
fresh=$(cat "$T/said")
known "$fresh"
is "the old one ends, and says by what it was replaced" \
	"$(pg "SELECT replaced_by, expires_at <= now() + interval '2 seconds' FROM headgate.token WHERE token_id = '${token:4:8}'")" "${fresh:4:8}|t"
is_401() { [ "$(answers "$1")" = 401 ]; }
ok "after its grace it is refused (O10)" wait_until 20s is_401 "$token"
is "the new one is not" "$(answers "$fresh")" 415
verify "$token" --json
is "it has expired" "$(jq -r .verdict "$T/said")" expired

# -- O11: waiting, also without a bell
ok "revoke --wait" db token revoke "${fresh:4:8}" --wait
like "all four refuse it" "$(cat "$T/said")" "^revoked ${fresh:4:8}: refused by 4/4 workers after [0-9]+ ms$"
is "1000 of 1000 requests" "$(codes "$fresh")" "1000 401"
is "the database knows who did it" "$(pg "SELECT revoked_by FROM headgate.token WHERE token_id = '${fresh:4:8}'")" headgate_admin
db token issue acme; deaf=$(cat "$T/said")
known "$deaf"
for table in tenant token; do
	for verb in insert update delete truncate; do pg "DROP TRIGGER touch_$verb ON headgate.$table"; done
done
ok "the same with the triggers dropped" db token revoke "${deaf:4:8}" --wait
is "1000 of 1000 requests without a bell" "$(codes "$deaf")" "1000 401"
db token issue acme; held=$(cat "$T/said")
code "with nobody told it is not known" 0 test "$(answers "$held")" = 401
ok "a tenant resumed, with --wait" db tenant resume acme --wait
is "has brought it too" "$(codes "$held" 100)" "100 415"
mapfile -t pids < <(workers)
kill -STOP "${pids[2]}"
code "a worker that is stopped: exit 75" 75 db token revoke "${held:4:8}" --wait --timeout 5s
kill -CONT "${pids[2]}"
like "it is named" "$(said)" "only 3 of 4 workers.*late: slot [0-3] \(pid ${pids[2]}\)"
ok "later it has it" db token revoke "${held:4:8}" --wait
is "nobody takes it" "$(codes "$held" 200)" "200 401"
# The cluster is the run's: only this database is closed to the gateway.
pg "GRANT CONNECT ON DATABASE \"$PG_DB\" TO headgate_admin" "REVOKE CONNECT ON DATABASE \"$PG_DB\" FROM PUBLIC" \
	"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'headgate_gw' AND datname = current_database()" >/dev/null
code "a gateway that can't read: exit 75" 75 db tenant suspend acme --wait --timeout 2s
like "it says so, and that the change stands" "$(said)" 'suspended acme, but the gateway did not read its tenants anew in time'
pg "GRANT CONNECT ON DATABASE \"$PG_DB\" TO PUBLIC"
ok "once it can, it is waited for" db tenant suspend acme --wait --timeout 60s
ok "a tenant goes with its tokens" db tenant rm acme --wait
is "the rows are gone" "$(pg "SELECT count(*) FROM headgate.token")" 0
is "no token is in a log" "$(grep -aoE 'hgt_[0-9A-Za-z]{8}_[0-9A-Za-z]{36}' "$HG_LOG" "$HG_DIR/access.log" "$HG_DIR/audit.log")" ""

# -- O12: a table of the operator's own
PG_DB=$NAME-own
pg_sql postgres -c "CREATE DATABASE \"$PG_DB\"" || bail "can't make a database"
pg "CREATE TABLE customer(id integer, secret text, off boolean NOT NULL DEFAULT false, gone timestamptz)" "GRANT SELECT ON customer TO headgate_gw" \
	"INSERT INTO customer VALUES (7, 'seven'), (8, 'eight'), (8, 'eight-old')" "UPDATE customer SET gone = now() WHERE secret = 'eight-old'"
before=$(pg "SELECT * FROM customer ORDER BY secret")
instance own
PG_DSN="host=$PG_SOCKET_DIR port=$PG_PORT dbname=$PG_DB user=headgate_gw"
conf_base 2
conf tenants.poll=1h "tenants.query=$(jq -Rs . <<<"SELECT id AS tenant_id, sha256(convert_to(secret, 'UTF8')) AS hash, gone AS revoked_at,
	CASE WHEN off THEN 'suspended' ELSE 'active' END AS state FROM customer;")"
headgate_start
known seven
for command in "tenant add x" "tenant set 7 --bytes 1MB/s" "tenant suspend 7 --wait" "tenant rm 7 --wait" "token issue 7" \
	"token rotate $(token_id seven)" "token revoke $(token_id seven) --wait"; do
	# shellcheck disable=SC2086
	code "with tenants.query: $command" 1 ctl $command
	like "says why: $command" "$(said)" 'tenants.query.*changes nothing'
done
is "the table was not touched" "$(pg "SELECT * FROM customer ORDER BY secret")" "$before"
ok "tenants are what the rows name" ctl --json tenant ls
is "as text" "$(jq -r '[.id, .state] | join("|")' "$T/said" | xargs)" "7|active 8|active"
ok "tokens" ctl --json token ls 8
is "are known by the beginning of their hash" "$(jq -r '[.id, .standing] | join("|")' "$T/said" | sort | xargs)" \
	"$(printf '%s|valid\n%s|revoked\n' "$(token_id eight)" "$(token_id eight-old)" | sort | xargs)"
verify seven --json
is "verify" "$(jq -r '[.verdict, .tenant] | join("|")' "$T/said")" "valid|7"
verify eight-old --json
is "verify names what is revoked" "$(jq -r .verdict "$T/said")" revoked
pg "INSERT INTO customer VALUES (NULL, 'nobody')"
verify nobody --json
is "a row that the gateway leaves out is not valid" "$? $(jq -r '[.ok, .verdict, .reason] | join("|")' "$T/said")" \
	"1 false|left-out|its tenant id breaks the rules"
pg "DELETE FROM customer WHERE id IS NULL"
pg "INSERT INTO customer VALUES (9, 'eight')"
verify eight --json
is "nor one whose hash is another tenant's too" "$(jq -r .verdict "$T/said")" ambiguous
pg "DELETE FROM customer WHERE id = 9"
pg "CREATE TABLE written(x int)" "GRANT INSERT ON written TO headgate_gw" \
	"CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO written VALUES (1); RETURN 7; END'"
sed "s/SELECT id AS tenant_id/SELECT writes() AS tenant_id/" "$HG_DIR/headgate.yaml" >"$T/writes.yaml"
ok "a query that would write" fails cmp -s "$T/writes.yaml" "$HG_DIR/headgate.yaml"
code "is refused here as by the gateway" 75 "$HEADGATECTL" -c "$T/writes.yaml" token ls
is "and has written nothing" "$(pg "SELECT count(*) FROM written")" 0
pg "UPDATE customer SET off = true WHERE id = 7"
ok "waiting for a change of one's own" ctl tenant suspend 7 --wait
like "works" "$(cat "$T/said")" '^suspended 7: refused by 2/2 workers'
is "without a bell" "$(codes seven 200)" "200 403"
pg "UPDATE customer SET gone = now() WHERE id = 8"
ok "for a token too" ctl token revoke "$(token_id eight)" --wait
is "it is refused" "$(codes eight 200)" "200 401"
finish
