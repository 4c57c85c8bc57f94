/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_read.c -- fields of every shape that protobuf allows; the usual one is inline in pb_read.h.
 */
#include "proto/pb_read.h"

#include "proto/pb_walk.h"

const uint8_t *pb_varint_read(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
	const uint8_t *behind = pb_varint_skip(p);

	if (!behind || behind > end)
		return NULL;
	*v = 0;
	for (unsigned shift = 0; p < behind; shift += 7)
		*v |= (uint64_t)(*p++ & 0x7f) << shift;
	return behind;
}

/* Behind the value at p, or NULL. */
static const uint8_t *value_read(const uint8_t *p, const uint8_t *end, struct pb_field *f)
{
	size_t fixed = 4;
	uint64_t n;

	switch (f->tag & 7) {
	case WIRE_VARINT:
		return pb_varint_read(p, end, &f->value);
	case WIRE_64:
		fixed = 8;
		/* fall through */
	case WIRE_32:
		if (end - p < (ptrdiff_t)fixed)
			return NULL;
		f->value = 0;
		memcpy(&f->value, p, fixed); /* little-endian, as the wire */
		return p + fixed;
	case WIRE_LENGTH:
		f->length_at = p;
		p = pb_length_long(p, &n);
		if (!p || p > end || n > (uint64_t)(end - p))
			return NULL;
		f->bytes = bytes_of(p, n);
		return p + n;
	}
	return NULL;
}

bool pb_next_any(struct pb_cursor *c, struct pb_field *f)
{
	const uint8_t *p;
	enum pb_error error;

	if (c->p == c->end)
		return false;
	f->at = c->p;
	p = pb_tag_long(f->at, &f->tag, &error);
	if (p && p <= c->end && f->tag >> 3 != 0)
		p = value_read(p, c->end, f);
	else
		p = NULL;
	if (!p) {
		c->failed = true;
		c->end = c->p;
		return false;
	}
	f->end = c->p = p;
	return true;
}
