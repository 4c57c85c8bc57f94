#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 18-smuggling.sh -- F34, F35: the corpus of requests that two servers could read differently, that RFC 9112 asks for, and that are nonsense,
# over real connections, whole and byte by byte: never two replies to one request, nothing read in two ways
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base file discard 2
headgate_start
known "$TOKEN"

# (-I: token.py of that folder is not the one of the standard library.)
# One case is about a limit that the unit tests set: here a chunk may be larger.
built corpus | grep -v $'\tbody_over_the_limit\t' >"$T/corpus"
corpus() { python3 -I "$WAY/tools/corpus.py" "$ADDRESS" "$TOKEN" "$@" <"$T/corpus"; }
before=$(workers | xargs)
corpus >"$T/whole"
ok "no case deviates" test $? = 0
note "$(cat "$T/whole")"
read -r _ compliance _ malformed _ smuggling < <(tail -n 1 "$T/whole")
ok "there are 76 cases of what RFCs ask, 26 malformed and 87 of smuggling, or more" \
	test "$compliance" -ge 76 -a "$malformed" -ge 26 -a "$smuggling" -ge 87
corpus --each >"$T/each"
ok "nor does one that comes byte by byte" test $? = 0
[ "$(wc -l <"$T/each")" = 1 ] || note "$(cat "$T/each")"
is "the same workers live" "$(workers | xargs)" "$before"
comes "and no request is left" 0 metric requests_in_flight '{route="otlp_traces"}'
finish
