/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile.c -- B20 of performance.md, its protocols: the milliseconds that a worker spends in the
 * transcoder, in enrich() and in the emitter for one body of 64 MiB that is made to be dear: the
 * least elements that a parser takes, as many as fit. One JSON line for each. Usage: hostile [part
 * of a name]; hostile NAME FILE writes that body, for others to be measured beside it.
 */
#include <stdio.h>
#include <time.h>

#include "common/model.h"
#include "proto/edits.h"
#include "proto/loki.h"
#include "proto/model.h"
#include "proto/otlp.h"
#include "proto/otlp_json.h"
#include "proto/remote_write.h"

enum { LIMIT = 64 * MIB, ROUNDS = 2, NEST_MAX = 128, LENGTH_BYTES = 4 };

struct out {
	uint8_t *p;
	size_t n, limit;
	size_t open[NEST_MAX]; /* where a length is to be written */
	unsigned depth;
};

static void put(struct out *o, const void *p, size_t n)
{
	assert(o->n + n <= LIMIT);
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void text(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

static void repeat(struct out *o, const void *p, size_t n)
{
	while (o->n + n <= o->limit)
		put(o, p, n);
}

static void open_message(struct out *o, uint8_t tag)
{
	put(o, &tag, 1);
	o->open[o->depth++] = o->n;
	o->n += LENGTH_BYTES;
}

static void close_message(struct out *o)
{
	size_t at = o->open[--o->depth], n = o->n - at - LENGTH_BYTES;

	for (size_t i = 0; i < LENGTH_BYTES; i++, n >>= 7)
		o->p[at + i] = (uint8_t)((n & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
}

static void close_all(struct out *o)
{
	while (o->depth)
		close_message(o);
}

#define REPEAT(o, literal) repeat(o, literal, sizeof(literal) - 1)

/* ---- OTLP ---- */

static void spans(struct out *o) /* to inside of ScopeSpans */
{
	open_message(o, 0x0a);
	open_message(o, 0x12);
}

static void spans_empty(struct out *o)
{
	spans(o);
	REPEAT(o, "\x12\0");
	close_all(o);
}

static void span_attributes(struct out *o, const void *pair, size_t n)
{
	spans(o);
	open_message(o, 0x12);
	repeat(o, pair, n);
	close_all(o);
}

static void attributes_empty(struct out *o)
{
	span_attributes(o, "\x4a\0", 2);
}

/* {key, array of {array of .. {the last field}}} */
static void attributes_nested_to(struct out *o, const void *last, size_t last_n)
{
	uint8_t pair[128];
	size_t n = sizeof(pair) - last_n;

	memcpy(pair + n, last, last_n);
	for (unsigned depth = 0; depth < 28;
	     depth++) { /* backwards: ArrayValue.values, AnyValue.array */
		uint8_t length = (uint8_t)(sizeof(pair) - n);

		pair[--n] = length;
		pair[--n] = depth % 2 ? 0x2a : 0x0a;
	}
	pair[n - 1] = (uint8_t)(sizeof(pair) - n);
	pair[n - 2] = 0x12;
	n -= 2;
	pair[n - 1] = (uint8_t)(sizeof(pair) - n);
	pair[n - 2] = 0x4a;
	n -= 2;
	span_attributes(o, pair + n, sizeof(pair) - n);
}

static void attributes_nested(struct out *o)
{
	attributes_nested_to(o, "", 0);
}

/* The innermost has a field of a later version, which the fast path stops at. */
static void attributes_nested_unknown(struct out *o)
{
	attributes_nested_to(o, "\x78\1", 2);
}

static void unknown_varints(struct out *o)
{
	span_attributes(o, "\xf8\x9f\xff\xff\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 15);
}

static void unknown_fields(struct out *o)
{
	span_attributes(o, "\xf8\x9f\xff\xff\x0f\x80\x00", 7);
}

static void names_short(struct out *o)
{
	span_attributes(o, "\x2a\2\xc3\xa9", 4);
}

static void one_text(struct out *o, const char *character, const char *end)
{
	spans(o);
	open_message(o, 0x12);
	open_message(o, 0x2a);
	o->limit -= strlen(end);
	repeat(o, character, strlen(character));
	text(o, end);
	close_all(o);
}

static void text_two(struct out *o)
{
	one_text(o, "\xc3\xa9", "");
}

static void text_three(struct out *o)
{
	one_text(o, "\xe4\xb8\x96", "");
}

static void text_broken_last(struct out *o)
{
	one_text(o, "\xe4\xb8\x96", "\xff");
}

static void text_broken_all(struct out *o)
{
	one_text(o, "\xff", "");
}

static void resources_many(struct out *o)
{
	open_message(o, 0x0a);
	REPEAT(o, "\x0a\0");
	close_all(o);
}

static void resource_attributes(struct out *o, const void *pair, size_t n)
{
	open_message(o, 0x0a);
	text(o, "\x12\2\x12");
	put(o, "", 1);
	open_message(o, 0x0a);
	repeat(o, pair, n);
	close_all(o);
}

static void resource_empty(struct out *o)
{
	resource_attributes(o, "\x0a\0", 2);
}

static void resource_keys(struct out *o)
{
	resource_attributes(o, "\x0a\2\x0a\0", 4);
}

static void packed_varints(struct out *o) /* Metric.exponential_histogram ... bucket_counts */
{
	open_message(o, 0x0a);
	open_message(o, 0x12);
	open_message(o, 0x12);
	open_message(o, 0x52);
	open_message(o, 0x0a);
	open_message(o, 0x42);
	open_message(o, 0x12);
	REPEAT(o, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	close_all(o);
}

static void error_last(struct out *o)
{
	spans(o);
	o->limit -= 1;
	REPEAT(o, "\x12\0");
	put(o, "\x07", 1);
	close_all(o);
}

/* ---- OTLP/JSON ---- */

static void json_list(struct out *o, const char *before, const char *element, const char *behind)
{
	text(o, before);
	o->limit -= strlen(behind) + strlen(element) + 1;
	text(o, element);
	while (o->n + strlen(element) + 1 <= o->limit) {
		put(o, ",", 1);
		text(o, element);
	}
	text(o, behind);
}

#define SPANS "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":["
#define POINTS                                                                                     \
	"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{"

static void json_spans(struct out *o)
{
	json_list(o, SPANS, "{}", "]}]}]}");
}

static void json_attributes(struct out *o)
{
	json_list(o, SPANS "{\"attributes\":[", "{}", "]}]}]}]}");
}

static void json_unknown(struct out *o)
{
	json_list(o, SPANS "{\"x\":[", "[[[[[[[[[[]]]]]]]]]]", "]}]}]}]}");
}

static void json_zeros(struct out *o)
{
	json_list(o, POINTS "\"bucketCounts\":[", "0", "]}]}}]}]}]}");
}

static void json_quoted(struct out *o)
{
	json_list(o, POINTS "\"bucketCounts\":[", "\"18446744073709551615\"", "]}]}}]}]}]}");
}

static void json_doubles(struct out *o)
{
	json_list(o, POINTS "\"explicitBounds\":[", "1e-300", "]}]}}]}]}]}");
}

static void json_doubles_half(struct out *o)
{
	json_list(o, POINTS "\"explicitBounds\":[", "9007199254740993.00000000000001",
	          "]}]}}]}]}]}");
}

static void json_doubles_long(struct out *o)
{
	char number[800];

	memset(number, '7', sizeof(number));
	memcpy(number + sizeof(number) - 6, "e-900", 6);
	json_list(o, POINTS "\"explicitBounds\":[", number, "]}]}}]}]}]}");
}

static void json_escapes(struct out *o)
{
	text(o, SPANS "{\"name\":\"");
	o->limit -= 32;
	REPEAT(o, "\\n");
	text(o, "\"}]}]}]}");
}

static void json_deep(struct out *o)
{
	text(o, SPANS "{\"attributes\":[{\"value\":");
	for (int i = 0; i < 27; i++)
		text(o, "{\"arrayValue\":{\"values\":[");
	text(o, "{\"stringValue\":\"");
	o->limit -= 200;
	REPEAT(o, "x");
	text(o, "\"}");
	for (int i = 0; i < 27; i++)
		text(o, "]}}");
	text(o, "}]}]}]}]}");
}

static void json_names(struct out *o)
{
	json_list(o, SPANS "{\"attributes\":[", "{\"\":0,\"\":0,\"\":0}", "]}]}]}]}");
}

/* ---- remote_write ---- */

static void series_min(struct out *o)
{
	REPEAT(o, "\x0a\x11\x0a\x0d\x0a\x08__name__\x12\x01x\x12\0");
}

static void series_unnamed(struct out *o)
{
	REPEAT(o, "\x0a\0");
}

static void metadata_empty(struct out *o)
{
	REPEAT(o, "\x1a\0");
}

static void fields_foreign(struct out *o)
{
	put(o, "\x0a\x11\x0a\x0d\x0a\x08__name__\x12\x01x\x12\0", 19);
	REPEAT(o, "\x38\0");
}

/* Series of 10 000 labels whose names begin alike, all but two in order. */
static void labels_alike(struct out *o)
{
	while (o->n + 10000 * 24 + 64 <= o->limit) {
		open_message(o, 0x0a);
		text(o, "\x0a\x0d\x0a\x08__name__\x12\x01x");
		for (unsigned i = 0; i < 9999; i++) {
			char label[32];

			snprintf(label, sizeof(label), "\x0a\x0f\x0a\x0dlabel_of_%04u",
			         i < 2 ? 1 - i : i);
			text(o, label);
		}
		text(o, "\x12");
		put(o, "", 1);
		close_message(o);
	}
}

static void samples_empty(struct out *o)
{
	open_message(o, 0x0a);
	text(o, "\x0a\x0d\x0a\x08__name__\x12\x01x");
	REPEAT(o, "\x12\0");
	close_all(o);
}

static void histograms_empty(struct out *o)
{
	open_message(o, 0x0a);
	text(o, "\x0a\x0d\x0a\x08__name__\x12\x01x");
	REPEAT(o, "\x22\0");
	close_all(o);
}

static void v2_head(struct out *o)
{
	put(o, "\x22\0\x22\x08__name__\x22\1x", 15);
}

static void v2_series_min(struct out *o)
{
	v2_head(o);
	REPEAT(o, "\x2a\6\x0a\2\1\2\x12\0");
}

static void v2_symbols_empty(struct out *o)
{
	v2_head(o);
	REPEAT(o, "\x22\0");
}

/* A million symbols that begin alike, and one series of the general path that names them all. */
static void v2_symbols_alike(struct out *o)
{
	enum { SYMBOLS = 999990 };

	v2_head(o);
	for (unsigned i = 0; i < SYMBOLS; i++) {
		char symbol[64];

		snprintf(symbol, sizeof(symbol), "\x22\x28the_same_beginning_of_all_symbols_%06u",
		         (unsigned)((uint64_t)i * 7919u % SYMBOLS));
		text(o, symbol);
	}
	open_message(o, 0x2a);
	open_message(o, 0x0a);
	put(o, "\1\2", 2);
	for (unsigned i = 3; i < SYMBOLS; i++) {
		uint8_t ref[12];
		size_t n = pb_varint_write(i, ref);

		ref[n++] = 2;
		put(o, ref, n);
	}
	close_message(o);
	put(o, "\x12\0", 2);
	close_message(o);
}

static void v2_refs_single(struct out *o)
{
	v2_head(o);
	open_message(o, 0x2a);
	put(o, "\x0a\2\1\2", 4);
	open_message(o, 0x22);
	o->limit -= 4;
	REPEAT(o, "\x08\0");
	close_message(o);
	put(o, "\x12\0", 2);
	close_all(o);
}

static void v2_exemplars(struct out *o)
{
	v2_head(o);
	open_message(o, 0x2a);
	put(o, "\x0a\2\1\2", 4);
	REPEAT(o, "\x22\0");
	close_all(o);
}

/* ---- Loki ---- */

static void streams_empty(struct out *o)
{
	REPEAT(o, "\x0a\0");
}

static void entries(struct out *o, const void *field, size_t n)
{
	open_message(o, 0x0a);
	text(o, "\x0a\x07{a=\"b\"}");
	repeat(o, field, n);
	close_all(o);
}

static void entries_empty(struct out *o)
{
	entries(o, "\x12\0", 2);
}

static void entry_fields(struct out *o, const void *field, size_t n)
{
	open_message(o, 0x0a);
	text(o, "\x0a\x07{a=\"b\"}");
	open_message(o, 0x12);
	repeat(o, field, n);
	close_all(o);
}

static void times_empty(struct out *o)
{
	entry_fields(o, "\x0a\0", 2);
}

static void pairs_empty(struct out *o)
{
	entry_fields(o, "\x1a\0", 2);
}

static void loki_labels_alike(struct out *o)
{
	while (o->n + 256 * 16 + 64 <= o->limit) {
		open_message(o, 0x0a);
		open_message(o, 0x0a);
		text(o, "{");
		for (unsigned i = 0; i < 255; i++) {
			char label[32];

			snprintf(label, sizeof(label), "label_of_%02x=\"1\",", 79 * i % 255);
			text(o, label);
		}
		text(o, "}");
		close_message(o);
		put(o, "\x12\0", 2);
		close_message(o);
	}
}

static void label_text_long(struct out *o)
{
	while (o->n + 16 * MIB <= o->limit) {
		size_t end = o->n + 16 * MIB - 64;

		open_message(o, 0x0a);
		open_message(o, 0x0a);
		text(o, "{a=\"");
		while (o->n < end - 64)
			text(o, "\\n");
		text(o, "\"}");
		close_message(o);
		put(o, "\x12\0", 2);
		close_message(o);
	}
}

static void loki_json_values(struct out *o)
{
	json_list(o, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[", "[\"1\",\"\"]",
	          "]}]}");
}

static void loki_json_streams(struct out *o)
{
	json_list(o, "{\"streams\":[", "{\"stream\":{},\"values\":[]}", "]}");
}

static void loki_json_metadata(struct out *o)
{
	json_list(o, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\",{",
	          "\"\":\"\"", "}]]}]}");
}

static void loki_json_label_streams(struct out *o)
{
	char stream[8192];
	size_t n = (size_t)sprintf(stream, "{\"stream\":{");

	for (unsigned i = 0; i < 255; i++)
		n += (size_t)sprintf(stream + n, "%s\"label_of_%02x\":\"1\"", i ? "," : "",
		                     79 * i % 255);
	strcpy(stream + n, "},\"values\":[[\"1\",\"\"]]}");
	json_list(o, "{\"streams\":[", stream, "]}");
}

/* ---- data models: bodies of 10 MiB ---- */

enum { MODEL_LIMIT = 10 * MIB }; /* protocols.models.max_body */

static void model_objects(struct out *o)
{
	o->limit = MODEL_LIMIT;
	json_list(o, "[", "{}", "]");
}

/* One object of members that the model does not know, whose names begin alike. */
static void model_members(struct out *o)
{
	text(o, "{\"n\":1");
	for (unsigned i = 0; o->n + 64 < MODEL_LIMIT; i++) {
		char member[64];

		snprintf(member, sizeof(member), ",\"a_long_name_of_%07u\":0", i * 7919u % 9999991);
		text(o, member);
	}
	text(o, "}");
}

static void model_short_members(struct out *o)
{
	text(o, "{\"n\":1");
	for (unsigned i = 0; o->n + 64 < MODEL_LIMIT; i++) {
		char member[64];

		snprintf(member, sizeof(member), ",\"%x\":0", i);
		text(o, member);
	}
	text(o, "}");
}

static void model_deep(struct out *o)
{
	o->limit = MODEL_LIMIT;
	json_list(o, "{\"x\":[", "[[[[[[[[[[]]]]]]]]]]", "]}");
}

static void model_escapes(struct out *o)
{
	text(o, "{\"x\":\"");
	o->limit = MODEL_LIMIT - 8;
	REPEAT(o, "\\n");
	text(o, "\"}");
}

/* ---- ---- */

enum way {
	WAY_TRACES,
	WAY_ANY,
	WAY_V1,
	WAY_V2,
	WAY_LOKI,
	WAY_ENTRIES,
	WAY_TRACES_KEPT,
	WAY_ANY_KEPT,
	WAY_LOKI_KEPT,
	WAY_MODEL,
	WAYS
};
enum { HEADER = 1, REPAIR = 2, JSON = 4 };

static const struct hostile {
	const char *name;
	enum way way;
	unsigned how;
	void (*make)(struct out *o);
} bodies[] = {
	{ "otlp, empty spans", WAY_TRACES, 0, spans_empty },
	{ "otlp, empty spans, signal unknown", WAY_ANY, 0, spans_empty },
	{ "otlp, empty attributes", WAY_TRACES, 0, attributes_empty },
	{ "otlp, nested attributes", WAY_TRACES, 0, attributes_nested },
	{ "otlp, nested attributes, unknown inside", WAY_TRACES, 0, attributes_nested_unknown },
	{ "otlp, unknown varints", WAY_TRACES, 0, unknown_varints },
	{ "otlp, unknown fields", WAY_TRACES, 0, unknown_fields },
	{ "otlp, names of one letter", WAY_TRACES, 0, names_short },
	{ "otlp, a text of 2-byte letters", WAY_TRACES, 0, text_two },
	{ "otlp, a text of 3-byte letters", WAY_TRACES, 0, text_three },
	{ "otlp, its last byte broken, repair", WAY_TRACES, REPAIR, text_broken_last },
	{ "otlp, all of it broken, repair", WAY_TRACES, REPAIR, text_broken_all },
	{ "otlp, resources of one envelope", WAY_TRACES, 0, resources_many },
	{ "otlp, resource attributes", WAY_TRACES, 0, resource_empty },
	{ "otlp, resource attributes with keys", WAY_TRACES, 0, resource_keys },
	{ "otlp, packed varints", WAY_ANY, 0, packed_varints },
	{ "otlp, an error at the end", WAY_TRACES, 0, error_last },
	{ "otlp json, spans", WAY_TRACES, JSON, json_spans },
	{ "otlp json, attributes", WAY_TRACES, JSON, json_attributes },
	{ "otlp json, members without a name", WAY_TRACES, JSON, json_names },
	{ "otlp json, unknown brackets", WAY_TRACES, JSON, json_unknown },
	{ "otlp json, zeros", WAY_ANY, JSON, json_zeros },
	{ "otlp json, numbers as strings", WAY_ANY, JSON, json_quoted },
	{ "otlp json, small doubles", WAY_ANY, JSON, json_doubles },
	{ "otlp json, halfway doubles", WAY_ANY, JSON, json_doubles_half },
	{ "otlp json, long doubles", WAY_ANY, JSON, json_doubles_long },
	{ "otlp json, escapes", WAY_TRACES, JSON, json_escapes },
	{ "otlp json, deep", WAY_TRACES, JSON, json_deep },
	{ "rw1, series", WAY_V1, 0, series_min },
	{ "rw1, series, header", WAY_V1, HEADER, series_min },
	{ "rw1, series without labels", WAY_V1, 0, series_unnamed },
	{ "rw1, metadata", WAY_V1, 0, metadata_empty },
	{ "rw1, foreign fields", WAY_V1, 0, fields_foreign },
	{ "rw1, labels alike, header", WAY_V1, HEADER, labels_alike },
	{ "rw1, labels alike", WAY_V1, 0, labels_alike },
	{ "rw1, empty samples", WAY_V1, 0, samples_empty },
	{ "rw1, empty histograms", WAY_V1, 0, histograms_empty },
	{ "rw2, series", WAY_V2, 0, v2_series_min },
	{ "rw2, series, header", WAY_V2, HEADER, v2_series_min },
	{ "rw2, empty symbols", WAY_V2, 0, v2_symbols_empty },
	{ "rw2, a million symbols alike", WAY_V2, 0, v2_symbols_alike },
	{ "rw2, refs one by one", WAY_V2, 0, v2_refs_single },
	{ "rw2, exemplars", WAY_V2, 0, v2_exemplars },
	{ "loki, empty streams", WAY_LOKI, 0, streams_empty },
	{ "loki, empty streams, header", WAY_LOKI, HEADER, streams_empty },
	{ "loki, entries", WAY_LOKI, 0, entries_empty },
	{ "loki, entries, stamped", WAY_ENTRIES, 0, entries_empty },
	{ "loki, timestamps", WAY_LOKI, 0, times_empty },
	{ "loki, metadata", WAY_LOKI, 0, pairs_empty },
	{ "loki, labels alike", WAY_LOKI, 0, loki_labels_alike },
	{ "loki, labels alike, header", WAY_LOKI, HEADER, loki_labels_alike },
	{ "loki, escapes in labels, repair", WAY_LOKI, REPAIR, label_text_long },
	{ "loki json, values", WAY_LOKI, JSON, loki_json_values },
	{ "loki json, streams", WAY_LOKI, JSON, loki_json_streams },
	{ "loki json, labels alike", WAY_LOKI, JSON | HEADER, loki_json_label_streams },
	{ "loki json, metadata", WAY_LOKI, JSON, loki_json_metadata },
	{ "kept otlp json, spans", WAY_TRACES_KEPT, JSON, json_spans },
	{ "kept otlp json, attributes", WAY_TRACES_KEPT, JSON, json_attributes },
	{ "kept otlp json, members without a name", WAY_TRACES_KEPT, JSON, json_names },
	{ "kept otlp json, small doubles", WAY_ANY_KEPT, JSON, json_doubles },
	{ "kept otlp json, escapes", WAY_TRACES_KEPT, JSON, json_escapes },
	{ "kept otlp json, escapes, repair", WAY_TRACES_KEPT, JSON | REPAIR, json_escapes },
	{ "kept loki json, values", WAY_LOKI_KEPT, JSON, loki_json_values },
	{ "kept loki json, streams", WAY_LOKI_KEPT, JSON, loki_json_streams },
	{ "kept loki json, labels alike", WAY_LOKI_KEPT, JSON | HEADER, loki_json_label_streams },
	{ "kept loki json, metadata", WAY_LOKI_KEPT, JSON, loki_json_metadata },
	{ "model, empty objects", WAY_MODEL, JSON, model_objects },
	{ "model, members alike", WAY_MODEL, JSON, model_members },
	{ "model, short members", WAY_MODEL, JSON, model_short_members },
	{ "model, brackets", WAY_MODEL, JSON, model_deep },
	{ "model, escapes", WAY_MODEL, JSON, model_escapes },
};

static const struct format *format_of(const struct hostile *h)
{
	const struct protocol *const protocols[WAYS] = {
		[WAY_TRACES] = &protocol_otlp_traces,
		[WAY_ANY] = &protocol_otlp_any,
		[WAY_V1] = &protocol_remote_write,
		[WAY_V2] = &protocol_remote_write,
		[WAY_LOKI] = &protocol_loki,
		[WAY_ENTRIES] = &protocol_loki_entries,
		[WAY_TRACES_KEPT] = &protocol_otlp_traces_kept,
		[WAY_ANY_KEPT] = &protocol_otlp_any_kept,
		[WAY_LOKI_KEPT] = &protocol_loki_kept,
		[WAY_MODEL] = &protocol_models,
	};
	const struct format *f = protocols[h->way]->formats;

	if (h->way == WAY_V2)
		return f + 1;
	for (bool json = h->how & JSON; f->type && json != !strcmp(f->type, "application/json");)
		f++;
	assert(f->type);
	return f;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct spent {
	double transcode, enrich, emit;
	enum verdict verdict;
};

/* As worker/transcode.c does it. */
static bool transcode(const struct format *f, struct enrich_in *in, uint8_t *room,
                      struct enriched *out)
{
	size_t n = in->body.n, cap = 0;

	for (int i = 0; i < 2; i++) {
		enum transcode result;

		if (min_size(n, LIMIT) <= cap)
			return false;
		cap = min_size(n, LIMIT);
		result = f->transcode(in, room, cap, &n, out);
		if (result == TRANSCODE_OK) {
			in->body = bytes_of(room, n);
			return true;
		}
		if (result != TRANSCODE_ROOM)
			return false;
	}
	return false;
}

static const struct model *model;

static struct spent once(const struct hostile *h, struct bytes body, uint8_t *room, uint8_t *value)
{
	static struct scratch scratch;
	const struct format *f = format_of(h);
	uint8_t stamp[256];
	struct enrich_in in = { .body = body,
		                .stamp_name = BYTES("tenant_id"),
		                .utf8 = h->how & REPAIR ? UTF8_REPAIR : UTF8_STRICT,
		                .depth = 64,
		                .resources_max = 10000,
		                .scratch = &scratch,
		                .model = model };
	struct edits edits;
	struct slices slices = { .n = 0 };
	struct enriched out = { .edits = &edits, .slices = &slices };
	struct spent s = { .verdict = V_INVALID };
	double start = now_ms();

	edits_init(&edits);
	if (!(h->how & HEADER))
		in.stamp = bytes_of(stamp,
		                    f->stamp(in.stamp_name, BYTES("acme"), stamp, sizeof(stamp)));
	if (!f->transcode || transcode(f, &in, room, &out)) {
		s.transcode = now_ms() - start;
		start = now_ms();
		s.verdict = f->enrich(&in, &out);
		s.enrich = now_ms() - start;
		start = now_ms();
		if (s.verdict == V_ACCEPTED && edits.n)
			edits_emit(&edits, in.body, value);
		s.emit = now_ms() - start;
	} else {
		s.transcode = now_ms() - start;
	}
	edits_done(&edits);
	slices_done(&slices);
	return s;
}

static int measure(const char *name)
{
	uint8_t *room = xcalloc(LIMIT + BODY_SLACK, 1), *value = xcalloc(2, LIMIT);
	struct out o = { .p = xcalloc(LIMIT + BODY_SLACK, 1) };

	memset(room, 1, LIMIT);
	memset(value, 1, 2 * LIMIT);
	protocols_open();
	model = model_parse(
		BYTES("{\"name\":\"E\",\"topic\":\"e\",\"allow_extra_fields\":true,\"columns\":"
	              "[{\"name\":\"n\",\"data_type\":\"Int64\",\"required\":false}]}"),
		&(struct err){ 0 });
	assert(model);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		const struct hostile *h = &bodies[i];
		struct spent best = { 0 };

		if (!strstr(h->name, name))
			continue;
		o.n = 0;
		o.limit = LIMIT;
		h->make(&o);
		for (int r = 0; r < ROUNDS; r++) {
			struct spent s = once(h, bytes_of(o.p, o.n), room, value);

			if (!r || s.transcode + s.enrich + s.emit <
			                  best.transcode + best.enrich + best.emit)
				best = s;
		}
		printf("{\"figure\":\"B20\",\"body\":\"%s\",\"bytes\":%zu,\"ms\":%.1f,"
		       "\"transcode\":%.1f,"
		       "\"enrich\":%.1f,\"emit\":%.1f,\"verdict\":\"%s\"}\n",
		       h->name, o.n, best.transcode + best.enrich + best.emit, best.transcode,
		       best.enrich, best.emit, verdict_get(best.verdict)->name);
		fflush(stdout);
	}
	free(o.p);
	free(room);
	free(value);
	return 0;
}

static int write_body(const char *name, const char *path)
{
	struct out o = { .p = xcalloc(LIMIT + BODY_SLACK, 1), .limit = LIMIT };
	FILE *f = fopen(path, "wbe");
	bool ok = false;

	for (size_t i = 0; f && i < ARRAY_LEN(bodies); i++) {
		if (strcmp(bodies[i].name, name) != 0)
			continue;
		bodies[i].make(&o);
		ok = fwrite(o.p, 1, o.n, f) == o.n;
	}
	ok = f && fclose(f) == 0 && ok;
	free(o.p);
	if (!ok)
		fprintf(stderr, "hostile: can't write a body '%s' to %s\n", name, path);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return write_body(argv[1], argv[2]);
	return measure(argc > 1 ? argv[1] : "");
}
