#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 39-cors.sh -- pages of other origins that post from a browser (P20): a preflight is answered without a credential, for allowed origins
# only; what such a page posts is judged like any other request, and each answer tells it apart from one it may not read
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 1
conf 'auth.token_headers=[X-Api-Key]' "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
good=$TOKEN
otlp logs -m one -o "$T/body"
printf '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"page"}}]}]}]}' >"$T/json"

# preflight ORIGIN [PATH [CURL-OPTION]...]: as a browser asks before it sends JSON with a token; prints the status
preflight()
{
	TOKEN='' request "${2:-/v1/logs}" -X OPTIONS -H "Origin: $1" -H 'Access-Control-Request-Method: POST' \
		-H 'Access-Control-Request-Headers: authorization,content-type,x-api-key' "${@:3}"
}
allowed() { reply_header Access-Control-Allow-Origin; }
told() { grep -ic '^\(access-control\|vary\)' "$T/reply.head"; }	# how many of these fields
app=https://app.example.com

# ---- off ----
is "without origins a preflight is another method" "$(preflight "$app")" 405
is "it is told which there is" "$(reply_header Allow)" POST
is "and nothing of origins" "$(told)" 0
is "nor is a post" "$(post /v1/logs "$T/body" -H "Origin: $app") $(told)" "200 0"

# ---- on, by a reload ----
conf 'listeners.0.allowed_origins=["https://app.example.com", "http://*.example.net:8080"]'
ok "a reload takes origins" headgate_switch
for origin in $app http://a.example.net:8080; do
	is "$origin: its preflight is answered without a credential" "$(preflight "$origin")" 204
	is "$origin: the origin is echoed" "$(allowed)" "$origin"
	is "$origin: and said to matter" "$(reply_header Vary)" Origin
done
is "a page may post" "$(reply_header Access-Control-Allow-Methods)" POST
is "with the fields of credentials" "$(reply_header Access-Control-Allow-Headers)" \
	"content-type, authorization, x-requested-with, x-api-key"
like "which a browser may remember for a while" "$(reply_header Access-Control-Max-Age)" '^[1-9][0-9]+$'
is "the answer is a head alone" "$(wc -c <"$T/reply") $(reply_header Content-Length)$(reply_header Content-Type)" "0 "
for path in /v1/traces /api/v1/write /loki/api/v1/push; do
	is "$path: the same" "$(preflight "$app" $path) $(allowed)" "204 $app"
done
for origin in http://app.example.com $app:444 https://b.example.com http://example.net:8080 http://a.b.example.net:8080 \
	http://a.example.net null; do
	is "$origin: not allowed" "$(preflight "$origin") $(told)" "405 0"
done
is "a page has none" "$(preflight "$app" /health) $(told)" "405 0"
is "nor has a path that is not there" "$(preflight "$app" /v1/nowhere) $(told)" "404 0"
is "another method is not asked for" \
	"$(TOKEN='' request /v1/logs -X OPTIONS -H "Origin: $app" -H 'Access-Control-Request-Method: PUT') $(reply_header Allow)" "405 POST"

# ---- the request behind it ----
is "what the page posts is accepted" \
	"$(request /v1/logs -H "Origin: $app" -H 'Content-Type: application/json' --data-binary "@$T/json")" 200
is "and the page may read that" "$(allowed) $(reply_header Vary)" "$app Origin"
is "and these of its fields" "$(reply_header Access-Control-Expose-Headers)" "X-Request-Id, Retry-After"
TOKEN=''
is "a configured token header is as good" "$(post /v1/logs "$T/body" -H "Origin: $app" -H "X-Api-Key: $good") $(allowed)" "200 $app"
is "an origin is no credential" "$(post /v1/logs "$T/body" -H "Origin: $app")" 401
is "a refusal can be read too" "$(allowed)" "$app"
TOKEN=$good
is "whatever it is" "$(request /v1/logs -H "Origin: $app" -H 'Content-Type: text/plain' -d x) $(allowed)" "415 $app"
is "the page of another origin is told nothing" "$(post /v1/logs "$T/body" -H 'Origin: https://b.example.com') $(told)" "200 0"
is "every record has the tenant" "$(stored | jq -r .key | sort | uniq -c | xargs)" "4 $(hex acme)"
is "preflights are counted" "$(metric requests_total '{route="otlp_logs",verdict="preflight",code="204"}')" 2
ok "and logged" wait_until 10s grep -q '"verdict":"preflight","code":204' "$HG_DIR/access.log"

# ---- every origin ----
conf 'listeners.0.allowed_origins=["*"]'
ok "a reload takes a star" headgate_switch
is "every origin is allowed" "$(preflight https://b.example.com) $(allowed)" "204 https://b.example.com"
is "but no two at once" "$(preflight "$app" /v1/logs -H 'Origin: https://b.example.com') $(told)" "405 0"
is "it is still no credential" "$(TOKEN='' post /v1/logs "$T/body" -H "Origin: $app")" 401

# ---- a wrong one ----
conf 'listeners.0.allowed_origins=["https://app.example.com/"]'
like "what no browser sends is refused by name" "$("$HEADGATE" -t --offline -c "$HG_DIR/headgate.yaml" 2>&1)" \
	"error: 'https://app.example.com/' is no origin that a browser sends"
finish
