#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 22-file.sh -- tenants from a file: replaced by rename they are taken at once, a broken one reports all its errors and changes nothing (R15)
. "${0%/*}/lib.sh"

first=$(token_new) second=$(token_new) third=$(token_new)
tenants_file "acme:$first"
conf_base file 2
conf tenants.poll=1h log.access_file="$HG_DIR/access.log"
headgate_start
known "$first"
F=$HG_DIR/tenants.yaml
write() { (umask 077; cat >"$F.new") && mv "$F.new" "$F"; }
answer() { TOKEN=$1 request /v1/logs -d x; }

new() { tenants_file "acme:$first" "b.e_t(a)!:$second"; }
export -f tenants_file token_id token_hash new	# for the command of judged
export HG_DIR first second third
like "one more by rename: in all workers within 1 s" "$(judged --first 401 --then 415 --within 1000 "$second" -- bash -c new)" '^[0-9]+ 16$'
less() { tenants_file "acme:$first"; }
export -f less
like "one less: in all workers within 1 s" "$(judged --first 415 --then 401 --within 1000 "$second" -- bash -c less)" '^[0-9]+ 16$'
like "on the connections that are open, while the other one serves" "$(answer "$first")" 415

background bash -c 'while : >"$HG_DIR/busy"; do sleep 0.01; done'
wait_until 10s test -e "$HG_DIR/busy"
like "in a folder that others write to all the time too" "$(judged --first 401 --then 415 --within 2000 "$second" -- bash -c new)" '^[0-9]+ 16$'
end_pid "$SPAWNED"

# every field that a row of PostgreSQL has
write <<END
{version: 1, tenants: [
  {id: acme, tokens: [{id: one, name: ci, sha256: $(token_hash "$first"), scopes: [traces:write]}]},
  {id: slow, state: suspended, tokens: [{id: two, sha256: $(token_hash "$second")}]},
  {id: far, block_until: 2100-01-01T00:00:00Z, tokens: [{id: three, sha256: $(token_hash "$third"), allowed_cidrs: [127.0.0.0/8], expires_at: 2100-01-01T00:00:00Z},
    {id: four, sha256: $(token_hash four), expires_at: 2020-01-01T00:00:00Z}, {id: five, sha256: $(token_hash five), allowed_cidrs: [10.0.0.0/8]}]}]}
END
# by every worker: eight times in a row
all_tell() { local i; for i in {1..8}; do [ "$(answer "$1")" = "$2" ] || return 1; done; }
ok "the tenant that is suspended" wait_until 10s all_tell "$second" 403
is "a scope" "$(answer "$first")" 403
like "the reply names it" "$(cat "$T/reply")" 'hg-scope: .*logs:write'
otlp logs -o "$T/body"
is "a block" "$(TOKEN=$third post /v1/logs "$T/body")" 403
like "the reply says until when" "$(cat "$T/reply")" 'hg-blocked: .*2100-01-01T00:00:00Z'
is "a token that ran out, and one for elsewhere" "$(answer four) $(answer five)" "401 401"

# R15: one that is broken
expect_err 'mod=tenants_file'
tenants_file "acme:$first" "beta:$second"
known "$second"
snapshots=$(metric auth_cache_generation)
lines=$(wc -l <"$HG_LOG")
write <<END
version: 1
tenants:
  - id: ok
    tokens: [{id: a, sha256: 00}]
  - id: "a|b"
  - id: acme
    stat: active
    tokens:
      - {id: b, token: $third}
  - id: ok
  - id: late
    block_until: tomorrow
END
applied() { tail -n +$((lines + 1)) "$HG_LOG" | grep -q 'not applied'; }
ok "a broken file is refused" wait_until 10s applied
errors() { tail -n +$((lines + 1)) "$HG_LOG" | grep -oP "$F:\\K[0-9]+:[0-9]+(?=: error)" | awk '!seen[$0]++' | xargs; }
is "each error has its line and column" "$(errors)" "4:30 5:9 7:5 9:9 9:17 10:9 12:18"
ok "the token in clear is in no log" fails grep -qF "$third" "$HG_LOG"
is "those of before serve" "$(answer "$first") $(answer "$second")" "415 415"
is "no table came of it" "$(metric auth_cache_generation)" "$snapshots"
like "status tells" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" status | grep ^tenants)" 'file refused.*last error'
is "/ready is 200" "$(TOKEN='' get /ready)" 200

# open to others; gone; not at the start either
lines=$(wc -l <"$HG_LOG")
tenants_file "acme:$third"
known "$third"
chmod 644 "$F"
ok "a file that others may read is refused" wait_until 10s applied
like "with the command to run" "$(grep -a 'chmod' "$HG_LOG" | tail -n 1)" 'chmod o?[-0-9=]'
chmod 600 "$F"
lines=$(wc -l <"$HG_LOG")
mv "$F" "$F.away"
ok "one that has gone is told" wait_until 10s applied
is "and still serves" "$(answer "$third")" 415
mv "$F.away" "$F"
is "a reload while it is good" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" reload >/dev/null 2>&1; echo $?)" 0
printf 'version: 1\ntenants: [\n' | write
"$HEADGATE" -t -c "$HG_DIR/headgate.yaml" >"$T/said" 2>&1
is "-t refuses a configuration whose tenants file is broken" $? 78
like "at its place" "$(cat "$T/said")" "$F:[0-9]+:[0-9]+: error"
finish
