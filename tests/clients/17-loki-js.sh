#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 17-loki-js.sh -- pino-loki (JSON) and winston-loki (protobuf, JSON), unmodified: all that each was given is in the topic, with our
# tenant and no other; what they are told when they may not (P18, P19, P21)
. "${0%/*}/lib.sh"
need kafka postgres
programs loki_js
gateway

# lines_of RUN	what the topic has of a run: labels, line, metadata; sorted
lines_of()
{
	records "$LOKI_TOPIC" | python3 "$WAY/tools/loki.py" decode | jq -c --arg run "$1" \
		'.[] | select(.[0] | contains("job=\"" + $run + "\"")) | .[0] as $labels | .[1][] | [$labels, .[1], .[2]]' | sort
}
send_loki()
{
	env NODE_PATH="$LOKI_JS/node_modules" NODE_EXTRA_CA_CERTS="$CA" LOKI_URL="$URL" LOKI_TOKEN="$TOKEN" "${@:3}" \
		timeout 60 node "$CLIENTS/loki-js/send.js" "$1" "$2" 2>"$T/send.err" | tail -n 1
}
# texts RUN	the lines of a run, as JSON
texts() { jq -nc --arg run "$1" '["grüß \"dich\"", "two\nlines", "😀"][] | $run + " " + .' | sort; }
# what a logger makes of a line: pino JSON, winston its level behind the text
said() { jq -c '.[1] as $line | (try ($line | fromjson | .msg) catch null) // ($line | sub(" {\"level\":\"info\"}$"; ""))' "$1" | sort; }

for client in pino winston winston-json; do
	for how in basic basic-user bearer; do
		run=$client-$how
		case $how in
		basic)	with=(LOKI_USER=) ;;
		basic-user)	with=(LOKI_USER=acme) ;;
		bearer)	with=(LOKI_BEARER=1) ;;
		esac
		is "$run: it was accepted" "$(send_loki $client $run "${with[@]}")" ok
		lines_of $run >"$T/lines"
		is "$run: each line is there" "$(said "$T/lines")" "$(texts $run)"
		is "$run: with our tenant and no other" "$(jq -r '.[0]' "$T/lines" | grep -o 'tenant_id="[^"]*"' | sort -u)" 'tenant_id="acme"'
		is "$run: and none in metadata" "$(jq -c '.[2] | has("tenant_id")' "$T/lines" | sort -u)" false
	done
done
is "pino's metadata is there" "$(lines_of pino-basic | jq -r '.[2].number' | sort | xargs)" "0 1 2"
ok "what was forged is counted" test "$(metric items_spoofed_total '{tenant="acme",signal="logs"}')" -ge 9
held=$TOKEN
TOKEN=$(token_new)
for client in pino winston; do
	like "$client: an unknown token is refused" "$(send_loki $client stranger)" '^failed: .*'
done
TOKEN=$held
like "another user of Basic too" "$(send_loki winston stranger LOKI_USER=other)" '^failed: '
is "and nothing of them is stored" "$(lines_of stranger)" ""
finish
