/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_read.h -- the fields of one message, one level, without a schema: for protocols that judge
 * what the walker cannot know. Bounded as the walker is, so it may go over unchecked bytes too; but
 * that a field has the wire type of its schema, and what is inside, only the walker says.
 */
#pragma once
#include "proto/pb.h"

struct pb_field {
	uint32_t tag; /* number << 3 | wire type */
	const uint8_t *at, *end; /* the whole field */
	const uint8_t *length_at; /* wire type 2: the length prefix, which ends at bytes.p */
	struct bytes bytes; /* wire type 2: the content */
	uint64_t value; /* wire types 0, 1 and 5 */
};

struct pb_cursor {
	const uint8_t *p, *end; /* BODY_SLACK bytes behind end are readable */
	bool failed; /* sticky: what is at p is no field */
};

static inline struct pb_cursor pb_cursor_of(struct bytes message)
{
	return (struct pb_cursor){ .p = message.p, .end = message.p + message.n };
}

/* pb_next() for what is not the usual shape. */
bool pb_next_any(struct pb_cursor *c, struct pb_field *f);

/* The next field; false at the end, and at what is no field (then c->failed). */
static inline bool pb_next(struct pb_cursor *c, struct pb_field *f)
{
	const uint8_t *p = c->p;
	size_t n, head = 2;

	if (p == c->end)
		return false;
	n = p[1];
	if (p[0] >= 0x80 || (p[0] & 7) != 2 || p[0] < 8)
		return pb_next_any(c, f);
	if (n >= 0x80) {
		if (p[2] >= 0x80)
			return pb_next_any(c, f);
		n = (n & 0x7f) | (size_t)p[2] << 7;
		head = 3;
	}
	if ((ptrdiff_t)(head + n) > c->end - p)
		return pb_next_any(c, f);
	f->tag = p[0];
	f->at = p;
	f->length_at = p + 1;
	f->bytes = bytes_of(p + head, n);
	f->end = c->p = p + head + n;
	return true;
}

/* A varint at p, which must end before `end`: behind it, or NULL. */
const uint8_t *pb_varint_read(const uint8_t *p, const uint8_t *end, uint64_t *v);

static inline int64_t pb_zigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
/* sint32: what is above 32 bits is cut, as all decoders do. */
static inline int32_t pb_zigzag32(uint64_t v)
{
	return (int32_t)pb_zigzag((uint32_t)v);
}
static inline double pb_double(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}
