#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 32-clickhouse-models.sh -- ClickHouse reads the records of a data model as JSONEachRow: a row for each object, each column of each type with
# exactly the value that was sent, and the tenant's id (records.md 1.4)
. "${0%/*}/lib.sh"
need kafka
programs clickhouse

TOPIC=$NAME-readings
topic create "$KAFKA_BROKERS" "$TOPIC" 2 || bail "can't create the topic $TOPIC"
topics 1
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
mkdir "$T/models"
cat >"$T/models/reading.json" <<EOF
{"name": "Reading", "topic": "$TOPIC", "columns": [
	{"name": "tenant_id", "data_type": "String", "required": false},
	{"name": "id", "data_type": "UUID", "required": true},
	{"name": "at", "data_type": "DateTime(3)", "required": true},
	{"name": "n", "data_type": "UInt64", "required": true},
	{"name": "small", "data_type": "UInt8", "required": false},
	{"name": "big", "data_type": "Int128", "required": false},
	{"name": "price", "data_type": "Decimal(18, 4)", "required": false},
	{"name": "ratio", "data_type": {"nullable": "Float64"}, "required": false},
	{"name": "ok", "data_type": "Boolean", "required": false},
	{"name": "code", "data_type": "FixedString(4)", "required": false},
	{"name": "day", "data_type": "Date", "required": false},
	{"name": "v4", "data_type": "IPv4", "required": false},
	{"name": "v6", "data_type": "IPv6", "required": false},
	{"name": "kind", "data_type": {"name": "Kind", "values": [{"name": "red", "value": {"Int": 1}}, {"name": "blue", "value": {"Int": 2}}]}, "required": false},
	{"name": "tags", "data_type": {"elementType": "String", "elementNullable": true}, "required": false},
	{"name": "sizes", "data_type": {"keyType": "String", "valueType": "UInt32"}, "required": false},
	{"name": "place", "data_type": {"fields": [["city", "String"], ["zip", "UInt32"]]}, "required": false},
	{"name": "extra", "data_type": "Json", "required": false},
	{"name": "point", "data_type": "Point", "required": false}]}
EOF
COLUMNS_OF_TABLE="tenant_id String, id UUID, at DateTime64(3, \\'UTC\\'), n UInt64, small UInt8, big Int128, price Decimal(18, 4), ratio Nullable(Float64),
	ok Bool, code FixedString(4), day Date, v4 IPv4, v6 IPv6, kind Enum8(\\'red\\' = 1, \\'blue\\' = 2), tags Array(Nullable(String)),
	sizes Map(String, UInt32), place Tuple(city String, zip UInt32), extra JSON, point Tuple(Float64, Float64)"
conf_base kafka file 2
conf "protocols.models.dir=$T/models"
headgate_start
known "$TOKEN"

# send TEXT: the status
send() { printf %s "$1" >"$T/body"; request /ingest/Reading -H 'Content-Type: application/json' --data-binary "@$T/body"; }
ID=00000000-0000-0000-0000-00000000000
full="{\"id\": \"${ID}1\", \"at\": \"2026-01-02T03:04:05.678+01:00\", \"n\": \"18446744073709551615\", \"small\": 255, \"tenant_id\": \"forged\",
	\"big\": \"-170141183460469231731687303715884105728\", \"price\": \"12.3400\", \"ratio\": \"1.5\", \"ok\": true, \"code\": \"abcd\",
	\"day\": \"2026-02-28\", \"v4\": \"192.0.2.1\", \"v6\": \"2001:db8::1\", \"kind\": \"red\", \"tags\": [\"a\", null, \"gr\\u00fc\\u00df\\n\"],
	\"sizes\": {\"a\": 1, \"b\": 4294967295}, \"place\": {\"city\": \"Köln\", \"zip\": 50667, \"unknown\": 1}, \"extra\": {\"a\": {\"b\": 1}, \"c\": \"x\"},
	\"point\": [1.5, -2], \"unknown\": {\"n\": 1}}"
zero="{\"id\":\"${ID}2\",\"at\":\"2026-01-02T03:04:05Z\",\"n\":0,\"small\":0,\"big\":0,\"price\":0.1,\"ratio\":null,\"ok\":false,\"code\":\"\",\"day\":\"1970-01-02\",
	\"v4\":\"0.0.0.0\",\"v6\":\"::\",\"kind\":2,\"tags\":[],\"sizes\":{},\"place\":{\"city\":\"\",\"zip\":0},\"extra\":{},\"point\":[0,1e-3]}"
least="{\"n\":1,\"at\":\"2026-01-02T03:04:05Z\",\"id\":\"${ID}3\"}"
is "an array of three objects is accepted" "$(send "[$full,$zero,$least]")" 202
is "an object too" "$(send "{\"id\":\"${ID}4\",\"at\":\"2026-12-31T23:59:59.999-12:00\",\"n\":\"7\",\"ratio\":-0.0}")" 202
# ClickHouse would read 300 as 44, and say nothing.
is "a number beyond its column is refused" "$(send "{\"id\":\"${ID}5\",\"at\":\"2026-01-02T03:04:05Z\",\"n\":1,\"small\":300}")" 400
is "so is one object among good ones, with all of them" "$(send "[$least,{\"id\":\"${ID}6\",\"at\":\"2026-01-02T03:04:05Z\",\"n\":-1}]")" 400

values "$TOPIC" "$T/values"
is "each object is a record" "$(find "$T/values" -type f | wc -l)" 4
rows()	# of those files, one message each, as the Kafka engine of ClickHouse takes them
{
	(cd "$ROOT" && "$CLICKHOUSE/bin/python" "$CLIENTS/clickhouse/rows.py") <<-EOF
	SELECT * FROM file('$T/values/*', 'JSONEachRow', '$COLUMNS_OF_TABLE') ORDER BY id SETTINGS date_time_input_format = 'best_effort'
	EOF
}
is "ClickHouse reads exactly what was sent, for our tenant" "$(rows)" "$(
	cat <<-'EOF'
	{"tenant_id":"acme","id":"00000000-0000-0000-0000-000000000001","at":"2026-01-02 02:04:05.678","n":18446744073709551615,"small":255,"big":-170141183460469231731687303715884105728,"price":12.34,"ratio":1.5,"ok":true,"code":"abcd","day":"2026-02-28","v4":"192.0.2.1","v6":"2001:db8::1","kind":"red","tags":["a",null,"grüß\n"],"sizes":{"a":1,"b":4294967295},"place":{"city":"Köln","zip":50667},"extra":{"a":{"b":1},"c":"x"},"point":[1.5,-2]}
	{"tenant_id":"acme","id":"00000000-0000-0000-0000-000000000002","at":"2026-01-02 03:04:05.000","n":0,"small":0,"big":0,"price":0.1,"ratio":null,"ok":false,"code":"\u0000\u0000\u0000\u0000","day":"1970-01-02","v4":"0.0.0.0","v6":"::","kind":"blue","tags":[],"sizes":{},"place":{"city":"","zip":0},"extra":{},"point":[0,0.001]}
	{"tenant_id":"acme","id":"00000000-0000-0000-0000-000000000003","at":"2026-01-02 03:04:05.000","n":1,"small":0,"big":0,"price":0,"ratio":null,"ok":false,"code":"\u0000\u0000\u0000\u0000","day":"1970-01-01","v4":"0.0.0.0","v6":"::","kind":"red","tags":[],"sizes":{},"place":{"city":"","zip":0},"extra":{},"point":[0,0]}
	{"tenant_id":"acme","id":"00000000-0000-0000-0000-000000000004","at":"2027-01-01 11:59:59.999","n":7,"small":0,"big":0,"price":0,"ratio":-0,"ok":false,"code":"\u0000\u0000\u0000\u0000","day":"1970-01-01","v4":"0.0.0.0","v6":"::","kind":"red","tags":[],"sizes":{},"place":{"city":"","zip":0},"extra":{},"point":[0,0]}
	EOF
)"
is "whose it is stands in key and headers too, and nothing else does" "$(records "$TOPIC" | jq -c '[.key, .headers]' | sort -u)" \
	"[\"$(hex acme)\",[[\"X-Scope-OrgID\",\"$(hex acme)\"],[\"tenant_id\",\"$(hex acme)\"]]]"
finish
