#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 80-ctl-file.sh -- tenants and tokens by headgatectl in a tenants file: what it says is what the gateway then does; a change is the whole
# file or nothing (O11, O12)
. "${0%/*}/lib.sh"

F=$HG_DIR/tenants.yaml
conf_base file 2
# Waiting must not live on the folder's events or on polls; here it is the only one that reads.
conf tenants.poll=1h log.access_file="$HG_DIR/access.log"
headgate_start
ctl() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "$@" >"$T/said" 2>"$T/said.err"; }
said() { cat "$T/said" "$T/said.err"; }
code() { is "$1" "$(ctl "${@:3}"; echo $?)" "$2"; }
answers() { TOKEN=$1 request /v1/logs -H 'Content-Type:' -d x; }
codes() { python3 "$WAY/tools/codes.py" "$ADDRESS" "${2:-1000}" <<<"$1"; }
verify() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "${@:2}" token verify - <<<"$1" >"$T/said" 2>"$T/said.err"; }

# Somebody holds the lock of a folder for ever, which takes no more than to read it; looked at in the end.
mkdir "$T/held"
sed "s|$F|$T/held/tenants.yaml|" "$HG_DIR/headgate.yaml" >"$T/held.yaml"
background flock --no-fork "$T/held" sleep 1000
is_held() { ! flock -n "$T/held" true; }
wait_until 20s is_held
("$HEADGATECTL" -c "$T/held.yaml" tenant add acme >"$T/held.said" 2>&1; echo $? >"$T/held.code") &

# -- a tenant, a token
code "a tenant is added" 0 tenant add acme --display-name 'Acmé: "Ltd"'
code "not twice" 1 tenant add acme
like "it is said why" "$(said)" "tenant 'acme' is there already"
code "an id that breaks the rules" 2 tenant add 'a|b'
# What the gateway would leave out with its tenant is refused here, where somebody reads it.
sed 's|^record:.*||' "$HG_DIR/headgate.yaml" >"$T/topics.yaml"
printf 'record: {topic_prefix: "{tenant}."}\n' >>"$T/topics.yaml"
topics() { "$HEADGATECTL" -c "$T/topics.yaml" "$@" >"$T/said" 2>"$T/said.err"; echo $?; }
cp "$F" "$T/before"
is "an id that makes no topic" "$(topics tenant add a.b)" 2
like "it is said what it needs" "$(said)" "'a.b' makes no topic where .*topics.yaml has .tenant.: such a tenant needs a --topic-prefix"
is "a prefix of its own that is none" "$(topics tenant add a.b --topic-prefix a/b)" 2
is "nor that of a tenant that is there" "$(topics tenant set acme --topic-prefix "$(printf 'x%.0s' {1..101})")" 2
like "it is said where to read" "$(said)" "--topic-prefix 'x+' makes no topic, .*TOPICS OF A TENANT"
ok "and nothing is changed" cmp "$F" "$T/before"
is "with a good one it is added" "$(topics tenant add a.b --topic-prefix ab.)" 0
is "and does not lose it" "$(topics tenant set a.b --topic-prefix none)" 2
ok "it is removed" ctl tenant rm a.b --wait
code "a token for it" 0 token issue acme --scope traces:write,logs:write --expires 90d --name ci
first=$(cat "$T/said")
like "is alone on stdout" "$first" '^hgt_[0-9A-Za-z]{8}_[0-9A-Za-z]{36}$'
fails_to_find() { ! grep -qF "$1" "${@:2}"; }
ok "and nowhere else" fails_to_find "$first" "$F" "$T/said.err"
known "$first"
is "it opens what its scopes say" "$(TOKEN=$first request /v1/metrics -d x)" 403
is "the file is as private as before" "$(stat -c %a "$F")" 600
code "a token of nobody" 1 token issue ghost
code "a scope that is none" 2 token issue acme --scope admin
code "an address block that is none" 2 token issue acme --cidr 10.0.0.0/99
ok "the tenants" ctl --json tenant ls
is "are shown with their names" "$(jq -r '[.id, .state, .display_name, .schema] | join("|")' "$T/said")" 'acme|active|Acmé: "Ltd"|1'
ok "the tokens" ctl --json token ls acme
is "are shown by their ids" "$(jq -r '[.id, .tenant, .name, (.scopes | join("+")), .standing] | join("|")' "$T/said")" \
	"${first:4:8}|acme|ci|traces:write+logs:write|valid"
fails_to_show() { fails_to_find "${first:13}" "$T/said" && fails_to_find "$(token_hash "$first")" "$T/said"; }
ok "neither the token nor its hash" fails_to_show
ok "one of them" ctl token show "${first:4:8}"
like "is shown whole" "$(said)" 'state +valid.*expires_at +20[0-9-]+T'

# -- O12: why a token is refused is for the operator alone
verify "$first"
is "verify: valid is exit 0" $? 0
like "with what is known of it" "$(said)" "^valid.*acme.*${first:4:8}.*traces:write,logs:write"
reason() { verify "$1" --json; is "verify: $2 is exit 1" $? 1; is "verify names it: $2" "$(jq -r .verdict "$T/said")" "$2"; }
reason "${first:0:40}" malformed
like "a token cut short" "$(said)" truncated
reason "${first%?}$([ "${first: -1}" = x ] && echo y || echo x)" checksum
reason "$(token_new)" unknown
reason "any words" unknown
ctl token issue acme --not-before 1h; later=$(cat "$T/said")
ctl token issue acme --expires 1h; over=$(cat "$T/said")
reason "$later" not-yet-valid
sed -i "/id: ${over:4:8}/,/expires_at/ s/expires_at: .*/expires_at: 2020-01-01T00:00:00Z/" "$F"
reason "$over" expired
ctl tenant add gone; ctl token issue gone; away=$(cat "$T/said")
ok "suspended, and waited for" ctl tenant suspend gone --wait
like "it says how many know" "$(said)" '^suspended gone: refused by 2/2 workers after [0-9]+ ms'
like "and how far that goes" "$(said)" 'other hosts are not covered'
is "then they refuse it" "$(codes "$away" 100)" "100 403"
reason "$away" tenant-suspended
ok "resumed, and waited for" ctl tenant resume gone --wait
is "then they serve it" "$(codes "$away" 100)" "100 415"
ok "revoked" ctl token revoke "${later:4:8}" --wait
reason "$later" revoked
replies=$(for token in "${first:0:40}" "$later" "$over" "$(token_new)"; do answers "$token"; cat "$T/reply"; echo; done | sed 's/[0-9a-f]\{32\}//g' | sort -u | wc -l)
is "the client's 401 tells none of them" "$replies" 1
"$HEADGATECTL" -c "$HG_DIR/headgate.yaml" token verify "$first" >"$T/said" 2>&1
is "a token on the command line is refused" $? 2
ok "and not repeated" fails_to_find "$first" "$T/said"
for command in show rotate revoke; do
	code "a token where its id belongs: $command" 2 token $command "$first"
	ok "is not repeated: $command" fails_to_find "${first:13}" "$T/said" "$T/said.err"
	code "nor one cut short: $command" 2 token $command "${first:0:40}"
done

# -- O11: what revoke --wait promises
ok "revoke --wait" ctl token revoke "${first:4:8}" --wait
like "says who refuses it" "$(cat "$T/said")" "^revoked ${first:4:8}: refused by 2/2 workers after [0-9]+ ms$"
is "1000 of 1000 are refused" "$(codes "$first")" "1000 401"
ok "again: nothing to do" ctl --json token revoke "${first:4:8}" --wait
is "and said as JSON" "$(jq -r '[.id, .done, .wait.result, .wait.confirmed] | join("|")' "$T/said")" "${first:4:8}|revoked|ok|2"
mapfile -t pids < <(workers)
ctl token issue acme; second=$(cat "$T/said")
known "$second"
code "a time-out that is none" 2 token revoke "${second:4:8}" --wait --timeout soon
code "one that the gateway would not take" 2 token revoke "${second:4:8}" --wait --timeout 2h
code "nor for a tenant" 2 tenant suspend acme --wait --timeout soon
is "are refused before anything is changed" "$(codes "$second" 20)" "20 415"
kill -STOP "${pids[0]}"
code "a worker that is stopped: exit 75 at the time-out" 75 token revoke "${second:4:8}" --wait --timeout 5s
kill -CONT "${pids[0]}"
like "it is named" "$(said)" "revoked ${second:4:8}, but only 1 of 2 workers.*late: slot [01] \(pid ${pids[0]}\)"
ok "waited for again" ctl token revoke "${second:4:8}" --wait
is "all refuse it" "$(codes "$second" 200)" "200 401"

"$HEADGATECTL" -c "$HG_DIR/headgate.yaml" token issue acme --name unseen >/dev/full 2>"$T/said"
is "a token that can't be shown: exit 71" $? 71
like "it says which, and what to do" "$(cat "$T/said")" 'No space left.*token [0-9A-Za-z]{8} was made and nobody has seen it: revoke it'

# -- rotation
ctl token issue acme --scope logs:write --name web --cidr 127.0.0.0/8; old=$(cat "$T/said")
ok "a token is rotated" ctl token rotate "${old:4:8}" --grace 1h
new=$(cat "$T/said")
like "how long the old one works is said" "$(cat "$T/said.err")" 'works for 3600 s more'
known "$new"
is "both work meanwhile" "$(answers "$old") $(answers "$new")" "415 415"
is "with the same scopes" "$(TOKEN=$new request /v1/traces -d x)" 403
ctl --json token show "${new:4:8}"
is "name and address blocks too" "$(jq -r '[.name, .allowed_cidrs[0]] | join("|")' "$T/said")" "web|127.0.0.0/8"
ctl --json token show "${old:4:8}"
is "the list says what replaced it" "$(jq -r '[.replaced_by, .standing, .expires_soon] | join("|")' "$T/said")" "${new:4:8}|replaced|true"
code "not twice" 1 token rotate "${old:4:8}"
ctl token issue acme --expires 10m; short=$(cat "$T/said")
ok "one that ends sooner" ctl token rotate "${short:4:8}" --grace 1h
like "is not said to last" "$(said)" 'the old one ends at 20.*the new one has none'
code "a grace of a month" 2 token rotate "${new:4:8}" --grace 30d
ok "at once" ctl token rotate "${new:4:8}" --grace 0s
is_401() { [ "$(answers "$1")" = 401 ]; }
ok "the old one ends now" wait_until 20s is_401 "$new"

# -- the whole file or nothing
sed -i '1a # a comment of the operator' "$F"
ok "a change loses comments" ctl tenant set acme --display-name none
like "and says so" "$(said)" "comments are lost"
ok "a name that would steer a terminal" ctl tenant set acme --display-name $'\e[31mred'
ok "is kept" ctl tenant show acme
like "and shown as what it is" "$(cat "$T/said")" 'display_name +\\x1b\[31mred'
fails_to_find_id() { ctl tenant show "$@"; grep -q "the id '--a_b'" "$T/said.err"; }
ok "behind -- an id keeps its _" fails_to_find_id -- --a_b
ok "a tenant gets limits" ctl tenant set acme --bytes 5MB/s --bytes-burst 20MB --requests 200/s
ok "which are shown" ctl tenant show acme --json
is "as they are in the file" "$(jq -c '[.limits | .bytes_per_s, .bytes_burst, .requests_per_s | tonumber]' "$T/said")" '[5000000,20000000,200]'
ok "one of them goes, another changes" ctl tenant set acme --bytes none --bytes-burst none --requests 100/s
ok "a change of something else" ctl tenant set acme --display-name Acme
ok "leaves them" ctl tenant show acme --json
is "as they are" "$(jq -c '.limits | map_values(tonumber)' "$T/said")" '{"requests_per_s":100}'
cp "$F" "$T/before"
code "a burst without its rate: refused by the reader" 1 tenant set acme --items-burst 10
like "with its words" "$(said)" "items_burst has no rate"
ok "and nothing was changed" cmp "$F" "$T/before"
code "a rate without its time" 2 tenant set acme --bytes 5MB
code "nothing to set" 2 tenant set acme
code "a tenant nobody has" 1 tenant set ghost --display-name x
code "a token nobody has" 1 token revoke AAAAAAAA --wait
printf 'version: 1\ntenants: [\n' >"$T/broken"
cp -p "$T/broken" "$F" && chmod 600 "$F"
expect_err 'mod=tenants_file'
code "a file with errors is not touched" 78 tenant add more
like "it says where" "$(said)" "$F:[0-9]+:[0-9]+: error"
ok "it is as it was" cmp "$F" "$T/broken"
cp "$T/before" "$F" && chmod 644 "$F"
code "nor one that is open to others" 78 tenant add more
like "it says what to run" "$(said)" 'chmod o= '
chmod 600 "$F"
for i in {1..20}; do "$HEADGATECTL" -q -c "$HG_DIR/headgate.yaml" tenant add "many$i" & done
wait
ok "of twenty at once each is there" eval 'ctl --json tenant ls && [ "$(grep -c many "$T/said")" = 20 ]'
is "no file is left beside it" "$(find "$HG_DIR" -name 'tenants.yaml*' | wc -l)" 1
ok "removed with its tokens" ctl tenant rm gone --wait
is "its tokens are nobody's" "$(codes "$away" 50)" "50 401"

if [ "$(id -u)" = 0 ]; then
	chown nobody:nogroup "$F"
	chmod 640 "$F"
	ok "who writes it" ctl tenant add owned
	is "does not change whose it is, nor who may read it" "$(stat -c %U:%G:%a "$F")" nobody:nogroup:640
	cp "$F" "$T/before"
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" tenant add stranger >"$T/said" 2>&1
	is "who may not write its folder gets 77" $? 77
	ok "and changes nothing" cmp "$F" "$T/before"
else
	skip "whose file it is" "not root"
fi

wait_until 60s test -s "$T/held.code"
is "a lock that somebody holds is not waited for for ever" "$(cat "$T/held.code")" 75
like "it says what is the matter" "$(cat "$T/held.said")" 'somebody holds the lock of its folder'

# -- without the gateway
is "no token is in a metric" "$(admin /metrics | grep -aoE 'hgt_[0-9A-Za-z]{8}')" ""
is "no token is in a log" "$(grep -aoE 'hgt_[0-9A-Za-z]{8}_[0-9A-Za-z]{36}' "$HG_LOG" "$HG_DIR/access.log" "$HG_DIR/audit.log")" ""
# -- --wait of issue
code "a token, and the workers' word that they take it" 0 token issue acme --wait
waited=$(cat "$T/said")
like "still alone on stdout" "$waited" '^hgt_[0-9A-Za-z]{8}_[0-9A-Za-z]{36}$'
like "the word is on stderr" "$(cat "$T/said.err")" 'issued [0-9A-Za-z]{8}: taken by [0-9]+/[0-9]+ workers'
is "from then on no worker refuses it" \
	"$(for _ in {1..20}; do TOKEN=$waited post /v1/metrics /dev/null; echo; done | sort | uniq -c | xargs)" "20 200"
headgate_stop
code "a change works without a gateway" 0 token revoke "${new:4:8}"
code "waiting does not" 69 tenant suspend acme --wait
like "it says that the change stands" "$(said)" "suspended acme, but whether the workers know it can't be told"
code "no configuration" 78 -c "$T/none.yaml" tenant ls
code "tenants of a database are another option's" 2 --json tenant ls --dsn dbname=x
finish
