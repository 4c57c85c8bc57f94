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

/* Labels `0a L 0a n <name> 12 v <value>` in strictly ascending order, so none is there twice, then
 * samples. The lengths are read as one byte each before anyone knows that they are: if not, the
 * labels are not ASCII. */
TARGET static bool RUN(const struct rw *rw, struct bytes series, struct rw_fast *out)
{
	const uint8_t *p = series.p, *const end = p + series.n, *insert = p, *last = p, *name;
	uint64_t key, last_key = 0;
	size_t last_n = 0, field, n;
	bool is_named = false;

	if (series.n > FAST_MAX_BYTES)
		return false;
	while (p != end && *p == TAG_V1_LABEL) {
		field = 2 + (size_t)p[1];
		n = p[3];
		name = p + 4;
		if ((ptrdiff_t)field > end - p || n + 6 > field || n == 0)
			return false;
		if (p[2] != TAG_NAME || name[n] != TAG_VALUE || name[n + 1] != field - n - 6)
			return false;
		key = name_key(name, n);
		if (key <= last_key && (key < last_key || !name_before(last, last_n, name, n)))
			return false;
		p += field;
		if (key == rw->metric_key && n == METRIC_NAME.n) {
			if (field == n + 6)
				return false;
			is_named = true;
		}
		if (key < rw->stamp_key)
			insert = p;
		else if (key == rw->stamp_key) {
			if (bytes_eq(bytes_of(name, n), rw->in->stamp_name))
				return false;
			if (name_compare(bytes_of(name, n), rw->in->stamp_name) < 0)
				insert = p;
		}
		last_key = key;
		last = name;
		last_n = n;
	}
	if (!is_named || !JOIN(RUN, _is_ascii)(series.p, (size_t)(p - series.p)))
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
