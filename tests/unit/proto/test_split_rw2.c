/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/split_rw2.c"

#include <criterion/criterion.h>

#include "common/buf.h"
#include "tests/golden/hex.h"
#include "tests/unit/proto/oracle_split.h"

static uint8_t room[8192], wanted[8192];

static struct split_done run(const char *text, size_t limit)
{
	return split_run(OF_RW2, hex_bytes(text, room, sizeof(room)), limit);
}

static void expect_parts(const char *text, size_t limit, const char *const *parts)
{
	struct split_done d = run(text, limit);

	cr_assert_eq(d.answer, SPLIT_OK, "%s: %zu bytes", text, d.n);
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
#define SYMBOL(text) "22 { \"" text "\" }"
#define SYMBOLS SYMBOL("") SYMBOL("__name__") SYMBOL("up") SYMBOL("a") SYMBOL("b") SYMBOL("down")
#define SAMPLE "12 { 10 01 }"
#define SERIES(refs) "2a { 0a { " refs " } " SAMPLE " }"

Test(split_rw2, a_part_has_the_symbols_of_its_series_and_no_others)
{
	expect_parts(SYMBOLS SERIES("01 02 03 04") SERIES("01 05") SERIES("01 05 04 03"), 49,
	             PARTS(SYMBOL("") SYMBOL("__name__") SYMBOL("up") SYMBOL("a") SYMBOL("b")
	                           SERIES("01 02 03 04"),
	                   SYMBOL("") SYMBOL("__name__") SYMBOL("down") SYMBOL("b") SYMBOL("a")
	                           SERIES("01 02") SERIES("01 02 03 04")));
}

Test(split_rw2, refs_of_exemplars_and_metadata_are_written_anew)
{
	expect_parts(
		SYMBOLS SERIES("01 02") "2a { 22 { 0a { 04 03 } 11 0102030405060708 } 2a { 08 01 "
					"18 05 20 04 } 0a { 01 05 } a2 06 { \"x\" } }",
		70,
		PARTS(SYMBOL("") SYMBOL("__name__") SYMBOL("up") SERIES("01 02"),
	              SYMBOL("") SYMBOL("b") SYMBOL("a") SYMBOL("down")
	                      SYMBOL("__name__") "2a { 22 { 0a { 01 02 } 11 0102030405060708 } 2a "
	                                         "{ 08 01 18 03 20 "
	                                         "01 } 0a { 04 03 } a2 06 { \"x\" } }"));
}

Test(split_rw2, refs_of_any_shape_are_written_anew)
{
	expect_parts(SYMBOLS "2a { 0a { 81 00 } 08 82 80 00 0a {} 0a { 03 04 } " SAMPLE " }", 100,
	             PARTS(SYMBOL("") SYMBOL("__name__") SYMBOL("up") SYMBOL("a") SYMBOL(
			     "b") "2a { 0a { 01 } 08 02 0a {} 0a { 03 04 } " SAMPLE " }"));
}

Test(split_rw2, symbols_behind_the_series_come_first)
{
	expect_parts(
		SERIES("01 02") SYMBOL("") SYMBOL("__name__") SERIES("01 02") SYMBOL("up"), 36,
		PARTS(SYMBOL("") SYMBOL("__name__") SYMBOL("up") SERIES("01 02") SERIES("01 02")));
}

/* The last help_ref counts; enrich() does not look at the others. */
Test(split_rw2, a_ref_out_of_range_that_a_later_one_replaces_is_harmless)
{
	expect_parts(SYMBOLS "2a { 0a { 01 02 } " SAMPLE " 2a { 18 7f 18 03 } }", 100,
	             PARTS(SYMBOL("") SYMBOL("__name__") SYMBOL("up") SYMBOL(
			     "a") "2a { 0a { 01 02 } " SAMPLE " 2a { 18 00 18 03 } }"));
}

Test(split_rw2, what_else_the_request_holds_is_in_each_part)
{
	expect_parts("30 07 " SYMBOLS SERIES("01 02") "a2 06 { \"x\" } " SERIES("01 05"), 40,
	             PARTS("30 07 a2 06 { \"x\" } " SYMBOL("") SYMBOL("__name__") SYMBOL("up")
	                           SERIES("01 02"),
	                   "30 07 a2 06 { \"x\" } " SYMBOL("") SYMBOL("__name__") SYMBOL("down")
	                           SERIES("01 02")));
}

/* 22 00, 22 08 __name__, 22 02 up, 2a 08 ...: 26 bytes */
Test(split_rw2, no_series_is_left_out)
{
	struct split_done d = run(SYMBOLS SERIES("01 02"), 25);

	cr_expect_eq(d.answer, SPLIT_ITEM);
	cr_expect_eq(d.n, 26, "%zu", d.n);
	split_free(&d);
	expect_parts(SYMBOLS SERIES("01 02"), 26,
	             PARTS(SYMBOL("") SYMBOL("__name__") SYMBOL("up") SERIES("01 02")));
}

static void number(char out[8], size_t i)
{
	snprintf(out, 8, "%07zu", i);
}

/* Would take for ever if a part cost as much as all symbols. */
Test(split_rw2, fifty_thousand_parts_of_fifty_thousand_symbols_are_cut_in_one_go)
{
	enum { SERIES_COUNT = 50000 };
	struct split_done d;
	struct buf b;

	buf_init(&b, 16 * MIB);
	buf_add(&b, "\x22\0\x22\x08__name__", 12);
	for (size_t i = 0; i < SERIES_COUNT; i++) {
		char name[8];

		number(name, i);
		buf_add(&b, "\x22\x07", 2);
		buf_add(&b, name, 7);
	}
	for (size_t i = 0; i < SERIES_COUNT; i++) {
		uint8_t ref[10];
		size_t n = pb_varint_write(2 + i, ref);

		buf_char(&b, '\x2a');
		buf_char(&b, (char)(3 + n + 4));
		buf_char(&b, '\x0a');
		buf_char(&b, (char)(1 + n));
		buf_char(&b, 1);
		buf_add(&b, ref, n);
		buf_add(&b, "\x12\x02\x10\x01", 4);
	}
	d = split_run(OF_RW2, buf_view(&b), 40);
	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.parts.n, SERIES_COUNT, "%zu parts", d.parts.n);
	split_free(&d);
	buf_done(&b);
}
