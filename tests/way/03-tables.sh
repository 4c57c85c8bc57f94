#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 03-tables.sh -- tools/check-tables sees it when a row of a table loses its doc, its sample, its manual, its test (O6)
. "${0%/*}/lib.sh"

tree() { # a fresh copy of what the tool reads
	rm -rf "$T/tree"
	mkdir -p "$T/tree/packaging"
	cp -r "$ROOT/conf" "$ROOT/common" "$T/tree/"
	cp -r "$ROOT/packaging/man" "$ROOT/packaging/monitoring" "$T/tree/packaging/"
	mkdir -p "$T/tree/tools" "$T/tree/tests/way" "$T/tree/tests/unit"
	cp "$ROOT/tools/tables.c" "$T/tree/tools/"
	cp "$ROOT"/tests/way/*.sh "$T/tree/tests/way/"
	cp -r "$ROOT/tests/unit/conf" "$T/tree/tests/unit/"
	cd "$T/tree" || bail "no copy of the tree"
}
says() { # says SENTENCE REGEX: the tool fails and names it
	local out
	out=$("$ROOT/tools/check-tables" "$T/tree") && fail "$1" "the tool has nothing to say" && return
	like "$1" "$out" "$2"
}

tree
ok "the tree as it stands is in step" "$ROOT/tools/check-tables" "$T/tree"

perl -0pi -e 's/(OPTION\("limits\.depth".*?ONCE,)\s*"[^"]*"\)/$1 "")/s' conf/options.def
says "an option without a doc is named" "option 'limits\.depth' has no doc"

tree
sed -i '/^  pipelined:/d' conf/headgate.yaml
says "an option without its sample line is named" "no line for option 'http\.pipelined'"
says "and the sample is out of step" "conf/headgate\.yaml:[0-9]+: not in step"

tree
sed -i '/^\.It Ic http\.pipelined/d' packaging/man/headgate.yaml.5
says "an option without its place in the manual is named" "headgate\.yaml\.5: no line for option 'http\.pipelined'"

tree
sed -i 's/"16", "1", "1024"/"17", "1", "1024"/' conf/options.def
says "another default is out of step with the sample" "conf/headgate\.yaml:[0-9]+: not in step"
"$ROOT/tools/check-tables" --write "$T/tree" >/dev/null
ok "until it is written anew" grep -q '^  pipelined: 17$' conf/headgate.yaml

tree
find tests -type f -exec sed -i 's/http\.pipelined/http_pipelined/g' {} +
says "an option that no test names is named" "no test names option 'http\.pipelined'"

tree
id=hg-"record"-size
sed -i "s/$id/gone/g" tests/way/*.sh
says "a verdict that no way test names is named" "no test names verdict '$id'"

tree
sed -i 's/"no such path"/"nothing is there"/' common/verdict.def
says "another text of a verdict is out of step with the manual" "headgate-protocols\.7:[0-9]+: not in step with common/verdict\.def"
"$ROOT/tools/check-tables" --write "$T/tree" >/dev/null
ok "until it is written anew" grep -q '^nothing is there$' packaging/man/headgate-protocols.7

tree
sed -i 's/"Loop turns longer than 20 ms\."/""/' common/stats.def
says "a metric family without help is named" "family 'loop_stalls_total' has no help"
says "and headgate(8) is out of step" "headgate\.8:[0-9]+: not in step with common/stats\.def"

tree
sed -i '/"audit_dropped_total"/s/"audit_dropped_total"/"audit_lost_total"/' common/stats.def
says "an alert of a family that is gone is named" "headgate\.rules\.yml: no family 'audit_dropped_total'"

tree
sed -i 's/headgate_connections{/headgate_conns{/' packaging/monitoring/grafana/headgate.json
says "so is a panel" "headgate\.json: no family 'conns'"

tree
sed -i 's/headgate_kafka_delivery_seconds_bucket/headgate_kafka_delivery_seconds/' packaging/monitoring/runbooks/HeadgateQueueFilling.md
says "a histogram that is asked for whole is named" "HeadgateQueueFilling\.md: 'kafka_delivery_seconds' is a histogram"

tree
rm packaging/monitoring/runbooks/HeadgateDown.md
sed -i '/eval_time/s/HeadgateJwksStale/HeadgateDown/; s/alertname: HeadgateQueueFilling$/alertname: HeadgateDown/' packaging/monitoring/prometheus/headgate.test.yml
says "an alert without its runbook is named" "alert 'HeadgateDown' has no runbook"
says "one without a silent case" "no case in which 'HeadgateJwksStale' is silent"
says "and one that never fires" "no case in which 'HeadgateQueueFilling' fires"
finish
