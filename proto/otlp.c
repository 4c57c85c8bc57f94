/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp.c -- OTLP/HTTP: three signals of one shape (request, Resource*, Scope*, item), in protobuf or,
 * by otlp_json.c, made of JSON. The walker validates; here the tenant's stamp goes into the last
 * `resource` of each Resource*, since repeated ones merge, and the client's own is taken out of all
 * of them (records.md 1.2).
 *
 * An empty Resource* beside data is kept and stamped like the others: bytes are respected, and
 * resources_max bounds what the stamp adds. Items: of a Metric whose oneof came twice only the data
 * points of the last member count, as decoders keep no others.
 */
#include "proto/otlp.h"

#include <stdio.h>
#include "proto/encoding.h"
#include "proto/otlp_json.h"
#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/metrics_service.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"
#include "proto/split.h"

enum otlp_watch { WATCH_NOTHING, WATCH_ENVELOPE, WATCH_RESOURCE };
enum {
	TAG_ATTRIBUTE = 0x0a, /* Resource.attributes, field 1 */
	TAG_RESOURCE = 0x0a, /* Resource*.resource, field 1 */
	TAG_KEY = 0x0a, /* KeyValue.key, 1 */
	TAG_VALUE = 0x12, /* KeyValue.value, 2 */
	TAG_STRING = 0x0a, /* AnyValue.string_value, 1 */
};

#define COLLECTOR(x) opentelemetry__proto__collector__##x##__descriptor
#define COMMON(x) opentelemetry__proto__common__v1__##x##__descriptor
#define RESOURCE(x) opentelemetry__proto__resource__v1__##x##__descriptor
#define TRACE(x) opentelemetry__proto__trace__v1__##x##__descriptor
#define METRICS(x) opentelemetry__proto__metrics__v1__##x##__descriptor
#define LOGS(x) opentelemetry__proto__logs__v1__##x##__descriptor

/* clang-format off */
static const struct pb_mark marks[] = {
	/* message                                           field                    role          watch */
	{ &COMMON(key_value),                                NULL,                    PB_KEY_VALUE, 0 },
	{ &COMMON(instrumentation_scope),                    NULL,                    PB_UNIT,      0 },
	{ &RESOURCE(resource),                               NULL,                    PB_UNIT,      0 },
	{ &RESOURCE(resource),                               "attributes",            PB_PAIR,      0 },
	{ &COLLECTOR(trace__v1__export_trace_service_request), "resource_spans",      PB_WATCH,     WATCH_ENVELOPE },
	{ &TRACE(resource_spans),                            NULL,                    PB_UNIT,      0 },
	{ &TRACE(resource_spans),                            "resource",              PB_WATCH,     WATCH_RESOURCE },
	{ &TRACE(scope_spans),                               NULL,                    PB_UNIT,      0 },
	{ &TRACE(scope_spans),                               "spans",                 PB_ITEM,      0 },
	{ &TRACE(span),                                      "trace_id",              PB_ID16,      0 },
	{ &TRACE(span),                                      "span_id",               PB_ID8,       0 },
	{ &TRACE(span),                                      "parent_span_id",        PB_ID8,       0 },
	{ &TRACE(span__link),                                "trace_id",              PB_ID16,      0 },
	{ &TRACE(span__link),                                "span_id",               PB_ID8,       0 },
	{ &COLLECTOR(metrics__v1__export_metrics_service_request), "resource_metrics", PB_WATCH,    WATCH_ENVELOPE },
	{ &METRICS(resource_metrics),                        NULL,                    PB_UNIT,      0 },
	{ &METRICS(resource_metrics),                        "resource",              PB_WATCH,     WATCH_RESOURCE },
	{ &METRICS(scope_metrics),                           NULL,                    PB_UNIT,      0 },
	{ &METRICS(metric),                                  NULL,                    PB_UNIT,      0 },
	{ &METRICS(metric),                                  "gauge",                 PB_CHOICE,    0 },
	{ &METRICS(metric),                                  "sum",                   PB_CHOICE,    0 },
	{ &METRICS(metric),                                  "histogram",             PB_CHOICE,    0 },
	{ &METRICS(metric),                                  "exponential_histogram", PB_CHOICE,    0 },
	{ &METRICS(metric),                                  "summary",               PB_CHOICE,    0 },
	{ &METRICS(gauge),                                   "data_points",           PB_ITEM,      0 },
	{ &METRICS(sum),                                     "data_points",           PB_ITEM,      0 },
	{ &METRICS(histogram),                               "data_points",           PB_ITEM,      0 },
	{ &METRICS(exponential_histogram),                   "data_points",           PB_ITEM,      0 },
	{ &METRICS(summary),                                 "data_points",           PB_ITEM,      0 },
	{ &METRICS(exemplar),                                "span_id",               PB_ID8,       0 },
	{ &METRICS(exemplar),                                "trace_id",              PB_ID16,      0 },
	{ &COLLECTOR(logs__v1__export_logs_service_request), "resource_logs",         PB_WATCH,     WATCH_ENVELOPE },
	{ &LOGS(resource_logs),                              NULL,                    PB_UNIT,      0 },
	{ &LOGS(resource_logs),                              "resource",              PB_WATCH,     WATCH_RESOURCE },
	{ &LOGS(scope_logs),                                 NULL,                    PB_UNIT,      0 },
	{ &LOGS(scope_logs),                                 "log_records",           PB_ITEM,      0 },
	{ &LOGS(log_record),                                 "trace_id",              PB_ID16,      0 },
	{ &LOGS(log_record),                                 "span_id",               PB_ID8,       0 },
	{ 0 }
};
/* clang-format on */

/* Built once by otlp_open(), only read afterwards. */
static struct pb_schema schema;
static const struct pb_message *roots[SIGNAL_COUNT];

void otlp_open(void)
{
	if (schema.n)
		return;
	roots[SIGNAL_TRACES] =
		pb_schema_add(&schema, &COLLECTOR(trace__v1__export_trace_service_request), marks);
	roots[SIGNAL_METRICS] = pb_schema_add(
		&schema, &COLLECTOR(metrics__v1__export_metrics_service_request), marks);
	roots[SIGNAL_LOGS] =
		pb_schema_add(&schema, &COLLECTOR(logs__v1__export_logs_service_request), marks);
}

const struct pb_schema *otlp_schema(void)
{
	assert(schema.n);
	return &schema;
}

struct otlp { /* of one body */
	const struct enrich_in *in;
	uint64_t resources; /* Resource* messages */
	/* the last `resource` of the open Resource* */
	bool has_resource;
	size_t length_slot, end_slot;
	size_t bytes; /* of its content, after edits */
	size_t prefix_bytes; /* of its length as it came */
	size_t prefix_after; /* of its length after edits */
};

static bool on_open(struct pb_walk *w, struct pb_frame *f)
{
	struct otlp *o = w->user;

	if (f->watch == WATCH_ENVELOPE) {
		o->has_resource = false;
		return ++o->resources <= o->in->resources_max;
	}
	if (o->in->stamp.n)
		pb_touch(w, f); /* its length may change later, when edits behind it are known */
	return !w->edits->failed;
}

static void resource_close(struct otlp *o, struct pb_walk *w, struct pb_frame *f)
{
	o->has_resource = true;
	o->length_slot = f->slot;
	o->end_slot = edits_slot(w->edits, pb_offset(w, f->end));
	o->bytes = (size_t)((f->end - f->start) + f->growth);
	o->prefix_bytes = (size_t)(f->start - f->length_at);
	o->prefix_after = f->growth ? pb_varint_size(o->bytes) : o->prefix_bytes;
}

static void envelope_close(struct otlp *o, struct pb_walk *w, struct pb_frame *f)
{
	static const uint8_t tag = TAG_RESOURCE;
	struct bytes stamp = o->in->stamp;
	size_t end = pb_offset(w, f->end);

	if (o->has_resource) {
		edits_fill_varint(w->edits, o->length_slot, o->prefix_bytes, o->bytes + stamp.n);
		edits_fill(w->edits, o->end_slot, 0, stamp);
		f->growth += (int64_t)(stamp.n + pb_varint_size(o->bytes + stamp.n)) -
		             (int64_t)o->prefix_after;
		return;
	}
	pb_touch(w, f);
	edits_add(w->edits, end, 0, bytes_of(&tag, 1));
	edits_varint(w->edits, end, 0, stamp.n);
	edits_add(w->edits, end, 0, stamp);
	f->growth += (int64_t)(1 + pb_varint_size(stamp.n) + stamp.n);
}

static void on_close(struct pb_walk *w, struct pb_frame *f)
{
	struct otlp *o = w->user;

	if (o->in->stamp.n == 0)
		return;
	if (f->watch == WATCH_RESOURCE)
		resource_close(o, w, f);
	else
		envelope_close(o, w, f);
}

static enum verdict count_refuse(struct enriched *out, const char *what, uint64_t counted,
                                 uint64_t limit)
{
	out->counted_what = what;
	out->counted = counted;
	out->count_limit = limit;
	return V_COUNT;
}

enum verdict otlp_enrich(enum signal signal, bool exact, const struct enrich_in *in,
                         struct enriched *out)
{
	struct otlp o = { .in = in };
	struct pb_walk w;

	assert(roots[signal]);
	pb_walk_init(&w, &schema, roots[signal]);
	w.body = in->body;
	w.utf8 = in->utf8;
	w.depth = in->depth;
	w.reserved = in->stamp.n ? in->stamp_name : BYTES_NONE;
	w.reserved_prefix = in->stamp.n ? in->stamp_prefix : BYTES_NONE;
	w.edits = out->edits;
	w.exact = exact;
	w.on_open = on_open;
	w.on_close = on_close;
	w.user = &o;
	out->reason[0] = '\0';
	if (!pb_walk_run(&w) && w.error != PB_STOPPED) {
		pb_reason(&w, out->reason, sizeof(out->reason));
		return V_INVALID;
	}
	if (o.resources > in->resources_max)
		return count_refuse(out, "resources", o.resources, in->resources_max);
	if (out->edits->failed)
		return count_refuse(out, "edits", EDITS_MAX + 1, EDITS_MAX);
	edits_sort(out->edits); /* born sorted: a look, no more */
	out->items = w.items;
	out->spoofed = w.removed;
	out->repaired = w.repaired;
	return w.items ? V_ACCEPTED : V_EMPTY;
}

static enum verdict traces_enrich(const struct enrich_in *in, struct enriched *out)
{
	return otlp_enrich(SIGNAL_TRACES, false, in, out);
}

static enum verdict metrics_enrich(const struct enrich_in *in, struct enriched *out)
{
	return otlp_enrich(SIGNAL_METRICS, false, in, out);
}

static enum verdict logs_enrich(const struct enrich_in *in, struct enriched *out)
{
	return otlp_enrich(SIGNAL_LOGS, false, in, out);
}

/* A route without a signal in its path: the body is of the one whose schema takes every byte of it
 * (compatibility.md 2). What is no item to any that takes it is nothing to store, whichever it was;
 * an empty Span, which may be a LogRecord as well, is nobody's to guess. */
static enum verdict any_enrich(const struct enrich_in *in, struct enriched *out)
{
	static const enum signal signals[] = { SIGNAL_TRACES, SIGNAL_METRICS, SIGNAL_LOGS };
	struct enrich_in probe = *in;
	enum verdict v = V_NONE;
	unsigned fits = 0, empty = 0;

	probe.utf8 = UTF8_STRICT; /* what is mended could be mended into anything */
	/* of two, one with something to store, the third would not tell either */
	for (size_t i = 0; i < ARRAY_LEN(signals) && (fits < 2 || fits == empty); i++) {
		edits_reset(out->edits);
		v = otlp_enrich(signals[i], false, &probe, out);
		if (v == V_INVALID)
			continue;
		out->signal = signals[i];
		if (v == V_COUNT) /* of resources, or of what is in them: alike in all three */
			return v;
		fits++;
		empty += v == V_EMPTY;
	}
	if (fits == 1 && v != V_INVALID) /* the last one: it is still there */
		return v;
	edits_reset(out->edits);
	if (fits == empty && fits > 0)
		return V_EMPTY;
	if (fits == 1)
		return otlp_enrich(out->signal, false, &probe, out);
	out->items = 0; /* of a probe */
	snprintf(out->reason, sizeof(out->reason),
	         "signal cannot be determined: add /traces, /metrics or /logs");
	return V_INVALID;
}

/* The same route in JSON: transcoding has found the signal. */
static enum verdict found_enrich(const struct enrich_in *in, struct enriched *out)
{
	return otlp_enrich(out->signal, false, in, out);
}

/* KeyValue{key name, value{string_value id}} as an element of Resource.attributes. */
size_t otlp_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	size_t value = 1 + pb_varint_size(tenant_id.n) + tenant_id.n;
	size_t pair = 1 + pb_varint_size(name.n) + name.n + 1 + pb_varint_size(value) + value;
	size_t all = 1 + pb_varint_size(pair) + pair;
	uint8_t *p = out;

	if (all > cap)
		return 0;
	*p++ = TAG_ATTRIBUTE;
	p += pb_varint_write(pair, p);
	*p++ = TAG_KEY;
	p += pb_varint_write(name.n, p);
	p = mempcpy(p, name.p, name.n);
	*p++ = TAG_VALUE;
	p += pb_varint_write(value, p);
	*p++ = TAG_STRING;
	p += pb_varint_write(tenant_id.n, p);
	p = mempcpy(p, tenant_id.p, tenant_id.n);
	assert((size_t)(p - out) == all);
	return all;
}

/* clang-format off */
#define PROTOBUF(enrich_)                                                                          \
	{ .type = "application/x-protobuf", .record_format = "otlp_proto",                         \
	  .record_type = "application/x-protobuf", .enrich = (enrich_), .split = split_otlp,       \
	  .stamp = otlp_stamp }
#define TRANSCODED(transcode_, enrich_) /* a record like the others */                             \
	{ .type = "application/json", .record_format = "otlp_proto",                               \
	  .record_type = "application/x-protobuf", .transcode = (transcode_),                      \
	  .enrich = (enrich_), .split = split_otlp, .stamp = otlp_stamp }
#define KEPT(enrich_)                                                                              \
	{ .type = "application/json", .record_format = "otlp_json",                                \
	  .topic_suffix = "_json",                                                                 \
	  .record_type = "application/json", .enrich = (enrich_), .stamp = otlp_json_stamp }
#define PATHS(...) .paths = (const char *const[]){ __VA_ARGS__ }
#define OTLP(name_, signal_, enrich_, ... /* JSON */)                                              \
	.name = (name_), .signal = (signal_), .dialect = DIALECT_OTLP,                             \
	.formats = (const struct format[]){ PROTOBUF(enrich_), __VA_ARGS__, { 0 } },               \
	.encodings = ENCODINGS_ALL, .wire_limit = 64 * MIB

#define TRACES(json_) { OTLP("otlp_traces", SIGNAL_TRACES, traces_enrich, json_),                  \
	PATHS("/v1/traces", "/otlp/v1/traces", NULL) }
#define METRICS_OF(json_) { OTLP("otlp_metrics", SIGNAL_METRICS, metrics_enrich, json_),           \
	PATHS("/v1/metrics", "/otlp/v1/metrics", "/api/v1/otlp/v1/metrics", NULL) }
#define LOGS_OF(json_) { OTLP("otlp_logs", SIGNAL_LOGS, logs_enrich, json_),                       \
	PATHS("/v1/logs", "/otlp/v1/logs", NULL) }
#define ANY(json_) /* traces until the body tells; the paths are a dialect's */                    \
	{ OTLP("otlp_any", SIGNAL_TRACES, any_enrich, json_), .any_signal = true, PATHS(NULL) }

const struct protocol
	protocol_otlp_traces = TRACES(TRANSCODED(otlp_json_traces, traces_enrich)),
	protocol_otlp_metrics = METRICS_OF(TRANSCODED(otlp_json_metrics, metrics_enrich)),
	protocol_otlp_logs = LOGS_OF(TRANSCODED(otlp_json_logs, logs_enrich)),
	protocol_otlp_any = ANY(TRANSCODED(otlp_json_any, found_enrich)),
	protocol_otlp_traces_kept = TRACES(KEPT(otlp_json_keep_traces)),
	protocol_otlp_metrics_kept = METRICS_OF(KEPT(otlp_json_keep_metrics)),
	protocol_otlp_logs_kept = LOGS_OF(KEPT(otlp_json_keep_logs)),
	protocol_otlp_any_kept = ANY(KEPT(otlp_json_keep_any));
/* clang-format on */
