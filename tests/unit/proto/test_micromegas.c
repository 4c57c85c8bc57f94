/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/micromegas.c"

#include <criterion/criterion.h>

#include "proto/edits.h"
#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest logs_request;
typedef Opentelemetry__Proto__Logs__V1__ResourceLogs resource_logs;
typedef Opentelemetry__Proto__Logs__V1__LogRecord log_record;
typedef Opentelemetry__Proto__Common__V1__KeyValue key_value;
typedef Opentelemetry__Proto__Resource__V1__Resource resource_message;

enum { RECEIVED = 1764000000 };

struct ran { /* a body on its way through a format, as in the worker */
	enum verdict verdict;
	struct enriched e;
	struct edits edits;
	uint8_t *body, *value;
	size_t n;
};

struct sent {
	const struct protocol *protocol;
	unsigned format;
	struct bytes body;
	const char *headers[3]; /* NULL: not sent */
	bool unstamped; /* record.enrich: header */
	enum utf8_mode utf8;
};

/* A buffer that is too small first; nothing may be written behind it. */
static enum transcode transcode(const struct format *f, struct enrich_in *in, struct ran *r)
{
	enum transcode result = TRANSCODE_ROOM;
	size_t cap = 1, n = 0;

	for (unsigned i = 0; i < 2 && result == TRANSCODE_ROOM; i++) {
		free(r->body);
		r->body = xcalloc(cap + BODY_SLACK + 1, 1);
		r->body[cap] = 0xa5;
		result = f->transcode(in, r->body, cap, &n, &r->e);
		cr_assert_eq(r->body[cap], 0xa5, "written behind its room");
		cap = n;
	}
	in->body = bytes_of(r->body, n);
	return result;
}

static struct ran run(struct sent s)
{
	const struct format *f = &s.protocol->formats[s.format];
	struct ran *r = xcalloc(1, sizeof(*r)), out;
	uint8_t stamp_mem[640], *copy = xcalloc(s.body.n + BODY_SLACK, 1);
	struct scratch scratch = { 0 };
	struct enrich_in in = { .body = bytes_of(copy, s.body.n),
		                .stamp_name = BYTES("tenant_id"),
		                .utf8 = s.utf8,
		                .depth = 64,
		                .resources_max = 100,
		                .scratch = &scratch,
		                .received = RECEIVED * INT64_C(1000000000) + 7 };

	protocols_open();
	if (s.body.n)
		memcpy(copy, s.body.p, s.body.n);
	for (size_t i = 0; i < ARRAY_LEN(s.headers); i++)
		in.headers[i] = s.headers[i] ? bytes_str(s.headers[i]) : BYTES_NONE;
	if (!s.unstamped && f->stamp)
		in.stamp = bytes_of(stamp_mem, f->stamp(in.stamp_name, BYTES("acme"), stamp_mem,
		                                        sizeof(stamp_mem)));
	edits_init(&r->edits);
	r->e.edits = &r->edits;
	r->e.signal = s.protocol->signal;
	if (f->transcode && transcode(f, &in, r) != TRANSCODE_OK)
		r->verdict = V_INVALID;
	else
		r->verdict = f->enrich(&in, &r->e);
	if (r->verdict == V_ACCEPTED) {
		r->n = edits_out_bytes(&r->edits, in.body.n);
		r->value = xcalloc(r->n + 1, 1);
		edits_emit(&r->edits, in.body, r->value);
	}
	edits_done(&r->edits);
	free(r->body);
	free(copy);
	free(scratch.p);
	out = *r;
	free(r);
	return out;
}

static logs_request *logs_of(const struct ran *r)
{
	logs_request *q =
		opentelemetry__proto__collector__logs__v1__export_logs_service_request__unpack(
			NULL, r->n, r->value);

	cr_assert_eq(r->verdict, V_ACCEPTED, "%s", r->e.reason);
	cr_assert(q, "no request of logs");
	return q;
}

static void done(struct ran *r, logs_request *q)
{
	if (q)
		opentelemetry__proto__collector__logs__v1__export_logs_service_request__free_unpacked(
			q, NULL);
	free(r->value);
}

/* key=value of each, in order, with a blank between. */
static const char *attributes_of(const resource_message *m)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < m->n_attributes; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%s", i ? " " : "",
		                      m->attributes[i]->key, m->attributes[i]->value->string_value);
	return text;
}

/* ---- a webhook ---- */

static struct sent hook(const char *body)
{
	return (struct sent){ .protocol = &protocol_micromegas_webhook,
		              .body = bytes_str(body),
		              .utf8 = UTF8_REPAIR };
}

static log_record *only_record(const logs_request *q)
{
	cr_assert_eq(q->n_resource_logs, 1);
	cr_assert_eq(q->resource_logs[0]->n_scope_logs, 1);
	cr_assert_eq(q->resource_logs[0]->scope_logs[0]->n_log_records, 1);
	return q->resource_logs[0]->scope_logs[0]->log_records[0];
}

/* compatibility.md 3: every field, by a decoder that shares nothing with us */
Test(micromegas, a_webhook_is_one_log_record_field_by_field)
{
	struct sent s = hook("deployed: v2 \xf0\x9f\x9a\x80");
	log_record *rec;
	logs_request *q;
	struct ran r;

	s.headers[HEADER_SERVICE] = "shop";
	s.headers[HEADER_NAMESPACE] = "eu";
	s.headers[HEADER_TARGET] = "github";
	r = run(s);
	q = logs_of(&r);
	rec = only_record(q);
	cr_assert_eq(r.e.items, 1);
	cr_assert_str_eq(attributes_of(q->resource_logs[0]->resource),
	                 "service.name=shop service.namespace=eu tenant_id=acme "
	                 "micromegas.audience=acme");
	cr_assert_str_eq(q->resource_logs[0]->scope_logs[0]->scope->name, "github");
	cr_assert_eq(rec->severity_number, 9);
	cr_assert_str_eq(rec->severity_text, "");
	cr_assert_eq(rec->time_unix_nano, 0);
	cr_assert_eq(rec->observed_time_unix_nano, RECEIVED * UINT64_C(1000000000) + 7);
	cr_assert_eq(rec->body->value_case,
	             OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE);
	cr_assert_str_eq(rec->body->string_value, "deployed: v2 \xf0\x9f\x9a\x80");
	cr_assert_eq(rec->n_attributes, 0);
	done(&r, q);
}

Test(micromegas, a_webhook_without_its_headers_has_a_resource_of_the_stamp_alone)
{
	struct ran r = run(hook("x"));
	logs_request *q = logs_of(&r);

	only_record(q);
	cr_assert_str_eq(attributes_of(q->resource_logs[0]->resource),
	                 "tenant_id=acme micromegas.audience=acme");
	cr_assert_null(q->resource_logs[0]->scope_logs[0]->scope);
	done(&r, q);
}

Test(micromegas, each_header_of_a_webhook_may_stand_alone)
{
	static const char *const want[] = {
		[HEADER_SERVICE] = "service.name=v tenant_id=acme micromegas.audience=acme",
		[HEADER_NAMESPACE] = "service.namespace=v tenant_id=acme micromegas.audience=acme",
		[HEADER_TARGET] = "tenant_id=acme micromegas.audience=acme",
	};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct sent s = hook("x");
		logs_request *q;
		struct ran r;

		s.headers[i] = "v";
		r = run(s);
		q = logs_of(&r);
		cr_assert_str_eq(attributes_of(q->resource_logs[0]->resource), want[i]);
		cr_assert_eq(q->resource_logs[0]->scope_logs[0]->scope != NULL, i == HEADER_TARGET);
		done(&r, q);
	}
}

Test(micromegas, a_webhook_s_bytes_that_are_no_text_are_bytes)
{
	static const char bytes[] = "\xff\0\x80x";
	struct sent s = hook("");
	logs_request *q;
	log_record *rec;
	struct ran r;

	s.body = bytes_of(bytes, sizeof(bytes) - 1);
	r = run(s);
	q = logs_of(&r);
	rec = only_record(q);
	cr_assert_eq(rec->body->value_case,
	             OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE);
	cr_assert_eq(rec->body->bytes_value.len, s.body.n);
	cr_assert_arr_eq(rec->body->bytes_value.data, bytes, s.body.n);
	cr_assert_eq(r.e.repaired, 0);
	done(&r, q);
}

/* Lengths around each step of a varint, in every message that encloses them. */
Test(micromegas, a_webhook_of_any_length_is_whole)
{
	static const size_t lengths[] = { 1,   90,   100,   108,   110,   112,   114,  116,
		                          118, 120,  122,   124,   125,   126,   127,  128,
		                          129, 1000, 16360, 16370, 16380, 16384, 70000 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		char *text = xcalloc(lengths[i] + 1, 1);
		logs_request *q;
		struct ran r;

		memset(text, 'a', lengths[i]);
		r = run(hook(text));
		q = logs_of(&r);
		cr_assert_str_eq(only_record(q)->body->string_value, text);
		done(&r, q);
		free(text);
	}
}

Test(micromegas, a_webhook_s_header_that_is_no_text_is_mended)
{
	struct sent s = hook("x");
	logs_request *q;
	struct ran r;

	s.headers[HEADER_SERVICE] = "caf\xe9";
	r = run(s);
	q = logs_of(&r);
	cr_assert_str_eq(attributes_of(q->resource_logs[0]->resource),
	                 "service.name=caf\xef\xbf\xbd tenant_id=acme micromegas.audience=acme");
	done(&r, q);
}

Test(micromegas, an_empty_webhook_is_refused_in_upstream_s_words)
{
	struct ran r = run(hook(""));

	cr_assert_eq(r.verdict, V_INVALID);
	cr_assert_str_eq(r.e.reason, "empty body");
}

Test(micromegas, with_the_tenant_in_the_headers_alone_a_webhook_is_not_stamped)
{
	struct sent s = hook("x");
	logs_request *q;
	struct ran r;

	s.unstamped = true;
	r = run(s);
	q = logs_of(&r);
	cr_assert_str_eq(only_record(q)->body->string_value, "x");
	cr_assert_null(q->resource_logs[0]->resource);
	done(&r, q);
}

/* ---- OTLP ---- */

enum { AS_PROTOBUF, AS_JSON };
#define TEXT(k, v) "{\"key\":\"" k "\",\"value\":{\"stringValue\":\"" v "\"}}"
#define RESOURCE_LOGS(attributes)                                                                  \
	"{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes                            \
	"]},\"scopeLogs\":[{\"scope\":{\"attributes\":[" TEXT(                                     \
		"micromegas.scope", "s") "]},\"logRecords\":["                                     \
					 "{\"attributes\":[" TEXT("micromegas.a", "i") "]}]}]}]}"

static const char *const forged[] = {
	TEXT("micromegas.audience", "evil"),
	TEXT("micromegas.", "evil"),
	TEXT("micromegas.x\xc3\xa9", "evil"),
	TEXT("tenant_id", "evil"),
	/* spelt otherwise, and in another shape */
	TEXT("\\u006dicromegas.audience", "evil"),
	TEXT("micromegas\\u002eaudience", "evil"),
	TEXT("micromegas.\\u0061udience", "evil"),
	"{ \"value\" : {\"intValue\":\"1\"} , \"key\" : \"micromegas.n\" }",
	"{\"key\":\"micromegas.audience\"}",
	TEXT("\\u0074enant_id", "evil"),
};
static const char *const honest[] = { TEXT("micromegas", "ok"), TEXT("Micromegas.audience", "ok"),
	                              TEXT("xmicromegas.audience", "ok"),
	                              TEXT("micromega\\u0073", "ok"), TEXT("tenant_ids", "ok") };

static struct ran run_logs(const struct protocol *p, const char *attribute)
{
	static char text[2048];

	snprintf(text, sizeof(text), RESOURCE_LOGS("%s," TEXT("a", "b")), attribute);
	return run((struct sent){ .protocol = p, .format = AS_JSON, .body = bytes_str(text) });
}

/* B19: and what stands in scopes and items is no resource's */
Test(micromegas, own_attributes_of_a_client_s_resource_leave_however_they_are_spelt)
{
	for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
		struct ran r = run_logs(&protocol_micromegas_logs, forged[i]);
		logs_request *q = logs_of(&r);

		cr_expect_str_eq(attributes_of(q->resource_logs[0]->resource),
		                 "a=b tenant_id=acme micromegas.audience=acme", "%s", forged[i]);
		cr_expect_eq(r.e.spoofed, 1, "%s", forged[i]);
		cr_expect_str_eq(q->resource_logs[0]->scope_logs[0]->scope->attributes[0]->key,
		                 "micromegas.scope");
		cr_expect_str_eq(only_record(q)->attributes[0]->key, "micromegas.a");
		done(&r, q);
	}
}

Test(micromegas, attributes_that_only_look_alike_stay)
{
	for (size_t i = 0; i < ARRAY_LEN(honest); i++) {
		struct ran r = run_logs(&protocol_micromegas_logs, honest[i]);
		logs_request *q = logs_of(&r);

		cr_expect_eq(q->resource_logs[0]->resource->n_attributes, 4, "%s", honest[i]);
		cr_expect_eq(r.e.spoofed, 0);
		done(&r, q);
	}
}

/* B19: JSON that stays JSON, by the same rules */
Test(micromegas, own_attributes_leave_json_that_stays_json)
{
	static const char want[] = RESOURCE_LOGS(TEXT("a", "b") "," TEXT(
		"tenant_id", "acme") "," TEXT("micromegas.audience", "acme"));

	for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
		struct ran r = run_logs(&protocol_micromegas_logs_kept, forged[i]);

		cr_assert_eq(r.verdict, V_ACCEPTED, "%s", r.e.reason);
		cr_expect(bytes_eq(bytes_of(r.value, r.n), bytes_str(want)), "%s became\n%.*s",
		          forged[i], (int)r.n, r.value);
		cr_expect_eq(r.e.spoofed, 1);
		free(r.value);
	}
	for (size_t i = 0; i < ARRAY_LEN(honest); i++) {
		struct ran r = run_logs(&protocol_micromegas_logs_kept, honest[i]);

		cr_assert_eq(r.verdict, V_ACCEPTED, "%s", r.e.reason);
		cr_expect(memmem(r.value, r.n, honest[i], strlen(honest[i])), "%s became\n%.*s",
		          honest[i], (int)r.n, r.value);
		cr_expect_eq(r.e.spoofed, 0);
		free(r.value);
	}
}

Test(micromegas, a_resource_is_made_in_json_that_stays_json)
{
	static const char text[] = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}]}]}]}";
	static const char want[] =
		"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}]}],"
		"\"resource\":{\"attributes\":[" TEXT("tenant_id", "acme") "," TEXT(
			"micromegas.audience", "acme") "]}}]}";
	struct ran r = run((struct sent){ .protocol = &protocol_micromegas_traces_kept,
	                                  .format = AS_JSON,
	                                  .body = bytes_str(text) });

	cr_assert_eq(r.verdict, V_ACCEPTED, "%s", r.e.reason);
	cr_assert(bytes_eq(bytes_of(r.value, r.n), bytes_str(want)), "%.*s", (int)r.n, r.value);
	free(r.value);
}

/* B19: repeated `resource` fields merge, repeated `key` fields do too */
Test(micromegas, own_attributes_leave_every_resource_field_of_protobuf)
{
	/* resource{a, micromegas.b} scope_logs{log_records{}} resource{micromegas.c, d,
	 * {key d, key micromegas.}} */
	static const uint8_t body[] = "\x0a\x5d"
				      "\x0a\x1f"
				      "\x0a\x08\x0a\x01"
				      "a"
				      "\x12\x03\x0a\x01x"
				      "\x0a\x13\x0a\x0cmicromegas.b\x12\x03\x0a\x01x"
				      "\x12\x02\x12\x00"
				      "\x0a\x36"
				      "\x0a\x13\x0a\x0cmicromegas.c\x12\x03\x0a\x01x"
				      "\x0a\x08\x0a\x01"
				      "d"
				      "\x12\x03\x0a\x01x"
				      "\x0a\x15\x0a\x01"
				      "d"
				      "\x0a\x0bmicromegas.\x12\x03\x0a\x01x";
	struct ran r = run((struct sent){ .protocol = &protocol_micromegas_logs,
	                                  .body = bytes_of(body, sizeof(body) - 1) });
	logs_request *q = logs_of(&r);

	cr_assert_str_eq(attributes_of(q->resource_logs[0]->resource),
	                 "a=x d=x tenant_id=acme micromegas.audience=acme");
	cr_assert_eq(r.e.spoofed, 3);
	done(&r, q);
}

Test(micromegas, with_the_tenant_in_the_headers_alone_a_body_stays_as_it_came)
{
	static const uint8_t body[] =
		"\x0a\x1b\x0a\x15\x0a\x13\x0a\x0cmicromegas.b\x12\x03\x0a\x01x"
		"\x12\x02\x12\x00";
	struct ran r = run((struct sent){ .protocol = &protocol_micromegas_logs,
	                                  .body = bytes_of(body, sizeof(body) - 1),
	                                  .unstamped = true });

	cr_assert_eq(r.verdict, V_ACCEPTED, "%s", r.e.reason);
	cr_assert_eq(r.n, sizeof(body) - 1);
	cr_assert_arr_eq(r.value, body, r.n);
	free(r.value);
}

/* records.md 1.3, as native OTLP: a body above the record's limit was 413 here */
Test(micromegas, large_otlp_is_split_like_native_otlp)
{
	static const struct protocol *const protocols[] = { &protocol_micromegas_traces,
		                                            &protocol_micromegas_metrics,
		                                            &protocol_micromegas_logs };

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		cr_assert(protocols[i]->formats[AS_PROTOBUF].split == split_otlp);
		cr_assert(protocols[i]->formats[AS_JSON].split == split_otlp);
	}
}

/* B14: the table of compatibility.md 1 */
Test(micromegas, limits_and_codings_are_those_of_upstream)
{
	static const struct {
		const struct protocol *protocol;
		uint64_t wire;
	} cases[] = { { &protocol_micromegas_process, 104857600 },
		      { &protocol_micromegas_stream, 104857600 },
		      { &protocol_micromegas_block, 104857600 },
		      { &protocol_micromegas_traces, 20971520 },
		      { &protocol_micromegas_metrics_kept, 20971520 },
		      { &protocol_micromegas_webhook, 20971520 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct protocol *p = cases[i].protocol;

		cr_assert_eq(p->wire_limit, cases[i].wire, "%s", p->name);
		cr_assert_eq(p->inflated_limit, 314572800u, "%s", p->name);
		cr_assert_eq(p->encodings, 1u << ENCODING_IDENTITY | 1u << ENCODING_GZIP);
	}
}

/* The longest id and name that there may be: enrich_run() has room for 640 bytes. */
Test(micromegas, the_longest_stamp_fits)
{
	uint8_t out[640], name[128], id[150];

	memset(name, 'n', sizeof(name));
	memset(id, 'i', sizeof(id));
	cr_assert_gt(stamp(bytes_of(name, 128), bytes_of(id, 150), out, sizeof(out)), 0);
	cr_assert_gt(json_stamp(bytes_of(name, 128), bytes_of(id, 150), out, sizeof(out)), 0);
	for (size_t cap = 0; cap < 52; cap++) {
		cr_assert_eq(stamp(BYTES("tenant_id"), BYTES("acme"), out, cap), 0);
		cr_assert_eq(json_stamp(BYTES("tenant_id"), BYTES("acme"), out, cap), 0);
	}
}
