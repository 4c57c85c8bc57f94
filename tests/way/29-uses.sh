#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 29-uses.sh -- when a token was last used: written down a minute later by every host, the greater time wins; a deleted token and a dead worker
# lose nothing else; no bell rings and no table is built for it (O10, records.md 2.2)
. "${0%/*}/lib.sh"
need postgres

otlp logs -m use -o "$T/body"
use() { TOKEN=$1 post /v1/logs "$T/body"; }
tenant_add acme
declare -A TOKENS=()
for name in used unused deleted elsewhere later killed; do TOKENS[$name]=$(token_add acme); done
id() { token_id "${TOKENS[$1]}"; }
last_use() { pg "SELECT extract(epoch FROM last_used_at)::bigint FROM headgate.token_use WHERE token_id = '$(id "$1")'"; }
fresh_use() { local at; at=$(last_use "$1"); [ -n "$at" ] && [ "$at" -ge "$2" ] && [ "$at" -le $(($(date +%s) + 1)) ]; }
tables() { metric tenants_snapshots_total '{result="ok"}'; }

expect_err 'mod=workers msg="worker ended unasked"'
conf_base discard postgres 2
conf tenants.poll=1h tenants.full_compare=1h
headgate_start
FIRST=$URL FIRST_CONF=$HG_DIR/headgate.yaml
instance second
conf_base discard postgres 1
conf tenants.poll=1h tenants.full_compare=1h
headgate_start
SECOND=$URL
instance hg
for url in "$FIRST" "$SECOND"; do URL=$url known "${TOKENS[used]}"; done
pg "DELETE FROM headgate.token_use"
# What a host whose clock is ahead has written stays.
later=$(($(date +%s) + 3600))
pg "INSERT INTO headgate.token_use VALUES ('$(id later)', to_timestamp($later))"
pg_session ear
pg_in ear "LISTEN headgate"
begun=$(date +%s) built=$(tables)

for name in used deleted later killed; do is "a use of $name" "$(URL=$FIRST use "${TOKENS[$name]}")" 200; done
is "a use on another host" "$(URL=$SECOND use "${TOKENS[elsewhere]}")" 200
is "a refused one is none" "$(URL=$FIRST use "${TOKENS[unused]%?}x")" 401
for pid in $(workers); do kill -9 "$pid"; done	# their words must not die with them
URL=$FIRST known "${TOKENS[used]}"
# Used, and gone before the minute is over.
token_delete "${TOKENS[deleted]}"

ok "a use is written down in a minute, also of a worker that died meanwhile" wait_until 120s fresh_use killed "$begun"
ok "and each other of this host" wait_until 80s fresh_use used "$begun"
ok "and of the other one" wait_until 80s fresh_use elsewhere "$begun"
is "a deleted token holds up nobody, and leaves nothing" "$(last_use deleted)" ""
is "the greater time wins" "$(last_use later)" "$later"
is "what nobody used has none" "$(last_use unused)" ""
"$HEADGATECTL" -c "$FIRST_CONF" --json token ls >"$T/list" 2>"$T/list.err"
is "the list shows it" "$(jq -r "select(.id == \"$(id used)\") | .last_used_at | fromdateiso8601" "$T/list")" "$(last_use used)"
is "and that there is none" "$(jq -r "select(.id == \"$(id unused)\") | .last_used_at" "$T/list")" null
pg "UPDATE headgate.token SET created_at = now() - interval '40 days'"
"$HEADGATECTL" -c "$FIRST_CONF" --json token ls --unused 30d >"$T/list" 2>"$T/list.err"
is "--unused finds those alone" "$(jq -r .id "$T/list")" "$(id unused)"
# The DELETE and the UPDATE of tokens above rang, and were read.
is "nothing rang for uses" "$(pg_in ear "SELECT 1" | grep -c 'Asynchronous notification')" 2
ok "and nothing was built" test "$(tables)" -le $((built + 2))
ok "nothing is in the log about it" fails hg_log 'last used'
finish
