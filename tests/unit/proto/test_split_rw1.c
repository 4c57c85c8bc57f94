/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/split_rw1.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/oracle_split.h"

static uint8_t room[8192], wanted[8192];

#define NAMED "0a { 0a { \"__name__\" } 12 { \"up\" } }" /* 16 bytes */
#define SAMPLE(time) "12 { 10 " time " }" /* 4 bytes */
#define SERIES(items) "0a { " NAMED items " }"
#define METADATA(name) "1a { 12 { \"" name "\" } }"

static struct split_done run(const char *text, size_t limit)
{
	return split_run(OF_RW1, hex_bytes(text, room, sizeof(room)), limit);
}

static void expect_parts(const char *text, size_t limit, const char *const *parts)
{
	struct split_done d = run(text, limit);

	cr_assert_eq(d.answer, SPLIT_OK, "%s", text);
	for (size_t i = 0; i < d.parts.n; i++) {
		struct bytes part = hex_bytes(parts[i] ? parts[i] : "", wanted, sizeof(wanted));

		cr_expect(bytes_eq(part, bytes_of(d.out + d.parts.v[i].at, d.parts.v[i].n)),
		          "%s: part %zu", text, i + 1);
	}
	cr_expect(!parts[d.parts.n], "%s: %zu parts", text, d.parts.n);
	split_free(&d);
}

#define PARTS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

Test(split_rw1, series_are_cut_where_the_next_does_not_fit)
{
	expect_parts(SERIES(SAMPLE("01")) SERIES(SAMPLE("02")) SERIES(SAMPLE("03")), 44,
	             PARTS(SERIES(SAMPLE("01")) SERIES(SAMPLE("02")), SERIES(SAMPLE("03"))));
	expect_parts(SERIES(SAMPLE("01")) SERIES(SAMPLE("02")) SERIES(SAMPLE("03")), 43,
	             PARTS(SERIES(SAMPLE("01")), SERIES(SAMPLE("02")), SERIES(SAMPLE("03"))));
}

Test(split_rw1, metadata_is_in_the_first_part)
{
	expect_parts(
		SERIES(SAMPLE("01")) METADATA("up") SERIES(SAMPLE("02")) METADATA("down"), 44,
		PARTS(METADATA("up") METADATA("down") SERIES(SAMPLE("01")), SERIES(SAMPLE("02"))));
}

Test(split_rw1, metadata_that_does_not_fit_the_first_part_fills_the_next)
{
	expect_parts(METADATA("up") METADATA("down") METADATA("left"), 14,
	             PARTS(METADATA("up") METADATA("down"), METADATA("left")));
}

Test(split_rw1, no_series_is_left_out)
{
	struct split_done d = run(SERIES(SAMPLE("01")) SERIES(SAMPLE("02") SAMPLE("03")), 25);

	cr_expect_eq(d.answer, SPLIT_ITEM);
	cr_expect_eq(d.n, 26, "%zu", d.n);
	split_free(&d);
}

Test(split_rw1, series_without_samples_are_no_part_of_their_own)
{
	expect_parts(SERIES("") SERIES(SAMPLE("01")) SERIES(""), 40,
	             PARTS(SERIES("") SERIES(SAMPLE("01"))));
	expect_parts(SERIES(SAMPLE("01")) SERIES("*9( 3a 00 )"), 25, PARTS(SERIES(SAMPLE("01"))));
}

Test(split_rw1, more_parts_than_slices_are_refused)
{
	static const uint8_t series[] = { 0x0a, 0x02, 0x12, 0x00 };
	size_t count = SLICES_MAX + 1;
	uint8_t *value = xcalloc(count, sizeof(series));
	struct split_done d;

	for (size_t i = 0; i < count; i++)
		memcpy(value + i * sizeof(series), series, sizeof(series));
	d = split_run(OF_RW1, bytes_of(value, count * sizeof(series)), 7);
	cr_expect_eq(d.answer, SPLIT_COUNT);
	split_free(&d);
	d = split_run(OF_RW1, bytes_of(value, SLICES_MAX * sizeof(series)), 7);
	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.parts.n, SLICES_MAX);
	split_free(&d);
	free(value);
}
