/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_run.h -- the fast path of 1.0, included by remote_write_fast.c once per ISA with
 * TARGET, RUN and HIGH_BITS set.
 */

TARGET static inline bool JOIN(RUN, _is_ascii)(const uint8_t *p, size_t n)
{
	uint64_t high = 0;

	for (; n > 64; n -= 64, p += 64)
		high |= HIGH_BITS(p);
	return (high | HIGH_BITS(p) << (64 - n)) == 0; /* n is 1..64 */
}

/* The texts of labels whose shape is known; lengths of one or two bytes, names below 128. */
TARGET static inline bool JOIN(RUN, _is_utf8)(const uint8_t *p, const uint8_t *end)
{
	while (p != end) {
		size_t field = p[1] < 0x80 ? 2 : 3, name, value;

		name = p[field + 1];
		p += field + 2; /* at the name */
		value = p[name + 1];
		if (!JOIN(RUN, _is_ascii)(p, name) && !bytes_is_utf8(bytes_of(p, name)))
			return false;
		p += name + 2;
		if (value >= 0x80)
			value = (value & 0x7f) | (size_t)*p++ << 7;
		if (value && !JOIN(RUN, _is_ascii)(p, value) && !bytes_is_utf8(bytes_of(p, value)))
			return false;
		p += value;
	}
	return true;
}

/* Labels `0a L 0a n <name> 12 v <value>` in strictly ascending order, so none is there twice, then
 * samples. One long function on purpose: its state lives in registers. */
TARGET static bool RUN(const struct rw *rw, struct bytes series, struct rw_fast *out)
{
	const uint8_t *p = series.p, *const end = p + series.n, *insert = p, *last = p, *name;
	uint64_t key, last_key = 0;
	size_t last_n = 0, field, n, rest, value;
	bool is_named = false;

	if (series.n > FAST_MAX_BYTES)
		return false;
	while (p != end && *p == TAG_V1_LABEL) {
		field = 2 + (size_t)p[1];
		name = p + 4;
		if (unlikely(field >= 2 + 0x80)) {
			if (p[2] >= 0x80)
				return false;
			field = 3 + (p[1] & 0x7f) + ((size_t)p[2] << 7);
			name = p + 5;
		}
		n = name[-1];
		if ((ptrdiff_t)field > end - p || (ptrdiff_t)n + 2 > p + field - name || n == 0 ||
		    n >= 0x80)
			return false;
		rest = (size_t)(p + field - name) - n; /* the value's field */
		value = name[n + 1];
		if (name[-2] != TAG_NAME || name[n] != TAG_VALUE)
			return false;
		if (unlikely(value >= 0x80)) { /* minimal, else it might be 0 */
			if (name[n + 2] == 0 || name[n + 2] >= 0x80)
				return false;
			value = (value & 0x7f) + ((size_t)name[n + 2] << 7) + 1;
		}
		if (value != rest - 2)
			return false;
		key = name_key(name, n);
		if (key <= last_key && (key < last_key || !name_before(last, last_n, name, n)))
			return false;
		p += field;
		if (key == rw->metric_key && n == METRIC_NAME.n) {
			if (value == 0)
				return false;
			is_named = true;
		}
		if (key < rw->stamp_key) {
			insert = p;
		} else if (key == rw->stamp_key) {
			if (bytes_eq(bytes_of(name, n), rw->in->stamp_name))
				return false;
			if (name_compare(bytes_of(name, n), rw->in->stamp_name) < 0)
				insert = p;
		}
		last_key = key;
		last = name;
		last_n = n;
	}
	if (!is_named || !(JOIN(RUN, _is_ascii)(series.p, (size_t)(p - series.p)) ||
	                   JOIN(RUN, _is_utf8)(series.p, p)))
		return false;
	out->samples = 0;
	for (; p != end; p += field) {
		field = 2 + (size_t)p[1];
		if (p[0] != TAG_SAMPLE || (ptrdiff_t)field > end - p || field >= 0x80 ||
		    !sample_fast(p + 2, field - 2))
			return false;
		out->samples++;
	}
	out->insert = insert;
	return true;
}
