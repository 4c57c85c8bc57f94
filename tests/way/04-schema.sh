#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 04-schema.sh -- the JSON Schema of the configuration, judged by a validator that is not ours: it takes every file that headgate -t takes,
# and refuses what a schema can
. "${0%/*}/lib.sh"
need json-schema
schema=$HEADGATE_BUILD/share/headgate.schema.json
# Isolated: tools/token.py is not Python's own.
judge() { "$JSON_SCHEMA" -I "$WAY/tools/schema.py" "$schema" "$@"; }

ok "it is a schema" judge
is "each option is in it" "$(jq -r 'def options(path): .properties // {} | to_entries[] | (path + .key) as $here |
	if .value.properties then .value | options($here + ".") else $here, (.value.items // {} | options($here + "[].")) end;
	options("")' "$schema" | sort)" "$(sed -n '/BEGIN generated/,/END generated/s/^\.It Ic //p' "$ROOT/packaging/man/headgate.yaml.5" | sed 's/\\//g' | grep -vF 'listeners[].tls.' | sort)"
is "each has its text" "$(jq -r '[paths(type == "object" and has("anyOf") and (has("description") | not))] | map(select(.[-1] != "items")) | length' "$schema")" 0

# ---- what is taken ----
for each in "$ROOT"/conf/headgate.yaml "$ROOT"/packaging/systemd/headgate.yaml; do
	is "${each#"$ROOT/"} is right" "$(judge "$each")" "$each ok"
done
"$HEADGATE" -T --defaults >"$T/defaults.yaml"
is "so are all defaults" "$(judge "$T/defaults.yaml")" "$T/defaults.yaml ok"
conf_base tls kafka postgres
conf "kafka.brokers=[b1:9092]" 'tenants.dsn=service=x'
is "and the configuration of a test" "$(judge "$HG_DIR/headgate.yaml")" "$HG_DIR/headgate.yaml ok"

# cases WHAT: each line, a tab and more behind it, as a file of its own; then `said WHAT NUMBER` has what the schema says of it
cases()
{
	local line number=0
	while IFS= read -r line; do
		mkdir -p "$T/$1-$((++number))"	# alone there: headgate looks for conf.d beside it
		printf '%b\n' "${line%%$'\t'*}" >"$T/$1-$number/headgate.yaml"
		printf '%s\n' "$line" >"$T/$1-$number/case"
	done
	judge "$T/$1"-*/headgate.yaml | sed "s|^$T/||" >"$T/$1.said"
}
said() { sed -n "s|^$1-$2/headgate\.yaml ||p" "$T/$1.said"; }
lines() { wc -l <"$T/$1.said"; }
taken() { "$HEADGATE" -t --offline -q -c "$T/$1-$2/headgate.yaml" >"$T/.headgate" 2>&1; }

cases good <<'EOF'
log:
workers: auto
workers: "4"
sandbox: "false"
tenants: {poll: 90s, max_stale: 0}
http: {body_min_rate: 20/s, body_grace: "0"}
limits: {worker_bytes: 64MiB, tenant_share: 100%}
kafka: {linger: 500us, properties: {a.b: 1, c: x, d: true}}
log: {level: "${HEADGATE_LEVEL:-warn}", access_file: "/var/${HEADGATE_NONE:-log}/x"}
workers: ${HEADGATE_WORKERS:-3}
auth: {token_headers: [X-One, "${HEADGATE_HEADER:-X-Two}"]}
auth: {token_headers: []}
auth: {default_tenant: 42}
auth: {default_tenant: "a.b-c!d_e*f'g(h)"}
listeners: [{listen: "127.0.0.1:1"}, {name: two, listen: "127.0.0.1:2", allowed_origins: ["https://*.example.com", "http://[::1]:8080"]}]
compat: {micromegas_401_texts: 2025, micromegas_quota_status: "429"}
record: {topic_prefix: "t.{tenant}."}
routes: []
routes: [{name: a, path: /a, protocol: opaque, topic: a, max_body: 0, json: inherit}]
routes:\n- name: otlp_logs\n  utf8: strict
auth: {jwt: [{name: a, issuer: "https://idp.example/", audiences: [x], algorithms: [RS256, ES256], leeway: 60s}]}
auth: {jwt: [{name: a, issuer: "https://idp.example/", audiences: any, tenant_claim: groups, tenant_map: {team a: [acme, other]}}]}
tenants:\n  query: |\n    SELECT 1\n    FROM x
EOF

for ((i = 1; i <= $(lines good); i++)); do
	ok "headgate takes: $(cat "$T/good-$i/case")" taken good "$i"
	is "so does the schema" "$(said good "$i")" ok
done

# ---- what is not ----
# behind the tab: where
cases bad <<'EOF'
listne: 1	
log: {levle: warn}	log
log: {level: loud}	log.level
workers: 0	workers
workers: 257	workers
workers: four	workers
workers: [1]	workers
sandbox: maybe	sandbox
tenants: {poll: 30}	tenants.poll
tenants: {poll: 30 s}	tenants.poll
tenants: {poll: 0}	tenants.poll
limits: {body: 16M}	limits.body
http: {body_min_rate: 1KiB}	http.body_min_rate
dead_letters: {per_tenant: 1KiB/s}	dead_letters.per_tenant
limits: {tenant_share: 25}	limits.tenant_share
limits: {tenant_share: 101%}	limits.tenant_share
log: {access_file: access.log}	log.access_file
log: []	log
listeners: {name: a}	listeners
listeners: []	listeners
listeners: [{naem: a}]	listeners.0
listeners: [{name: a b}]	listeners.0.name
listeners: [{name: public, listen: "127.0.0.1:1", tls: {cert: /x}}]	listeners.0.tls
listeners: [{name: public, tls: {cert_file: x}}]	listeners.0.tls.cert_file
auth: {token_headers: X-One}	auth.token_headers
auth: {token_headers: ["a b"]}	auth.token_headers.0
auth: {token_headers: [a, b, c, d, e, f, g, h, i]}	auth.token_headers
routes: [{path: /a}]	routes.0
auth: {jwt: [{name: a, audiences: [x]}]}	auth.jwt.0
auth: {jwt: [{name: a, issuer: "https://idp.example/", audiences: some}]}	auth.jwt.0.audiences
auth: {jwt: [{name: a, issuer: "https://idp.example/", audiences: [x], tenant_claim: g, tenant_map: {a: acme}}]}	auth.jwt.0.tenant_map.a
record: {stamp_name: ""}	record.stamp_name
kafka: {properties: [a]}	kafka.properties
kafka: {client_id: true}	kafka.client_id
- a	
EOF
for ((i = 1; i <= $(lines bad); i++)); do
	IFS=$'\t' read -r line where <"$T/bad-$i/case"
	taken bad "$i"
	is "headgate refuses: $line" $? 78
	like "so does the schema, there" "$(said bad "$i")" "^$where: "
done
is "all were judged" "$(lines good) $(lines bad)" "23 35"
finish
