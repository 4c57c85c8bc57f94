/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bounds.c -- what one body may make a worker do, counted, not timed: elements that say
 * nothing take two bytes, so 64 MiB would hold 32 million of them (B20, B25 of performance.md).
 */
#include <criterion/criterion.h>

#include "tests/unit/proto/enrich.h"
#include "tests/unit/proto/enrich_loki.h"
#include "tests/unit/proto/enrich_rw.h"

enum { FREE = 65536 }; /* elements that any body may have; one more for 8 bytes of it */

struct body {
	uint8_t *p; /* heap */
	size_t n;
};

/* head, its last LENGTH_BYTES the length of what follows: n times the same. */
enum { LENGTH_BYTES = 4 };
static struct body body_of(struct bytes head, bool has_length, const char *each, size_t each_n,
                           size_t n)
{
	struct body b = { .p = xcalloc(head.n + n * each_n, 1), .n = head.n };
	size_t length = n * each_n;

	if (head.n)
		memcpy(b.p, head.p, head.n);
	for (size_t i = 0; i < n; i++, b.n += each_n)
		memcpy(b.p + b.n, each, each_n);
	for (size_t i = 0; has_length && i < LENGTH_BYTES; i++, length >>= 7)
		b.p[head.n - LENGTH_BYTES + i] =
			(uint8_t)((length & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
	return b;
}

static void expect_v1(struct bytes head, const char *each, size_t each_n, size_t n, bool holds,
                      uint64_t items)
{
	struct rw_settings s = { .version = 1 };
	struct body b = body_of(head, head.n > 0, each, each_n, n);
	struct rw_outcome o;

	/* the series around them, and what is in front of them in it */
	if (head.n) {
		size_t length = b.n - 1 - LENGTH_BYTES;

		for (size_t i = 0; i < LENGTH_BYTES; i++, length >>= 7)
			b.p[1 + i] = (uint8_t)((length & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
		memcpy(b.p + 1 + LENGTH_BYTES, head.p + 1 + LENGTH_BYTES,
		       head.n - 1 - LENGTH_BYTES);
	}
	o = rw_all(s, bytes_of(b.p, b.n));
	cr_expect_eq(o.verdict, holds ? V_ACCEPTED : V_COUNT, "%zu: %d", n, (int)o.verdict);
	if (holds) {
		cr_expect_eq(o.e.items, items);
	} else {
		cr_expect_str_eq(o.e.counted_what, "items");
		cr_expect_eq(o.e.count_limit, FREE + b.n / 8);
	}
	rw_outcome_done(&o);
	free(b.p);
}

#define SERIES BYTES("\x0a\0\0\0\0\x0a\x0d\x0a\x08__name__\x12\x01x")

Test(bounds, items_of_remote_write_that_say_nothing)
{
	/* n items of 2 bytes in a body of 2 n + 20: n may be 4/3 of what is free */
	const size_t most = FREE * 4 / 3;

	expect_v1(SERIES, "\x12\0", 2, most, true, most);
	expect_v1(SERIES, "\x12\0", 2, most + 8, false, 0);
	expect_v1(SERIES, "\x1a\0", 2, most, true, most);
	expect_v1(SERIES, "\x1a\0", 2, most + 8, false, 0);
	expect_v1(SERIES, "\x22\0", 2, FREE * 4 / 7, true,
	          FREE * 4 / 7); /* histograms count twice */
	expect_v1(SERIES, "\x22\0", 2, FREE * 4 / 7 + 8, false, 0);
	expect_v1(BYTES_NONE, "\x1a\0", 2, most, true, most);
	expect_v1(BYTES_NONE, "\x1a\0", 2, most + 8, false, 0);
}

Test(bounds, items_of_remote_write_that_say_something_are_no_fewer_than_the_body_holds)
{
	static const char sample[] = "\x12\x10\x09\0\0\0\0\0\0\0\0\x10\x80\x80\x80\x80\x80\x01";

	expect_v1(SERIES, sample, sizeof(sample) - 1, 4 * FREE, true, 4 * FREE);
	expect_v1(BYTES_NONE, "\x1a\6\x08\1\x12\2ok", 8, 4 * FREE, true, 4 * FREE);
}

Test(bounds, items_of_remote_write_2)
{
	static const char series[] = "\x2a\x0a\x0a\2\1\2\x12\0\x12\0\x12\0"; /* the fast path's */
	struct rw_settings s = { .version = 2 };
	/* 3 items for 12 bytes: 3 n <= what is free + 12 n / 8 */
	const size_t most = FREE * 2 / 3;

	for (size_t n = most; n <= most + 8; n += 8) {
		struct body b = body_of(BYTES("\x22\0\x22\x08__name__\x22\1x"), false, series,
		                        sizeof(series) - 1, n);
		struct rw_outcome o;

		o = rw_all(s, bytes_of(b.p, b.n));
		cr_expect_eq(o.verdict, n == most ? V_ACCEPTED : V_COUNT, "%d %s", (int)o.verdict,
		             o.e.reason);
		rw_outcome_done(&o);
		free(b.p);
	}
}

static void expect_loki(struct bytes head, const char *each, size_t each_n, size_t n, bool stamp,
                        enum verdict wanted)
{
	struct loki_settings s = { .form = LOKI_PROTOBUF, .stamp = stamp };
	struct body b = body_of(head, false, each, each_n, n);
	struct loki_outcome o;

	if (head.n) { /* one stream, and what is open in it, until the end */
		size_t at = 1, length;

		for (size_t from = 0; from + 1 + LENGTH_BYTES <= head.n;
		     from = at + LENGTH_BYTES + 9) {
			at = from + 1;
			length = b.n - at - LENGTH_BYTES;
			for (size_t i = 0; i < LENGTH_BYTES; i++, length >>= 7)
				b.p[at + i] = (uint8_t)((length & 0x7f) |
				                        (i + 1 < LENGTH_BYTES ? 0x80 : 0));
		}
	}
	o = loki_all(s, bytes_of(b.p, b.n));
	cr_expect_eq(o.verdict, wanted, "%zu: %d %s", n, (int)o.verdict, o.e.reason);
	if (o.verdict == V_COUNT)
		cr_expect_str_eq(o.e.counted_what, "streams, entries and pairs");
	loki_outcome_done(&o);
	free(b.p);
}

#define STREAM "\x0a\0\0\0\0\x0a\x07{a=\"b\"}"

Test(bounds, parts_of_a_loki_push_that_say_nothing)
{
	const struct bytes stream = BYTES(STREAM), entry = BYTES(STREAM "\x12\0\0\0\0");
	const size_t most = FREE * 4 / 3;

	expect_loki(stream, "\x12\0", 2, most, false, V_ACCEPTED);
	expect_loki(stream, "\x12\0", 2, most + 8, false, V_COUNT);
	expect_loki(stream, "\x12\2\x0a\0", 4, 2 * FREE - 2, false, V_ACCEPTED); /* a time each */
	expect_loki(entry, "\x1a\0", 2, most, false, V_ACCEPTED);
	expect_loki(entry, "\x1a\0", 2, most + 8, false, V_COUNT);
	expect_loki(entry, "\x0a\0", 2, most, false, V_ACCEPTED);
	expect_loki(entry, "\x0a\0", 2, most + 8, false, V_COUNT);
	expect_loki(BYTES_NONE, "\x0a\0", 2, most, false, V_EMPTY);
	expect_loki(BYTES_NONE, "\x0a\0", 2, most + 8, false, V_COUNT);
}

/* It held a worker for half a second: the list of edits was full, and nobody looked. */
Test(bounds, resources_of_one_envelope_stop_where_the_edits_do)
{
	struct body b = body_of(BYTES("\x0a\0\0\0\0"), true, "\x0a\0", 2, EDITS_MAX + 1000);
	struct outcome o;

	b.p[b.n - 2] = 0x07; /* no field: nobody gets there */
	o = enrich_all(settings_of(SIGNAL_TRACES), bytes_of(b.p, b.n));
	cr_expect_eq(o.verdict, V_COUNT, "%d %s", (int)o.verdict, o.e.reason);
	cr_expect_str_eq(o.e.counted_what, "edits");
	outcome_done(&o);
	free(b.p);
}
