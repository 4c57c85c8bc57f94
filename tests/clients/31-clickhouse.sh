#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 31-clickhouse.sh -- ClickHouse reads OTLP records by the schema alone: the rows that the independent decoder makes of them, under our tenant
. "${0%/*}/lib.sh"
need kafka python-otel js-otel
programs clickhouse

topics 2
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base kafka file 2
headgate_start
known "$TOKEN"
clickhouse() { (cd "$ROOT" && "$CLICKHOUSE/bin/python" "$CLIENTS/clickhouse/rows.py"); }	# SQL on standard input

three=$'traces ok\nmetrics ok\nlogs ok'
is "the JavaScript SDK sends JSON" "$(send_js js OTEL_EXPORTER_OTLP_PROTOCOL=http/json)" "$three"
is "that of Python protobuf" "$(send_python python OTEL_EXPORTER_OTLP_COMPRESSION=gzip)" "$three"
mkdir "$T/given"
python3 "$CLIENTS/given.py" "$T/given"
for signal in traces metrics logs; do
	is "and a third one $signal, of every kind" "$(request "/v1/$signal" -H 'Content-Type: application/json' --data-binary "@$T/given/$signal")" 200
done

# ---- OTLP ----
# from FOLDER RESOURCES SCOPES ITEMS SCHEMA < "NAME TYPE FIELD" LINES	the FROM that has a row for each item: columns tenant, tenants
# (how many), service, scope and those. A nested field is one array for each list that it stands in; they are unfolded from the outermost one.
from()
{
	local name type field names='' select structure
	local resource=$2.resource.attributes
	select="\`$resource.key\` AS rk, \`$resource.value.string_value\` AS rv, \`$2.$3.scope.name\` AS scope"
	structure="\`$resource.key\` Array(Array(String)), \`$resource.value.string_value\` Array(Array(String)), \`$2.$3.scope.name\` Array(Array(String))"
	while read -r name field type; do
		names+=", $name"
		select+=", \`$2.$3.$4.$field\` AS $name"
		structure+=", \`$2.$3.$4.$field\` Array(Array(Array($type)))"
	done
	cat <<-EOF
	FROM (SELECT rv[indexOf(rk, 'tenant_id')] AS tenant, arrayCount(k -> k = 'tenant_id', rk) AS tenants, rv[indexOf(rk, 'service.name')] AS service, scope$names
	FROM (SELECT rk, rv, scope$names FROM (SELECT $select FROM file('$1/*', 'ProtobufSingle', '$structure'))
	ARRAY JOIN rk, rv, scope$names) ARRAY JOIN scope$names)
	ARRAY JOIN ${names#, }
	SETTINGS format_schema = 'proto/schema/$5'
	EOF
}

values "$TRACES_TOPIC" "$T/traces"
values "$METRICS_TOPIC" "$T/metrics"
values "$LOGS_TOPIC" "$T/logs"
{
	echo "SELECT tenant, tenants, service, scope, name, kind, hex(ti) AS trace_id, hex(si) AS span_id, begin, end, attributes, events"
	from "$T/traces" resource_spans scope_spans spans trace_service:ExportTraceServiceRequest <<-EOF
	name name String
	kind kind String
	ti trace_id String
	si span_id String
	begin start_time_unix_nano UInt64
	end end_time_unix_nano UInt64
	attributes attributes.key Array(String)
	events events.name Array(String)
	EOF
} >"$T/traces.sql"
{
	echo "SELECT tenant, tenants, service, scope, body, severity, number, time, attributes"
	from "$T/logs" resource_logs scope_logs log_records logs_service:ExportLogsServiceRequest <<-EOF
	body body.string_value String
	severity severity_text String
	number severity_number Int32
	time time_unix_nano UInt64
	attributes attributes.key Array(String)
	EOF
} >"$T/logs.sql"
{
	echo "SELECT tenant, tenants, service, scope, name, arrayConcat(arrayMap((d, i) -> d + i, gd, gi), arrayMap((d, i) -> d + i, sd, si)) AS numbers,"
	echo "arrayConcat(hc, ec) AS counts, arrayConcat(hs, es) AS sums, buckets, monotonic"
	from "$T/metrics" resource_metrics scope_metrics metrics metrics_service:ExportMetricsServiceRequest <<-EOF
	name name String
	gd gauge.data_points.as_double Array(Float64)
	gi gauge.data_points.as_int Array(Int64)
	sd sum.data_points.as_double Array(Float64)
	si sum.data_points.as_int Array(Int64)
	hc histogram.data_points.count Array(UInt64)
	hs histogram.data_points.sum Array(Float64)
	buckets histogram.data_points.bucket_counts Array(Array(UInt64))
	ec exponential_histogram.data_points.count Array(UInt64)
	es exponential_histogram.data_points.sum Array(Float64)
	monotonic sum.is_monotonic Bool
	EOF
} >"$T/metrics.sql"
for signal in traces metrics logs; do
	"$PYTHON_OTEL" "$CLIENTS/clickhouse/expected.py" $signal "$T/$signal"/* | sort >"$T/want"
	clickhouse <"$T/$signal.sql" >"$T/rows" 2>"$T/clickhouse.log" || note "$(tail -n 5 "$T/clickhouse.log")"
	is "$signal: ClickHouse and the decoder read the same rows" "$(sort "$T/rows")" "$(cat "$T/want")"
	is "$signal: all that was sent, by three senders, under our tenant" "$(jq -r '.tenant + " " + .service' "$T/rows" | sort -u | xargs)" \
		"acme given acme sender-js acme sender-python"
done
finish
