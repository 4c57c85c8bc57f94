/* SPDX-License-Identifier: Apache-2.0 */
/*
 * micromegas.c -- what micromegas' clients send (compatibility.md 3): blocks of telemetry that
 * nobody looks into, OTLP whose resources may not claim to be micromegas' own, and webhooks, each
 * of which becomes one OTLP log record.
 */
#include <stdio.h>

#include "proto/encoding.h"
#include "proto/opaque.h"
#include "proto/otlp.h"
#include "proto/otlp_json.h"
#include "proto/split.h"

enum {
	BLOCK_BYTES = 104857600,
	WIRE_BYTES = 20971520,
	INFLATED_BYTES = 314572800,
	GZIP = 1 << ENCODING_IDENTITY | 1 << ENCODING_GZIP,
	SEVERITY_INFO = 9,
};
static const char audience[] = "micromegas.audience", own_prefix[] = "micromegas.";

/* ---- OTLP ---- */

/* Two attributes instead of one: the tenant is micromegas' audience too. */
static size_t stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	size_t n = otlp_stamp(name, tenant_id, out, cap),
	       more = otlp_stamp(bytes_str(audience), tenant_id, out + n, cap - n);

	return n && more ? n + more : 0;
}

static size_t json_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	return otlp_json_stamp_pairs((const struct bytes[]){ name, bytes_str(audience) }, 2,
	                             tenant_id, out, cap);
}

static struct enrich_in own_of(const struct enrich_in *in)
{
	struct enrich_in own = *in;

	own.stamp_prefix = bytes_str(own_prefix);
	return own;
}

/* In protobuf, and in JSON that stays JSON. */
#define ENRICH(signal_, what)                                                                      \
	static enum verdict what##_enrich(const struct enrich_in *in, struct enriched *out)        \
	{                                                                                          \
		struct enrich_in own = own_of(in);                                                 \
                                                                                                   \
		return otlp_enrich(signal_, false, &own, out);                                     \
	}                                                                                          \
	static enum verdict what##_keep(const struct enrich_in *in, struct enriched *out)          \
	{                                                                                          \
		struct enrich_in own = own_of(in);                                                 \
                                                                                                   \
		return otlp_json_keep_##what(&own, out);                                           \
	}
ENRICH(SIGNAL_TRACES, traces)
ENRICH(SIGNAL_METRICS, metrics)
ENRICH(SIGNAL_LOGS, logs)

/* ---- a webhook as a log record ---- */

enum { HEADER_SERVICE, HEADER_NAMESPACE, HEADER_TARGET };
static const char *const webhook_headers[] = { "x-micromegas-service-name",
	                                       "x-micromegas-service-namespace",
	                                       "x-micromegas-target", NULL };

enum {
	TAG_MESSAGE_1 = 0x0a, /* ResourceLogs, resource, scope, its name, an attribute */
	TAG_MESSAGE_2 = 0x12, /* ScopeLogs, LogRecord, an attribute's value */
	TAG_SEVERITY = 0x10, /* LogRecord */
	TAG_BODY = 0x2a,
	TAG_OBSERVED = 0x59,
	TAG_STRING = 0x0a, /* AnyValue */
	TAG_BYTES = 0x3a,
};

static size_t field_bytes(size_t content)
{
	return 1 + pb_varint_size(content) + content;
}

static uint8_t *put_head(uint8_t *p, uint8_t tag, size_t content)
{
	*p++ = tag;
	return p + pb_varint_write(content, p);
}

static uint8_t *put_bytes(uint8_t *p, uint8_t tag, struct bytes value)
{
	return mempcpy(put_head(p, tag, value.n), value.p, value.n);
}

static size_t pair_bytes(struct bytes name, struct bytes value)
{
	return field_bytes(name.n) + field_bytes(field_bytes(value.n));
}

static uint8_t *put_pair(uint8_t *p, struct bytes name, struct bytes value)
{
	p = put_head(p, TAG_MESSAGE_1, pair_bytes(name, value));
	p = put_bytes(p, TAG_MESSAGE_1, name);
	p = put_head(p, TAG_MESSAGE_2, field_bytes(value.n));
	return put_bytes(p, TAG_STRING, value);
}

static uint8_t *put_record(uint8_t *p, const struct enrich_in *in)
{
	uint64_t received = (uint64_t)in->received;

	*p++ = TAG_SEVERITY;
	*p++ = SEVERITY_INFO;
	p = put_head(p, TAG_BODY, field_bytes(in->body.n));
	p = put_bytes(p, bytes_is_utf8(in->body) ? TAG_STRING : TAG_BYTES, in->body);
	*p++ = TAG_OBSERVED;
	for (unsigned i = 0; i < 8; i++, received >>= 8)
		*p++ = (uint8_t)received;
	return p;
}

/* One resource, one scope, one record. */
static enum transcode webhook_transcode(const struct enrich_in *in, uint8_t *out, size_t cap,
                                        size_t *n, struct enriched *e)
{
	static const struct {
		unsigned header;
		const char *attribute;
	} attributes[] = { { HEADER_SERVICE, "service.name" },
		           { HEADER_NAMESPACE, "service.namespace" } };
	struct bytes target = in->headers[HEADER_TARGET];
	size_t record = 2 + field_bytes(field_bytes(in->body.n)) + 9, resource = 0,
	       scope = target.n ? field_bytes(field_bytes(target.n)) : 0, scope_logs, all;
	uint8_t *p = out;

	if (in->body.n == 0) {
		snprintf(e->reason, sizeof(e->reason), "empty body");
		return TRANSCODE_INVALID;
	}
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (in->headers[attributes[i].header].n)
			resource += field_bytes(pair_bytes(bytes_str(attributes[i].attribute),
			                                   in->headers[attributes[i].header]));
	scope_logs = scope + field_bytes(record);
	all = (resource ? field_bytes(resource) : 0) + field_bytes(scope_logs);
	*n = field_bytes(all);
	if (*n > cap)
		return TRANSCODE_ROOM;
	p = put_head(p, TAG_MESSAGE_1, all);
	if (resource)
		p = put_head(p, TAG_MESSAGE_1, resource);
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (in->headers[attributes[i].header].n)
			p = put_pair(p, bytes_str(attributes[i].attribute),
			             in->headers[attributes[i].header]);
	p = put_head(p, TAG_MESSAGE_2, scope_logs);
	if (scope)
		p = put_bytes(put_head(p, TAG_MESSAGE_1, field_bytes(target.n)), TAG_MESSAGE_1,
		              target);
	p = put_record(put_head(p, TAG_MESSAGE_2, record), in);
	assert((size_t)(p - out) == *n);
	return TRANSCODE_OK;
}

/* ---- the protocols ---- */

/* clang-format off */
#define OWN(name_, signal_, path_)                                                                 \
	.name = name_, .signal = (signal_), .dialect = DIALECT_MICROMEGAS,           \
	.paths = (const char *const[]){ "/ingestion/" path_, NULL }, .encodings = GZIP,            \
	.inflated_limit = INFLATED_BYTES

#define BLOCKS(what)                                                                               \
	OWN("insert_" what, SIGNAL_OPAQUE, "insert_" what), .wire_limit = BLOCK_BYTES,             \
	.formats = (const struct format[]){ { .type = TYPE_ANY, .record_format = "raw",            \
		.enrich = opaque_enrich, .untyped = true }, { 0 } }

#define OTLP(signal_, what, ... /* JSON */)                                                        \
	{ OWN("micromegas_" #what, signal_, "otlp/v1/" #what), .wire_limit = WIRE_BYTES,           \
	.formats = (const struct format[]){                                                        \
		{ .type = "application/x-protobuf", .record_format = "otlp_proto",                 \
		  .record_type = "application/x-protobuf", .enrich = what##_enrich,                \
		  .split = split_otlp, .stamp = stamp },                                           \
		__VA_ARGS__, { 0 } } }
#define TRANSCODED(what) /* as in proto/otlp.c */                                                  \
	{ .type = "application/json", .record_format = "otlp_proto",                               \
	  .record_type = "application/x-protobuf", .transcode = otlp_json_##what,                  \
	  .enrich = what##_enrich, .split = split_otlp, .stamp = stamp }
#define KEPT(what)                                                                                 \
	{ .type = "application/json", .record_format = "otlp_json", .topic_suffix = "_json",       \
	  .record_type = "application/json", .enrich = what##_keep, .stamp = json_stamp }

const struct protocol protocol_micromegas_process = { BLOCKS("process") };
const struct protocol protocol_micromegas_stream = { BLOCKS("stream") };
const struct protocol protocol_micromegas_block = { BLOCKS("block") };
const struct protocol protocol_micromegas_traces = OTLP(SIGNAL_TRACES, traces, TRANSCODED(traces));
const struct protocol protocol_micromegas_traces_kept = OTLP(SIGNAL_TRACES, traces, KEPT(traces));
const struct protocol protocol_micromegas_metrics =
	OTLP(SIGNAL_METRICS, metrics, TRANSCODED(metrics));
const struct protocol protocol_micromegas_metrics_kept =
	OTLP(SIGNAL_METRICS, metrics, KEPT(metrics));
const struct protocol protocol_micromegas_logs = OTLP(SIGNAL_LOGS, logs, TRANSCODED(logs));
const struct protocol protocol_micromegas_logs_kept = OTLP(SIGNAL_LOGS, logs, KEPT(logs));
const struct protocol protocol_micromegas_webhook = {
	OWN("micromegas_webhook", SIGNAL_LOGS, "webhook"),
	.wire_limit = WIRE_BYTES,
	.headers = webhook_headers,
	.formats = (const struct format[]){
		{ .type = TYPE_ANY, .untyped = true, .record_format = "otlp_proto",
		  .record_type = "application/x-protobuf", .transcode = webhook_transcode,
		  .enrich = logs_enrich, .stamp = stamp }, { 0 } },
};
/* clang-format on */
