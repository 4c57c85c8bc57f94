#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 04-manual.sh -- the pages of the manual: without a fault, each found from each; headgate-protocols(7) has every route, protocol, dialect and
# coding as the program's tables have them (every outcome: check-tables), and its examples are answered as it says
. "${0%/*}/lib.sh"

cd "$ROOT/packaging/man" || bail "no manual"
PAGES=(*.[1-8]) PROTOCOLS=headgate-protocols.7
if command -v mandoc >/dev/null; then
	is "mandoc has nothing to say" "$(mandoc -T lint -W warning "${PAGES[@]}" 2>&1)" ""
else
	skip "mandoc has nothing to say" mandoc
fi
for page in "${PAGES[@]}"; do
	is "$page names all others" "$(for each in "${PAGES[@]}"; do
		[ "$each" = "$page" ] || grep -qF ".Xr ${each%.*} ${each##*.}" "$page" || echo "$each"
	done)" ""
	is "$page names none that is not there" "$(sed -n 's/^\.Xr \(headgate[^ ]*\) \([1-8]\).*/\1.\2/p' "$page" | sort -u | while read -r each; do [ -e "$each" ] || echo "$each"; done)" ""
done

# ---- the programs' own help ----
ctl() { "$HEADGATECTL" "$@"; }
ctl help | sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,1\}\) .*/\1/p' >"$T/commands"
# shellcheck disable=SC2086 # two words of a command
{ ctl help; while read -r each; do ctl help $each; done <"$T/commands"; } | sed -n 's/^  \(-[a-z], \)\{0,1\}--\([a-z-]*\) .*/\2/p' | sort -u >"$T/options"
like "headgatectl has many commands and options" "$(wc -l <"$T/commands") $(wc -l <"$T/options")" '^[2-9][0-9] [3-9][0-9]$'
is "headgatectl(1) has each command" "$(while read -r each; do grep -qE "^\.It Cm $each( |\$)" headgatectl.1 || echo "$each"; done <"$T/commands")" ""
is "and each option" "$(while read -r each; do grep -qE -- "Fl -$each( |\$)" headgatectl.1 || echo "$each"; done <"$T/options")" ""
is "headgate(8) has each option" "$("$HEADGATE" --help 2>&1 | grep -oE -- ' -[a-zA-Z] |--[a-z-]+' | tr -d ' ' | sort -u | while read -r each; do
	grep -qE -- "Fl ${each#-}( |\$)" headgate.8 || echo "$each"
done)" ""

# ---- the routes ----
ok "the routes are those of the program" "$ROOT/tools/protocols-man" "$HEADGATE_BUILD"
missing() { while read -r each; do grep -qE -- "(^|[^a-z_])${each//-/\\\\-}([^a-z_]|\$)" "$PROTOCOLS" || echo "$each"; done; }
is "every built-in route is there" "$(sed -nE 's/^(ROUTE|MODELS|PAGE)\("([a-z_]+)".*/\2/p' "$ROOT/common/routes.def" | grep -vx none | missing)" ""
is "every protocol that a route may name" "$(sed -nE 's/^PROTOCOL\("([a-z_]+)".*/\1/p' "$ROOT/common/protocols.def" | missing)" ""
is "every dialect" "$(sed -nE 's/.*const struct dialect dialect_[a-z_]+ = \{ "([a-z_]+)".*/\1/p; s/^\t"([a-z_]+)",$/\1/p' "$ROOT"/worker/dialect*.c | missing)" ""
is "every header of a record" "$(grep -ohE '"(headgate-[a-z-]+|X-Scope-OrgID|tenant_id|traceparent)"' "$ROOT/worker/produce.c" "$ROOT/worker/sink.c" | tr -d '"' | sort -u |
	while read -r each; do grep -qF -e "$each" "$PROTOCOLS" || echo "$each"; done)" ""
# A table that went on while the page did not
mkdir -p "$T/tree/tools" "$T/tree/packaging/man"
cp "$ROOT/tools/protocols-man" "$T/tree/tools/"
sed '/^\.It Ic insert_block/,/^Records/d' "$PROTOCOLS" >"$T/tree/packaging/man/$PROTOCOLS"
"$T/tree/tools/protocols-man" "$HEADGATE_BUILD" >"$T/said"
is "a route that is missing is exit 1" $? 1
like "and named" "$(cat "$T/said")" 'It Ic insert_block'
"$T/tree/tools/protocols-man" --write "$HEADGATE_BUILD"
ok "until it is written anew" cmp "$PROTOCOLS" "$T/tree/packaging/man/$PROTOCOLS"

# ---- the tenants file ----
mkdir "$T/etc"
python3 "$WAY/tools/manual.py" show headgate.yaml.5 tenants >"$T/etc/tenants.yaml"
chmod 600 "$T/etc/tenants.yaml"
printf 'tenants: {file: %s}\nsink: discard\nlisteners: [{listen: "127.0.0.1:0"}]\ncontrol: {socket: %s}\n' "$T/etc/tenants.yaml" "$T/etc/control.sock" >"$T/etc/headgate.yaml"
ok "the tenants file of headgate.yaml(5) is one" "$HEADGATE" -t -q -c "$T/etc/headgate.yaml"
is "each key that it may have is there" "$(sed -n '/_keys\[\] = {/,/NULL/p' "$ROOT/master/tenants_yaml.c" | grep -oE '"[a-z0-9_]+"' | tr -d '"' | sort -u | while read -r each; do
	sed -n '/^\.Sh TENANTS FILE/,/^\.Sh LIMITS/p' headgate.yaml.5 | grep -qE "(^|[^a-z_])$each([^a-z_]|\$)" || echo "$each"
done)" ""

# ---- what is not there ----
is "no page speaks of an option that the program does not know" "$(grep -ohE '(headgate|Nm) (-t )?--?[a-z-]+' ./*.[1-8] | grep -oE -- '--[a-z-]+$' | sort -u | while read -r each; do
	"$HEADGATE" --help 2>&1 | grep -qF -e "$each" || echo "$each"
done)" ""

# ---- the examples ----
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 1
headgate_start
known "$TOKEN"
echo "$TOKEN" >"$T/token"
ok "the examples are answered as they say" env -C "$T" python3 "$WAY/tools/manual.py" run "$ROOT/packaging/man/$PROTOCOLS" try "127.0.0.1:4318=$ADDRESS"
is "and stored as the tenant's" "$(stored | jq -r '.topic + " " + .key' | sort | xargs)" "loki_push $(hex acme) otlp_logs $(hex acme)"

# ---- the metrics ----
admin /metrics >"$T/metrics"
is "each metric is in headgate(8)" "$(sed -n 's/^# HELP headgate_\([^ ]*\) .*/\1/p' "$T/metrics" | while read -r each; do
	grep -qE "^\.It Ic $each( |\$)" "$ROOT/packaging/man/headgate.8" || echo "$each"
done)" ""
is "with its labels" "$(grep -m1 '^headgate_requests_total' "$T/metrics" | grep -oE '[a-z]+="' | tr -d '="' | xargs | sed 's/ /, /g')" \
	"$(sed -n 's/^\.It Ic requests_total Pq //p' "$ROOT/packaging/man/headgate.8")"
finish
