/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_json.c -- Loki JSON, the shape of today and that of /api/prom/push, as the protobuf of the
 * same push (protocols.md 6): one pass by the scanner, one function for each bracket of the shape.
 * Stream labels become a label text, sorted; a legacy text is passed on. What the text says, the
 * stamp, counts and repair are loki.c's, in one place for both encodings.
 */
#include "proto/loki.h"

#include <stdio.h>

#include "proto/loki_json_private.h"
#include "proto/loki_time.h"

enum {
	TAG_STREAM = 0x0a, /* PushRequest */
	TAG_ENTRY = 0x12, /* StreamAdapter */
	TAG_TIME = 0x0a, /* EntryAdapter */
	TAG_LINE = 0x12,
	TAG_PAIR = 0x1a,
	TAG_SECONDS = 0x08, /* Timestamp */
	TAG_NANOS = 0x10,
	TAG_NAME = 0x0a, /* LabelPairAdapter */
	TAG_VALUE = 0x12,

	TIME_MAX = 2 + 11 + 6, /* a Timestamp with its prefix */
	MEMBER_NAME_MAX = 64, /* bytes of a name that is looked at, escaped */
	/* what is open around unknown members, messages as in protobuf */
	DEPTH_REQUEST = 1,
	DEPTH_STREAM = 2,
	DEPTH_ENTRY = 3,
};

const struct shape loki_json_modern = { "stream", "values", "a stream has stream and values" };
const struct shape loki_json_old = { "labels", "entries", "a stream has labels and entries" };

/* ---- entries ---- */

static bool put_time(struct maker *m, int64_t seconds, uint32_t nanos)
{
	uint8_t *content;

	if (m->keep) {
		loki_json_keep_time(m, seconds);
		return true;
	}
	if (!room(m, TIME_MAX))
		return false;
	content = message_open(m, TAG_TIME, 1);
	if (seconds) {
		*m->p++ = TAG_SECONDS;
		put_varint(m, (uint64_t)seconds);
	}
	if (nanos) {
		*m->p++ = TAG_NANOS;
		put_varint(m, nanos);
	}
	return message_close(m, content, 1);
}

static bool read_metadata(struct maker *m)
{
	struct json_splice splice;
	bool first = true;
	struct json_text name, value;

	if (json_peek(&m->j) != '{')
		return refuse(m, m->j.p, "structured metadata is an object");
	json_open(&m->j);
	if (m->keep)
		splice = json_splice_of(m->keep->out->edits, m->j.start, m->j.p);
	for (; json_member(&m->j, first, &name); first = false) {
		uint64_t mended = m->j.mended;
		uint8_t *content;

		if (m->keep)
			json_splice_begin(&splice, name.raw.p - 1);
		if (!read_text(m, &value, "the value of structured metadata is a string"))
			return false;
		if (m->keep) {
			loki_json_keep_pair(m, &splice, name, mended, false);
			continue;
		}
		content = message_open(m, TAG_PAIR, 1);
		if (!content || !put_string(m, TAG_NAME, name) ||
		    !put_string(m, TAG_VALUE, value) || !message_close(m, content, 1))
			return false;
	}
	if (m->keep && !m->j.error)
		loki_json_keep_pairs_end(m, &splice, false);
	return !m->j.error;
}

static bool read_time(struct maker *m,
                      bool (*parse)(struct bytes text, int64_t *seconds, uint32_t *nanos),
                      const char *otherwise)
{
	const uint8_t *at = m->j.p;
	uint8_t local[MEMBER_NAME_MAX];
	struct json_text text;
	struct bytes plain;
	uint32_t nanos;
	int64_t seconds;

	if (!read_text(m, &text, otherwise))
		return false;
	plain = text.raw;
	if (text.escaped && text.raw.n <= sizeof(local))
		plain = bytes_of(local, json_unescape(text, local));
	if (!parse(plain, &seconds, &nanos))
		return refuse(m, at, otherwise);
	return put_time(m, seconds, nanos);
}

static bool read_nanoseconds(struct maker *m)
{
	return read_time(m, time_of_nanoseconds, "a timestamp is a string of decimal nanoseconds");
}

static bool read_rfc3339(struct maker *m)
{
	return read_time(m, time_of_rfc3339, "a timestamp is a string with a time of RFC 3339");
}

static bool read_line(struct maker *m)
{
	struct json_text text;

	if (!read_text(m, &text, "a line is a string"))
		return false;
	return text.raw.n == 0 || put_string(m, TAG_LINE, text);
}

/* ["<ns>", "line", {"k":"v"}] */
static bool read_value(struct maker *m)
{
	static bool (*const parts[])(struct maker * m) = { read_nanoseconds, read_line,
		                                           read_metadata };
	const uint8_t *at = m->j.p, *end = at;
	unsigned n = 0;

	if (json_peek(&m->j) != '[')
		return refuse(m, at, "expected an array of timestamp and line");
	json_open(&m->j);
	for (; json_element(&m->j, n == 0); n++) {
		if (n == ARRAY_LEN(parts))
			return refuse(m, m->j.p, "an entry has 2 or 3 elements");
		json_peek(&m->j);
		if (!parts[n](m))
			return false;
		end = m->j.p;
	}
	if (m->keep && n == 2)
		loki_json_keep_short(m, end);
	return !m->j.error && (n >= 2 || refuse(m, at, "an entry has 2 or 3 elements"));
}

static bool name_is(struct json_text name, const char *wanted)
{
	uint8_t local[MEMBER_NAME_MAX];

	if (!name.escaped)
		return bytes_eq(name.raw, bytes_str(wanted));
	return name.raw.n <= sizeof(local) &&
	       bytes_eq(bytes_of(local, json_unescape(name, local)), bytes_str(wanted));
}

/* The next member of an open object: its place in names[], n for any other. One that
 * was seen is refused. */
static bool next_member(struct maker *m, bool first, const char *const *names, unsigned n,
                        unsigned *seen, unsigned *at)
{
	struct json_text name;

	if (!json_member(&m->j, first, &name))
		return false;
	json_peek(&m->j);
	for (*at = 0; *at < n && !name_is(name, names[*at]);)
		++*at;
	if (*at < n && *seen & 1u << *at)
		return refuse(m, m->j.p, "this member comes twice");
	*seen |= *at < n ? 1u << *at : 0;
	return true;
}

static bool is_sound(const struct maker *m)
{
	return !m->why && !m->j.error && !m->full;
}

/* {"ts":"<RFC 3339>","line":".."} */
static bool read_legacy_entry(struct maker *m)
{
	static const char *const names[] = { "ts", "line" };
	const uint8_t *start = m->j.p;
	unsigned seen = 0, at;
	bool first = true, ok = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, start, "expected an object with ts and line");
	json_open(&m->j);
	for (; ok && next_member(m, first, names, ARRAY_LEN(names), &seen, &at); first = false) {
		if (at == 0)
			ok = read_rfc3339(m);
		else if (at == 1)
			ok = read_line(m);
		else
			ok = json_skip(&m->j, m->depth - DEPTH_ENTRY);
	}
	if (!ok || !is_sound(m))
		return false;
	return seen == 3 || refuse(m, start, "an entry has ts and line");
}

static bool read_entries(struct maker *m, uint64_t *count)
{
	bool first = true, ok = true;

	if (json_peek(&m->j) != '[')
		return refuse(m, m->j.p, "expected an array of entries");
	json_open(&m->j);
	m->in_entry = true;
	for (m->entry = 0; ok && json_element(&m->j, first); first = false) {
		uint64_t mended = m->j.mended;
		uint8_t *content;

		m->entry += !first;
		if (json_peek(&m->j) == 'n') {
			ok = json_read_null(&m->j);
			continue;
		}
		content = message_open(m, TAG_ENTRY, USUAL_PREFIX);
		ok = content &&
		     (m->shape == &loki_json_modern ? read_value(m) : read_legacy_entry(m)) &&
		     message_close(m, content, USUAL_PREFIX);
		++*count;
		if (m->keep)
			loki_json_keep_entry_end(m, mended);
	}
	if (!ok || !is_sound(m))
		return false;
	m->in_entry = false;
	return true;
}

/* ---- streams ---- */

static bool read_label_text(struct maker *m)
{
	struct edits *mends = m->j.mends;
	struct json_text text;
	bool ok;

	m->j.mends = NULL; /* it is mended when it is known what of it stays */
	ok = read_text(m, &text, "labels are a string");
	m->j.mends = mends;
	if (ok && m->keep)
		loki_json_keep_text(m, text);
	return ok && put_string(m, TAG_LABELS, text);
}

static bool read_stream(struct maker *m)
{
	const char *const names[] = { m->shape->labels, m->shape->entries };
	size_t prefix = pb_varint_size((uint64_t)(m->j.end - m->j.p));
	const uint8_t *start = m->j.p;
	uint8_t *before = m->p, *content;
	unsigned seen = 0, at;
	uint64_t entries = 0;
	bool first = true, ok = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, start, "expected an object");
	json_open(&m->j);
	content = message_open(m, TAG_STREAM, prefix);
	if (!content)
		return false;
	if (m->keep)
		loki_json_keep_stream(m, start);
	for (; ok && next_member(m, first, names, ARRAY_LEN(names), &seen, &at); first = false) {
		if (at == ARRAY_LEN(names))
			ok = json_skip(&m->j, m->depth - DEPTH_STREAM);
		else if (json_peek(&m->j) == 'n')
			ok = json_read_null(&m->j);
		else if (at == 1)
			ok = read_entries(m, &entries);
		else
			ok = m->shape == &loki_json_modern ? loki_json_labels(m)
			                                   : read_label_text(m);
	}
	if (!ok || !is_sound(m))
		return false;
	if (!seen)
		return refuse(m, start, m->shape->neither);
	if (m->keep)
		loki_json_keep_stream_end(m);
	if (entries)
		return message_close(m, content, prefix);
	m->p = before;
	m->has_stream = true;
	return true;
}

static bool read_null_stream(struct maker *m)
{
	if (m->keep)
		json_splice_begin(&m->keep->streams, m->j.p);
	if (!json_read_null(&m->j))
		return false;
	if (m->keep)
		json_splice_end(&m->keep->streams, m->j.p, false);
	return true;
}

static bool read_streams(struct maker *m)
{
	bool first = true, ok = true;

	if (json_peek(&m->j) == 'n')
		return json_read_null(&m->j);
	if (json_peek(&m->j) != '[')
		return refuse(m, m->j.p, "expected an array of streams");
	json_open(&m->j);
	if (m->keep)
		m->keep->streams = json_splice_of(m->keep->out->edits, m->j.start, m->j.p);
	m->in_stream = true;
	for (m->stream = 0; ok && json_element(&m->j, first); first = false) {
		m->stream += !first;
		ok = json_peek(&m->j) == 'n' ? read_null_stream(m) : read_stream(m);
	}
	if (!ok || !is_sound(m))
		return false;
	if (m->keep)
		json_splice_close(&m->keep->streams, BYTES_NONE);
	m->in_stream = false;
	return true;
}

static bool read_request(struct maker *m)
{
	static const char *const names[] = { "streams" };
	unsigned seen = 0, at;
	bool first = true, ok = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, m->j.p, "expected an object");
	json_open(&m->j);
	for (; ok && next_member(m, first, names, ARRAY_LEN(names), &seen, &at); first = false)
		ok = at == 0 ? read_streams(m) : json_skip(&m->j, m->depth - DEPTH_REQUEST);
	return ok && is_sound(m) && json_end(&m->j);
}

/* "streams[3].values[0]: a line is a string (byte 812)" */
void loki_json_reason(const struct maker *m, char *out, size_t cap)
{
	const char *what = m->why ? m->why : json_error_text(m->j.error);
	const uint8_t *at = m->why ? m->why_at : m->j.error_at;
	char path[100] = "";
	size_t n = 0;

	if (m->in_stream)
		n = (size_t)snprintf(path, sizeof(path), "streams[%llu]",
		                     (unsigned long long)m->stream);
	if (m->in_entry)
		n += (size_t)snprintf(path + n, sizeof(path) - n, ".%s[%llu]", m->shape->entries,
		                      (unsigned long long)m->entry);
	snprintf(out, cap, "%s%s%s (byte %zu)", path, n ? ": " : "", what,
	         (size_t)(at - m->j.start));
}

bool loki_json_read(struct maker *m, const struct shape *shape, const struct enrich_in *in,
                    uint8_t *out, size_t cap, struct keeper *keep)
{
	assert(in->depth > DEPTH_ENTRY);
	*m = (struct maker){ .keep = keep, .depth = in->depth, .shape = shape };
	m->p = keep ? &keep->nothing : out;
	m->end = m->p + cap;
	json_init(&m->j, in->body, in->utf8);
	if (keep && in->utf8 == UTF8_REPAIR)
		m->j.mends = keep->out->edits;
	return read_request(m);
}

static enum transcode transcode(const struct shape *shape, const struct enrich_in *in, uint8_t *out,
                                size_t cap, size_t *n, struct enriched *e)
{
	struct maker m;

	if (!loki_json_read(&m, shape, in, out, cap, NULL)) {
		if (m.full)
			return transcode_room(in, n);
		loki_json_reason(&m, e->reason, sizeof(e->reason));
		return TRANSCODE_INVALID;
	}
	if (m.has_stream && m.p == out) { /* streams, if without entries: not nothing */
		if (cap < 2)
			return transcode_room(in, n);
		*m.p++ = TAG_STREAM;
		*m.p++ = 0;
	}
	*n = (size_t)(m.p - out);
	return TRANSCODE_OK;
}

enum transcode loki_json(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                         struct enriched *e)
{
	return transcode(&loki_json_modern, in, out, cap, n, e);
}

enum transcode loki_json_legacy(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                struct enriched *e)
{
	return transcode(&loki_json_old, in, out, cap, n, e);
}
