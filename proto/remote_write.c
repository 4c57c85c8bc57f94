/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write.c -- Prometheus remote_write 1.0 and 2.0 (protocols.md 5): two messages of one
 * protocol, told apart by the Content-Type alone. Names identify a series, so broken UTF-8 is never
 * repaired here. A body is read by top-level fields: each is checked by the walker and then judged,
 * or a fast path does both. Called by worker/enrich.c through the protocol table.
 */
#include "proto/remote_write.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/encoding.h"
#include "proto/remote_write_private.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"
#include "proto/split.h"

#define V1(x) prometheus__##x##__descriptor
#define V2(x) io__prometheus__write__v2__##x##__descriptor

/* The parts count and judge; the walker only checks. */
static const struct pb_mark marks[] = { { 0 } };

/* Built once by remote_write_open(), only read afterwards. */
static struct pb_schema schemas[2];
static const struct pb_message *roots[2];

void remote_write_open(void)
{
	if (schemas[0].n)
		return;
	roots[0] = pb_schema_add(&schemas[0], &V1(write_request), marks);
	roots[1] = pb_schema_add(&schemas[1], &V2(request), marks);
}

/* ---- what the files share ---- */

bool rw_walk(struct rw *rw, const struct pb_field *f)
{
	rw->walk->body = bytes_of(f->at, (size_t)(f->end - f->at));
	return pb_walk_run(rw->walk);
}

enum verdict rw_refuse(struct rw *rw, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(rw->out->reason, sizeof(rw->out->reason), format, args);
	va_end(args);
	return V_INVALID;
}

enum verdict rw_count(struct rw *rw, const char *what, uint64_t counted, uint64_t limit)
{
	rw->out->counted_what = what;
	rw->out->counted = counted;
	rw->out->count_limit = limit;
	return V_COUNT;
}

enum verdict rw_heavy(struct rw *rw)
{
	return rw_count(rw, "items", rw->weight_max + 1, rw->weight_max);
}

const char *rw_shown(struct bytes text, char out[static SHOWN_MAX])
{
	const size_t room = SHOWN_MAX - sizeof("\\xff...");
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if (n > room) {
			strcpy(out + n, "...");
			return out;
		}
		if (c >= ' ' && c <= '~' && c != '\\' && c != '\'')
			out[n++] = (char)c;
		else
			n += (size_t)sprintf(out + n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}

void rw_length(struct rw *rw, const struct pb_field *f, int64_t growth)
{
	if (growth)
		edits_varint(rw->out->edits, rw_offset(rw, f->length_at),
		             (size_t)(f->bytes.p - f->length_at), f->bytes.n + (uint64_t)growth);
}

/* Bottom-up merges: n log n whatever a client sends, and no memory of its own. */
void rw_sort(uint32_t *list, uint32_t *spare, size_t n,
             bool (*less)(const void *context, uint32_t a, uint32_t b), const void *context)
{
	uint32_t *from = list, *to = spare, *swap;

	for (size_t run = 1; run < n; run *= 2) {
		for (size_t a = 0; a < n; a += 2 * run) {
			size_t b = min_size(a + run, n), end = min_size(a + 2 * run, n);

			for (size_t i = a, j = b, k = a; k < end; k++)
				to[k] = i < b && (j == end || !less(context, from[j], from[i]))
				                ? from[i++]
				                : from[j++];
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != list)
		memcpy(list, from, n * sizeof(*list));
}

/* ---- a request of 1.0 ---- */

static void series_stamp(struct rw *rw, const struct pb_field *series, const uint8_t *insert)
{
	rw_length(rw, series, (int64_t)rw->in->stamp.n);
	edits_add(rw->out->edits, rw_offset(rw, insert), 0, rw->in->stamp);
}

static enum verdict series_read(struct rw *rw, rw_fast_fn fast, const struct pb_field *f)
{
	struct rw_fast found;

	if (rw->exact || !fast(rw, f->bytes, &found)) {
		if (!rw_walk(rw, f))
			return V_INVALID;
		return rw_v1_series(rw, f);
	}
	if (!rw_weigh(rw, found.samples))
		return rw_heavy(rw);
	rw->out->items += found.samples;
	if (rw->has_stamp)
		series_stamp(rw, f, found.insert);
	return V_ACCEPTED;
}

struct gap { /* fields in a row that do not belong to the message: one edit */
	const uint8_t *start, *end;
	size_t slot;
};

/* Consumers give fields that are none of the contract's a meaning of their own (records.md 1.2). */
static void field_remove(struct rw *rw, const struct pb_field *f, struct gap *gap)
{
	if (f->at != gap->end) {
		gap->start = f->at;
		gap->slot = edits_slot(rw->out->edits, rw_offset(rw, f->at));
	}
	gap->end = f->end;
	edits_fill(rw->out->edits, gap->slot, (size_t)(gap->end - gap->start), BYTES_NONE);
}

static enum verdict v1_field(struct rw *rw, rw_fast_fn fast, const struct pb_field *f,
                             struct gap *gap)
{
	uint32_t number = f->tag >> 3;
	enum verdict v;

	if (f->tag == TAG_V1_SERIES) {
		v = series_read(rw, fast, f);
		rw->series++;
		return v;
	}
	if (f->tag == TAG_V1_METADATA && !rw_weigh(rw, 1))
		return rw_heavy(rw);
	/* A field of no schema holds nothing for the walker; there may be 30 million of them. */
	if ((number == TAG_V1_SERIES >> 3 || number == TAG_V1_METADATA >> 3) && !rw_walk(rw, f))
		return V_INVALID;
	if (f->tag == TAG_V1_METADATA)
		rw->out->items++;
	else
		field_remove(rw, f, gap);
	return V_ACCEPTED;
}

static enum verdict v1_body(struct rw *rw)
{
	struct pb_cursor c = pb_cursor_of(rw->in->body);
	rw_fast_fn fast = rw_fast_get();
	struct gap gap = { 0 };
	bool is_known = c.p == c.end;
	enum verdict v;
	struct pb_field f;

	while (pb_next(&c, &f)) {
		v = v1_field(rw, fast, &f, &gap);
		if (v != V_ACCEPTED)
			return v;
		if (rw->out->edits->failed)
			return rw_count(rw, "edits", EDITS_MAX + 1, EDITS_MAX);
		is_known |= f.tag == TAG_V1_SERIES || f.tag == TAG_V1_METADATA;
	}
	if (c.failed)
		return V_INVALID;
	if (!is_known)
		return rw_refuse(rw, "neither timeseries nor metadata: is this a 2.0 body?");
	return V_ACCEPTED;
}

/* ---- both ---- */

/* What the parts found malformed the walker finds too, and can say where. */
static void reason_find(struct rw *rw)
{
	rw->walk->body = rw->in->body;
	if (pb_walk_run(rw->walk))
		assert(!"a body that the walker refuses by parts and not as a whole");
	pb_reason(rw->walk, rw->out->reason, sizeof(rw->out->reason));
}

enum verdict remote_write_enrich(unsigned version, bool exact, const struct enrich_in *given,
                                 struct enriched *out)
{
	struct enrich_in in = *given;
	struct pb_walk w;
	struct rw rw = { .in = &in,
		         .out = out,
		         .walk = &w,
		         .exact = exact,
		         .has_stamp = in.stamp.n > 0,
		         .weight_max = ITEMS_FREE + in.body.n / ITEM_BYTES,
		         .metric_key = name_key(METRIC_NAME.p, METRIC_NAME.n) };
	uint8_t name[8] = { 0 };
	enum verdict v;

	if (!in.body.n)
		in.body.p = (const uint8_t *)"";
	memcpy(name, in.stamp_name.p, min_size(sizeof(name), in.stamp_name.n));
	rw.stamp_key = name_key(name, in.stamp_name.n);
	pb_walk_init(&w, &schemas[version - 1], roots[version - 1]);
	w.depth = in.depth;
	w.edits = out->edits;
	out->reason[0] = '\0';
	v = version == 1 ? v1_body(&rw) : rw_v2_body(&rw);
	if (v == V_INVALID && !out->reason[0])
		reason_find(&rw);
	if (v != V_ACCEPTED) {
		out->items = 0; /* of a part: no answer to anything */
		return v;
	}
	edits_sort(out->edits); /* born sorted: a look, no more */
	return out->items ? V_ACCEPTED : V_EMPTY;
}

static enum verdict v1_enrich(const struct enrich_in *in, struct enriched *out)
{
	return remote_write_enrich(1, false, in, out);
}

static enum verdict v2_enrich(const struct enrich_in *in, struct enriched *out)
{
	return remote_write_enrich(2, false, in, out);
}

/* ---- stamps ---- */

static size_t string_bytes(struct bytes text)
{
	return 1 + pb_varint_size(text.n) + text.n;
}

static uint8_t *string_write(uint8_t *p, uint8_t tag, struct bytes text)
{
	*p++ = tag;
	p += pb_varint_write(text.n, p);
	return mempcpy(p, text.p, text.n);
}

/* 1.0: Label{name, tenant} as an element of TimeSeries.labels. */
static size_t v1_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	size_t label = string_bytes(name) + string_bytes(tenant_id);
	uint8_t *p = out;

	if (1 + pb_varint_size(label) + label > cap)
		return 0;
	*p++ = TAG_V1_LABEL;
	p += pb_varint_write(label, p);
	p = string_write(p, TAG_NAME, name);
	p = string_write(p, TAG_VALUE, tenant_id);
	return (size_t)(p - out);
}

/* 2.0: name and tenant as two elements of Request.symbols. */
static size_t v2_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	uint8_t *p = out;

	if (string_bytes(name) + string_bytes(tenant_id) > cap)
		return 0;
	p = string_write(p, TAG_V2_SYMBOL, name);
	p = string_write(p, TAG_V2_SYMBOL, tenant_id);
	return (size_t)(p - out);
}

const struct protocol protocol_remote_write = {
	.name = "remote_write",
	.signal = SIGNAL_METRICS,
	.dialect = DIALECT_REMOTE_WRITE,
	.paths = (const char *const[]){ "/api/v1/write", "/api/v1/push", NULL },
	.formats = (const struct format[]){ { .type = "application/x-protobuf",
	                                      .proto = "prometheus.WriteRequest",
	                                      .untyped = true,
	                                      .block = true,
	                                      .record_format = "prom_rw1",
	                                      .record_type = "application/x-protobuf;proto="
	                                                     "prometheus.WriteRequest",
	                                      .enrich = v1_enrich,
	                                      .split = split_rw1,
	                                      .stamp = v1_stamp },
	                                    { .type = "application/x-protobuf",
	                                      .proto = "io.prometheus.write.v2.Request",
	                                      .block = true,
	                                      .written = true,
	                                      .record_format = "prom_rw2",
	                                      .topic_suffix = "_v2",
	                                      .record_type = "application/x-protobuf;proto="
	                                                     "io.prometheus.write.v2.Request",
	                                      .enrich = v2_enrich,
	                                      .split = split_rw2,
	                                      .stamp = v2_stamp },
	                                    { 0 } },
	.encodings = 1u << ENCODING_IDENTITY | 1u << ENCODING_SNAPPY,
};
