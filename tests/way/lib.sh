# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# lib.sh -- what a way test (tests/way/NN-name.sh) is written over: the whole program against real servers. A test is bash,
# about ten lines:
#
#	#!/bin/bash
#	# 10-first.sh -- a body that is accepted is a record, keyed by its tenant
#	. "${0%/*}/lib.sh"
#	need kafka postgres
#	topics
#	tenant_add acme; TOKEN=$(token_add acme)
#	conf_base; headgate_start
#	otlp logs -m one -o "$T/body"
#	is "the body is accepted" "$(post /v1/logs "$T/body")" 200
#	is "the record's key is the tenant" "$(records "$LOGS_TOPIC" | jq -r .key)" "$(hex acme)"
#	finish
#
# It runs alone (bash tests/way/10-first.sh) or by tests/way/run. Nothing here waits for time, only for events under a
# deadline. Functions that start something must not be called in a subshell ($(...), a pipe): it would die with that.
#
# Environment	HEADGATE_BUILD	folder of the two programs (build/asan)
#		REQUIRE=all	what is missing fails the test instead of skipping it
#		KEEP=1		the test's folder is not removed, its name is printed
# Variables	T		the test's own folder; gone at the end
#		NAME		the test's name, 10-first
#		TOKEN		the credential of post; empty: none is sent
#		CA		the certificate that curl trusts, once there is one
#
# -- Checks (TAP; each sentence says what is true)
# ok SENTENCE COMMAND...	passes if the command succeeds; its output is shown if not. Returns the command's success
# is SENTENCE GOT WANT		passes if the two texts are equal
# comes SENTENCE WANT COMMAND...	as is, of what the command prints, which has 10 s to come true: of counters that another process has, and
#				of what a request leaves behind after its answer
# like SENTENCE GOT REGEX	passes if the text matches the extended regular expression
# fails COMMAND...		succeeds if the command does not (ok "..." fails cmp a b)
# fail SENTENCE [WHY], skip SENTENCE WHY, note TEXT
# bail TEXT			the test can't go on: it fails, and ends (from a subshell too)
# expect_err REGEX		announces error lines of headgate's log; any other `lvl=err` fails the test
# finish			the last line of each test: stops everything, and checks the logs for sanitizer reports and
#				errors nobody announced
#
# -- What a test needs
# net_drop PORT, net_pass PORT	packets to and from it vanish, as on a half-open connection (after: need netns)
# need WORD...			skips the test, by name, when it is not to be had:
#	kafka		a broker (the run's, else the test's own): KAFKA_BROKERS
#	broker		kafka_start works: for a test whose brokers are all its own
#	postgres	a database of its own with the schema: PG_DB, PG_DSN (unix socket), PG_DSN_TCP (with a password)
#	oidc		oidc_start works
#	python-otel	the Python of the environment with the OpenTelemetry SDK: PYTHON_OTEL
#	json-schema	a Python with a validator of JSON Schema: JSON_SCHEMA
#	js-otel		the folder with the OpenTelemetry JavaScript SDK: JS_OTEL
#	root		to be root
#	netns		a network namespace of its own (as root): own servers only, and net_drop works. First in the test
# wait_until 5s COMMAND...	again and again until it succeeds; false after the time (ms, s, m)
# stalls_watch			from now on: when does this machine stand still (tools/stalls.py)? For bounds that are a promise of ours:
# within MS COMMAND...		as wait_until, but fails if it took longer than that
# net_since US			the milliseconds since then (now_us); stood_still US: those not counted
# net_results FILE...		results of load, whose milliseconds are such
# tick, now_us, alive PID, gone PID, end_pid PID [SIGNAL [TIME]], spawn LOG COMMAND... (sets SPAWNED), port_pick: base.sh
# background COMMAND...		starts it as spawn does, output in $T/background.log, ended with the test; sets SPAWNED
# machine_env COMMAND...	with the certificate variables of the machine (tests have none of them)
# hex TEXT, unhex		TEXT in hex; hex on standard input as bytes
#
# -- Kafka: a broker of the test's own, to be hurt
# kafka_start NAME [acl] [auto-create] [PROPERTY=VALUE]...	sets KAFKA_BROKERS; acl: topic deny and allow work
# kafka_stop, kafka_kill, kafka_freeze, kafka_thaw, kafka_restart NAME	the folder and the ports stay the same; a stopped or
#				killed one is started by kafka_restart (after kill 2-4 s)
# kafka_tool CLASS ARGUMENT...	of org.apache.kafka.tools, say ConfigCommand
# topic VERB BROKERS [TOPIC] ...	tools/topic.c: read count list create config delete deny allow
# topics [PARTITIONS [CONFIG=VALUE...]]	makes TRACES_TOPIC, METRICS_TOPIC, LOGS_TOPIC, WRITE_TOPIC, WRITE2_TOPIC (remote_write),
#				LOKI_TOPIC, named by the test; conf_base uses them
# records TOPIC			JSON lines: partition offset timestamp key headers [[name, hex]...] value; bytes in hex
# record_count TOPIC
# values TOPIC DIR		the values as files DIR/0, DIR/1 ..., in the order of records
# header RECORD NAME		the text of that header of a JSON line (each line for a repeated one)
#
# -- An identity provider of the test's own: mock-oauth2-server
# oidc_start NAME [JSON]	sets OIDC_URL; each $OIDC_URL/WORD is an issuer: its /.well-known/openid-configuration, /jwks, /token, /userinfo.
#				JSON: tokenCallbacks: [{issuerId, tokenExpiry, requestMappings: [{requestParam, match, claims}]}] choose the
#				claims; tokenProvider: {keyProvider: {algorithm: ES256}}. The kid is always the issuer's word
# oidc_restart NAME		at the same port, with other keys of the same kid
# oidc_stop, oidc_kill, oidc_freeze, oidc_thaw NAME; oidc_up NAME starts a stopped one, as oidc_restart does
# oidc_token ISSUER [FIELD=VALUE]...	prints an access token by client credentials (client_id, or what a mapping looks at; aud: only by a mapping)
#
# -- PostgreSQL
# pg SQL... | pg -f FILE	as the superuser in PG_DB; plain rows out
# pg_start NAME [SETTING=VALUE]...	a cluster of the test's own, to be hurt; then pg_database NAME
# pg_stop, pg_kill (at once), pg_freeze, pg_thaw, pg_restart NAME
# pg_statements on|off		each statement of *new* sessions in PG_DB into the server's log; pg_log prints the log of PG_DB
# pg_session NAME [USER], pg_in NAME SQL	a psql that lives on, for transactions that stay open; what it says
# judged [OPTION]... TOKEN... [-- COMMAND...]	how long a change takes to be seen by all workers (tools/judged.py; what --sql
#				or --steps say goes to PG_DB)
# tenant_add ID [COLUMN=VALUE]...	there already: changed
# token_new			prints a token of the right form, known to nobody
# token_add TENANT [TOKEN [SQL]]	adds the token (a new one) and prints it; SQL: more arguments of way.token
#				(pg/helpers.sql), such as "scopes => '{traces:write}'"
# token_revoke TOKEN, token_delete TOKEN
#
# -- Certificates
# certs				a private CA, $T/ca.pem (sets CA), and the pair $T/cert.pem, $T/key.pem for 127.0.0.1, localhost
# cert_new NAME [DAYS]		one more pair of that CA: $T/NAME.pem, $T/NAME.key
#
# -- headgate
# conf_base [tls] [kafka|discard|local] [postgres|file] [WORKERS]	a configuration with listener "public" on a free port, admin and
#				control sockets, audit file; without words by what the test needs; tls takes certs' pair
#				local: the store is in HG_DIR/store
# stored [DIR]			the rows of the local store as `records` prints those of a topic (tools/stored.py); fails if a
#				checksum does not match
# conf PATH=VALUE...		changes it (conf kafka.ack_deadline=2s listeners.0.max_connections=10); `PATH=` removes
# tenants_file ID:TOKEN[|LIMITS]...	the file of tenants.source: file, whole, replaced by rename; LIMITS: requests_per_s: 5, items_per_s: 9
# headgate_start [ARGUMENT]...	until it says READY=1; sets HG_PID, URL, ADDRESS (host:port). MANAGER=(...) holds options for
#				tools/manager.py (watchdog, user, socket units)
# headgate_stop [TIME]		SIGTERM; sets HG_STATUS, succeeds if it is 0
# headgate_restart		by the manager, with the descriptors that it keeps
# headgate_reload		SIGHUP, until it says READY=1 again
# headgate_switch		the same, and until the workers of before are gone: what comes next meets the new ones
# known TOKEN			until every worker knows that credential (it is not 401 or 503 eight times in a row)
# instance NAME			switches to another headgate with files of its own (HG_DIR); the first one is "hg"
# listener_address NAME		host:port, from the log
# workers			the pids of the workers
# environment PID FILE		what /proc shows of its environment, a line each, into FILE; a check that it could be read: only root can
# rss PID, cpu_ms PID		its resident memory in KiB; the processor time it has used
# seals PID			the memfds it has open or mapped: `fd|map NAME MODE SEALS` (tools/seals.py)
# hg_log REGEX			the log has such a line (wait_until 5s hg_log 'lvl=warn mod=sink')
# notify REGEX			the manager was told such a line (tools/manager.py: notify.log)
# HEADGATE, HEADGATE_WORKER, HEADGATECTL	the programs; HG_LOG, HG_DIR; control and admin sockets in HG_DIR: control.sock,
#				admin.sock; audit records in HG_DIR/audit.log
#
# -- Requests
# otlp SIGNAL [OPTION]...	a body (tools/otlp.py --help): -n items -m marker -r key=value --nested depth -z -o file
# post PATH FILE [CURL-OPTION]...	prints the status (000: none); reply in $T/reply, its head in $T/reply.head
# get PATH [CURL-OPTION]...	the same
# reply_header NAME		of the last reply
# admin PATH [CURL-OPTION]...	the body of an answer of the admin listener
# metric NAME ['{label="value"}'] [--list|--must]	the sum of what the admin listener shows (prefix headgate_ left out)
# raw [OPTION]... [FILE]	bytes as they are to ADDRESS (tools/raw.py --help: --text --split --each --half-close --tls)
# send_js RUN [VARIABLE=VALUE]..., send_python ...	the OpenTelemetry SDKs (tests/clients) send all signals to URL with TOKEN,
#				named by RUN; "SIGNAL ok" or "SIGNAL failed: why" for each (need js-otel, python-otel).
#				OTEL_EXPORTER_OTLP_COMPRESSION=gzip, HEADGATE_SIGNALS=logs ...
# decoded			on the lines of records: each as JSON by an independent decoder (tests/clients/decode.py;
#				need python-otel); decoded SIGNAL FILE...: bodies
# pbdump SIGNAL FILE...		bodies as protobuf-c reads them (tools/pbdump.c)
# load [OPTION]...		known bodies and what became of each (tools/load.py --help), to URL with TOKEN, into --results FILE
# conserved FILE...		on the lines of records: is each accepted body there, and no refused one (tools/conserved.py)?

set -uo pipefail
shopt -s lastpipe	# the last command of a pipe may set variables
exec 3>&1 1>&2		# TAP has its own descriptor: nothing else gets between

WAY=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=${WAY%/tests/way}
NAME=$(basename "$0" .sh)
WAY_ARGUMENTS=("$@")
: "${HEADGATE_BUILD:=$ROOT/build/asan}"
[[ $HEADGATE_BUILD = /* ]] || HEADGATE_BUILD=$ROOT/$HEADGATE_BUILD
HEADGATE=$HEADGATE_BUILD/headgate
HEADGATE_WORKER=$HEADGATE_BUILD/headgate-worker
HEADGATECTL=$HEADGATE_BUILD/headgatectl
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8

T=$(mktemp -d "${TMPDIR:-/tmp}/headgate-$NAME.XXXXXX") || exit 1
chmod 711 "$T"	# PostgreSQL runs as another user
TOKEN='' CA='' KAFKA_BROKERS='' PG_DSN='' HG_PID='' URL='' ADDRESS=''
MANAGER=()
WAY_CHECKS=0 WAY_FAILED=0 WAY_FINISHED='' WAY_EXPECTED=() WAY_INSTANCES=() WAY_BACKGROUND=()
declare -A WAY_FOREIGN=()

# shellcheck source-path=SCRIPTDIR
. "$WAY/tools/base.sh"
. "$WAY/kafka/kafka.sh"
. "$WAY/pg/pg.sh"
. "$WAY/oidc/oidc.sh"
forget_machine_env

# -- checks

tap() { printf '%s\n' "$*" >&3; }
note() { sed 's/^/# /' <<<"$*" >&3; }
fails() { ! "$@"; }
pass() { tap "ok $((++WAY_CHECKS)) - $1"; }

fail()
{
	tap "not ok $((++WAY_CHECKS)) - $1"
	((++WAY_FAILED))
	shift
	[ $# = 0 ] || note "$*"
	return 1
}

ok()
{
	local sentence=$1
	shift
	if "$@" >"$T/.output" 2>&1; then
		pass "$sentence"
	else
		fail "$sentence" "$*"$'\n'"$(head -c 4000 "$T/.output")"
	fi
}

is()
{
	[ "$2" = "$3" ] && { pass "$1"; return; }
	fail "$1" "got:  ${2:0:2000}"$'\n'"want: ${3:0:2000}"
}

comes()
{
	local sentence=$1 want=$2 got
	shift 2
	come_true() { got=$("$@") && [ "$got" = "$want" ]; }
	wait_until 10s come_true "$@"
	is "$sentence" "${got-}" "$want"
}

like()
{
	[[ $2 =~ $3 ]] && { pass "$1"; return; }
	fail "$1" "got:  ${2:0:2000}"$'\n'"want: =~ $3"
}

skip()
{
	[ "${REQUIRE-}" != all ] || { fail "$1" "skipped, and nothing may be: $2"; return; }
	tap "ok $((++WAY_CHECKS)) - $1 # SKIP $2"
}

skip_all()
{
	[ "${REQUIRE-}" != all ] || bail "needs $1"
	WAY_FINISHED=skipped
	tap "1..0 # SKIP needs $1"
	exit 0
}

bail()
{
	echo "$*" >>"$T/.bail"
	[ "$BASHPID" = $$ ] || kill -TERM $$	# in a subshell: the test itself must end
	exit 1
}

expect_err() { WAY_EXPECTED+=("$1"); }

# Lines of headgate's logs that nobody wants to see. WAY_FOREIGN: folders whose log is another program's, with its own words.
bad_lines()
{
	local log regex unexpected
	for log in "$T"/*/log; do
		[ -e "$log" ] && [ -z "${WAY_FOREIGN[${log%/log}]-}" ] || continue
		grep -aE 'ERROR: [A-Za-z]+Sanitizer|: runtime error: |SUMMARY: [A-Za-z]+Sanitizer|Assertion .* failed' "$log"
		unexpected=$(grep -aE '(^| )lvl=err( |$)|"lvl":"err"' "$log")
		for regex in "${WAY_EXPECTED[@]}"; do
			unexpected=$(grep -avE -- "$regex" <<<"$unexpected")
		done
		[ -z "$unexpected" ] || printf '%s\n' "$unexpected"
	done
}

finish()
{
	local name bad
	if [ ${#WAY_INSTANCES[@]} != 0 ]; then
		for name in "${WAY_INSTANCES[@]}"; do
			instance "$name"
			[ -n "$HG_PID" ] || continue
			headgate_stop || fail "headgate ($name) ends with status 0" "status $HG_STATUS"
		done
		bad=$(bad_lines)
		is "no sanitizer report and no unannounced error is in the logs" "$bad" ""
	fi
	WAY_FINISHED=yes
	exit 0
}

# However the test ends: everything it started ends, and its TAP is whole.
at_exit()
{
	local log pid
	trap - EXIT TERM INT
	if [ -e "$T/.bail" ]; then
		fail "the test can go on" "$(cat "$T/.bail")"
	elif [ -z "$WAY_FINISHED" ]; then
		fail "the test comes to its end (finish)"
	elif [ "$WAY_CHECKS" = 0 ] && [ "$WAY_FINISHED" = yes ]; then
		fail "the test checks something"
	fi
	for pid in "${WAY_BACKGROUND[@]}"; do end_pid "$pid" TERM 5s; done
	for log in "$T"/*/manager.pid; do
		[ ! -e "$log" ] || end_pid "$(cat "$log")" KILL
	done
	kafka_end_all
	oidc_end_all
	pg_end_all
	[ "$WAY_FINISHED" = skipped ] || tap "1..$WAY_CHECKS"
	if [ "$WAY_FAILED" != 0 ]; then
		for log in "$T"/*/log "$T"/*/notify.log "$T"/background.log "$T"/send.log "$T"/kafka-*/server.*.log "$T"/pg-*/server.*.log "$T"/oidc-*/server.*.log; do
			[ ! -s "$log" ] || note "== ${log#"$T"/} (the last 60 lines)"$'\n'"$(tail -n 60 "$log" | cut -c1-1000)"
		done
	fi
	if [ -n "${KEEP-}" ]; then note "kept: $T"; else rm -rf "$T"; fi
	exit $((WAY_FAILED != 0))
}
trap at_exit EXIT
trap 'exit 1' TERM INT

# -- needs

need()
{
	local word
	for word; do
		case $word in
		kafka)
			if [ -n "${WAY_KAFKA_BROKERS-}" ]; then
				KAFKA_BROKERS=$WAY_KAFKA_BROKERS
			else
				machine_env "$WAY/tools/cached" kafka >/dev/null || skip_all kafka
				kafka_start way
			fi ;;
		broker)
			machine_env "$WAY/tools/cached" kafka >/dev/null || skip_all broker ;;
		oidc)
			machine_env "$WAY/tools/cached" oidc >/dev/null || skip_all oidc ;;
		postgres)
			[ -x "$PG_BIN/postgres" ] || skip_all postgres
			if [ -n "${WAY_PG_PORT-}" ]; then
				PG_SOCKET_DIR=$WAY_PG_DIR PG_PORT=$WAY_PG_PORT
			else
				pg_start way
			fi
			pg_database "$NAME" ;;
		python-otel)
			PYTHON_OTEL=$(machine_env "$WAY/tools/cached" python)/bin/python || skip_all "$word" ;;
		json-schema)
			JSON_SCHEMA=$(machine_env "$WAY/tools/cached" schema)/bin/python || skip_all "$word" ;;
		js-otel)
			JS_OTEL=$(machine_env "$WAY/tools/cached" js) || skip_all "$word" ;;
		root)
			[ "$(id -u)" = 0 ] || skip_all root ;;
		netns)
			need_netns ;;
		*)	bail "need: what is $word?" ;;
		esac
	done
}

# The test starts over in a network namespace where it is alone; servers of the run can't be reached from there.
need_netns()
{
	if [ -z "${WAY_NETNS-}" ]; then
		unshare -n true 2>/dev/null || skip_all netns
		rm -rf "$T"
		trap - EXIT TERM INT
		exec env -u WAY_KAFKA_BROKERS -u WAY_PG_PORT WAY_NETNS=1 unshare -n -- bash "$0" "${WAY_ARGUMENTS[@]}" >&3
	fi
	ip link set lo up
}

net_rules()
{
	local action=$1 port=$2 side
	[ -n "${WAY_NETNS-}" ] || bail "net_drop and net_pass only after: need netns"
	for side in --dport --sport; do
		iptables "$action" INPUT -i lo -p tcp "$side" "$port" -j DROP || bail "iptables $action failed"
	done
}
net_drop() { net_rules -I "$1"; }
net_pass() { net_rules -D "$1"; }

background()
{
	spawn "$T/background.log" "$@"
	WAY_BACKGROUND+=("$SPAWNED")
}

# What a machine's pause may not be taken for.
stalls_watch()
{
	background python3 "$WAY/tools/stalls.py" watch "$T/stalls"
	wait_until 10s test -e "$T/stalls" || bail "nobody watches the machine"
}
stood_still() { python3 "$WAY/tools/stalls.py" since "$T/stalls" "$1" || bail "nobody watches the machine"; }
net_since()
{
	local real=$((($(now_us) - $1) / 1000))
	echo $((real - $(stood_still "$1")))
}
net_results() { cat "$@" | python3 "$WAY/tools/stalls.py" net "$T/stalls"; }
within()
{
	local ms=$1 begin took
	shift
	begin=$(now_us)
	wait_until "$((ms + 20000))ms" "$@" || return 1
	took=$((($(now_us) - begin) / 1000))
	[ "$took" -le "$ms" ] || took=$(net_since "$begin")
	echo "after $took ms"
	[ "$took" -le "$ms" ]
}

hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
unhex() { python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'; }

# -- Kafka

WAY_TOPIC=$HEADGATE_BUILD/tests/way/tools/topic

topic()
{
	[ "$WAY_TOPIC" -nt "$WAY/tools/topic.c" ] || build_topic
	"$WAY_TOPIC" "$@"
}

# For a test that runs before `make way` has built it.
build_topic()
{
	mkdir -p "${WAY_TOPIC%/*}"
	${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -g -Wall -Wextra -o "$WAY_TOPIC.$BASHPID" "$WAY/tools/topic.c" -lrdkafka ||
		bail "can't build tools/topic.c"
	mv "$WAY_TOPIC.$BASHPID" "$WAY_TOPIC"
}

topics()
{
	local partitions=${1:-2} each
	TRACES_TOPIC=$NAME-spans METRICS_TOPIC=$NAME-metrics LOGS_TOPIC=$NAME-logs
	WRITE_TOPIC=$NAME-write WRITE2_TOPIC=$NAME-write2 LOKI_TOPIC=$NAME-loki
	for each in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC" "$WRITE_TOPIC" "$WRITE2_TOPIC" "$LOKI_TOPIC"; do
		topic create "$KAFKA_BROKERS" "$each" "$partitions" "${@:2}" || bail "can't create the topic $each"
	done
}

records() { topic read "$KAFKA_BROKERS" "$1"; }
record_count() { topic count "$KAFKA_BROKERS" "$1"; }

values()
{
	mkdir -p "$2"
	records "$1" | jq -r '.value // ""' | python3 -c 'import sys
for i, line in enumerate(sys.stdin):
	open(f"{sys.argv[1]}/{i}", "wb").write(bytes.fromhex(line))' "$2"
}

header()
{
	local value i text
	jq -r --arg name "$2" '.headers[] | select(.[0] == $name) | .[1]' <<<"$1" | while read -r value; do
		text=''
		for ((i = 0; i < ${#value}; i += 2)); do text+="\\x${value:i:2}"; done
		printf '%b\n' "$text"
	done
}

# -- PostgreSQL

pg()
{
	local sql words=()
	if [ "${1-}" = -f ]; then
		words=("$@")
	else
		for sql; do words+=(-c "$sql"); done
	fi
	pg_sql "$PG_DB" "${words[@]}"
}

pg_statements()
{
	if [ "$1" = on ]; then
		pg "ALTER DATABASE \"$PG_DB\" SET log_statement = 'all'"
	else
		pg "ALTER DATABASE \"$PG_DB\" RESET log_statement"
	fi
}

pg_log() { cat "$PG_SOCKET_DIR"/server.*.log | grep -a "@$PG_DB "; }

tenant_add()
{
	local id=${1//\'/\'\'} pair sql=()
	shift
	for pair; do
		sql+=("UPDATE headgate.tenant SET ${pair%%=*} = '${pair#*=}' WHERE tenant_id = '$id'")
	done
	pg "SELECT way.tenant('$id')" "${sql[@]}" >/dev/null || bail "can't add the tenant $id"
}

token_new() { python3 "$WAY/tools/token.py"; }

token_add()
{
	local token=${2:-$(token_new)}
	pg "SELECT way.token('${1//\'/\'\'}', '$token'${3:+, $3})" >/dev/null || bail "can't add a token of $1"
	echo "$token"
}

token_revoke() { pg "SELECT way.revoke('$1')" >/dev/null || bail "can't revoke a token"; }
token_delete() { pg "SELECT way.drop_token('$1')" >/dev/null || bail "can't delete a token"; }

# -- certificates

certs()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=way test CA" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
		-keyout "$T/ca.key" -out "$T/ca.pem" 2>"$T/.openssl" || bail "no CA: $(cat "$T/.openssl")"
	CA=$T/ca.pem
	cert_new cert
	mv "$T/cert.key" "$T/key.pem"
}

cert_new()
{
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" -keyout "$T/$1.key" \
		-out "$T/$1.csr" 2>"$T/.openssl" || bail "no request: $(cat "$T/.openssl")"
	openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -days "${2:-30}" -out "$T/$1.pem.new" -extfile <(
		echo 'subjectAltName=DNS:localhost,IP:127.0.0.1'
		echo 'extendedKeyUsage=serverAuth') 2>>"$T/.openssl" || bail "no certificate: $(cat "$T/.openssl")"
	chmod 600 "$T/$1.key"
	mv "$T/$1.pem.new" "$T/$1.pem"
}

# -- headgate

instance()
{
	HG_DIR=$T/$1 HG_LOG=$T/$1/log HG_PID='' URL='' ADDRESS=''
	mkdir -p "$HG_DIR"
	[ ! -e "$HG_DIR/pid" ] || HG_PID=$(cat "$HG_DIR/pid")
	[ ! -e "$HG_DIR/url" ] || { URL=$(cat "$HG_DIR/url"); ADDRESS=${URL#*://}; }
}

conf_base()
{
	local sink=discard source=file number=2 tls='' word
	[ -z "$KAFKA_BROKERS" ] || sink=kafka
	[ -z "$PG_DSN" ] || source=postgres
	for word; do
		case $word in
		tls)	tls=yes ;;
		kafka|discard|local)	sink=$word ;;
		postgres|file)	source=$word ;;
		[1-9]*)	number=$word ;;
		*)	bail "conf_base: what is $word?" ;;
		esac
	done
	: >"$HG_DIR/conf"
	conf "workers=$number" listeners.0.name=public listeners.0.listen=127.0.0.1:0 "admin.listen=$HG_DIR/admin.sock" \
		"control.socket=$HG_DIR/control.sock" "tenants.source=$source" "sink=$sink" "log.audit_file=$HG_DIR/audit.log"
	[ -z "$tls" ] || conf "listeners.0.tls.cert_file=$T/cert.pem" "listeners.0.tls.key_file=$T/key.pem"
	if [ "$source" = file ]; then
		[ -e "$HG_DIR/tenants.yaml" ] || tenants_file
		conf "tenants.file=$HG_DIR/tenants.yaml"
	else
		conf "tenants.dsn=$PG_DSN"
	fi
	[ "$sink" != local ] || { mkdir -p "$HG_DIR/store"; conf "local.dir=$HG_DIR/store"; }
	[ "$sink" != kafka ] || conf "kafka.brokers=[\"$KAFKA_BROKERS\"]"
	[ -z "${TRACES_TOPIC-}" ] || conf "protocols.otlp.traces_topic=$TRACES_TOPIC" "protocols.otlp.metrics_topic=$METRICS_TOPIC" \
		"protocols.otlp.logs_topic=$LOGS_TOPIC" "protocols.remote_write.topic=$WRITE_TOPIC" \
		"protocols.remote_write.topic_v2=$WRITE2_TOPIC" "protocols.loki.topic=$LOKI_TOPIC"
}

conf()
{
	printf '%s\n' "$@" >>"$HG_DIR/conf"
	python3 "$WAY/tools/conf.py" "$HG_DIR/conf" >"$HG_DIR/headgate.yaml.new" || bail "conf: $*"
	mv "$HG_DIR/headgate.yaml.new" "$HG_DIR/headgate.yaml"
}

tenants_file()
{
	local pair token limits
	(
		umask 077
		exec >"$HG_DIR/tenants.yaml.new"	# here: a redirection of the whole would come before umask
		echo "version: 1"
		if [ $# = 0 ]; then echo "tenants: []"; else echo "tenants:"; fi
		for pair; do
			limits=''
			[[ $pair != *'|'* ]] || limits=${pair#*|}
			pair=${pair%%|*}
			token=${pair#*:}
			printf '  - id: "%s"\n    tokens: [{id: "%s", sha256: %s}]\n' "${pair%%:*}" "$(token_id "$token")" "$(token_hash "$token")"
			[ -z "$limits" ] || printf '    limits: {%s}\n' "$limits"
		done
	)
	mv "$HG_DIR/tenants.yaml.new" "$HG_DIR/tenants.yaml"
}

token_hash() { printf '%s' "$1" | sha256sum | cut -c1-64; }

# As way.token_id() in pg/helpers.sql.
token_id() { if [[ $1 =~ ^hgt_([0-9A-Za-z]{8})_ ]]; then echo "${BASH_REMATCH[1]}"; else token_hash "$1" | cut -c1-16; fi; }

listener_address()
{
	grep -aE ' msg="?listening"?( |$)' "$HG_LOG" | grep -E " name=\"?$1\"?( |\$)" | grep -oP ' addr="?\K[^" ]+' | tail -n 1
}

headgate_start()
{
	[ -x "$HEADGATE" ] || bail "no program $HEADGATE (make MODE=asan)"
	[[ " ${WAY_INSTANCES[*]-} " == *" ${HG_DIR##*/} "* ]] || WAY_INSTANCES+=("${HG_DIR##*/}")
	rm -f "$HG_DIR"/{status,notify.sock,url}
	: >"$HG_DIR/notify.log"
	: >>"$HG_LOG"
	spawn "$HG_LOG" python3 "$WAY/tools/manager.py" "$HG_DIR" "${MANAGER[@]}" -- "$HEADGATE" -c "$HG_DIR/headgate.yaml" "$@"
	echo "$SPAWNED" >"$HG_DIR/manager.pid"
	wait_until 60s ready_or_ended 1
	headgate_started
}

ready_or_ended() { [ -e "$HG_DIR/status" ] || gone "$(cat "$HG_DIR/manager.pid")" || [ "$(ready_count)" -ge "$1" ]; }
ready_count() { grep -cP '^[0-9.]+\t([A-Z_]+=[^\t]*\t)*READY=1(\t|$)' "$HG_DIR/notify.log"; }

# Reads what the started headgate is and where it listens.
headgate_started()
{
	local scheme=http
	if [ ! -e "$HG_DIR/pid" ] || [ "$(ready_count)" -lt 1 ]; then
		bail "headgate does not start (status $(cat "$HG_DIR/status" 2>/dev/null)): $(tail -n 30 "$HG_LOG")"
	fi
	HG_PID=$(cat "$HG_DIR/pid")
	ADDRESS=$(listener_address public)
	! grep -q '^listeners.0.tls' "$HG_DIR/conf" 2>/dev/null || scheme=https
	URL=$scheme://$ADDRESS
	echo "$URL" >"$HG_DIR/url"
}

headgate_stop()
{
	local manager
	manager=$(cat "$HG_DIR/manager.pid")
	end_pid "$manager" TERM "${1:-45s}"
	HG_STATUS=$(cat "$HG_DIR/status" 2>/dev/null || echo none)
	HG_PID=''
	[ "$HG_STATUS" = 0 ]
}

headgate_restart()
{
	local before
	before=$(ready_count)
	kill -USR1 "$(cat "$HG_DIR/manager.pid")"
	wait_until 60s ready_or_ended $((before + 1)) || bail "headgate does not come back"
	headgate_started
}

headgate_reload()
{
	local before
	before=$(ready_count)
	kill -HUP "$HG_PID"
	wait_until 60s ready_or_ended $((before + 1))
}

headgate_switch()
{
	local pid before
	before=$(workers)
	headgate_reload || return 1
	for pid in $before; do wait_until 40s gone "$pid" || return 1; done
}

judged()
{
	local command=()
	[[ " $* " != *" --s"[qt]* ]] || command=(-- psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$PG_SOCKET_DIR" -p "$PG_PORT" -U postgres -d "$PG_DB")
	python3 "$WAY/tools/judged.py" "$ADDRESS" "$@" "${command[@]}"
}

# A body of no type is refused after the credential was judged, and costs nothing.
is_known()
{
	local TOKEN=$1 i
	for i in {1..8}; do
		[ "$(request /v1/logs -H 'Content-Type:' -d x)" = 415 ] || return 1
	done
}
known() { wait_until 30s is_known "$1" || bail "the token is not known: $(tail -n 3 "$HG_LOG")"; }

workers()
{
	local pid
	for pid in $(<"/proc/$HG_PID/task/$HG_PID/children"); do
		gone "$pid" || echo "$pid"
	done
}

# lib.sh gives UBSAN_OPTIONS to all, and a worker keeps it: where it is not to be seen nothing was, and a search would find nothing.
environment()
{
	: >"$2"
	[ "$(id -u)" = 0 ] || { skip "the environment of process $1 can be read" "by root alone"; return; }
	tr '\0' '\n' <"/proc/$1/environ" >"$2"
	ok "the environment of process $1 can be read" grep -q '^UBSAN_OPTIONS=' "$2"
}

rss() { awk '$1 == "VmRSS:" {print $2}' "/proc/$1/status"; }

cpu_ms()
{
	local stat words
	read -r stat <"/proc/$1/stat"
	read -ra words <<<"${stat##*) }"	# state is 3 of proc(5), utime 14, stime 15
	echo $(((words[11] + words[12]) * 1000 / $(getconf CLK_TCK)))
}

seals() { python3 "$WAY/tools/seals.py" "$1"; }
hg_log() { grep -aqE -- "$1" "$HG_LOG"; }
notify() { grep -aqE -- "$1" "$HG_DIR/notify.log"; }

# -- requests

otlp() { python3 "$WAY/tools/otlp.py" "$@"; }

request()
{
	local path=$1
	shift
	curl -sS --http1.1 --max-time 60 -o "$T/reply" -D "$T/reply.head" -w '%{http_code}' ${CA:+--cacert "$CA"} \
		${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$@" "$URL$path" 2>"$T/reply.error"
}

post() { request "$1" -H 'Content-Type: application/x-protobuf' --data-binary "@$2" "${@:3}"; }
get() { request "$@"; }

reply_header() { tr -d '\r' <"$T/reply.head" | sed -n "s/^$1: //Ip"; }

admin() { curl -sS --max-time 20 --unix-socket "$HG_DIR/admin.sock" "${@:2}" "http://localhost$1"; }

# A request is counted once its reply is written, so who has just read that looks again if one is still in flight.
metric()
{
	local page status i
	page=$(admin /metrics)
	status=$?
	if ! awk '/^headgate_requests_in_flight/ && !/route="metrics"/ && $NF > 0 { exit 1 }' <<<"$page"; then
		for i in {1..5}; do tick; done
		page=$(admin /metrics)
		status=$?
	fi
	python3 "$WAY/tools/metric.py" "$@" <<<"$page" && return $status
}

raw() { python3 "$WAY/tools/raw.py" "$ADDRESS" "$@"; }

# The variables of any OpenTelemetry SDK; header values are percent-encoded.
otel_env()
{
	env OTEL_EXPORTER_OTLP_ENDPOINT="$URL" OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20$TOKEN" \
		${CA:+OTEL_EXPORTER_OTLP_CERTIFICATE="$CA"} OTEL_EXPORTER_OTLP_TIMEOUT=20000 "$@"
}
send_js() { otel_env NODE_PATH="$JS_OTEL/node_modules" "${@:2}" node "$ROOT/tests/clients/js/send.js" "$1" 2>>"$T/send.log"; }
# Its time-out is in seconds, that of JavaScript in milliseconds.
send_python() { otel_env OTEL_EXPORTER_OTLP_TIMEOUT=20 "${@:2}" "$PYTHON_OTEL" "$ROOT/tests/clients/python/send.py" "$1" 2>>"$T/send.log"; }
decoded() { "$PYTHON_OTEL" "$ROOT/tests/clients/decode.py" "$@"; }

# built NAME ARGUMENT...: a tool in C; built here for a test that runs before `make way` has done it.
built()
{
	local program=$HEADGATE_BUILD/tests/way/tools/$1
	[ "$program" -nt "$WAY/tools/$1.c" ] || make -s -C "$ROOT" "MODE=${HEADGATE_BUILD##*/}" "${program#"$ROOT"/}" >&2 ||
		bail "can't build tools/$1.c"
	"$program" "${@:2}"
}
pbdump() { built pbdump "$@"; }

load() { python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" ${CA:+--ca "$CA"} "$@"; }
stored() { python3 "$WAY/tools/stored.py" "${1:-$HG_DIR/store}"; }
conserved() { python3 "$WAY/tools/conserved.py" "$@"; }

instance hg
