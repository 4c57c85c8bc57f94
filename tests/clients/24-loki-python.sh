#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 24-loki-python.sh -- python-logging-loki, unmodified, in the legacy shape of JSON and in that of today, on either path: all that it was given
# is in the topic, with our tenant and no other; what it is told when it may not (P18, P19, P21)
. "${0%/*}/lib.sh"
need kafka postgres
programs loki_python
gateway

# lines_of RUN	what the topic has of a run: labels, line; sorted
lines_of()
{
	records "$LOKI_TOPIC" | python3 "$WAY/tools/loki.py" decode | jq -c --arg run "$1" \
		'.[] | select(.[0] | contains("job=\"" + $run + "\"")) | .[0] as $labels | .[1][] | [$labels, .[1]]' | sort
}
# wanted RUN VERSION	the legacy shape has a text of labels, which stays as it came
wanted() { jq -nc --arg run "$1" --arg version "$2" '["job=\"" + $run + "\"", "logger=\"send.py\"", "severity=\"info\""] as [$job, $logger, $severity] |
	["{" + (if $version == "0" then [$job, $severity, $logger] | join(",") else [$job, $logger, $severity] | join(", ") end) + ", tenant_id=\"acme\"}"] as $l |
	["grüß \"dich\"", "two\nlines", "😀"][] | $l + [$run + " " + .]' | sort; }
# send RUN VERSION PATH [VARIABLE=VALUE]...	"ok" or "failed"
send()
{
	env LOKI_URL="$URL$3" LOKI_TOKEN="$TOKEN" REQUESTS_CA_BUNDLE="$CA" "${@:4}" timeout 60 "$LOKI_PYTHON/bin/python" \
		"$CLIENTS/loki-python/send.py" "$1" "$2" 2>>"$T/send.log"
}

for how in '0 /api/prom/push' '1 /loki/api/v1/push'; do
	read -r version path <<<"$how"
	is "version $version: it is accepted" "$(send python-$version $version $path)" ok
	is "version $version: each line is there once, with our tenant" "$(lines_of python-$version)" "$(wanted python-$version $version)"
	is "version $version: with a user, too" "$(send python-user-$version $version $path LOKI_USER=acme)" ok
	is "version $version: each line is there" "$(lines_of python-user-$version)" "$(wanted python-user-$version $version)"
done
is "a request a line: so many records" "$(record_count "$LOKI_TOPIC")" 12
held=$TOKEN
TOKEN=$(token_new)
is "an unknown token is refused" "$(send stranger 1 /loki/api/v1/push)" failed
like "it is told 401" "$(cat "$T/send.log")" 'status code: 401'
TOKEN=$held
is "another user of Basic too" "$(send stranger 1 /loki/api/v1/push LOKI_USER=other)" failed
is "and nothing of them is stored" "$(lines_of stranger)" ""
finish
