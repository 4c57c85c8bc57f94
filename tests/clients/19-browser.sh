#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 19-browser.sh -- a page of another origin that posts from Chromium: it may where listeners[].allowed_origins names it, and reads the
# refusals too; elsewhere the browser keeps it from asking at all (P20)
. "${0%/*}/lib.sh"
BROWSER=$(command -v chromium-headless-shell || command -v chromium) || skip_all chromium

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 1
conf 'auth.token_headers=[X-Api-Key]' "log.access_file=$HG_DIR/access.log"
background python3 -u -m http.server --bind 127.0.0.1 --directory "$CLIENTS/browser" 0
wait_until 30s grep -q '^Serving' "$T/background.log" || bail "no pages"
PAGES=$(grep -oP '^Serving.* port \K[0-9]+' "$T/background.log")
conf "listeners.0.allowed_origins=[\"http://127.0.0.1:$PAGES\"]"
headgate_start
known "$TOKEN"

# page HOST TEXT TOKEN HEADER [PREFIX]	what the page at that host tells: one server, two origins
page()
{
	"$BROWSER" --headless --no-sandbox --disable-gpu --disable-background-networking --user-data-dir="$T/profile" \
		--virtual-time-budget=20000 --dump-dom \
		"http://$1:$PAGES/page.html?$(jq -rn --arg url "$URL/v1/logs" --arg text "$2" --arg token "$3" --arg header "$4" \
			--arg prefix "${5-}" '$ARGS.named | to_entries | map("\(.key)=\(.value | @uri)") | join("&")')" 2>"$T/browser.log" |
		grep -oP '<pre id="told">\K[^<]*'
}
# asked METHOD	how many requests of that method came for logs
asked() { metric requests_total "{route=\"otlp_logs\",verdict=\"$1\"}"; }

is "a page that may post is told so, and reads the id" "$(page 127.0.0.1 bearer "$TOKEN" Authorization 'Bearer ')" "200 with id"
is "a configured header is as good" "$(page 127.0.0.1 header "$TOKEN" X-Api-Key)" "200 with id"
is "each asked first" "$(asked preflight)" 2
is "it reads a refusal" "$(page 127.0.0.1 stranger "$(token_new)" Authorization 'Bearer ')" "401 with id"
accepted=$(asked accepted)
like "a page of another origin is kept from it" "$(page localhost other "$TOKEN" Authorization 'Bearer ')" '^failed: TypeError'
is "its preflight was refused" "$(asked hg-method)" 1
like "so is one that sends a field nobody told of" "$(page 127.0.0.1 field "$TOKEN" X-Other-Key)" '^failed: TypeError'
is "and neither posted" "$(asked accepted)" "$accepted"
is "what was posted has the tenant" "$(stored | jq -r .key | sort | uniq -c | xargs)" "2 $(hex acme)"
finish
