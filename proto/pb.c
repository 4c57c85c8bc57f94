/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb.c -- the walker but for its loop (pb_run.h, compiled here once per ISA): varints, opening and
 * closing of the frames that need more than a push, and the length prefixes above an edit.
 */
#include "proto/pb.h"

#include "common/isa.h"
#include "common/utf8_block.h"
#include "proto/high_bits.h"
#include "proto/pb_walk.h"

#define TOP_BITS UINT64_C(0x8080808080808080)
#define LENGTH_BITS ((UINT64_C(1) << 8 * LENGTH_MAX_BYTES) - 1)

size_t pb_varint_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

size_t pb_varint_write(uint64_t v, uint8_t out[static 10])
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

const uint8_t *pb_varint_skip(const uint8_t *p)
{
	uint64_t word, last;

	if (p[0] < 0x80)
		return p + 1;
	memcpy(&word, p, sizeof(word));
	last = ~word & TOP_BITS; /* the lowest is that of the varint's last byte: little-endian */
	if (last)
		return p + __builtin_ctzll(last) / 8 + 1;
	if (p[8] < 0x80)
		return p + 9;
	return p[9] <= 1 ? p + VARINT_MAX_BYTES : NULL; /* 9 x 7 bits, then one */
}

const uint8_t *pb_length_long(const uint8_t *p, uint64_t *n)
{
	uint64_t word, last;

	memcpy(&word, p, sizeof(word));
	last = ~word & TOP_BITS & LENGTH_BITS;
	if (!last)
		return NULL;
	word &= last ^ (last - 1); /* what is behind it is not its */
	*n = (word & 0x7f) | (word & 0x7f00) >> 1 | (word & 0x7f0000) >> 2 |
	     (word & 0x7f000000) >> 3 | (word & 0x7f00000000) >> 4;
	return p + __builtin_ctzll(last) / 8 + 1;
}

const uint8_t *pb_tag_long(const uint8_t *p, uint32_t *tag, enum pb_error *error)
{
	uint64_t v;

	p = pb_length_long(p, &v); /* the same form: up to 5 bytes */
	if (!p)
		*error = PB_TAG_LONG;
	else if (v >> 3 > FIELD_NUMBER_MAX)
		*error = PB_FIELD_HIGH;
	else {
		*tag = (uint32_t)v;
		return p;
	}
	return NULL;
}

bool pb_fail(struct pb_walk *w, struct pb_frame *f, const uint8_t *field, enum pb_error error,
             unsigned arg)
{
	w->error = error;
	w->error_arg = arg;
	w->error_at = field;
	w->top = f;
	return false;
}

bool pb_fail_tag(struct pb_walk *w, struct pb_frame *f, const uint8_t *field, uint32_t tag)
{
	unsigned wire = tag & 7;

	if (tag >> 3 == 0)
		return pb_fail(w, f, field, PB_FIELD_ZERO, 0);
	if (wire == WIRE_GROUP || wire == WIRE_GROUP_END)
		return pb_fail(w, f, field, PB_GROUP, 0);
	return pb_fail(w, f, field, PB_WIRE_TYPE, wire);
}

/* Slots are taken from the root down, before any edit inside: so the list is born sorted. */
void pb_touch(struct pb_walk *w, struct pb_frame *f)
{
	for (struct pb_frame *g = w->frames + w->touched; g <= f; g++) {
		g->slot = edits_slot(w->edits, pb_offset(w, g->length_at));
		g->closes_slow = true;
	}
	w->touched = max_size(w->touched, (size_t)(f - w->frames) + 1);
}

/* A pair shorter than a name to be removed is none. Repair makes three bytes of one. */
static size_t pair_least(const struct pb_walk *w)
{
	size_t n = w->reserved.n, prefix = w->reserved_prefix.n;

	if (n == 0)
		return SIZE_MAX;
	if (prefix)
		n = min_size(n, prefix);
	return w->utf8 == UTF8_REPAIR ? n / 3 : n;
}

static bool pair_open(struct pb_walk *w, struct pb_frame *parent, struct pb_frame *f)
{
	if ((size_t)(f->end - f->start) < w->pair.least)
		return true;
	/* its edits may be forgotten again; those of the frames around it must stay */
	pb_touch(w, parent);
	w->pair.edits_then = w->edits->n;
	w->pair.unit = f;
	while (w->pair.unit > w->frames && !w->pair.unit->message->is_unit)
		w->pair.unit--;
	w->pair.mends_then = w->pair.unit->mends;
	f->closes_slow = true;
	return !w->edits->failed;
}

/* f was pushed on parent by a field whose role is PB_CHOICE, PB_PAIR or PB_WATCH. False: stop. */
bool pb_open(struct pb_walk *w, struct pb_frame *parent, struct pb_frame *f, uint32_t tag)
{
	switch ((int)f->role) {
	case PB_CHOICE:
		if (parent->choice == 0)
			parent->items_then = w->items;
		else if (parent->choice != tag)
			w->items = parent->items_then; /* another member: the earlier one is gone */
		parent->choice = (uint8_t)tag;
		return true;
	case PB_PAIR:
		return pair_open(w, parent, f);
	case PB_WATCH:
		f->closes_slow = true;
		return w->on_open(w, f);
	}
	assert(!"a role that needs more than a push");
	return false;
}

static void pair_remove(struct pb_walk *w, struct pb_frame *f)
{
	size_t field_bytes = (size_t)(f->end - f->field);

	edits_truncate(w->edits, w->pair.edits_then);
	w->pair.unit->mends = w->pair.mends_then;
	edits_add(w->edits, pb_offset(w, f->field), field_bytes, BYTES_NONE);
	f[-1].growth -= (int64_t)field_bytes;
	w->removed++;
}

static void length_settle(struct pb_walk *w, struct pb_frame *f)
{
	size_t prefix = (size_t)(f->start - f->length_at);
	size_t after = (size_t)((f->end - f->start) + f->growth);

	if (f->growth == 0)
		return; /* the prefix is still true: it stays as it came, padded or not */
	edits_fill_varint(w->edits, f->slot, prefix, after);
	f[-1].growth += f->growth + (int64_t)pb_varint_size(after) - (int64_t)prefix;
}

void pb_close(struct pb_walk *w, struct pb_frame *f)
{
	size_t index = (size_t)(f - w->frames);

	if (f->role == PB_WATCH)
		w->on_close(w, f);
	if (f->is_reserved)
		pair_remove(w, f);
	else if (w->touched > index)
		length_settle(w, f);
	if (f->mends)
		w->repaired++;
	w->touched = min_size(w->touched, index);
}

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* The loop, once per ISA. HIGH_BITS(p): high_bits.h. */
#define TARGET
#define RUN run_scalar
#define HIGH_BITS high_bits_scalar
#define UTF8_SHORT(p, n) bytes_is_utf8(bytes_of(p, n))
#include "proto/pb_run.h"
#undef TARGET
#undef RUN
#undef HIGH_BITS
#undef UTF8_SHORT

#if defined(__x86_64__)
#define TARGET
#define RUN run_sse2
#define HIGH_BITS high_bits_sse2
#define UTF8_SHORT(p, n) utf8_short_sse2(p, n)
#include "proto/pb_run.h"
#undef TARGET
#undef RUN
#undef HIGH_BITS
#undef UTF8_SHORT

#define TARGET TARGET_AVX2
#define RUN run_avx2
#define HIGH_BITS high_bits_avx2
#define UTF8_SHORT(p, n) utf8_short_avx2(p, n)
#include "proto/pb_run.h"
#undef TARGET
#undef RUN
#undef HIGH_BITS
#undef UTF8_SHORT
#endif

static bool run(struct pb_walk *w)
{
	switch (isa_get()) {
#if defined(__x86_64__)
	case ISA_AVX2:
		return run_avx2(w);
	case ISA_SSE2:
		return run_sse2(w);
#else
	case ISA_AVX2:
	case ISA_SSE2:
#endif
	case ISA_COUNT:
	case ISA_SCALAR:
		return run_scalar(w);
	}
	assert(!"an isa");
	return false;
}

void pb_walk_init(struct pb_walk *w, const struct pb_schema *schema, const struct pb_message *root)
{
	memset(w, 0, offsetof(struct pb_walk, frames)); /* frames are written when they open */
	w->schema = schema;
	w->root = root;
}

bool pb_walk_run(struct pb_walk *w)
{
	struct pb_frame *root = &w->frames[0];
	const uint8_t *start = w->body.n ? w->body.p : (const uint8_t *)"";

	assert(w->depth >= 1 && w->depth <= PB_DEPTH_MAX);
	w->body.p = start;
	w->pair.least = pair_least(w);
	w->touched = 1; /* the root has no length prefix */
	*root = (struct pb_frame){ .start = start,
		                   .end = start + w->body.n,
		                   .field = start,
		                   .length_at = start,
		                   .message = w->root,
		                   .slot = EDIT_NONE };
	if (!run(w))
		return false;
	w->repaired += root->mends != 0;
	return true;
}
