#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 92-readme.sh -- the README's blocks: the shell one works as it stands (but for port and folder), the YAML one is a configuration
. "${0%/*}/lib.sh"
port=$(port_pick)

# block KIND: the first block of that kind.
block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$ROOT/README.md" | sed '1d;$d'; }

block sh | sed "s|/tmp/headgate|$T/readme|g; s|4318|$port|g" >"$T/block"
ok "there is a block of shell" test -s "$T/block"
# shellcheck disable=SC2016
{ echo 'set -e; set -o pipefail; trap "kill \$(jobs -p) 2>/dev/null || :" EXIT'; cat "$T/block"; echo 'wait'; } >"$T/script"
sed -i "s|127.0.0.1:$port\"|&|; s|send --all|send --url http://127.0.0.1:$port --all|" "$T/script"
(PATH=$HEADGATE_BUILD:$PATH timeout 120 bash "$T/script") >"$T/out" 2>&1
code=$?
is "it works, line by line" $code 0
((code == 0)) || note "$(tail -n 5 "$T/out")"
ok "every sample is accepted" grep -qE '^([0-9]+) of \1 accepted' "$T/out"
is "five records are shown" "$(grep -c '"tenant":"acme"' "$T/out")" 5
ok "the reload says what it did" grep -q 'generation 1 -> 2' "$T/out"
cp "$T/out" "$T/out.txt"

block yaml >"$T/production.yaml"
ok "there is a block of YAML" test -s "$T/production.yaml"
ok "it is a configuration" "$HEADGATE" -t --offline -c "$T/production.yaml"
finish
