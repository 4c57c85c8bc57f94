#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 27-moose-keys.sh -- keys that Moose's own command line makes open our gateway, as those of headgatectl do; both are told apart from what
# only looks like them, and both commands print the same form (C1, C2, C3)
. "${0%/*}/lib.sh"
programs moose
PAIRS=5

# moose ARGUMENT...: it wants a project around it, and must not reach any network.
moose()
{
	(cd "$T/project" && HOME=$T/home timeout 60 unshare -n "$MOOSE/node_modules/@514labs/moose-cli-linux-x64/bin/moose-cli" "$@")
}
unshare -n true 2>/dev/null || skip_all "a network namespace"
mkdir -p "$T/project/app" "$T/home/.moose"
printf '[telemetry]\nenabled = false\nis_moose_developer = false\n' >"$T/home/.moose/config.toml"
echo '{"name": "project", "version": "0.0.0", "scripts": {}, "dependencies": {}, "devDependencies": {}}' >"$T/project/package.json"
cat >"$T/project/moose.config.toml" <<'END'
language = "Typescript"
[clickhouse_config]
db_name = "local"
user = "user"
password = "password"
use_ssl = false
host = "127.0.0.1"
host_port = 1
native_port = 1
[http_server_config]
host = "127.0.0.1"
port = 1
management_port = 2
END

for ((i = 0; i < PAIRS; i++)); do moose generate hash-token --json 2>>"$T/moose.log" | jq -c . || bail "$(cat "$T/moose.log")"; done >"$T/moose.pairs"
for ((i = 0; i < PAIRS; i++)); do "$HEADGATECTL" generate hash-token --json -q; done >"$T/our.pairs"
is "both print the same members" "$(jq -c keys "$T/our.pairs" | sort -u)" "$(jq -c keys "$T/moose.pairs" | sort -u)"
# Moose's text has colours, also into a file, and a line that is for people.
form() { sed 's/\x1b\[[0-9;]*m//g; /Generated successfully/d; s/[0-9a-f]\{32,40\}/HEX/g'; }
is "and the same lines" "$("$HEADGATECTL" generate hash-token -q | form)" "$(moose generate hash-token 2>>"$T/moose.log" | form)"

# keys PAIRS...: a tenants file with these, each of a tenant of its own
keys()
{
	echo 'version: 1'
	echo 'tenants:'
	jq -r '"\(input_line_number) \(.api_key_hash)"' "$@" | awk '{ printf "  - id: t%d\n    tokens: [{id: k%d, pbkdf2: %s, iterations: 1000}]\n", NR, NR, $2 }'
}
mkdir -p "$HG_DIR"
cat "$T/moose.pairs" "$T/our.pairs" >"$T/pairs"
(umask 077; keys "$T/pairs" | sed '$s/\(pbkdf2: \)\([0-9a-f]*\)/\1\U\2/' >"$HG_DIR/tenants.yaml")
conf_base local file 1
conf listeners.0.dialect=moose "protocols.models.dir=$ROOT/conf/models" "log.access_file=$HG_DIR/access.log"
headgate_start
event='{"event_id": "6fa459ea-ee8a-3ca4-894e-db77e160355e", "timestamp": "2024-09-10T17:34:51+00:00", "user_id": "u", "action": "view"}'
# sent BEARER: the status
sent() { request /ingest/UserEvent -H "Authorization: Bearer $1" -d "$event"; }
mapfile -t bearers < <(jq -r .bearer_token "$T/pairs")
known "${bearers[0]}"
is "each bearer is taken, whoever made it" "$(for each in "${bearers[@]}"; do sent "$each"; echo; done | sort | uniq -c | xargs)" "$((2 * PAIRS)) 200"
is "as its own tenant's" "$(stored | jq -r .key | while read -r key; do unhex <<<"$key"; echo; done | sort -V | xargs)" "$(seq -f 't%g' $((2 * PAIRS)) | xargs)"
# C1, C3
like "upper-case digits of a stored hash are the same" "$(tail -n 1 "$HG_DIR/tenants.yaml")" 'pbkdf2: [0-9A-F]{40},'
one=${bearers[0]}
other() { echo "${1:0:$2}$(tr 0-9a-f 1-9a-f0 <<<"${1:$2:1}")${1:$2+1}"; }
is "a digit of the token changed: 401" "$(sent "$(other "$one" 0)")" 401
is "a digit of the salt changed: 401" "$(sent "$(other "$one" 64)")" 401
is "the parts swapped: 401" "$(sent "${one#*.}.${one%.*}")" 401
is "one part, three parts, upper case: 401" "$(sent "${one%.*}") $(sent "$one.x") $(sent "${one^^}")" "401 401 401"
is "the hash itself: 401" "$(sent "$(jq -r .api_key_hash "$T/pairs" | head -n 1)")" 401
is "and the bearer still works" "$(sent "$one")" 200
is "no bearer is in a log" "$(grep -lF -f <(jq -r .bearer_token "$T/pairs") "$HG_LOG" "$HG_DIR"/{access,audit}.log)" ""
finish
