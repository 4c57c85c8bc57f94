#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 83-ctl-cat.sh -- headgatectl cat shows the records of the local store, decoded, of a gateway that runs and of one that has stopped, also
# to somebody who may not write there (O26)
. "${0%/*}/lib.sh"

cat_() { "$HEADGATECTL" cat -c "$HG_DIR/headgate.yaml" "$@" 2>"$T/said.err"; }
acme=$(token_new) other=$(token_new)
printf '%s' "$acme" >"$T/acme"; printf '%s' "$other" >"$T/other"
tenants_file "acme:$acme" "other:$other"
conf_base local file 2
cat_ >"$T/said"
is "a folder that is empty is exit 0" "$? $(wc -c <"$T/said")" "0 0"
headgate_start
TOKEN=$acme
known "$other"; known "$acme"
export HEADGATE_SOCKET=$HG_DIR/control.sock HEADGATE_URL=$URL
send() { "$HEADGATECTL" send "${@:2}" --json --token-file "$T/$1" 2>&1; }
send acme --all >"$T/sent"
send other --signal logs >>"$T/sent"
is "all of it is accepted" "$(jq -r .accepted "$T/sent" | sort | uniq -c | xargs)" "14 true"

# -- a gateway that runs
cat_ >"$T/said"
is "cat shows what is there" "$? $(wc -l <"$T/said")" "0 14"
is "each where send said that it is" "$(jq -r '"\(.file) \(.seq) \(.topic) \(.tenant)"' "$T/said" | sort)" \
	"$(jq -r '"\("0000000000\(.partition)"[-10:]).db \(.offset) \(.topic) \(.tenant)"' "$T/sent" | sort)"
is "oldest first" "$(jq -r .received "$T/said")" "$(jq -r .received "$T/said" | sort)"
line() { jq -c "select(.topic == \"$1\" and .tenant == \"acme\") | $2" "$T/said" | sort -u; }
is "the headers are an object" "$(line otlp_logs '.headers | [.["X-Scope-OrgID"], .tenant_id, .signal, .format]')" '["acme","acme","logs","otlp_proto"]'
is "logs are decoded, with the tenant" "$(line otlp_logs '.value.resourceLogs[0] | [.scopeLogs[0].logRecords[0].body.stringValue, (.resource.attributes[] | select(.key == "tenant_id").value.stringValue)]')" \
	'["hello from headgatectl","acme"]'
like "traces, their ids in hex" "$(line otlp_spans '.value.resourceSpans[0].scopeSpans[0].spans[0] | .traceId + " " + .spanId')" '^("[0-9a-f]{32} [0-9a-f]{16}"[[:space:]]*){2}$'
is "metrics" "$(line otlp_metrics '.value.resourceMetrics[0].scopeMetrics[0].metrics[0] | [.name, .gauge.dataPoints[0].asDouble]')" '["headgatectl.sample",1]'
is "remote_write 1.0, with the tenant's label" "$(line prom_write '.value.timeseries[0] | [.labels[] | .name] == ["__name__", "headgate_sample", "job", "tenant_id"]')" true
is "remote_write 2.0, with the tenant's symbol" "$(line prom_write_v2 '.value | .symbols[.timeseries[0].labelsRefs[-1]]')" '"acme"'
is "Loki, with the tenant's label" "$(line loki_push '.value.streams[0] | [.labels, .entries[0].line]')" '["{service_name=\"headgatectl\", tenant_id=\"acme\"}","hello from headgatectl"]'
is "--tenant and --signal choose" "$(cat_ --tenant other | jq -r .tenant | xargs) $(cat_ --signal logs | wc -l) $(cat_ --tenant other --signal traces | wc -l)" "other other other other 8 0"
is "-n shows the last ones" "$(cat_ -n 2)" "$(tail -n 2 "$T/said")"
is "--since a time that is to come shows none" "$(cat_ --since 2100-01-01T00:00:00Z | wc -l) $(cat_ --since 1h | wc -l)" "0 14"
row=$(tail -n 1 "$T/said" | jq -r '"\(.file) \(.seq)"')
cat_ -n 1 --raw >"$T/raw"
is "--raw is the value and nothing else" "$(od -An -v -tx1 "$T/raw" | tr -d ' \n')" \
	"$(python3 -c 'import sqlite3, sys
print(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("select hex(value) from record where seq = ?", (sys.argv[2],)).fetchone()[0].lower())' "$HG_DIR/store/${row% *}" "${row#* }")"

# -- --follow
background bash -c 'exec "$0" cat -c "$1" --follow -n 1 >"$2" 2>"$2.err"' "$HEADGATECTL" "$HG_DIR/headgate.yaml" "$T/followed"
follower=$SPAWNED
lines() { [ "$(wc -l <"$T/followed")" = "$1" ]; }
ok "--follow begins with the last ones" wait_until 20s lines 1
send other --all >/dev/null
ok "and goes on with what comes" wait_until 20s lines 11
headgate_stop
headgate_start
export HEADGATE_URL=$URL
known "$acme"
send acme --signal logs >/dev/null
ok "in files that come later too" wait_until 20s lines 15
is "each once" "$(jq -r '"\(.file) \(.seq)"' "$T/followed" | sort | uniq -d)" ""
is "and says nothing in a pipe" "$(cat "$T/followed.err")" ""
end_pid "$follower"

# -- a gateway that has stopped
headgate_stop
cat_ >"$T/said"
is "a stopped gateway's records are all there" "$? $(wc -l <"$T/said")" "0 28"
find "$HG_DIR/store" -type f -printf '%f %s %m\n' | sort >"$T/before"
cat_ >/dev/null
is "reading changes nothing" "$(find "$HG_DIR/store" -type f -printf '%f %s %m\n' | sort)" "$(cat "$T/before")"
if [ "$(id -u)" = 0 ]; then
	cp "$HEADGATECTL" "$T/headgatectl" # the build may lie where others can't go
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$T/headgatectl" cat --dir "$HG_DIR/store" 2>"$T/said.err"; }
	chmod 711 "$HG_DIR"; chmod 755 "$HG_DIR/store"; chmod 644 "$HG_DIR/store"/*
	as_nobody >"$T/nobody"
	is "somebody who may not write there reads the same" "$? $(cat "$T/said.err")$(cmp "$T/nobody" "$T/said")" "0 "
	# Closed in the ordinary way, as by any SQLite tool that had it open last.
	python3 - "$HG_DIR/store" <<'END'
import glob, sqlite3, sys
for path in glob.glob(sys.argv[1] + "/*.db"):
    link = sqlite3.connect(path)
    link.execute("pragma wal_checkpoint(truncate)")
    link.close()
END
	is "without -wal and -shm" "$(find "$HG_DIR/store" -name '*.db-*' | wc -l)" 0
	as_nobody >"$T/nobody"
	is "it reads the same" "$? $(cat "$T/said.err")$(cmp "$T/nobody" "$T/said")" "0 "
	chmod 700 "$HG_DIR/store"
	as_nobody >/dev/null
	like "who may not read is told, exit 77" "$? $(cat "$T/said.err")" '^77 .*you may not read it'
else
	skip "somebody who may not write there reads the same" root
fi

# -- what is damaged
store=$(ls "$HG_DIR/store"/*.db | head -n 1)
python3 - "$store" <<'END'
import sqlite3, sys
link = sqlite3.connect(sys.argv[1])
link.execute("update record set crc32c = crc32c + 1 where seq = 1")
link.execute("update record set headers = replace(headers, 'otlp_proto', 'other') where seq = 2")
link.commit()
END
cat_ >"$T/said"
is "a value whose checksum is wrong is shown as bytes, with a note" "$(jq -c 'select(.file == "'"${store##*/}"'" and .seq == 1) | [.value, (.base64 | length > 0), .note]' "$T/said")" \
	'[null,true,"its checksum is wrong: the file is damaged"]'
head -c 4096 /dev/urandom >"$HG_DIR/store/0000009999.db"
cat_ >"$T/said"
is "a file that cannot be read is named, the others are shown, exit 1" "$? $(wc -l <"$T/said") $(grep -c '0000009999.db: ' "$T/said.err")" "1 28 1"
cat_ --dir "$T/none"; is "a folder that is not there is exit 1" $? 1
cat_ --since soon; is "a time that is none is a usage error" $? 2
cat_ --signal traffic; is "and a signal that is none" $? 2
expect_err 'mod=store'
finish
