/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json_private.h -- what the transcoder's files share: its state, and the writing of protobuf.
 * otlp_json.c walks the messages, otlp_json_value.c reads what is no message. With a keeper the
 * same walk writes nothing: it judges, counts, and finds the places to edit (otlp_json_keep.c).
 */
#pragma once
#include "proto/json.h"
#include "proto/json_splice.h"
#include "proto/otlp_json_table.h"
#include "proto/pb.h"

enum {
	WRITE_SLACK = 32, /* room behind every write: tags, lengths, copies in blocks of 16 */
	MOVE_MAX = 4 * KIB, /* a message up to here is moved down to a minimal prefix */
	SHORT_TEXT = 64, /* names of members and of enums, numbers and ids fit */
};

struct level { /* an open message */
	const struct table *table;
	const struct member *member; /* at hand, for reasons; NULL between two */
	uint8_t *content; /* in out, behind the room for its length */
	uint32_t seen, set; /* members met; of those, the ones that are not null */
	uint32_t element; /* number of the message at hand in a list of them */
	bool in_list;
	bool has_scopes;
	uint8_t reserved; /* bytes of that room */
	const uint8_t *legacy; /* where content of an instrumentationLibrary* stands; NULL: none */
	uint64_t mended; /* strings before this message; with a keeper */
};

struct keeper { /* of a body that stays JSON */
	const struct enrich_in *in;
	struct enriched *out;
	uint64_t resources; /* Resource* messages */
	struct json_splice attributes; /* of the Resource at hand */
	const struct level *pair; /* the one of these at hand, if it is not in its usual shape */
	bool is_reserved; /* its name is */
	uint64_t mended_then; /* strings before it */
};

struct transcoder {
	struct json j;
	struct keeper *keep; /* NULL: protobuf is written */
	uint8_t *p, *end; /* of out */
	bool full; /* there was no room */
	bool has_unknown; /* members at the top that no signal has */
	const char *why; /* what is wrong, unless the scanner says it */
	const uint8_t *why_at;
	unsigned depth;
	struct level *top; /* at an error: the level of it */
	struct level levels[PB_DEPTH_MAX];
};

/* Notes the first thing that is wrong, and says false. */
bool otlp_json_refuse(struct transcoder *t, const uint8_t *at, const char *why)
	__attribute__((cold));
/* Reads the value of a member that is no message, and not null; c is its first byte. */
bool otlp_json_scalar(struct transcoder *t, const struct member *m, uint8_t c);
bool otlp_json_check(struct transcoder *t, const struct member *m, uint8_t c); /* with a keeper */
/* A string that is never long: as it stands, or unescaped into `local`; BYTES_NONE for a longer
 * one, which nobody would accept. */
struct bytes otlp_json_short(struct json_text text, uint8_t local[static SHORT_TEXT + 8]);

/* ---- the walk ---- */

/* The whole body as a request of this root; out may be NULL with a keeper. False: t says why. */
bool otlp_json_walk(struct transcoder *t, const struct table *root, const struct enrich_in *in,
                    uint8_t *out, size_t cap, struct keeper *keep);
void otlp_json_reason(const struct transcoder *t, char *out, size_t cap);
/* After a walk of the root of any signal, which said `sound`: finds the signal. False: e->reason
 * says why there is none. */
bool otlp_json_found(const struct transcoder *t, bool sound, struct enriched *e);
const struct tables *otlp_json_tables(void);

/* What the keeper is told: members and elements whose role is more than PB_PLAIN, and the end of
 * messages that are units, or a pair. */
void otlp_json_keep_element(struct transcoder *t, const struct member *m);
void otlp_json_keep_null(struct transcoder *t, const struct member *m, const uint8_t *at,
                         bool in_list);
void otlp_json_keep_list(struct transcoder *t); /* a Resource's attributes begin */
void otlp_json_keep_list_end(struct transcoder *t);
void otlp_json_keep_close(struct transcoder *t, const struct level *l, bool empty);
void otlp_json_keep_name(struct transcoder *t, const struct json_text *name);

/* ---- writing ---- */

static inline bool has_room(const struct transcoder *t, size_t n)
{
	size_t left = (size_t)(t->end - t->p);

	return left >= n && left - n >= WRITE_SLACK;
}

static inline bool room(struct transcoder *t, size_t n)
{
	if (likely(has_room(t, n)))
		return true;
	t->full = true;
	return false;
}

static inline void put_tag(struct transcoder *t, const struct member *m)
{
	t->p[0] = m->tag[0];
	t->p[1] = m->tag[1];
	t->p += m->tag_bytes;
}

static inline void put_varint(struct transcoder *t, uint64_t v)
{
	if (likely(v < 0x80))
		*t->p++ = (uint8_t)v;
	else
		t->p += pb_varint_write(v, t->p);
}

/* Short texts in blocks: room() and BODY_SLACK allow it. */
static inline void put_text(struct transcoder *t, const uint8_t *from, size_t n)
{
	if (likely(n <= 32)) {
		memcpy(t->p, from, 16);
		if (n > 16)
			memcpy(t->p + 16, from + 16, 16);
	} else {
		memcpy(t->p, from, n);
	}
	t->p += n;
}

/* Bytes of prefix for what may be most of the rest of the body. */
static inline unsigned reserve_wide(const struct transcoder *t)
{
	return (unsigned)pb_varint_size((uint64_t)(t->j.end - t->j.p));
}

/* Closes the prefix of what lies from content on; `fixed`: it must not move. */
static inline bool put_length(struct transcoder *t, uint8_t *content, unsigned reserved, bool fixed)
{
	uint64_t n = (uint64_t)(t->p - content);
	uint8_t *at = content - reserved;
	unsigned k;

	if (likely(n < 0x80 && reserved == 1)) {
		*at = (uint8_t)n;
		return true;
	}
	k = (unsigned)pb_varint_size(n);
	if (k > reserved || (k < reserved && n <= MOVE_MAX && !fixed)) {
		if (!room(t, 0))
			return false;
		memmove(at + k, content, n);
		t->p = at + k + n;
		reserved = k;
	}
	for (; reserved > 1; reserved--, n >>= 7)
		*at++ = (uint8_t)(n | 0x80);
	*at = (uint8_t)n;
	return true;
}
