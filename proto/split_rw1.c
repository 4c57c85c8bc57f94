/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split_rw1.c -- a request of remote_write 1.0 cut between its fields: first the metadata, then the
 * series, each whole and as it is (records.md 1.3). enrich() has removed what is neither. Nothing
 * encloses them, so a part is its fields and no more. Called by the produce stage.
 */
#include "proto/split.h"

#include "proto/remote_write_private.h"

struct rw1 {
	const struct split_in *in;
	struct slices *parts;
	uint8_t *out;
	size_t cap;
	size_t n; /* bytes of the parts before that at hand */
	size_t bytes; /* in that */
	uint64_t items;
};

static uint64_t items_of(const struct pb_field *f)
{
	struct pb_cursor c = pb_cursor_of(f->bytes);
	uint64_t items = 0;
	struct pb_field in;

	if (f->tag == TAG_V1_METADATA)
		return 1;
	while (pb_next(&c, &in))
		items += in.tag == TAG_SAMPLE || in.tag == TAG_V1_EXEMPLAR ||
		         in.tag == TAG_V1_HISTOGRAM;
	return items;
}

/* Series without items alone are no part: there is nothing to store. */
static bool part_end(struct rw1 *s)
{
	bool room = !s->items || slices_add(s->parts, s->n, s->bytes, s->items);

	s->n += s->items ? s->bytes : 0;
	s->bytes = 0;
	s->items = 0;
	return room;
}

static enum split field_add(struct rw1 *s, const struct pb_field *f, size_t *n)
{
	size_t bytes = (size_t)(f->end - f->at);
	uint64_t items = items_of(f);

	if (bytes > s->in->limit) {
		*n = bytes;
		return items ? SPLIT_ITEM : SPLIT_OK;
	}
	if (s->bytes + bytes > s->in->limit && !part_end(s))
		return SPLIT_COUNT;
	if (s->n + s->bytes + bytes <= s->cap)
		memcpy(s->out + s->n + s->bytes, f->at, bytes);
	s->bytes += bytes;
	s->items += items;
	return SPLIT_OK;
}

enum split split_rw1(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                     struct slices *parts, uint64_t *rejected)
{
	static const uint32_t order[] = { TAG_V1_METADATA, TAG_V1_SERIES };
	struct rw1 s = { .in = in, .parts = parts, .out = out, .cap = cap };
	struct pb_field f;

	parts->n = 0;
	*rejected = 0;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct pb_cursor c = pb_cursor_of(in->value);

		while (pb_next(&c, &f)) {
			enum split answer = f.tag == order[i] ? field_add(&s, &f, n) : SPLIT_OK;

			if (answer != SPLIT_OK)
				return answer;
		}
	}
	if (!part_end(&s))
		return SPLIT_COUNT;
	*n = parts->n ? s.n : in->value.n;
	return !parts->n ? SPLIT_ITEM : s.n > cap ? SPLIT_ROOM : SPLIT_OK;
}
