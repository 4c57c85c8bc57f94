/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki.c -- Loki pushes (protocols.md 6): in protobuf or, by loki_json.c, made of JSON. The walker
 * validates; here each stream's label text is judged as Loki's parser would, and the stamp is
 * spliced into it or added to each entry (records.md 1.2). A client's own pair leaves both places,
 * and so does what is only for servers: `hash`, which would be false now, and `parsed`.
 *
 * A stream without entries is none, as in Loki: its labels are not judged, and it is left out.
 */
#include "proto/loki.h"

#include <stdio.h>

#include "proto/encoding.h"
#include "proto/loki_judge.h"
#include "proto/loki_splice.h"
#include "proto/loki_time.h"
#include "proto/pb_read.h"
#include "proto/schema/loki.pb-c.h"
#include "proto/split.h"

enum loki_watch { WATCH_NOTHING, WATCH_STREAM, WATCH_ENTRY, WATCH_TIME, WATCH_PAIR, WATCH_PARSED };

enum {
	TAG_LABELS = 0x0a, /* StreamAdapter */
	TAG_HASH = 0x18,
	TAG_SECONDS = 0x08, /* Timestamp */
	TAG_NANOS = 0x10,
	TAG_PAIR = 0x1a, /* EntryAdapter.structured_metadata */
	TAG_NAME = 0x0a, /* LabelPairAdapter */
	TAG_VALUE = 0x12,
	MENDED_GROWTH = 2, /* U+FFFD for one byte */
	/* Of streams, entries, pairs, and times beyond the one of an entry: so many in any body, and
	 * one more for so many bytes of it. What says anything takes more; what says nothing would
	 * come 32 million times in 64 MiB. */
	PARTS_FREE = 65536,
	PART_BYTES = 8,
};
#define NANOS_MAX 999999999

#define MESSAGE(x) logproto__##x##__descriptor

/* clang-format off */
static const struct pb_mark marks[] = {
	/* message                  field                  role      watch */
	{ &MESSAGE(push_request),   "streams",             PB_WATCH, WATCH_STREAM },
	{ &MESSAGE(stream_adapter), NULL,                  PB_UNIT,  0 },
	{ &MESSAGE(stream_adapter), "labels",              PB_OWN,   0 }, /* by labels_edit() */
	{ &MESSAGE(stream_adapter), "entries",             PB_WATCH, WATCH_ENTRY },
	{ &MESSAGE(entry_adapter),  NULL,                  PB_UNIT,  0 },
	{ &MESSAGE(entry_adapter),  "timestamp",           PB_WATCH, WATCH_TIME },
	{ &MESSAGE(entry_adapter),  "structured_metadata", PB_WATCH, WATCH_PAIR },
	{ &MESSAGE(entry_adapter),  "parsed",              PB_WATCH, WATCH_PARSED },
	{ 0 }
};
/* clang-format on */

/* Built once by loki_open(), only read afterwards. */
static struct pb_schema schema;
static const struct pb_message *root;

void loki_open(void)
{
	if (!root)
		root = pb_schema_add(&schema, &MESSAGE(push_request), marks);
}

struct loki { /* of one body */
	const struct enrich_in *in;
	struct enriched *out;
	bool into_entries;
	bool has_stamp; /* record.enrich is body */
	enum verdict verdict; /* V_NONE until something is refused; then the rest is not judged */
	uint64_t streams;
	uint64_t parts, parts_max;
	bool is_timed; /* the open entry */
	uint64_t items_then; /* before the open stream */
	uint32_t mends_then; /* of the open entry, before the pair at hand */
	struct labels *labels; /* of the stream at hand */
};

/* ---- parts ---- */

/* The message f is left out, with all edits inside. Those come last in the list, whatever slots
 * of the messages around it they made necessary. */
static void message_remove(struct pb_walk *w, struct pb_frame *f)
{
	size_t at = pb_offset(w, f->field), bytes = (size_t)(f->end - f->field);
	struct edits *edits = w->edits;

	while (edits->n && edits->list[edits->n - 1].at > at)
		edits_truncate(edits, edits->n - 1);
	f->growth = 0;
	pb_touch(w, f - 1);
	edits_add(edits, at, bytes, BYTES_NONE);
	f[-1].growth -= (int64_t)bytes;
}

static void field_remove(struct pb_walk *w, struct pb_frame *f, const struct pb_field *field)
{
	size_t bytes = (size_t)(field->end - field->at);

	edits_add(w->edits, pb_offset(w, field->at), bytes, BYTES_NONE);
	f->growth -= (int64_t)bytes;
}

/* The walker has not read it yet: what is no field it refuses. */
static bool is_time(const struct pb_frame *f)
{
	struct pb_cursor c = pb_cursor_of(bytes_of(f->start, (size_t)(f->end - f->start)));
	struct pb_field field;

	while (pb_next(&c, &field)) {
		int64_t value = (int64_t)field.value;

		if (field.tag == TAG_SECONDS && !time_is_in_range(value))
			return false;
		if (field.tag == TAG_NANOS && (value < 0 || value > NANOS_MAX))
			return false;
	}
	return true;
}

/* Of a repeated name the last one counts. */
static bool is_reserved(const struct loki *l, const struct pb_frame *f)
{
	struct pb_cursor c = pb_cursor_of(bytes_of(f->start, (size_t)(f->end - f->start)));
	struct bytes name = BYTES_NONE;
	struct pb_field field;

	while (pb_next(&c, &field))
		if (field.tag == TAG_NAME)
			name = field.bytes;
	return pb_text_is(name, l->in->stamp_name);
}

/* ---- a stream's labels ---- */

/* The text by these cuts; what stays of it is mended. Only quoted text can be broken, so no edit
 * of the two kinds meets the other. */
static void text_edit(struct pb_walk *w, struct pb_frame *f, const struct pb_field *field,
                      const struct cut *cuts, unsigned n)
{
	struct bytes text = field->bytes;
	const uint8_t *p = text.p, *end = text.p + text.n;
	size_t prefix = (size_t)(text.p - field->length_at), after = text.n;
	size_t broken = 0;

	for (unsigned i = 0; i < n; i++) {
		broken += pb_broken(bytes_of(p, (size_t)(cuts[i].at - p)));
		after += cuts[i].ins.n - cuts[i].del;
		p = cuts[i].at + cuts[i].del;
	}
	broken += pb_broken(bytes_of(p, (size_t)(end - p)));
	after += MENDED_GROWTH * broken;
	if (n == 0 && !broken)
		return;
	pb_touch(w, f);
	edits_varint(w->edits, pb_offset(w, field->length_at), prefix, after);
	p = text.p;
	for (unsigned i = 0; i < n; i++) {
		if (broken)
			pb_mend(w, bytes_of(p, (size_t)(cuts[i].at - p)));
		edits_add(w->edits, pb_offset(w, cuts[i].at), cuts[i].del, cuts[i].ins);
		p = cuts[i].at + cuts[i].del;
	}
	if (broken)
		pb_mend(w, bytes_of(p, (size_t)(end - p)));
	f->growth += (int64_t)(after + pb_varint_size(after)) - (int64_t)(text.n + prefix);
	f->mends += broken != 0;
}

static bool text_is_utf8(struct loki *l, struct bytes text)
{
	if (l->in->utf8 == UTF8_REPAIR || bytes_is_utf8(text))
		return true;
	l->verdict = V_INVALID;
	snprintf(l->out->reason, sizeof(l->out->reason), "streams[%llu].labels: invalid UTF-8",
	         (unsigned long long)l->streams - 1);
	return false;
}

static void labels_edit(struct loki *l, struct pb_walk *w, struct pb_frame *f,
                        const struct pb_field *field)
{
	struct labels *labels = l->labels;
	struct cut cuts[SPLICE_MAX];
	unsigned n = 0, own;

	if (!text_is_utf8(l, field->bytes))
		return;
	l->verdict = loki_judge(l->in, l->into_entries, field->bytes, labels, &own, l->out);
	if (l->verdict != V_NONE)
		return;
	w->removed += own < labels->n;
	if (l->has_stamp && l->into_entries)
		n = splice_without(labels, own, cuts);
	else if (l->has_stamp)
		n = splice(labels, own, l->in->stamp_name, l->in->stamp, cuts);
	text_edit(w, f, field, cuts, n);
}

/* ---- hooks ---- */

static bool refuse_time(struct loki *l, struct pb_walk *w)
{
	l->verdict = loki_untimely(l->out, l->streams - 1, w->items - l->items_then - 1);
	return false;
}

static bool part_count(struct loki *l)
{
	if (++l->parts <= l->parts_max)
		return true;
	l->verdict = loki_too_many(l->out, "streams, entries and pairs", l->parts, l->parts_max);
	return false;
}

static bool on_open(struct pb_walk *w, struct pb_frame *f)
{
	struct loki *l = w->user;

	if (l->verdict != V_NONE || w->edits->failed)
		return false;
	if ((f->watch != WATCH_TIME || l->is_timed) && !part_count(l))
		return false;
	switch ((enum loki_watch)f->watch) {
	case WATCH_STREAM:
		l->streams++;
		l->items_then = w->items;
		return true;
	case WATCH_ENTRY:
		w->items++;
		l->is_timed = false;
		if (l->has_stamp && l->into_entries)
			pb_touch(w, f);
		return true;
	case WATCH_TIME:
		l->is_timed = true;
		return is_time(f) || refuse_time(l, w);
	case WATCH_PAIR:
	case WATCH_PARSED:
		l->mends_then = f[-1].mends;
		return true;
	case WATCH_NOTHING:
		break;
	}
	assert(!"a watch");
	return false;
}

static void entry_close(struct loki *l, struct pb_walk *w, struct pb_frame *f)
{
	if (!l->into_entries)
		return;
	edits_add(w->edits, pb_offset(w, f->end), 0, l->in->stamp);
	f->growth += (int64_t)l->in->stamp.n;
}

static void pair_close(struct loki *l, struct pb_walk *w, struct pb_frame *f)
{
	if (f->watch == WATCH_PAIR) {
		if (!is_reserved(l, f))
			return;
		w->removed++;
	}
	f[-1].mends = l->mends_then;
	message_remove(w, f);
}

/* All fields are read by now; of repeated labels the last ones count. */
static void stream_close(struct loki *l, struct pb_walk *w, struct pb_frame *f)
{
	struct pb_cursor c = pb_cursor_of(bytes_of(f->start, (size_t)(f->end - f->start)));
	const struct pb_cursor again = c;
	const uint8_t *last = NULL;
	struct pb_field field;

	if (w->items == l->items_then) {
		if (l->has_stamp)
			message_remove(w, f);
		return;
	}
	while (pb_next(&c, &field))
		if (field.tag == TAG_LABELS)
			last = field.at;
	if (!last) {
		l->verdict = loki_unlabelled(l->out);
		return;
	}
	if (l->has_stamp)
		pb_touch(w, f);
	for (c = again; l->verdict == V_NONE && pb_next(&c, &field);) {
		if (field.at == last)
			labels_edit(l, w, f, &field);
		else if (l->has_stamp && (field.tag == TAG_LABELS || field.tag == TAG_HASH))
			field_remove(w, f, &field);
		else if (field.tag == TAG_LABELS && text_is_utf8(l, field.bytes))
			text_edit(w, f, &field, NULL, 0);
	}
}

static void on_close(struct pb_walk *w, struct pb_frame *f)
{
	struct loki *l = w->user;

	if (l->verdict != V_NONE)
		return;
	if (f->watch == WATCH_STREAM)
		stream_close(l, w, f);
	else if (!l->has_stamp || f->watch == WATCH_TIME)
		return;
	else if (f->watch == WATCH_ENTRY)
		entry_close(l, w, f);
	else
		pair_close(l, w, f);
}

enum verdict loki_enrich(bool into_entries, bool exact, const struct enrich_in *in,
                         struct enriched *out)
{
	struct labels labels; /* large: written as far as it is used */
	struct loki l = { .in = in,
		          .out = out,
		          .into_entries = into_entries,
		          .has_stamp = in->stamp.n > 0,
		          .parts_max = PARTS_FREE + in->body.n / PART_BYTES,
		          .labels = &labels };
	struct pb_walk w;

	pb_walk_init(&w, &schema, root);
	w.body = in->body;
	w.utf8 = in->utf8;
	w.depth = in->depth;
	w.edits = out->edits;
	w.exact = exact;
	w.on_open = on_open;
	w.on_close = on_close;
	w.user = &l;
	out->reason[0] = '\0';
	if (!pb_walk_run(&w) && w.error != PB_STOPPED && l.verdict == V_NONE) {
		pb_reason(&w, out->reason, sizeof(out->reason));
		return V_INVALID;
	}
	if (l.verdict != V_NONE)
		return l.verdict;
	if (out->edits->failed)
		return loki_too_many(out, "edits", EDITS_MAX + 1, EDITS_MAX);
	edits_sort(out->edits); /* labels come first in most streams: a look, no more */
	out->items = w.items;
	out->spoofed = w.removed;
	out->repaired = w.repaired;
	return w.items ? V_ACCEPTED : l.streams ? V_EMPTY : V_NO_STREAMS;
}

static enum verdict labels_enrich(const struct enrich_in *in, struct enriched *out)
{
	return loki_enrich(false, false, in, out);
}

static enum verdict entries_enrich(const struct enrich_in *in, struct enriched *out)
{
	return loki_enrich(true, false, in, out);
}

/* ---- stamps ---- */

static uint8_t *string_write(uint8_t *p, uint8_t tag, struct bytes text)
{
	*p++ = tag;
	p += pb_varint_write(text.n, p);
	return mempcpy(p, text.p, text.n);
}

/* LabelPairAdapter{name, id} as an element of EntryAdapter.structured_metadata. */
static size_t entries_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	size_t pair =
		2 + pb_varint_size(name.n) + name.n + pb_varint_size(tenant_id.n) + tenant_id.n;
	uint8_t *p = out;

	if (1 + pb_varint_size(pair) + pair > cap)
		return 0;
	*p++ = TAG_PAIR;
	p += pb_varint_write(pair, p);
	p = string_write(p, TAG_NAME, name);
	p = string_write(p, TAG_VALUE, tenant_id);
	return (size_t)(p - out);
}

/* clang-format off */
#define TRANSCODED(transcode_, enrich_, stamp_)                                                    \
	{ .type = "application/json", .plain = true, .record_format = "loki_proto",                \
	  .record_type = "application/x-protobuf", .transcode = (transcode_),                      \
	  .enrich = (enrich_), .split = split_loki, .stamp = (stamp_) }
#define KEPT(enrich_, stamp_)                                                                      \
	{ .type = "application/json", .plain = true, .record_format = "loki_json",                 \
	  .topic_suffix = "_json",                                                                 \
	  .record_type = "application/json", .enrich = (enrich_), .stamp = (stamp_) }
#define PROTOBUF(enrich_, stamp_)                                                                  \
	{ .type = TYPE_ANY, .block = true, .record_format = "loki_proto",                          \
	  .record_type = "application/x-protobuf", .enrich = (enrich_), .split = split_loki,       \
	  .stamp = (stamp_) }
#define LOKI(name_, path_, ... /* formats */)                                                      \
	{ .name = (name_), .signal = SIGNAL_LOGS, .dialect = DIALECT_LOKI,                         \
	  .paths = (const char *const[]){ path_, NULL },                                           \
	  .formats = (const struct format[]){ __VA_ARGS__, { 0 } },                                \
	  .encodings = 1u << ENCODING_IDENTITY | 1u << ENCODING_GZIP | 1u << ENCODING_DEFLATE |    \
	               1u << ENCODING_ZSTD | 1u << ENCODING_SNAPPY }

#define PUSH(...) LOKI("loki", "/loki/api/v1/push", __VA_ARGS__)
#define LEGACY(...) LOKI("loki_legacy", "/api/prom/push", __VA_ARGS__)
#define LABELS PROTOBUF(labels_enrich, splice_stamp)
#define ENTRIES PROTOBUF(entries_enrich, entries_stamp)

const struct protocol
	protocol_loki = PUSH(TRANSCODED(loki_json, labels_enrich, splice_stamp), LABELS),
	protocol_loki_entries =
		PUSH(TRANSCODED(loki_json, entries_enrich, entries_stamp), ENTRIES),
	protocol_loki_legacy =
		LEGACY(TRANSCODED(loki_json_legacy, labels_enrich, splice_stamp), LABELS),
	protocol_loki_legacy_entries =
		LEGACY(TRANSCODED(loki_json_legacy, entries_enrich, entries_stamp), ENTRIES),
	protocol_loki_kept = PUSH(KEPT(loki_json_keep, loki_json_stamp), LABELS),
	protocol_loki_entries_kept = PUSH(KEPT(loki_json_keep_entries, loki_json_stamp), ENTRIES),
	protocol_loki_legacy_kept =
		LEGACY(KEPT(loki_json_keep_legacy, loki_json_legacy_stamp), LABELS),
	protocol_loki_legacy_entries_kept =
		LEGACY(KEPT(loki_json_keep_legacy, loki_json_legacy_stamp), ENTRIES);
/* clang-format on */
