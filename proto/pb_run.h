/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_run.h -- the walker's loop, included by pb.c once per ISA with TARGET, RUN, HIGH_BITS and
 * UTF8_SHORT set. One turn is one field. Bytes are read before they are compared with the end of
 * their message: at most 64 past it, which is why every body has BODY_SLACK.
 */

/* Apart from the loop, whose registers it would take. */
TARGET static __attribute__((noinline)) bool JOIN(RUN, _utf8)(const uint8_t *p, size_t n)
{
	return UTF8_SHORT(p, n);
}

/* {string key 1, AnyValue value 2} in its usual shape, all lengths in one byte and all text UTF-8:
 * 0a k <key> 12 v, then 0a s <text>, 18 <int>, 10 <bool> or 21 <double>. q points behind the length
 * n. Anything else says false and takes the general path, which gives the same answer. Texts that
 * are not ASCII are looked at with all that is between them, which is: a character cut off at the
 * end of one shows. Numbers take the fast path only behind an ASCII key. */
TARGET static ALWAYS_INLINE bool JOIN(RUN, _key_value)(const uint8_t *q, size_t n)
{
	size_t key = q[1], value;
	const uint8_t *v;
	uint64_t high;

	if (q[0] != TAG_KEY || key + 6 > n)
		return false;
	v = q + 2 + key;
	value = n - 5 - key; /* bytes behind the value's tag */
	if (v[0] != TAG_VALUE || v[1] != value + 1)
		return false;
	if (n > 64) { /* text only: the bits of 127 bytes, of all but the last block in full */
		high = HIGH_BITS(q) | HIGH_BITS(q + 64) << (128 - n);
		return v[2] == TAG_STRING && v[3] == value - 1 &&
		       (likely(high == 0) || JOIN(RUN, _utf8)(q, n));
	}
	high = HIGH_BITS(q) << (64 - n); /* bit 64 - n is q[0] */
	switch (v[2]) {
	case TAG_STRING:
		return v[3] == value - 1 && (likely(high == 0) || JOIN(RUN, _utf8)(q, n));
	case TAG_BOOL:
	case TAG_INT: /* a varint: all but its last byte have the top bit */
		return value <= 9 && high == ((UINT64_C(1) << (value - 1)) - 1) << (64 - value);
	case TAG_DOUBLE:
		return value == 8 && high << 8 == 0;
	}
	return false;
}

#include "proto/pb_value_run.h"

/* A packed list of varints, exactly n bytes: each ends, and is no longer than a varint may be. */
TARGET static inline bool JOIN(RUN, _packed)(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;

	while (p && p < end) {
		uint64_t high, run;

		if (end - p < 64) {
			p = pb_varint_skip(p);
			continue;
		}
		high = HIGH_BITS(p);
		run = high & high >> 1;
		run &= run >> 2;
		run &= run >> 4;
		if (run) /* eight in a row: it may be too long */
			p = pb_varint_skip(p);
		else /* to behind the last one that ends here */
			p += 64 - __builtin_clzll(~high);
	}
	return p == end;
}

#define FAIL(error, arg) return pb_fail(w, f, field, (error), (arg))
/* Reads a length of the field at hand into n and checks it against the message. */
#define LENGTH(n)                                                                                  \
	do {                                                                                       \
		length_at = p;                                                                     \
		(n) = *p++;                                                                        \
		if ((n) >= 0x80) {                                                                 \
			if (likely(*p < 0x80)) {                                                   \
				(n) = ((n)&0x7f) | (uint64_t)*p++ << 7;                            \
			} else {                                                                   \
				p = pb_length_long(length_at, &(n));                               \
				if (!p)                                                            \
					FAIL(end - length_at < LENGTH_MAX_BYTES ? PB_TRUNCATED     \
					                                        : PB_LENGTH_LONG,  \
					     0);                                                   \
			}                                                                          \
		}                                                                                  \
		if (unlikely((int64_t)(n) > end - p))                                              \
			FAIL(p > end ? PB_TRUNCATED : PB_LENGTH_PAST, 0);                          \
	} while (0)

/* One long function on purpose: its state lives in registers, and each case is a few lines. */
TARGET static bool RUN(struct pb_walk *w)
{
	struct pb_frame *f = w->frames, *const limit = f + w->depth;
	struct pb_frame *const fast_limit = w->exact || w->depth < 3 ? f : limit - 2;
	struct pb_frame *const value_limit = w->exact ? f : limit - 1;
	const struct pb_op *ops = f->message->ops, *op;
	const uint8_t *p = f->start, *end = f->end, *field, *length_at;
	const uint8_t *stopped = p - 1; /* where the fast path gave up last: not again before it */
	const size_t short_pair = min_size(w->pair.least, 0x80); /* never one to be removed */
	enum pb_error error;
	uint32_t tag;
	uint64_t n;

	for (;;) {
		if (p == end) {
			if (unlikely(f->closes_slow))
				pb_close(w, f);
			if (f == w->frames)
				return true;
			f--;
			end = f->end;
			ops = f->message->ops;
			continue;
		}
		field = p;
		tag = *p++;
		if (tag >= 0x80) {
			if (likely(*p < 0x80)) {
				tag = (tag & 0x7f) | (uint32_t)*p++ << 7;
			} else if (!(p = pb_tag_long(field, &tag, &error))) {
				FAIL(end - field < TAG_MAX_BYTES ? PB_TRUNCATED : error, 0);
			}
			if (p > end)
				FAIL(PB_TRUNCATED, 0);
		}
		op = likely(tag < PB_TAGS) ? ops + tag : &pb_unknown[tag & 7];
		switch ((enum pb_kind)op->kind) {
		case KIND_BAD:
			return pb_fail_tag(w, f, field, tag);
		case KIND_VARINT:
			if (likely(*p < 0x80)) {
				p++;
			} else {
				length_at = p;
				p = pb_varint_skip(p);
				if (!p)
					FAIL(end - length_at < VARINT_MAX_BYTES ? PB_TRUNCATED
					                                        : PB_VARINT_LONG,
					     0);
			}
			if (unlikely(p > end))
				FAIL(PB_TRUNCATED, 0);
			break;
		case KIND_FIXED64:
			if (unlikely(end - p < 8))
				FAIL(PB_TRUNCATED, 0);
			p += 8;
			break;
		case KIND_FIXED32:
			if (unlikely(end - p < 4))
				FAIL(PB_TRUNCATED, 0);
			p += 4;
			break;
		case KIND_BYTES:
			LENGTH(n);
			p += n;
			break;
		case KIND_ID:
			LENGTH(n);
			if (unlikely(n != op->arg && n != 0))
				FAIL(PB_ID_LENGTH, op->arg);
			p += n;
			break;
		case KIND_STRING:
			LENGTH(n);
			if (!JOIN(RUN, _text)(p, n) &&
			    !pb_text(w, f, field, length_at, bytes_of(p, n)))
				return false;
			if (op->role == PB_NAME && f->role == PB_PAIR && w->reserved.n)
				f->is_reserved = pb_is_reserved(w, bytes_of(p, n));
			p += n;
			break;
		case KIND_KEY_VALUE:
			while (*p < 0x80 && end - p > *p && f < fast_limit &&
			       JOIN(RUN, _key_value)(p + 1, *p)) {
				if (op->role == PB_PAIR &&
				    (w->reserved_prefix.n
				             ? pb_is_reserved(w, bytes_of(p + 3, p[2]))
				             : bytes_eq(bytes_of(p + 3, p[2]), w->reserved)))
					break; /* to be removed */
				p += 1 + *p;
				if (p == end || *p != tag)
					goto next;
				field = p++;
			}
			/* fall through */
		case KIND_VALUE:
			if (f < value_limit && p > stopped && *p &&
			    (op->role == PB_PLAIN || (op->role == PB_PAIR && *p < short_pair))) {
				const uint8_t *behind = JOIN(RUN, _values)(
					p, end, op->kind == KIND_VALUE ? VALUE_ANY : VALUE_PAIR,
					(size_t)(value_limit - f), &stopped);

				if (behind) {
					p = behind;
					break;
				}
			}
			/* fall through */
		case KIND_MESSAGE:
			LENGTH(n);
			if (unlikely(f + 1 == limit))
				FAIL(PB_DEPTH, w->depth);
			w->items += op->role == PB_ITEM;
			if (n == 0 && (op->role < PB_CHOICE || op->role == PB_PAIR))
				break; /* nothing to come back to */
			f++;
			f->start = p;
			f->end = p + n;
			f->field = field;
			f->length_at = length_at;
			f->message = &w->schema->messages[op->child];
			f->growth = 0;
			f->slot = EDIT_NONE;
			f->mends = 0;
			f->choice = 0;
			f->role = op->role;
			f->watch = op->arg;
			f->is_reserved = false;
			f->closes_slow = false;
			if (unlikely(op->role >= PB_CHOICE) && !pb_open(w, f - 1, f, tag))
				FAIL(PB_STOPPED, 0);
			end = f->end;
			ops = f->message->ops;
			break;
		case KIND_PACKED_VARINT:
			LENGTH(n);
			if (!JOIN(RUN, _packed)(p, n))
				FAIL(PB_PACKED_VARINT, 0);
			p += n;
			break;
		case KIND_PACKED_64:
		case KIND_PACKED_32:
			LENGTH(n);
			if (n % (op->kind == KIND_PACKED_64 ? 8 : 4))
				FAIL(PB_PACKED, op->kind == KIND_PACKED_64 ? 8 : 4);
			p += n;
			break;
		}
	next:;
	}
}
#undef FAIL
#undef LENGTH
