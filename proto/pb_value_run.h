/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_value_run.h -- the fast path of values in values, included by pb_run.h once per ISA. It only
 * ever accepts: anything else it leaves to the general path, which judges it from its beginning.
 *
 * A value is nearly always the last field of its message, and that message the last of the one
 * around it. Such a message opens in the place of the one around it, as a tail call does: on the
 * stack is only what goes on behind.
 */

/* Text of a field, UTF-8 or not. */
TARGET static inline bool JOIN(RUN, _text)(const uint8_t *p, size_t n)
{
	if (n > 64)
		return bytes_is_utf8(bytes_of(p, n));
	return n == 0 || likely(HIGH_BITS(p) << (64 - n) == 0) || JOIN(RUN, _utf8)(p, n);
}

#define LENGTH(n)                                                                                  \
	do {                                                                                       \
		field = p;                                                                         \
		(n) = p[1];                                                                        \
		p += 2;                                                                            \
		if (unlikely((n) >= 0x80) && !(p = pb_length_long(field + 1, &(n))))               \
			goto stop;                                                                 \
		if (unlikely((int64_t)(n) > end - p))                                              \
			goto stop;                                                                 \
	} while (0)
#define PUSH(end_, levels_, shape_)                                                                \
	do {                                                                                       \
		top->end = (end_);                                                                 \
		top->levels = (uint32_t)(levels_);                                                 \
		top->shape = (shape_);                                                             \
		top++;                                                                             \
	} while (0)
#define OPEN(inside)                                                                               \
	do {                                                                                       \
		LENGTH(n);                                                                         \
		if (unlikely(levels == 0))                                                         \
			goto stop;                                                                 \
		if (p + n != end)                                                                  \
			PUSH(end, levels, shape);                                                  \
		levels--;                                                                          \
		end = p + n;                                                                       \
		shape = (inside);                                                                  \
	} while (0)
#define TEXT()                                                                                     \
	do {                                                                                       \
		LENGTH(n);                                                                         \
		if (!JOIN(RUN, _text)(p, n))                                                       \
			goto stop;                                                                 \
		p += n;                                                                            \
	} while (0)

/* A message of this shape whose length is at p, with all that is inside: up to `levels` messages in
 * one another. Behind it, or NULL: *stopped is where it was not what it should be. */
TARGET static const uint8_t *JOIN(RUN, _values)(const uint8_t *p, const uint8_t *end,
                                                enum value_shape shape, size_t levels,
                                                const uint8_t **stopped)
{
	struct {
		const uint8_t *end;
		uint32_t levels;
		enum value_shape shape;
	} open[PB_DEPTH_MAX], *top = open;
	const uint8_t *field;
	uint64_t n;

	p--; /* to its tag */
	LENGTH(n);
	end = p + n;
	levels--;
	for (;;) {
		if (p == end) {
			if (top == open)
				return p;
			top--;
			end = top->end;
			levels = top->levels;
			shape = top->shape;
			continue;
		}
		switch (shape) {
		case VALUE_LIST:
			while (p[0] == TAG_VALUES && p[1] < 0x80 && p[1] + 2 <= end - p &&
			       levels >= 2 && JOIN(RUN, _key_value)(p + 2, p[1]))
				p += 2 + p[1];
			if (p == end)
				break;
			field = p;
			if (*p != TAG_VALUES)
				goto stop;
			OPEN(VALUE_PAIR);
			if (p == end)
				break;
			/* fall through */
		case VALUE_PAIR:
			if (*p == TAG_KEY) {
				TEXT();
				if (p == end)
					break;
			}
			/* fall through */
		case VALUE_ARRAY:
			while (p[2] == TAG_STRING && p[1] == p[3] + 2 && shape == VALUE_ARRAY &&
			       p[0] == TAG_VALUES && p[1] < 0x80 && p[1] + 2 <= end - p &&
			       levels >= 1 && JOIN(RUN, _text)(p + 4, p[3]))
				p += 2 + p[1];
			if (p == end)
				break;
			field = p;
			if (*p != (shape == VALUE_PAIR ? TAG_VALUE : TAG_VALUES))
				goto stop;
			OPEN(VALUE_ANY);
			if (p == end)
				break;
			/* fall through */
		case VALUE_ANY:
			while (p[0] == TAG_ARRAY && p[2] == TAG_VALUES && p[1] >= p[3] + 2 &&
			       p[1] < 0x80 && levels >= 2 && p[1] + 2 <= end - p) {
				const uint8_t *array = p + 2 + p[1];

				if (array != end)
					PUSH(end, levels, VALUE_ANY);
				end = p + 4 + p[3];
				if (end != array)
					PUSH(array, levels - 1, VALUE_ARRAY);
				levels -= 2;
				p += 4;
			}
			if (p == end)
				break;
			field = p;
			if (*p == TAG_STRING) {
				TEXT();
			} else if (*p == TAG_ARRAY) {
				OPEN(VALUE_ARRAY);
			} else if (*p == TAG_LIST) {
				OPEN(VALUE_LIST);
			} else if (*p == TAG_INT || *p == TAG_BOOL) {
				p = p[1] < 0x80 ? p + 2 : pb_varint_skip(p + 1);
				if (!p || p > end)
					goto stop;
			} else {
				p += 9;
				if (*field != TAG_DOUBLE || p > end)
					goto stop;
			}
			break;
		}
	}
stop:
	*stopped = field;
	return NULL;
}
#undef LENGTH
#undef PUSH
#undef OPEN
#undef TEXT
