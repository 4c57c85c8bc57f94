/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json_keep.c -- OTLP/JSON that stays JSON (`json: separate`): the walk of otlp_json.c judges
 * it as if it became protobuf, writes nothing, and tells this file where the client's own tenant
 * leaves and ours comes (records.md 1.2). All else stays byte for byte: spelling, blanks, unknown
 * members. Items, units and the attributes that are looked at are those of the walker of protobuf.
 */
#include "proto/otlp_json.h"

#include "common/buf.h"
#include "proto/otlp_json_private.h"

/* ---- the stamp: the longest text that may be missing, of which most bodies lack the core ---- */

#define RESOURCE "\"resource\":"
#define ATTRIBUTES "\"attributes\":"
enum {
	AT_OBJECT = sizeof(RESOURCE) - 1, /* the value of `resource` */
	AT_ATTRIBUTES = AT_OBJECT + 1,
	AT_LIST = AT_ATTRIBUTES + sizeof(ATTRIBUTES) - 1, /* the value of `attributes` */
	AT_PAIR = AT_LIST + 1,
};

size_t otlp_json_stamp_pairs(const struct bytes *names, size_t count, struct bytes tenant_id,
                             uint8_t *out, size_t cap)
{
	struct buf b;

	buf_init_fixed(&b, (char *)out, cap);
	buf_str(&b, RESOURCE "{" ATTRIBUTES "[");
	/* neither needs an escape (records.md 1.2, conf/options.def) */
	for (size_t i = 0; i < count; i++) {
		buf_str(&b, i ? ",{\"key\":\"" : "{\"key\":\"");
		buf_bytes(&b, names[i]);
		buf_str(&b, "\",\"value\":{\"stringValue\":\"");
		buf_bytes(&b, tenant_id);
		buf_str(&b, "\"}}");
	}
	buf_str(&b, "]}");
	return b.failed ? 0 : b.n;
}

size_t otlp_json_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	return otlp_json_stamp_pairs(&name, 1, tenant_id, out, cap);
}

/* The stamp without so many bytes before it and behind it. */
static struct bytes stamp_part(const struct transcoder *t, size_t before, size_t behind)
{
	struct bytes stamp = t->keep->in->stamp;

	return bytes_of(stamp.p + before, stamp.n - before - behind);
}

static void put_edit(struct transcoder *t, const uint8_t *at, size_t del, struct bytes ins)
{
	edits_add(t->keep->out->edits, (size_t)(at - t->j.start), del, ins);
}

/* ---- what the walk tells ---- */

void otlp_json_keep_element(struct transcoder *t, const struct member *m)
{
	struct keeper *k = t->keep;

	switch ((int)m->role) {
	case PB_ITEM:
		k->out->items++;
		return;
	case PB_WATCH:
		k->resources++;
		return;
	case PB_PAIR:
		if (k->in->stamp.n)
			json_splice_begin(&k->attributes, t->j.p);
		k->is_reserved = false;
		k->mended_then = t->j.mended;
	}
}

void otlp_json_keep_null(struct transcoder *t, const struct member *m, const uint8_t *at,
                         bool in_list)
{
	size_t n = (size_t)(t->j.p - at);

	if (t->keep->in->stamp.n == 0)
		return;
	if (m->role == PB_PAIR && in_list) {
		json_splice_end(&t->keep->attributes, t->j.p, false);
	} else if (m->role == PB_PAIR) {
		put_edit(t, at, n, stamp_part(t, AT_LIST, 1));
	} else if (m->role == PB_WATCH && in_list) { /* a Resource* of nothing */
		put_edit(t, at, n, BYTES("{"));
		put_edit(t, t->j.p, 0, stamp_part(t, 0, 0));
		put_edit(t, t->j.p, 0, BYTES("}"));
	} else if (m->role == PB_WATCH && !m->repeated) {
		put_edit(t, at, n, stamp_part(t, AT_OBJECT, 0));
	}
}

void otlp_json_keep_list(struct transcoder *t)
{
	t->keep->attributes = json_splice_of(t->keep->out->edits, t->j.start, t->j.p);
}

void otlp_json_keep_list_end(struct transcoder *t)
{
	if (t->keep->in->stamp.n)
		json_splice_close(&t->keep->attributes, stamp_part(t, AT_PAIR, 2));
}

void otlp_json_keep_name(struct transcoder *t, const struct json_text *name)
{
	const struct enrich_in *in = t->keep->in;

	t->keep->is_reserved = json_text_is(*name, in->stamp_name) ||
	                       (in->stamp_prefix.n && json_text_begins(*name, in->stamp_prefix));
}

static void pair_close(struct transcoder *t)
{
	struct keeper *k = t->keep;

	k->pair = NULL;
	if (k->in->stamp.n == 0)
		return;
	json_splice_end(&k->attributes, t->j.p, k->is_reserved);
	if (k->is_reserved) {
		t->j.mended = k->mended_then;
		k->out->spoofed++;
	}
}

/* A Resource* without `resource`, or a Resource without `attributes`. */
static void stamp_missing(struct transcoder *t, const struct level *l, bool empty)
{
	bool is_resource = l->table->members[0].role == PB_PAIR;
	const uint8_t *bracket = t->j.p - 1;

	if (!empty)
		put_edit(t, bracket, 0, BYTES(","));
	put_edit(t, bracket, 0,
	         is_resource ? stamp_part(t, AT_ATTRIBUTES, 1) : stamp_part(t, 0, 0));
}

void otlp_json_keep_close(struct transcoder *t, const struct level *l, bool empty)
{
	struct keeper *k = t->keep;

	if (l == k->pair) {
		pair_close(t);
		return;
	}
	if (l->table->home && !(l->seen & l->table->home) && k->in->stamp.n)
		stamp_missing(t, l, empty);
	k->out->repaired += t->j.mended > l->mended;
	t->j.mended = l->mended;
}

/* ---- enrich() ---- */

static enum verdict refuse_count(struct enriched *out, const char *what, uint64_t counted,
                                 uint64_t limit)
{
	out->counted_what = what;
	out->counted = counted;
	out->count_limit = limit;
	return V_COUNT;
}

/* root NULL: the body tells the signal. */
static enum verdict keep(const struct table *root, const struct enrich_in *in, struct enriched *out)
{
	struct keeper k = { .in = in, .out = out };
	struct transcoder t;
	bool sound;

	out->reason[0] = '\0';
	sound = otlp_json_walk(&t, root ? root : otlp_json_tables()->any, in, NULL, 0, &k);
	if (!sound)
		otlp_json_reason(&t, out->reason, sizeof(out->reason));
	if (!root)
		sound = otlp_json_found(&t, sound, out);
	if (!sound)
		return V_INVALID;
	if (k.resources > in->resources_max)
		return refuse_count(out, "resources", in->resources_max + 1, in->resources_max);
	if (out->edits->failed)
		return refuse_count(out, "edits", EDITS_MAX + 1, EDITS_MAX);
	out->repaired += t.j.mended > 0;
	return out->items ? V_ACCEPTED : V_EMPTY;
}

enum verdict otlp_json_keep_traces(const struct enrich_in *in, struct enriched *out)
{
	return keep(otlp_json_tables()->roots[SIGNAL_TRACES], in, out);
}

enum verdict otlp_json_keep_metrics(const struct enrich_in *in, struct enriched *out)
{
	return keep(otlp_json_tables()->roots[SIGNAL_METRICS], in, out);
}

enum verdict otlp_json_keep_logs(const struct enrich_in *in, struct enriched *out)
{
	return keep(otlp_json_tables()->roots[SIGNAL_LOGS], in, out);
}

enum verdict otlp_json_keep_any(const struct enrich_in *in, struct enriched *out)
{
	return keep(NULL, in, out);
}
