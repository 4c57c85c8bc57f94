#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 34-remote-write.sh -- remote_write 1.0 and 2.0 to real topics: each body becomes its record byte for byte, labels sorted and stamped;
# what breaks a rule is 400 and stores nothing; Content-Type alone tells the version; 2.0 says what was written
# (P6, P7, P10, P15 to P17, P20; PC1 to PC4; R5)
. "${0%/*}/lib.sh"
need kafka

topics 2
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base kafka file 2
conf record.headers=all
headgate_start
known "$TOKEN"
before=$(workers | xargs)
python3 "$WAY/tools/rw.py" "$T/rw"
declare -A TYPE=([1]='application/x-protobuf' [2]='application/x-protobuf;proto=io.prometheus.write.v2.Request')
declare -A TOPIC=([1]=$WRITE_TOPIC [2]=$WRITE2_TOPIC)

# send_all VERSION FILE...: one connection; "STATUS FILE SAMPLES HISTOGRAMS EXEMPLARS" of what came back, the counts as far as they are there
send_all()
{
	local file next='' written='%header{x-prometheus-remote-write'
	for file in "${@:2}"; do
		printf '%s' "$next"
		next=$'next\n'
		printf 'url = "%s/api/v1/write"\ndata-binary = "@%s"\nheader = "Authorization: Bearer %s"\nheader = "Content-Type: %s"\n' \
			"$URL" "$file" "$TOKEN" "${TYPE[$1]}"
		printf 'header = "Content-Encoding: snappy"\nheader = "X-Prometheus-Remote-Write-Version: %s"\n' "${SAYS-0.1.0}"
		printf 'output = "%s.reply"\nwrite-out = "%%{http_code} %s %s-samples-written} %s-histograms-written} %s-exemplars-written}\\n"\n' \
			"$file" "${file##*/}" "$written" "$written" "$written"
	done >"$T/curlrc"
	curl -sS --max-time 60 -K "$T/curlrc" | sed 's/ *$//' | sort
}
good() { find "$T/rw" -name "204.$1.*" ! -name '*.want' ! -name '*.written' ! -name '*.items' ! -name '*.reply' | sort; }
# what send_all should have said of the good ones
told() { for file; do echo "204 ${file##*/} $(cat "$file.written")"; done | sed 's/ *$//' | sort; }
hex_lines() { python3 -c 'import sys; [print(open(name, "rb").read().hex()) for name in sys.argv[1:]]' "$@"; }

# ---- what is good ----
for version in 1 2; do
	mapfile -t files < <(good $version)
	# 2.0 under the version header of 1.0: only the type counts (P15: the counts, or none)
	is "$version.0: ${#files[@]} bodies are 204, with what was written if it is 2.0" "$(send_all $version "${files[@]}")" "$(told "${files[@]}")"
	is "$version.0: the replies are empty" "$(cat "$T/rw/204.$version."*.reply 2>/dev/null | wc -c)" 0
	records "${TOPIC[$version]}" >"$T/records"
	hex_lines "$T/rw/204.$version."*.want | sort >"$T/want"
	is "$version.0: one record of each that holds something" "$(wc -l <"$T/records")" "$(wc -l <"$T/want")"
	missing=$(comm -23 "$T/want" <(jq -r .value "$T/records" | sort))
	is "$version.0: byte for byte, sorted, with one stamp and the client's own taken out (R5)" "$(cut -c1-400 <<<"$missing")" ""
	one=$(head -n 1 "$T/records")
	is "$version.0: the headers say what it is" "$(for each in X-Scope-OrgID tenant_id signal format content-type headgate-route; do header "$one" $each; done | xargs)" \
		"acme acme metrics prom_rw$version application/x-protobuf;proto=$([ $version = 1 ] && echo prometheus.WriteRequest || echo io.prometheus.write.v2.Request) remote_write"
	is "$version.0: the key is the tenant" "$(jq -r .key "$T/records" | sort -u)" "$(hex acme)"
done
items=$(cat "$T/rw/"*.items | awk '{n += $1} END {print n}')
is "each sample, histogram, exemplar and metadata is one item" "$(metric items_accepted_total '{tenant="acme",signal="metrics"}')" "$items"
is "each forged tenant is counted" "$(metric items_spoofed_total '{tenant="acme",signal="metrics"}')" 3
counted() { [ "$(metric requests_total '{route="remote_write"}')" -ge "$(find "$T/rw" -name '204.*.items' | wc -l)" ]; }
ok "the requests are of the route" wait_until 10s counted

# ---- what is not (P16, P17, PC3, PC4) ----
for version in 1 2; do
	stored=$(record_count "${TOPIC[$version]}")
	mapfile -t files < <(find "$T/rw" -name "400.$version.*" ! -name '*.reply' | sort)
	zeros=$([ $version = 1 ] || echo ' 0 0 0')
	is "$version.0: ${#files[@]} bodies are refused, and nothing was written" "$(send_all $version "${files[@]}")" \
		"$(for file in "${files[@]}"; do echo "400 ${file##*/}$zeros"; done | sort)"
	is "$version.0: nothing of them is stored" "$(record_count "${TOPIC[$version]}")" "$stored"
	is "$version.0: each is told why, in one line of at most 512 bytes (P20)" \
		"$(for file in "${files[@]}"; do LC_ALL=C grep -cE '^hg-invalid: [ -~]+$' "$file.reply"; wc -l <"$file.reply"; find "$file.reply" -size +511c; done | sort -u | xargs)" 1
done
like "the text names series and field" "$(cat "$T/rw/400.1.one-of-2000.reply")" "^hg-invalid: timeseries.1999..labels: 'job' is there twice \(request [0-9a-f]{32}\)$"
is "the same workers live" "$(workers | xargs)" "$before"

# ---- Content-Type and Content-Encoding ----
plain=$T/rw/204.1.unsorted modern=$T/rw/204.2.plain
# write FILE [CURL-OPTION]...: the status
write() { request /api/v1/write --data-binary "@$1" "${@:2}"; }
printf 'no snappy at all' >"$T/corrupt"
for type in application/json image/png 'application/x-protobuf;proto=other' 'application/x-protobuf;proto' 'application/x-protobuf; proto=' text/plain; do
	is "PC1: type $type is 415, whatever the body" "$(write "$T/corrupt" -H "Content-Type: $type" -H 'Content-Encoding: snappy')" 415
done
for coding in gzip deflate zstd br 'gzip, snappy'; do
	is "PC1: encoding $coding is 415, whatever the body" "$(write "$T/corrupt" -H "Content-Type: ${TYPE[1]}" -H "Content-Encoding: $coding")" 415
done
for type in 'application/x-protobuf' 'Application/X-Protobuf' 'application/x-protobuf;proto=prometheus.WriteRequest' \
	'application/x-protobuf ; proto = "prometheus.WriteRequest"' 'application/x-protobuf; charset=utf-8' ''; do
	is "type '$type' is 1.0" "$(write "$plain" -H "Content-Type:${type:+ }$type")$(reply_header X-Prometheus-Remote-Write-Samples-Written)" 204
done
for type in 'application/x-protobuf;proto=io.prometheus.write.v2.Request' 'application/x-protobuf; proto=io.prometheus.write.v2.Request' \
	'APPLICATION/x-protobuf ;PROTO = io.prometheus.write.v2.Request' 'application/x-protobuf;proto="io.prometheus.write.v2.Request"'; do
	is "type '$type' is 2.0" "$(write "$modern" -H "Content-Type: $type") $(reply_header X-Prometheus-Remote-Write-Samples-Written)" "204 1"
done
is "PC4: 1.0 without a version header, chunked, unsorted is 204" \
	"$(write "$plain" -H "Content-Type: ${TYPE[1]}" -H 'Content-Encoding: snappy' -H 'Transfer-Encoding: chunked')" 204
is "and no word of what was written" "$(grep -ci written "$T/reply.head")" 0
is "the alias of Mimir takes it too" "$(request /api/v1/push --data-binary "@$plain" -H "Content-Type: ${TYPE[1]}")" 204
is "GET is no way to write" "$(request /api/v1/write) $(reply_header Allow)" "405 POST"

# ---- the block (PC1, P7) ----
printf '\377\006\000\000sNaPpY\001\005\000\000\000\000\000\000a' >"$T/framed"
printf '\377\377\377\377\017\000a' >"$T/huge"
printf '\200\200\200\020\000a' >"$T/lie"
: >"$T/none"
for first in 0 '\377'; do
	{ printf %b "$first"; tail -c +2 "$plain"; } >"$T/overwritten"
	is "PC1: a first byte $first is 400" "$(write "$T/overwritten" -H "Content-Type: ${TYPE[1]}" -H 'Content-Encoding: snappy')" 400
done
for version in 1 2; do
	type=${TYPE[$version]}
	zeros=$([ $version = 1 ] || echo ' 0 0 0')
	counts() { for each in Samples Histograms Exemplars; do reply_header X-Prometheus-Remote-Write-$each-Written; done | xargs; }
	said() { printf '%s %s' "$(write "$@" -H "Content-Type: $type")" "$(counts)" | sed 's/ *$//'; }
	is "$version.0: a framed stream is 400 (P7)" "$(said "$T/framed")" "400$zeros"
	is "$version.0: 4 GiB - 1 declared is 413 (P7)" "$(said "$T/huge")" "413$zeros"
	is "$version.0: a length that no block reaches is 400" "$(said "$T/lie")" "400$zeros"
	is "$version.0: no bytes at all are no block" "$(said "$T/none" -H 'Content-Encoding: snappy')" "400$zeros"
	head -c $((17 * 1024 * 1024)) /dev/zero >"$T/large"
	is "$version.0: more than the limit on the wire is 413" "$(said "$T/large")" "413$zeros"
done
is "the same workers live on" "$(workers | xargs)" "$before"

# ---- 503 (P15, P3) ----
instance away
conf_base kafka file 1
conf "protocols.remote_write.topic=$NAME-none" "protocols.remote_write.topic_v2=$NAME-none2"
tenants_file "acme:$TOKEN"
expect_err 'topic'
headgate_start
known "$TOKEN"
type=${TYPE[2]}
is "2.0: what cannot be stored is 503, and nothing was written" "$(said "$modern")" "503 0 0 0"
like "and says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
type=${TYPE[1]}
is "1.0: and no word of it" "$(said "$plain")" 503

# ---- record.enrich: header ----
instance header
conf_base kafka file 1
topic create "$KAFKA_BROKERS" "$NAME-as-is" 1 || bail "no topic"
topic create "$KAFKA_BROKERS" "$NAME-as-is2" 1 || bail "no topic"
conf record.enrich=header "protocols.remote_write.topic=$NAME-as-is" "protocols.remote_write.topic_v2=$NAME-as-is2"
tenants_file "acme:$TOKEN"
headgate_start
known "$TOKEN"
python3 - "$T" "$WAY/tools" <<'END'
import sys
sys.argv, folder, tools = [sys.argv[0], sys.argv[1] + "/again"], sys.argv[1], sys.argv[2]
sys.path.insert(0, tools)
import rw
private = rw.whole(1000, 1) + rw.one(rw.UP, rw.label("tenant_id", "kept"), rw.sample()) + rw.whole(2, 1)
open(folder + "/private", "wb").write(rw.snappy(private))
print(rw.one(rw.UP, rw.label("tenant_id", "kept"), rw.sample()).hex(), file=open(folder + "/private.want", "w"))
modern = rw.whole(100, 1) + rw.symbols("tenant_id") + rw.series((1, 2, 6, 4), rw.sample())
open(folder + "/modern", "wb").write(rw.snappy(modern))
print(modern.hex(), file=open(folder + "/modern.want", "w"))
END
is "with enrich: header both are taken" "$(write "$T/private" -H "Content-Type: ${TYPE[1]}") $(write "$T/modern" -H "Content-Type: ${TYPE[2]}")" "204 204"
is "1.0: as it came, but for the private fields" "$(records "$NAME-as-is" | jq -r .value)" "$(cat "$T/private.want")"
is "2.0: as it came" "$(records "$NAME-as-is2" | jq -r .value)" "$(cat "$T/modern.want")"
finish
