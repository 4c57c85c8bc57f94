/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_json_private.h -- what the files of Loki JSON share: their state, and the writing of
 * protobuf whose lengths are not known yet. loki_json.c reads the shape, loki_json_labels.c the
 * labels. With a keeper the same reading writes nothing: it judges, counts, and finds the places to
 * edit (loki_json_keep.c).
 */
#pragma once
#include "proto/json.h"
#include "proto/json_splice.h"
#include "proto/loki_labels.h"
#include "proto/pb.h"

enum {
	TAG_LABELS = 0x0a, /* StreamAdapter */
	USUAL_PREFIX = 2, /* bytes of length that most label texts and entries need */
	PREFIX_MAX = 1 + 5, /* a tag and a length */
	MOVE_MAX = 4 * KIB, /* a message up to here is moved down to a minimal prefix */
};

struct shape { /* names of what a stream has */
	const char *labels, *entries;
	const char *neither; /* what is said of a stream without both */
};

struct pair {
	struct json_text name, value;
};
struct pairs { /* the labels of a stream, as JSON has them */
	struct order order; /* of the names, unescaped */
	struct pair v[LABELS_MAX];
	size_t odd_n;
	uint8_t odd[LABELS_ODD_MAX]; /* where such a name is not a slice of the body */
};

struct keeper { /* of a push that stays JSON */
	const struct enrich_in *in;
	struct enriched *out;
	bool into_entries;
	enum verdict verdict; /* V_NONE until something is refused; then the rest is not judged */
	struct json_splice streams;
	uint64_t stored; /* streams that have entries, before the one at hand */
	uint64_t entries; /* of the one at hand, so far */
	uint64_t mended_then; /* strings before it */
	bool has_labels; /* it has: pairs, or a text */
	struct json_text text;
	uint8_t nothing; /* where what is not written would be */
	/* large: written as far as they are used */
	struct pairs pairs;
	struct labels labels;
};

struct maker {
	struct json j;
	struct keeper *keep; /* NULL: protobuf is written */
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

/* Notes the first thing that is wrong, and says false. */
static inline bool refuse(struct maker *m, const uint8_t *at, const char *why)
{
	if (m->why || m->full || m->j.error)
		return false;
	if (at >= m->j.end)
		return json_fail(&m->j, at, JSON_ENDS);
	m->why = why;
	m->why_at = at;
	return false;
}

/* An object of labels, as a label text: sorted, quoted, without empty ones. */
bool loki_json_labels(struct maker *m);
/* The same of pairs that were read before, into `text`, without a prefix. NULL: no room. */
uint8_t *loki_json_labels_write(const struct pairs *pairs, uint8_t *text, size_t cap);
/* Reads a whole push; with a keeper out is not used. False: m says why, or that there was no room.
 */
bool loki_json_read(struct maker *m, const struct shape *shape, const struct enrich_in *in,
                    uint8_t *out, size_t cap, struct keeper *keep);
void loki_json_reason(const struct maker *m, char *out, size_t cap);
extern const struct shape loki_json_modern, loki_json_old; /* of today, and of /api/prom/push */

/* What the keeper is told. mended: strings before a part. */
void loki_json_keep_pair(struct maker *m, struct json_splice *s, struct json_text name,
                         uint64_t mended, bool is_label);
void loki_json_keep_pairs_end(struct maker *m, struct json_splice *s, bool is_label);
void loki_json_keep_text(struct maker *m, struct json_text text); /* not mended yet */
void loki_json_keep_time(struct maker *m, int64_t seconds);
void loki_json_keep_short(struct maker *m, const uint8_t *end); /* an entry without metadata */
void loki_json_keep_entry_end(struct maker *m, uint64_t mended);
void loki_json_keep_stream(struct maker *m, const uint8_t *start);
void loki_json_keep_stream_end(struct maker *m);

static inline bool read_text(struct maker *m, struct json_text *text, const char *otherwise)
{
	if (json_peek(&m->j) != '"')
		return refuse(m, m->j.p, otherwise);
	return json_read_string(&m->j, text);
}

/* ---- writing ---- */

static inline bool room(struct maker *m, size_t n)
{
	if (likely((size_t)(m->end - m->p) >= n))
		return true;
	m->full = true;
	return false;
}

static inline void put_varint(struct maker *m, uint64_t v)
{
	m->p += pb_varint_write(v, m->p);
}

/* The content of a message whose length is not known yet; NULL: no room. */
static inline uint8_t *message_open(struct maker *m, uint8_t tag, size_t prefix)
{
	if (m->keep)
		return m->p;
	if (!room(m, 1 + prefix))
		return NULL;
	*m->p++ = tag;
	return m->p += prefix;
}

/* Closes the prefix of what lies from content on: it is moved, or keeps a padded prefix where
 * moving would cost more than the bytes. */
static inline bool message_close(struct maker *m, uint8_t *content, size_t prefix)
{
	uint64_t n = (uint64_t)(m->p - content);
	size_t k = pb_varint_size(n);
	uint8_t *at;

	if (m->keep)
		return true;
	at = content - prefix;
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
static inline bool put_string(struct maker *m, uint8_t tag, struct json_text text)
{
	uint8_t *content;

	if (m->keep)
		return true;
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
