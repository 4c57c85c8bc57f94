#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 92-readme.sh -- the README's blocks, of which there is none that is not tried: the shell one works as it stands (but for port and folder) and
# prints what is said, the YAML one is a configuration, the commands for a newcomer are there; so are the folders, files, pages and targets
# that it names
. "${0%/*}/lib.sh"
README=$ROOT/README.md
port=$(port_pick 5000)

# block KIND: the block of that kind.
block() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$README" | sed '1d;$d'; }
is "its blocks are these" "$(grep -n '^```' "$README" | sed -n 'p;n' | cut -d'`' -f4 | xargs)" "sh text yaml"
is "and one without a kind, before them" "$(grep '^```' "$README" | head -n 1)" '```'

block sh | sed "s|/tmp/headgate|$T/readme|g; s|4318|$port|g" >"$T/block"
ok "there is a block of shell" test -s "$T/block"
# shellcheck disable=SC2016
{ echo 'set -e; set -o pipefail; trap "kill \$(jobs -p) 2>/dev/null || :" EXIT'; cat "$T/block"; echo 'wait'; } >"$T/script"
sed -i "s|send --signal|send --url http://127.0.0.1:$port --signal|" "$T/script"
(PATH=$HEADGATE_BUILD:$PATH HEADGATE_SOCKET='' timeout 120 bash "$T/script") >"$T/out" 2>&1
code=$?
is "it works, line by line" $code 0
block text >"$T/want"
cat >"$T/compare.py" <<'END'
import re, sys
want, got = (open(each, encoding="utf-8").read() for each in sys.argv[1:])
sys.exit(0 if re.fullmatch(".*".join(map(re.escape, want.split("..."))), got, re.S) else "--- said\n" + want + "--- printed\n" + got)
END
ok "it prints what is said" python3 "$T/compare.py" "$T/want" "$T/out"

block yaml >"$T/production.yaml"
ok "there is a block of YAML" test -s "$T/production.yaml"
ok "it is a configuration" "$HEADGATE" -t --offline -c "$T/production.yaml"

# What make is told to do, here and in the text: 90-quickstart and the run of the tests itself do the first two.
grep -oE '(^|`)make [a-z0-9-]+' "$README" | tr -d '`' | sort -u | cut -d' ' -f2 >"$T/targets"
ok "both commands for a newcomer are targets of make" grep -qx -e quickstart -e check "$T/targets"
is "so is each that it names" "$(while read -r each; do grep -qE "^([a-z-]+ )*$each( [a-z-]+)*:" "$ROOT/GNUmakefile" || echo "$each"; done <"$T/targets")" ""
is "and make help lists it" "$(make -s -C "$ROOT" help | cut -d' ' -f1 >"$T/listed"; grep -vxF -f "$T/listed" "$T/targets")" ""
is "each folder and file of the map is there" "$(grep -oE '`[a-z]+/[a-zA-Z0-9_./-]*`' "$README" | tr -d '`' | sort -u | while read -r each; do
	[[ $each = build/* ]] || [ -e "$ROOT/$each" ] || echo "$each"
done)" ""
is "and each page of the manual" "$(grep -oE 'headgate[a-z.-]*\([1-8]\)' "$README" | sort -u | tr '()' '. ' | while read -r each; do [ -e "$ROOT/packaging/man/$each" ] || echo "$each"; done)" ""
finish
