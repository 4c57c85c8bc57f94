#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 68-models.sh -- a thousand data models at once; a reload takes a new one, and one that is broken changes nothing, and is named with
# what is wrong in it (compatibility.md 5)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 2
M=$HG_DIR/models
mkdir "$M"
model() { # model NAME VERSION TYPE
	printf '{"name":"%s","version":"%s","columns":[{"name":"id","data_type":"%s","required":true}]}\n' "$1" "$2" "$3" >"$M/$1-$2.json.new"
	mv "$M/$1-$2.json.new" "$M/$1-$2.json"
}
ctl() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" "$@" >"$T/said" 2>"$T/said.err"; }
answer() { request "/ingest/$1" -H "Content-Type: application/json" --data-binary "@$T/body"; }
for i in {1..1000}; do model "Event$i" 1.9 Int8; done
model Event7 1.10 String
conf "protocols.models.dir=$M"
headgate_start
known "$TOKEN"
echo '{"id":7}' >"$T/body"
is "the first and the last of a thousand take an event" "$(answer Event1) $(answer Event1000/1.9)" "202 202"
is "the name alone is the highest version, 1.10" "$(answer Event7) $(answer Event7/1.9)" "400 202"
is "there is no other" "$(answer Event1001) $(answer Event)" "404 404"

model Event1001 1.0 Int8
headgate_switch
is "one more model is served after a reload" "$(answer Event1001)" 202

expect_err 'mod=reload'
model Event1001 1.1 Int9
model Event1 2.0 String
echo '{"name":"Event2","columns":[' >"$M/Event2-3.json"
ctl reload
is "a reload with a broken model is exit 78" $? 78
like "the file is named, the column and what is wrong" "$(cat "$T/said.err")" "models/Event1001-1\.1\.json: error: column id: unknown type 'Int9'"
like "and each other one" "$(cat "$T/said.err")" "models/Event2-3\.json: error: line [0-9]+, column [0-9]+: "
is "all stay as they were" "$(answer Event1001) $(answer Event1) $(answer Event2) $(answer Event1001/1.1)" "202 202 202 404"
rm "$M/Event1001-1.1.json" "$M/Event2-3.json"
headgate_switch
is "once they are gone the others are taken" "$(answer Event1) $(answer Event1/1.9)" "400 202"
headgate_stop
is "it ends well" "$HG_STATUS" 0
is "each event that was taken is stored, in its topic" "$(stored | jq -r .topic | sort | uniq -c | xargs)" \
	"1 Event1000_1_9 2 Event1001_1_0 3 Event1_1_9 1 Event2_1_9 1 Event7_1_9"
finish
