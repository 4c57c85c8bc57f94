/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/samples.h"

#include <snappy-c.h>
#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/loki.pb-c.h"
#include "proto/schema/metrics_service.pb-c.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

enum {
	TRACE_ID_BYTES = 16,
	SPAN_ID_BYTES = 8,
	SEVERITY_INFO = 9,
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
	SPAN_NS = 5 * NS_PER_MS,
};

#define OTLP(x) Opentelemetry__Proto__##x
#define OTLP_INIT(x) OPENTELEMETRY__PROTO__##x##__INIT
/* The generated names spell no `const`; nothing here is written to. */
#define TEXT(s) ((char *)(uintptr_t)(s))

/* ---- OTLP ---- */

typedef OTLP(Common__V1__KeyValue) key_value;
typedef OTLP(Common__V1__AnyValue) any_value;

static any_value text_value(const char *text)
{
	any_value v = OTLP_INIT(COMMON__V1__ANY_VALUE);

	v.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
	v.string_value = TEXT(text);
	return v;
}

/* service.name of the resource and the request's id on the item, as pointers that outlive a call.
 */
struct otlp_parts {
	any_value service_value, id_value;
	key_value service, id;
	key_value *service_list[1], *id_list[1];
	OTLP(Resource__V1__Resource) resource;
	OTLP(Common__V1__InstrumentationScope) scope;
};

static void otlp_parts_init(struct otlp_parts *p, const struct sample_at *at)
{
	p->service_value = text_value("headgatectl");
	p->id_value = text_value(at->id);
	p->service = (key_value)OTLP_INIT(COMMON__V1__KEY_VALUE);
	p->service.key = TEXT("service.name");
	p->service.value = &p->service_value;
	p->id = (key_value)OTLP_INIT(COMMON__V1__KEY_VALUE);
	p->id.key = TEXT("headgate.sample");
	p->id.value = &p->id_value;
	p->service_list[0] = &p->service;
	p->id_list[0] = &p->id;
	p->resource = (OTLP(Resource__V1__Resource))OTLP_INIT(RESOURCE__V1__RESOURCE);
	p->resource.n_attributes = 1;
	p->resource.attributes = p->service_list;
	p->scope = (OTLP(Common__V1__InstrumentationScope))OTLP_INIT(
		COMMON__V1__INSTRUMENTATION_SCOPE);
	p->scope.name = TEXT("headgatectl");
	p->scope.version = TEXT(HEADGATE_VERSION);
}

static void pack(const ProtobufCMessage *m, struct buf *body)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	autofree uint8_t *p = xcalloc(n + 1, 1);

	protobuf_c_message_pack(m, p);
	buf_add(body, p, n);
}

static void make_traces(const struct sample_at *at, struct buf *body)
{
	OTLP(Collector__Trace__V1__ExportTraceServiceRequest)
	request = OTLP_INIT(COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_REQUEST);
	OTLP(Trace__V1__ResourceSpans)
	rs = OTLP_INIT(TRACE__V1__RESOURCE_SPANS), *rs_list[] = { &rs };
	OTLP(Trace__V1__ScopeSpans) ss = OTLP_INIT(TRACE__V1__SCOPE_SPANS), *ss_list[] = { &ss };
	OTLP(Trace__V1__Span) span = OTLP_INIT(TRACE__V1__SPAN), *spans[] = { &span };
	uint8_t random[sizeof(at->random)];
	struct otlp_parts parts;

	memcpy(random, at->random, sizeof(random));
	otlp_parts_init(&parts, at);
	span.trace_id = (ProtobufCBinaryData){ TRACE_ID_BYTES, random };
	span.span_id = (ProtobufCBinaryData){ SPAN_ID_BYTES, random + TRACE_ID_BYTES };
	span.name = TEXT("headgatectl sample");
	span.kind = OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT;
	span.start_time_unix_nano = (uint64_t)(at->now - SPAN_NS);
	span.end_time_unix_nano = (uint64_t)at->now;
	span.n_attributes = 1;
	span.attributes = parts.id_list;
	ss.scope = &parts.scope;
	ss.n_spans = 1;
	ss.spans = spans;
	rs.resource = &parts.resource;
	rs.n_scope_spans = 1;
	rs.scope_spans = ss_list;
	request.n_resource_spans = 1;
	request.resource_spans = rs_list;
	pack(&request.base, body);
}

static void make_metrics(const struct sample_at *at, struct buf *body)
{
	OTLP(Collector__Metrics__V1__ExportMetricsServiceRequest)
	request = OTLP_INIT(COLLECTOR__METRICS__V1__EXPORT_METRICS_SERVICE_REQUEST);
	OTLP(Metrics__V1__ResourceMetrics)
	rm = OTLP_INIT(METRICS__V1__RESOURCE_METRICS), *rm_list[] = { &rm };
	OTLP(Metrics__V1__ScopeMetrics)
	sm = OTLP_INIT(METRICS__V1__SCOPE_METRICS), *sm_list[] = { &sm };
	OTLP(Metrics__V1__Metric) metric = OTLP_INIT(METRICS__V1__METRIC), *metrics[] = { &metric };
	OTLP(Metrics__V1__Gauge) gauge = OTLP_INIT(METRICS__V1__GAUGE);
	OTLP(Metrics__V1__NumberDataPoint)
	point = OTLP_INIT(METRICS__V1__NUMBER_DATA_POINT), *points[] = { &point };
	struct otlp_parts parts;

	otlp_parts_init(&parts, at);
	point.time_unix_nano = (uint64_t)at->now;
	point.n_attributes = 1;
	point.attributes = parts.id_list;
	point.value_case = OPENTELEMETRY__PROTO__METRICS__V1__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	point.as_double = 1;
	gauge.n_data_points = 1;
	gauge.data_points = points;
	metric.name = TEXT("headgatectl.sample");
	metric.unit = TEXT("1");
	metric.data_case = OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE;
	metric.gauge = &gauge;
	sm.scope = &parts.scope;
	sm.n_metrics = 1;
	sm.metrics = metrics;
	rm.resource = &parts.resource;
	rm.n_scope_metrics = 1;
	rm.scope_metrics = sm_list;
	request.n_resource_metrics = 1;
	request.resource_metrics = rm_list;
	pack(&request.base, body);
}

static void make_logs(const struct sample_at *at, struct buf *body)
{
	OTLP(Collector__Logs__V1__ExportLogsServiceRequest)
	request = OTLP_INIT(COLLECTOR__LOGS__V1__EXPORT_LOGS_SERVICE_REQUEST);
	OTLP(Logs__V1__ResourceLogs) rl = OTLP_INIT(LOGS__V1__RESOURCE_LOGS), *rl_list[] = { &rl };
	OTLP(Logs__V1__ScopeLogs) sl = OTLP_INIT(LOGS__V1__SCOPE_LOGS), *sl_list[] = { &sl };
	OTLP(Logs__V1__LogRecord)
	record = OTLP_INIT(LOGS__V1__LOG_RECORD), *records[] = { &record };
	any_value text = text_value("hello from headgatectl");
	struct otlp_parts parts;

	otlp_parts_init(&parts, at);
	record.time_unix_nano = record.observed_time_unix_nano = (uint64_t)at->now;
	record.severity_number = (Opentelemetry__Proto__Logs__V1__SeverityNumber)
		SEVERITY_INFO; /* our schema names none */
	record.severity_text = TEXT("INFO");
	record.body = &text;
	record.n_attributes = 1;
	record.attributes = parts.id_list;
	sl.scope = &parts.scope;
	sl.n_log_records = 1;
	sl.log_records = records;
	rl.resource = &parts.resource;
	rl.n_scope_logs = 1;
	rl.scope_logs = sl_list;
	request.n_resource_logs = 1;
	request.resource_logs = rl_list;
	pack(&request.base, body);
}

/* ---- OTLP/JSON ---- */

static const char json_resource[] =
	"\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
	"\"headgatectl\"}}]}";
static const char json_scope[] =
	"\"scope\":{\"name\":\"headgatectl\",\"version\":\"" HEADGATE_VERSION "\"}";

/* The item's attribute; the id is of an alphabet that needs no escapes. */
static void json_id(struct buf *body, const struct sample_at *at)
{
	buf_printf(body,
	           "\"attributes\":[{\"key\":\"headgate.sample\",\"value\":{\"stringValue\":"
	           "\"%s\"}}]",
	           at->id);
}

static void json_hex(struct buf *body, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(body, "%02x", bytes[i]);
}

static void make_traces_json(const struct sample_at *at, struct buf *body)
{
	buf_printf(body, "{\"resourceSpans\":[{%s,\"scopeSpans\":[{%s,\"spans\":[{\"traceId\":\"",
	           json_resource, json_scope);
	json_hex(body, at->random, TRACE_ID_BYTES);
	buf_str(body, "\",\"spanId\":\"");
	json_hex(body, at->random + TRACE_ID_BYTES, SPAN_ID_BYTES);
	buf_printf(body,
	           "\",\"name\":\"headgatectl sample\",\"kind\":3,\"startTimeUnixNano\":\"%lld\","
	           "\"endTimeUnixNano\":\"%lld\",",
	           (long long)(at->now - SPAN_NS), (long long)at->now);
	json_id(body, at);
	buf_str(body, "}]}]}]}");
}

static void make_metrics_json(const struct sample_at *at, struct buf *body)
{
	buf_printf(body,
	           "{\"resourceMetrics\":[{%s,\"scopeMetrics\":[{%s,\"metrics\":[{\"name\":"
	           "\"headgatectl.sample\",\"unit\":\"1\",\"gauge\":{\"dataPoints\":[{"
	           "\"timeUnixNano\":\"%lld\",\"asDouble\":1,",
	           json_resource, json_scope, (long long)at->now);
	json_id(body, at);
	buf_str(body, "}]}}]}]}]}");
}

static void make_logs_json(const struct sample_at *at, struct buf *body)
{
	buf_printf(
		body,
		"{\"resourceLogs\":[{%s,\"scopeLogs\":[{%s,\"logRecords\":[{\"timeUnixNano\":"
		"\"%lld\",\"observedTimeUnixNano\":\"%lld\",\"severityNumber\":%d,"
		"\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"hello from headgatectl\"},",
		json_resource, json_scope, (long long)at->now, (long long)at->now, SEVERITY_INFO);
	json_id(body, at);
	buf_str(body, "}]}]}]}");
}

/* ---- remote_write: both messages are one snappy block ---- */

static void pack_snappy(const ProtobufCMessage *m, struct buf *body)
{
	size_t n = protobuf_c_message_get_packed_size(m), room = snappy_max_compressed_length(n);
	autofree uint8_t *plain = xcalloc(n + 1, 1);
	autofree char *block = xcalloc(room + 1, 1);
	snappy_status status;

	protobuf_c_message_pack(m, plain);
	status = snappy_compress((const char *)plain, n, block, &room);
	assert(status == SNAPPY_OK); /* room is what it asked for */
	buf_add(body, block, room);
}

static void make_write(const struct sample_at *at, struct buf *body)
{
	Prometheus__WriteRequest request = PROMETHEUS__WRITE_REQUEST__INIT;
	Prometheus__TimeSeries series = PROMETHEUS__TIME_SERIES__INIT, *all[] = { &series };
	Prometheus__Sample sample = PROMETHEUS__SAMPLE__INIT, *sample_list[] = { &sample };
	Prometheus__Label name = PROMETHEUS__LABEL__INIT, job = PROMETHEUS__LABEL__INIT,
			  id = PROMETHEUS__LABEL__INIT, *labels[] = { &name, &id, &job };

	name.name = TEXT("__name__");
	name.value = TEXT("headgatectl_sample");
	id.name = TEXT("headgate_sample");
	id.value = TEXT(at->id);
	job.name = TEXT("job");
	job.value = TEXT("headgatectl");
	sample.value = 1;
	sample.timestamp = at->now / NS_PER_MS;
	series.n_labels = ARRAY_LEN(labels);
	series.labels = labels;
	series.n_samples = 1;
	series.samples = sample_list;
	request.n_timeseries = 1;
	request.timeseries = all;
	pack_snappy(&request.base, body);
}

static void make_write_v2(const struct sample_at *at, struct buf *body)
{
	Io__Prometheus__Write__V2__Request request = IO__PROMETHEUS__WRITE__V2__REQUEST__INIT;
	Io__Prometheus__Write__V2__TimeSeries series = IO__PROMETHEUS__WRITE__V2__TIME_SERIES__INIT,
					      *all[] = { &series };
	Io__Prometheus__Write__V2__Sample sample = IO__PROMETHEUS__WRITE__V2__SAMPLE__INIT,
					  *sample_list[] = { &sample };
	Io__Prometheus__Write__V2__Metadata metadata = IO__PROMETHEUS__WRITE__V2__METADATA__INIT;
	char *symbols[] = { TEXT(""),
		            TEXT("__name__"),
		            TEXT("headgatectl_sample"),
		            TEXT("headgate_sample"),
		            TEXT(at->id),
		            TEXT("job"),
		            TEXT("headgatectl"),
		            TEXT("one sample of headgatectl") };
	uint32_t refs[] = { 1, 2, 3, 4, 5, 6 };

	metadata.help_ref = 7;
	sample.value = 1;
	sample.timestamp = at->now / NS_PER_MS;
	series.n_labels_refs = ARRAY_LEN(refs);
	series.labels_refs = refs;
	series.n_samples = 1;
	series.samples = sample_list;
	series.metadata = &metadata;
	request.n_symbols = ARRAY_LEN(symbols);
	request.symbols = symbols;
	request.n_timeseries = 1;
	request.timeseries = all;
	pack_snappy(&request.base, body);
}

/* ---- Loki ---- */

static void make_loki(const struct sample_at *at, struct buf *body)
{
	Logproto__PushRequest request = LOGPROTO__PUSH_REQUEST__INIT;
	Logproto__StreamAdapter stream = LOGPROTO__STREAM_ADAPTER__INIT, *streams[] = { &stream };
	Logproto__EntryAdapter entry = LOGPROTO__ENTRY_ADAPTER__INIT, *entries[] = { &entry };
	Logproto__LabelPairAdapter id = LOGPROTO__LABEL_PAIR_ADAPTER__INIT, *metadata[] = { &id };
	Logproto__Timestamp time = LOGPROTO__TIMESTAMP__INIT;

	time.seconds = at->now / NS_PER_S;
	time.nanos = (int32_t)(at->now % NS_PER_S);
	id.name = TEXT("headgate_sample");
	id.value = TEXT(at->id);
	entry.timestamp = &time;
	entry.line = TEXT("hello from headgatectl");
	entry.n_structured_metadata = 1;
	entry.structured_metadata = metadata;
	stream.labels = TEXT("{service_name=\"headgatectl\"}");
	stream.n_entries = 1;
	stream.entries = entries;
	request.n_streams = 1;
	request.streams = streams;
	pack_snappy(&request.base, body);
}

static void make_loki_json(const struct sample_at *at, struct buf *body)
{
	buf_printf(body,
	           "{\"streams\":[{\"stream\":{\"service_name\":\"headgatectl\"},\"values\":[[\"%lld\","
	           "\"hello from headgatectl\",{\"headgate_sample\":\"%s\"}]]}]}",
	           (long long)at->now, at->id);
}

/* ---- the table ---- */

static const char *const write_v1_headers[] = { "Content-Encoding: snappy",
	                                        "X-Prometheus-Remote-Write-Version: 0.1.0", NULL };
static const char *const write_v2_headers[] = { "Content-Encoding: snappy",
	                                        "X-Prometheus-Remote-Write-Version: 2.0.0", NULL };
static const char type_protobuf[] = "application/x-protobuf", type_json[] = "application/json",
		  type_write_v2[] = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

/* clang-format off */
const struct sample samples[] = {
	{ "otlp_traces",       "/v1/traces",         SIGNAL_TRACES,  type_protobuf, NULL,             make_traces       },
	{ "otlp_metrics",      "/v1/metrics",        SIGNAL_METRICS, type_protobuf, NULL,             make_metrics      },
	{ "otlp_logs",         "/v1/logs",           SIGNAL_LOGS,    type_protobuf, NULL,             make_logs         },
	{ "otlp_traces_json",  "/v1/traces",         SIGNAL_TRACES,  type_json,     NULL,             make_traces_json  },
	{ "otlp_metrics_json", "/v1/metrics",        SIGNAL_METRICS, type_json,     NULL,             make_metrics_json },
	{ "otlp_logs_json",    "/v1/logs",           SIGNAL_LOGS,    type_json,     NULL,             make_logs_json    },
	{ "remote_write_1.0",  "/api/v1/write",      SIGNAL_METRICS, type_protobuf, write_v1_headers, make_write        },
	{ "remote_write_2.0",  "/api/v1/write",      SIGNAL_METRICS, type_write_v2, write_v2_headers, make_write_v2     },
	{ "loki",              "/loki/api/v1/push",  SIGNAL_LOGS,    type_protobuf, NULL,             make_loki         },
	{ "loki_json",         "/loki/api/v1/push",  SIGNAL_LOGS,    type_json,     NULL,             make_loki_json    },
	{ .name = NULL },
};
/* clang-format on */
