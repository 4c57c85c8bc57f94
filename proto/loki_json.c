/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_json.c -- Loki JSON, the shape of today and that of /api/prom/push, as the protobuf of the
 * same push (protocols.md 6): one pass by the scanner, one function for each bracket of the shape.
 * Stream labels become a label text, sorted; a legacy text is passed on. What the text says, the
 * stamp, counts and repair are loki.c's, in one place for both encodings.
 */
#include "proto/loki.h"

#include <stdio.h>

#include "proto/json.h"
#include "proto/loki_labels.h"
#include "proto/loki_time.h"
#include "proto/pb.h"

enum {
	TAG_STREAM = 0x0a, /* PushRequest */
	TAG_LABELS = 0x0a, /* StreamAdapter */
	TAG_ENTRY = 0x12,
	TAG_TIME = 0x0a, /* EntryAdapter */
	TAG_LINE = 0x12,
	TAG_PAIR = 0x1a,
	TAG_SECONDS = 0x08, /* Timestamp */
	TAG_NANOS = 0x10,
	TAG_NAME = 0x0a, /* LabelPairAdapter */
	TAG_VALUE = 0x12,

	USUAL_PREFIX = 2, /* bytes of length that most label texts and entries need */
	TIME_MAX = 2 + 11 + 6, /* a Timestamp with its prefix */
	PREFIX_MAX = 1 + 5, /* a tag and a length */
	MOVE_MAX = 4 * KIB, /* a message up to here is moved down to a minimal prefix */
	MEMBER_NAME_MAX = 64, /* bytes of a name that is looked at, escaped */
	/* what is open around unknown members, messages as in protobuf */
	DEPTH_REQUEST = 1,
	DEPTH_STREAM = 2,
	DEPTH_ENTRY = 3,
};

struct shape { /* names of what a stream has */
	const char *labels, *entries;
	const char *neither; /* what is said of a stream without both */
};

static const struct shape modern = { "stream", "values", "a stream has stream and values" };
static const struct shape legacy = { "labels", "entries", "a stream has labels and entries" };

struct maker {
	struct json j;
	unsigned depth;
	const struct shape *shape;
	uint8_t *p, *end; /* of out */
	bool full; /* there was no room */
	const char *why; /* what is wrong, unless the scanner says it */
	const uint8_t *why_at;
	bool in_stream, in_entry; /* for reasons */
	uint64_t stream, entry; /* the ones at hand */
	bool has_stream; /* one without entries, if no other */
};

struct pair {
	struct json_text name, value;
};

/* Notes the first thing that is wrong, and says false. */
__attribute__((cold)) static bool refuse(struct maker *m, const uint8_t *at, const char *why)
{
	if (m->why || m->full || m->j.error)
		return false;
	if (at >= m->j.end)
		return json_fail(&m->j, at, JSON_ENDS);
	m->why = why;
	m->why_at = at;
	return false;
}

/* ---- writing ---- */

static bool room(struct maker *m, size_t n)
{
	if (likely((size_t)(m->end - m->p) >= n))
		return true;
	m->full = true;
	return false;
}

static void put_varint(struct maker *m, uint64_t v)
{
	m->p += pb_varint_write(v, m->p);
}

/* The content of a message whose length is not known yet; NULL: no room. */
static uint8_t *message_open(struct maker *m, uint8_t tag, size_t prefix)
{
	if (!room(m, 1 + prefix))
		return NULL;
	*m->p++ = tag;
	return m->p += prefix;
}

/* Closes the prefix of what lies from content on: it is moved, or keeps a padded prefix where
 * moving would cost more than the bytes. */
static bool message_close(struct maker *m, uint8_t *content, size_t prefix)
{
	uint64_t n = (uint64_t)(m->p - content);
	uint8_t *at = content - prefix;
	size_t k = pb_varint_size(n);

	if (k > prefix || (k < prefix && n <= MOVE_MAX)) {
		if (k > prefix && !room(m, k - prefix))
			return false;
		memmove(at + k, content, n);
		m->p = at + k + n;
		prefix = k;
	}
	for (; prefix > 1; prefix--, n >>= 7)
		*at++ = (uint8_t)(n | 0x80);
	*at = (uint8_t)n;
	return true;
}

/* The text is at most as long as it is written. */
static bool put_string(struct maker *m, uint8_t tag, struct json_text text)
{
	uint8_t *content;

	if (!room(m, PREFIX_MAX + text.raw.n))
		return false;
	if (!text.escaped) {
		*m->p++ = tag;
		put_varint(m, text.raw.n);
		m->p = mempcpy(m->p, text.raw.p, text.raw.n);
		return true;
	}
	content = message_open(m, tag, pb_varint_size(text.raw.n));
	m->p += json_unescape(text, m->p);
	return message_close(m, content, pb_varint_size(text.raw.n));
}

static bool put_time(struct maker *m, int64_t seconds, uint32_t nanos)
{
	uint8_t *content;

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

/* ---- labels ---- */

/* name="value": a bare name stays as it is, all else is quoted. */
static bool put_quoted(struct maker *m, struct json_text text, bool may_be_bare)
{
	size_t n, growth;

	if (!room(m, text.raw.n))
		return false;
	n = json_unescape(text, m->p);
	if (may_be_bare && label_is_bare(bytes_of(m->p, n))) {
		m->p += n;
		return true;
	}
	growth = label_quote_growth(m->p, n);
	if (!room(m, n + growth + 2))
		return false;
	m->p = label_quote(m->p, n, growth);
	return true;
}

static struct bytes name_of(struct json_text name, uint8_t local[static LABEL_NAME_MAX])
{
	return name.escaped ? bytes_of(local, json_unescape(name, local)) : name.raw;
}

static int by_name(const void *all, unsigned a, unsigned b)
{
	const struct pair *v = all;
	uint8_t local_a[LABEL_NAME_MAX], local_b[LABEL_NAME_MAX];
	struct bytes na = name_of(v[a].name, local_a), nb = name_of(v[b].name, local_b);
	int d = memcmp(na.p, nb.p, min_size(na.n, nb.n));

	return d ? d : (na.n > nb.n) - (na.n < nb.n);
}

/* An empty value means no label. A name that comes twice is written twice: loki.c refuses it in
 * Loki's words. */
static bool put_labels(struct maker *m, const struct pair *pairs, const struct order *order)
{
	uint8_t *content = message_open(m, TAG_LABELS, USUAL_PREFIX);
	bool first = true;

	if (!content || !room(m, 1))
		return false;
	*m->p++ = '{';
	for (unsigned i = 0; i < order->n; i++) {
		const struct pair *pair = &pairs[order->list[i]];

		if (!pair->value.raw.n)
			continue;
		if (!room(m, 2))
			return false;
		if (!first)
			m->p = mempcpy(m->p, ", ", 2);
		first = false;
		if (!put_quoted(m, pair->name, true) || !room(m, 1))
			return false;
		*m->p++ = '=';
		if (!put_quoted(m, pair->value, false))
			return false;
	}
	if (!room(m, 1))
		return false;
	*m->p++ = '}';
	return message_close(m, content, USUAL_PREFIX);
}

static bool read_text(struct maker *m, struct json_text *text, const char *otherwise)
{
	if (json_peek(&m->j) != '"')
		return refuse(m, m->j.p, otherwise);
	return json_read_string(&m->j, text);
}

/* Labels wait in order[] until all are seen. */
static bool read_labels(struct maker *m)
{
	struct pair pairs[LABELS_MAX];
	struct order order;
	bool first = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, m->j.p, "expected an object of labels");
	json_open(&m->j);
	for (order.n = 0;; first = false) {
		struct pair *pair = &pairs[order.n];
		const uint8_t *at = m->j.p;

		if (order.n == LABELS_MAX) {
			if (json_peek(&m->j) != '}')
				return refuse(m, at, "more than 1024 labels");
			json_open(&m->j);
			break;
		}
		if (!json_member(&m->j, first, &pair->name))
			break;
		if (pair->name.raw.n > LABEL_NAME_MAX)
			return refuse(m, at, "a label name of more than 1024 bytes");
		if (!read_text(m, &pair->value, "the value of a label is a string"))
			return false;
		order_add(&order, order.n, true, by_name, pairs);
	}
	return !m->j.error && put_labels(m, pairs, &order);
}

static bool read_label_text(struct maker *m)
{
	struct json_text text;

	return read_text(m, &text, "labels are a string") && put_string(m, TAG_LABELS, text);
}

/* ---- entries ---- */

static bool read_metadata(struct maker *m)
{
	struct json_text name, value;
	bool first = true;

	if (json_peek(&m->j) != '{')
		return refuse(m, m->j.p, "structured metadata is an object");
	json_open(&m->j);
	for (; json_member(&m->j, first, &name); first = false) {
		uint8_t *content;

		if (!read_text(m, &value, "the value of structured metadata is a string"))
			return false;
		content = message_open(m, TAG_PAIR, 1);
		if (!content || !put_string(m, TAG_NAME, name) ||
		    !put_string(m, TAG_VALUE, value) || !message_close(m, content, 1))
			return false;
	}
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
	const uint8_t *at = m->j.p;
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
	}
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
		uint8_t *content;

		m->entry += !first;
		if (json_peek(&m->j) == 'n') {
			ok = json_read_null(&m->j);
			continue;
		}
		content = message_open(m, TAG_ENTRY, USUAL_PREFIX);
		ok = content && (m->shape == &modern ? read_value(m) : read_legacy_entry(m)) &&
		     message_close(m, content, USUAL_PREFIX);
		++*count;
	}
	if (!ok || !is_sound(m))
		return false;
	m->in_entry = false;
	return true;
}

/* ---- streams ---- */

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
	for (; ok && next_member(m, first, names, ARRAY_LEN(names), &seen, &at); first = false) {
		if (at == ARRAY_LEN(names))
			ok = json_skip(&m->j, m->depth - DEPTH_STREAM);
		else if (json_peek(&m->j) == 'n')
			ok = json_read_null(&m->j);
		else if (at == 1)
			ok = read_entries(m, &entries);
		else
			ok = m->shape == &modern ? read_labels(m) : read_label_text(m);
	}
	if (!ok || !is_sound(m))
		return false;
	if (!seen)
		return refuse(m, start, m->shape->neither);
	if (entries)
		return message_close(m, content, prefix);
	m->p = before;
	m->has_stream = true;
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
	m->in_stream = true;
	for (m->stream = 0; ok && json_element(&m->j, first); first = false) {
		m->stream += !first;
		ok = json_peek(&m->j) == 'n' ? json_read_null(&m->j) : read_stream(m);
	}
	if (!ok || !is_sound(m))
		return false;
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
static void reason(const struct maker *m, char *out, size_t cap)
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

static enum transcode transcode(const struct shape *shape, const struct enrich_in *in, uint8_t *out,
                                size_t cap, size_t *n, struct enriched *e)
{
	struct maker m = { .depth = in->depth, .shape = shape, .p = out, .end = out + cap };

	assert(in->depth > DEPTH_ENTRY);
	json_init(&m.j, in->body, in->utf8);
	if (!read_request(&m)) {
		if (m.full)
			return TRANSCODE_ROOM;
		reason(&m, e->reason, sizeof(e->reason));
		return TRANSCODE_INVALID;
	}
	if (m.has_stream && m.p == out) { /* streams, if without entries: not nothing */
		if (cap < 2)
			return TRANSCODE_ROOM;
		*m.p++ = TAG_STREAM;
		*m.p++ = 0;
	}
	*n = (size_t)(m.p - out);
	return TRANSCODE_OK;
}

enum transcode loki_json(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                         struct enriched *e)
{
	return transcode(&modern, in, out, cap, n, e);
}

enum transcode loki_json_legacy(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                struct enriched *e)
{
	return transcode(&legacy, in, out, cap, n, e);
}
