#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 19-open.sh -- credentials in headers of the operator's choice, and --disable-auth, under which everybody is one tenant and still cannot
# be another
. "${0%/*}/lib.sh"
need kafka

topics 1
TOKEN=$(token_new)
OTHER=$(token_new)
tenants_file "acme:$TOKEN" "other:$OTHER"
conf_base
conf 'auth.token_headers=[X-Api-Key, X-Second-Key]'
headgate_start
known "$TOKEN"
good=$TOKEN
TOKEN=''
otlp logs -m one -r tenant_id=theirs -o "$T/body"
told() { is "$1" "$(post /v1/logs "$T/body" "${@:3}")" "$2"; }	# SENTENCE STATUS [CURL-OPTION]...

told "a configured header carries a token" 200 -H "X-Api-Key: $good"
told "whatever its case" 200 -H "x-API-key: $good"
told "so does the second one" 200 -H "X-Second-Key: $good"
told "and Authorization beside them" 200 -H "Authorization: Bearer $good" -H "X-Api-Key: $good" -H "X-Second-Key: $good"
is "they are counted as headers" "$(metric auth_total '{method="header",result="ok"}')" 3
told "two of them with different tokens are none" 401 -H "X-Api-Key: $good" -H "X-Second-Key: $OTHER"
told "nor is one sent twice" 401 -H "X-Api-Key: $good" -H "X-Api-Key: $good"
told "an empty one is none, whatever stands beside it" 401 -H "X-Api-Key;" -H "X-Second-Key: $good"
told "the one of the default is no credential any more" 401 -H "X-Obstack-Auth-Token: $good"
told "a twin with _ is refused with its head" 400 -H "X_Api_Key: $good"
is "the tenant is the token's" "$(records "$LOGS_TOPIC" | jq -r .key | sort -u)" "$(hex acme)"
headgate_stop || fail "it ends with status 0" "$HG_STATUS"

conf auth.token_headers= auth.default_tenant=the-one
headgate_start --disable-auth
ok "--disable-auth on loopback starts with a warning" wait_until 10s hg_log 'lvl=warn .*authentication is off'
stored=$(record_count "$LOGS_TOPIC")
told "without a credential everybody may come in" 200
told "with an unknown one too" 200 -H "Authorization: Bearer $(token_new)"
told "and with another tenant's" 200 -H "$(printf 'X-Obstack-Auth-Token: %s' "$OTHER")"
told "as the default tenant" 200 -H 'X-Scope-OrgID: the-one'
told "as no other" 403 -H 'X-Scope-OrgID: other'
told "nor by the user of Basic" 200 -u "other:$OTHER"	# which nobody looks at
records "$LOGS_TOPIC" | jq -c "select(.offset >= $stored)" >"$T/records"
is "each is the default tenant's, by key, headers and stamp" \
	"$(jq -c '[.key, (.headers[] | select(.[0] == "X-Scope-OrgID") | .[1]), .value]' "$T/records" | sort | uniq -c | xargs)" \
	"5 [$(hex the-one),$(hex the-one),$(otlp logs -m one -r tenant_id=the-one | od -An -v -tx1 | tr -d ' \n')]"
is "and so it is counted" "$(metric items_delivered_total '{tenant="the-one"}')" 5
headgate_stop || fail "it ends with status 0" "$HG_STATUS"

conf auth.default_tenant=
headgate_start --disable_auth
told "without auth.default_tenant" 200
is "it is called default" "$(records "$LOGS_TOPIC" | tail -n 1 | jq -r .key)" "$(hex default)"
finish
