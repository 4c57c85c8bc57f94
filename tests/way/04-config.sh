#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 04-config.sh -- the configuration as an operator meets it: -t, -T and -o of the program (O1, O2, O3, O4, O28)
. "${0%/*}/lib.sh"
C=$T/etc
mkdir -p "$C/conf.d"

file() { printf '%s\n' "${@:2}" >"$C/$1"; }
check() { "$HEADGATE" -t --offline -c "$C/headgate.yaml" "$@" >"$T/said" 2>&1; }
said() { sed "s|$C/||g" "$T/said"; }

# O1: the text of operations.md 3, byte for byte
file headgate.yaml 'sink: kafka' 'kafka: {brokers: ["localhost:9092"]}'
file conf.d/10-listen.yaml '# where clients connect' 'listeners:' '- name: public' '  listne: 0.0.0.0:4318'
check
is "a bad configuration is exit 78" $? 78
is "the message is that of the manual" "$(said)" "conf.d/10-listen.yaml:4:3: error: unknown key 'listne' (did you mean 'listen'?)
    4 |   listne: 0.0.0.0:4318
      |   ^~~~~~
  help: keys allowed here: allowed_origins, dialect, listen, max_connections, max_connections_per_source, name, tls, trusted_proxies
1 error, 0 warnings: configuration not applied"
file conf.d/10-listen.yaml 'workers: none' 'listen: x' 'record: {a: 1}'
file conf.d/20-more.yaml 'limits: {depth: 5}' 'log: {levle: 1, format: xml}'
check
is "six faults in two files are exit 78" $? 78
is "they come in file and line order" "$(said | grep -oP '^\S+: error' | tr '\n' ' ')" \
	"conf.d/10-listen.yaml:1:10: error conf.d/10-listen.yaml:2:1: error conf.d/10-listen.yaml:3:10: error conf.d/20-more.yaml:1:17: error conf.d/20-more.yaml:2:7: error conf.d/20-more.yaml:2:25: error "
is "each has its caret" "$(said | grep -c '^      | *^')" 6
rm "$C"/conf.d/*

# O2
refused() { # refused SENTENCE LINE:COLUMN TEXT...: one error at that place
	file headgate.yaml 'sink: kafka' 'kafka: {brokers: ["localhost:9092"]}' "${@:3}"
	check
	is "$1: exit 78" $? 78
	is "$1: one error, there" "$(said | grep -oP '^headgate.yaml:\K\S+(?=: error)'; said | tail -n 1)" \
		"$2"$'\n'"1 error, 0 warnings: configuration not applied"
}
refused "a duplicate key" 4:1 'workers: 1' 'workers: 2'
like "it names both places" "$(said)" "4:1: error: duplicate key 'workers': first at headgate\.yaml:3:1"
# R2
refused "two formats of remote_write on one topic" 3:54 'protocols: {remote_write: {topic: metrics, topic_v2: metrics}}'
like "it names both options" "$(said)" "'protocols\.remote_write\.topic' and 'protocols\.remote_write\.topic_v2' are one topic"
refused "a topic of one message that Obstack fills with several" 3:45 'protocols: {obstack: {enabled: true, topic: otlp_logs}}'
refused "a route that sends something else to a topic" 3:55 \
	'routes: [{name: a, path: /a, protocol: opaque, topic: otlp_logs}]'
like "it names both of them" "$(said)" "'protocols\.otlp\.logs_topic' and 'routes\[0\]\.topic' are one topic"
refused "topics that a tenant's id makes one" 4:55 'record: {topic_prefix: "{tenant}_"}' \
	'routes: [{name: a, path: /a, protocol: opaque, topic: logs}]'
refused "a route on a listener that is not there" 3:60 \
	'routes: [{name: a, path: /a, protocol: opaque, listeners: [publik], topic: a}]'
refused "a route on the path of one of ours" 3:26 'routes: [{name: a, path: /v1/logs, protocol: opaque, topic: a}]'
refused "an anchor" 3:10 'workers: &a 1'
refused "an alias" 3:10 'workers: *a'
refused "a merge key" 4:3 'log:' '  <<: *a'
refused "a tag" 3:10 'workers: !!int 1'
refused "a second document" 3:1 '---' 'workers: 1'
refused "a tab" 4:1 'log:' $'\tlevel: info'
refused "no for a text" 3:24 'auth: {default_tenant: no}'
refused "a duration without unit" 3:17 'tenants: {poll: 30}'

# O3
printf 'x: [ y\n' >"$T/value"
file headgate.yaml 'sink: discard' "log: {access_file: \"/\${file:$T/value}\"}"
"$HEADGATE" -T -c "$C/headgate.yaml" >"$T/dump" 2>/dev/null
is "a value from a file stays text" "$(grep -c "access_file: \"/\${file:$T/value}\"  # headgate.yaml:2" "$T/dump")" 1
refused "an unset variable" 3:24 'auth: {default_tenant: "${HG_NO_SUCH}"}'
export HG_SECRET='hunter2 with blanks'
refused "a variable with a bad value" 3:24 'auth: {default_tenant: "${HG_SECRET}"}'
ok "what it expanded to is not shown" fails grep -q hunter2 "$T/said"
file headgate.yaml 'sink: discard' 'record: {stamp_name: "${HG_STAMP:-tenant.id}"}' 'log: {audit_file: "/a$$b"}'
is "two dollars are one, a default is taken" "$("$HEADGATE" -T --diff -c "$C/headgate.yaml" 2>/dev/null | grep -oP '(stamp_name|audit_file): \S+')" \
	$'stamp_name: "tenant.id"\naudit_file: "/a$$b"'
printf 'geheim\n' >"$T/pw"
chmod 644 "$T/pw"
file headgate.yaml 'sink: discard' "kafka: {tls: {enabled: true}, sasl: {mechanism: PLAIN, username: u, password_file: $T/pw}}"
"$HEADGATE" -t -c "$C/headgate.yaml" >"$T/said" 2>&1
is "a secret file open to others is exit 78" $? 78
like "with the command to run" "$(said)" "help: chmod o-rwx $T/pw"

# models: each file is read at load, by the parser of the workers
mkdir "$T/models"
model() { # model FILE NAME TYPE
	printf '{"name":"%s","version":"1.0","columns":[{"name":"id","data_type":"%s","required":true}]}\n' "$2" "$3" >"$T/models/$1"
}
file headgate.yaml 'sink: discard' "protocols: {models: {dir: $T/models, path_prefix: /in}}"
model user.json UserEvent String
model order.json Order Strin
"$HEADGATE" -T -c "$C/headgate.yaml" >/dev/null 2>"$T/said"
is "a bad model is exit 78" $? 78
like "the file is named, and the place in it" "$(said)" "$T/models/order\.json: error: column id: "
model order.json userevent UInt8
"$HEADGATE" -T -c "$C/headgate.yaml" >/dev/null 2>"$T/said"
is "two models of one path are exit 78" $? 78
like "both files are named" "$(said)" "$T/models/user\.json: error: the path 'ingest/UserEvent/1\.0' is also that of '$T/models/order\.json'"
rm "$T/models/order.json"
ok "one is a good configuration" "$HEADGATE" -T -c "$C/headgate.yaml"

# O4
chmod 600 "$T/pw"
(umask 077; printf 'hgadmin_0123456789\n' >"$T/admin-token")
file headgate.yaml 'sink: kafka' "admin: {listen: 127.0.0.1:9318, token_file: $T/admin-token}" 'listeners:' \
	'  - {name: one, listen: 127.0.0.1:0, max_connections: 10}' '  - {name: two, listen: "[::1]:0", dialect: gateway}' \
	"protocols: {models: {dir: $T/models, namespace: ns}, micromegas: {enabled: true}, loki: {json: separate}}" \
	'routes:' '  - {name: app-blobs, path: "/b/$$", protocol: opaque, topic: blobs, listeners: [two], max_body: 2MiB}' \
	'  - {name: otlp_logs, topic_prefix: "{tenant}.", headers: all}' \
	'dead_letters: {enabled: true, per_tenant: 20/s}' 'compat: {micromegas_quota_status: 429}' \
	'kafka:' '  brokers: [a:1, "[::1]:2"]' '  tls: {enabled: true}' \
	"  sasl: {mechanism: PLAIN, username: 'q\"u\$\$o', password_file: $T/pw}" \
	'  properties: {retry.backoff.ms: 50, ssl.key.password: hunter2}' \
	"tenants: {source: postgres, dsn: \"host=db password=\${file:$T/pw}\"}"
file conf.d/20-kafka.yaml 'kafka: {compression: zstd}'
dump() { "$HEADGATE" -T -c "$1" -o limits.depth=50 2>"$T/said"; }
bare() { sed 's/  # [^#]*$//' "$1"; }
dump "$C/headgate.yaml" >"$T/first"
is "-T is exit 0" $? 0
is "each line has its origin" "$(grep -vc '  # ' "$T/first")" 0
ok "an included file's too" grep -qx '  compression: zstd  # conf.d/20-kafka.yaml:1' "$T/first"
ok "a route's" grep -qx '    path: "/b/\$\$"  # headgate.yaml:8' "$T/first"
ok "and the command line's" grep -qx '  depth: 50  # -o' "$T/first"
ok "no secret is in it" fails grep -qE 'geheim|hunter2|hgadmin' "$T/first"
mkdir "$T/again"
cp "$T/first" "$T/again/headgate.yaml"
ok "it is a good configuration" "$HEADGATE" -t --offline -q -c "$T/again/headgate.yaml"
dump "$T/again/headgate.yaml" >"$T/second"
is "and dumps the same" "$(bare "$T/second")" "$(bare "$T/first")"
rm "$C"/conf.d/*
: >"$C/headgate.yaml"
is "the difference of an empty file is what this version demands" \
	"$("$HEADGATE" -T --diff -c "$C/headgate.yaml" -o sink=discard 2>/dev/null)" 'sink: discard  # -o'

# A warning that is to count is told as what it is, to people and to programs.
tight=(-o limits.worker_bytes=1MiB)
check "${tight[@]}"
is "a warning alone is exit 0" $? 0
check "${tight[@]}" --deny-warnings
is "with --deny-warnings it is exit 78" $? 78
like "the last line says why" "$(said | tail -n 1)" '^--deny-warnings: a warning counts as an error$'
"$HEADGATE" -t --offline -c "$C/headgate.yaml" "${tight[@]}" --deny-warnings --json >"$T/json" 2>"$T/said"
is "as JSON too" "$? $(jq -c '[.ok, .errors, .warnings]' "$T/json")" "78 [false,0,1]"

# O28
file headgate.yaml 'sink: discard' 'listeners: [{listen: 0.0.0.0:0}]'
check --disable-auth
is "--disable-auth off loopback is exit 78" $? 78
like "it names the listener" "$(said)" 'listener public: 0\.0\.0\.0:0'
check --disable-auth=any-address
is "but may be said" $? 0
for option in tenants.dsn kafka.properties.ssl.key.password kafka.sasl.password; do
	check -o "$option=hunter2"
	is "-o $option is exit 2" $? 2
	ok "the value is in no message" fails grep -q hunter2 "$T/said"
done
finish
