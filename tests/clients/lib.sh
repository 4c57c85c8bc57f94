# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# lib.sh -- what the tests of real clients (tests/clients/NN-name.sh, `make clients`) are written over: tests/way/lib.sh, whose head is
# the manual, and what follows. Such a test starts an unmodified program, gives it known values and reads all of them back.
#
# programs KIND...	the folders of those programs, built or unpacked (tools/cached): DEBIAN, PROMETHEUS, VMAGENT, COLLECTOR,
#			LOKI_JS, LOKISEND, CLICKHOUSE, LOKI_PYTHON, JAVA, OTELSEND (Go), RUST, MOOSE, DEX, HYDRA
# gateway [SETTING=VALUE]...	headgate over TLS with a private CA, the tenant acme, its TOKEN (also in $T/token) and topics of
#			the test's own: those of topics, and RAW_TOPIC of Obstack
# target COUNT		starts target.py: COUNT scrapes, then only 503; TARGET is its host:port
# client NAME COMMAND...	starts a program in the folder $T/NAME, its log there; CLIENT_PID. client_stop NAME: as its manager would
# log_of NAME REGEX	lines of its log
# complaints [LEVELS]	what the Collector of this test warned of, or called an error (warn|error), before it was told to end: what it was in
#			the middle of then is broken off, and it says so
# doubtful SIGNAL	how many items of acme Kafka has, or may have, though their client was told 503: sent again, as they must be, they are
#			there twice
# judge JOB [TOPIC...] [OWN]	compares records with what the target served (judge.py), into $T/facts; OWN: a file
# fact NAME		from there: a number, or a list as JSON
# whole JOB TOPIC	all that was served is there, and the stale markers: for wait_until
# samples_in ADDRESS [TENANT]	the raw samples that the Prometheus there holds, as JSON

. "$(dirname "${BASH_SOURCE[0]}")/../way/lib.sh"
CLIENTS=$ROOT/tests/clients
declare -A CLIENT_PIDS=()

programs()
{
	local kind folder
	for kind; do
		folder=$(machine_env "$WAY/tools/cached" "$kind" 2>"$T/.cached") || skip_all "$kind: $(tail -n 1 "$T/.cached")"
		declare -g "${kind^^}=$folder"
	done
}

gateway()
{
	certs
	topics 2
	RAW_TOPIC=$NAME-raw
	topic create "$KAFKA_BROKERS" "$RAW_TOPIC" 2 || bail "can't create the topic $RAW_TOPIC"
	tenant_add acme
	TOKEN=$(token_add acme)
	printf '%s' "$TOKEN" >"$T/token"
	conf_base tls
	conf protocols.obstack.enabled=true "protocols.obstack.topic=$RAW_TOPIC" "$@"
	headgate_start
	known "$TOKEN"
}

target()
{
	mkdir "$T/target"
	background python3 "$CLIENTS/target.py" "$T/target" "$1"
	wait_until 30s test -e "$T/target/address" || bail "no target"
	TARGET=$(<"$T/target/address") TARGET_COUNT=$1
}

client()
{
	local name=$1
	shift
	mkdir -p "$T/$name"
	WAY_FOREIGN[$T/$name]=yes
	spawn "$T/$name/log" "$@"
	CLIENT_PIDS[$name]=$SPAWNED
	WAY_BACKGROUND+=("$SPAWNED")
}

client_stop() { end_pid "${CLIENT_PIDS[$1]}" TERM 30s; }

log_of() { grep -aE -- "$2" "$T/$1/log"; }

complaints()
{
	awk -v levels="\t(${1-warn|error})\t" '/\tReceived signal from OS/ {ends = 1} /\t(Everything is ready|Shutdown complete)/ {ends = 0}
		!ends && $0 ~ levels' "$T/collector/log"
}

doubtful()
{
	local late maybe
	late=$(metric items_late_total "{tenant=\"acme\",signal=\"$1\"}")
	maybe=$(metric items_failed_total "{tenant=\"acme\",signal=\"$1\",reason=\"maybe_persisted\"}")
	echo $((late + maybe))
}

judge()
{
	local job=$1 own='' each
	shift
	for each; do
		if [[ $each == /* ]]; then own=$each; else records "$each"; fi
	done >"$T/records"
	python3 "$CLIENTS/judge.py" acme "$T/target/served" "$TARGET" "$job" ${own:+"$own"} <"$T/records" >"$T/facts"
}

fact() { jq -c ".$1" "$T/facts"; }

whole()
{
	[ "$(wc -l <"$T/target/served")" = "$TARGET_COUNT" ] && judge "$@" && jq -e '.missing == [] and .missing_exemplars == [] and .missing_histograms == [] and .stale == 3' "$T/facts"
}

# Everything that Prometheus's own storage holds is asked for by a selector that says so.
samples_in()
{
	curl -sS --max-time 20 -G --data-urlencode 'query={job=~".+"}[10m]' "http://$1/api/v1/query"
}
