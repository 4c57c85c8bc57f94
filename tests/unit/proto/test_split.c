/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/split.c"

#include <criterion/criterion.h>

#include "common/buf.h"
#include "tests/golden/hex.h"
#include "tests/unit/proto/oracle_split.h"
#include "tests/unit/proto/random_message.h"

enum { SMALL = 900 };

static uint8_t room[8192], wanted[8192];

/* ---- any message ---- */

/* With minimal lengths and no default written, so that sizes can be told from trees. */
static uint8_t *repacked(enum split_kind kind, struct bytes value, size_t *n)
{
	ProtobufCMessage *m = split_unpack(kind, value);
	uint8_t *packed = oracle_pack(m, n);

	protobuf_c_message_free_unpacked(m, &sized);
	return packed;
}

/* Of a repacked value: exactly those items are left out that alone are over the limit. */
static void expect_left_out(enum split_kind kind, struct bytes value, size_t limit,
                            const struct split_done *d)
{
	struct flat items = { 0 };
	size_t over = 0, first = 0;

	flat_of(&items, kind, value);
	for (size_t i = 0; i < items.n; i++)
		if (items.v[i].alone > limit && !over++)
			first = items.v[i].alone;
	if (over == items.n || (over && !split_is_otlp(kind)))
		cr_assert(d->answer == SPLIT_ITEM && d->n == first, "limit %zu: %zu, not %zu",
		          limit, d->n, first);
	else
		cr_assert(d->answer == SPLIT_OK && d->rejected == over, "limit %zu: %ju, not %zu",
		          limit, (uintmax_t)d->rejected, over);
	free(items.v);
}

struct seen { /* so that no test passes for want of cases */
	unsigned values, cuts, left_out, refusals;
};

static void note(struct seen *seen, const struct split_done *d)
{
	seen->cuts += d->answer == SPLIT_OK && d->parts.n > 1;
	seen->left_out += d->answer == SPLIT_OK && d->rejected > 0;
	seen->refusals += d->answer == SPLIT_ITEM;
}

static void every_limit(struct seen *seen, enum split_kind kind, bool stamp, struct bytes body)
{
	struct split_value v;
	uint8_t *packed;
	size_t n;

	packed = repacked(kind, body, &n);
	v = split_enrich(kind, stamp, bytes_of(packed, n));
	for (size_t limit = 0; v.p && limit <= v.n + 2; limit++) {
		struct bytes value = bytes_of(v.p, v.n);
		struct split_done d = split_judge(kind, stamp, value, v.items, limit);

		expect_left_out(kind, value, limit, &d);
		if (limit >= v.n)
			cr_assert_eq(d.parts.n, 1, "limit %zu of %zu", limit, v.n);
		note(seen, &d);
		split_free(&d);
	}
	seen->values += v.p != NULL;
	free(packed);
	free(v.p);
}

static void some_limits(struct seen *seen, struct random_message *r, enum split_kind kind,
                        bool stamp, struct bytes body)
{
	struct split_value v = split_enrich(kind, stamp, body);

	for (int i = 0; v.p && i < 6; i++) {
		size_t limit = random_below(r, (uint32_t)(v.n >> random_below(r, 7)) + 60);
		struct split_done d = split_judge(kind, stamp, bytes_of(v.p, v.n), v.items, limit);

		note(seen, &d);
		split_free(&d);
	}
	seen->values += v.p != NULL;
	free(v.p);
}

static void many_small(enum split_kind kind)
{
	static struct random_message r;
	struct seen seen = { 0 };

	r.seed = 20261125 + kind;
	for (unsigned i = 0; seen.values < 25; i++) {
		struct bytes body = random_message(&r, oracle_root((enum signal)kind), 5);

		cr_assert_lt(i, 20000);
		if (body.n > 30 && body.n < SMALL)
			every_limit(&seen, kind, i % 2, body);
	}
	cr_expect(seen.cuts > 500 && seen.left_out > 500 && seen.refusals > 500, "%u %u %u",
	          seen.cuts, seen.left_out, seen.refusals);
}

static void many_odd(enum split_kind kind)
{
	static struct random_message r;
	struct seen seen = { 0 };

	r.seed = 4711 + kind;
	for (unsigned i = 0; i < 400; i++) {
		r.odd = i % 3 != 0;
		some_limits(&seen, &r, kind, i % 2,
		            random_message(&r, oracle_root((enum signal)kind), 4 + (int)(i % 4)));
	}
	cr_expect(seen.values > 100 && seen.cuts > 100 && seen.left_out > 50 && seen.refusals > 20,
	          "%u %u %u %u", seen.values, seen.cuts, seen.left_out, seen.refusals);
}

/* R8 */
Test(split, small_traces_are_cut_at_every_byte)
{
	many_small(OF_TRACES);
}

Test(split, small_metrics_are_cut_at_every_byte)
{
	many_small(OF_METRICS);
}

Test(split, small_logs_are_cut_at_every_byte)
{
	many_small(OF_LOGS);
}

Test(split, traces_of_every_shape_come_through)
{
	many_odd(OF_TRACES);
}

Test(split, metrics_of_every_shape_come_through)
{
	many_odd(OF_METRICS);
}

Test(split, logs_of_every_shape_come_through)
{
	many_odd(OF_LOGS);
}

/* ---- what parts are made of ---- */

static struct bytes value_of(const char *text)
{
	return hex_bytes(text, room, sizeof(room));
}

struct want {
	size_t limit;
	uint64_t rejected;
	const char *const *parts;
};

static void expect_parts(enum split_kind kind, const char *text, struct want want)
{
	struct split_done d = split_run(kind, value_of(text), want.limit);
	size_t count = 0;

	cr_assert_eq(d.answer, SPLIT_OK, "%s", text);
	cr_expect_eq(d.rejected, want.rejected, "%s: %ju rejected", text, (uintmax_t)d.rejected);
	while (want.parts[count])
		count++;
	cr_assert_eq(d.parts.n, count, "%s: %zu parts", text, d.parts.n);
	for (size_t i = 0; i < count; i++) {
		struct bytes part = hex_bytes(want.parts[i], wanted, sizeof(wanted));

		cr_expect(bytes_eq(part, bytes_of(d.out + d.parts.v[i].at, d.parts.v[i].n)),
		          "%s: part %zu is not %s", text, i + 1, want.parts[i]);
	}
	split_free(&d);
}

#define PARTS(limit_, rejected_, ...)                                                              \
	(struct want)                                                                              \
	{                                                                                          \
		.limit = (limit_), .rejected = (rejected_), .parts = (const char *const[])         \
		{                                                                                  \
			__VA_ARGS__, NULL                                                          \
		}                                                                                  \
	}

static void expect_item(enum split_kind kind, const char *text, size_t limit, size_t bytes)
{
	struct split_done d = split_run(kind, value_of(text), limit);

	cr_expect_eq(d.answer, SPLIT_ITEM, "%s", text);
	cr_expect_eq(d.n, bytes, "%s: %zu bytes", text, d.n);
	split_free(&d);
}

#define RESOURCE "0a { 10 05 }"
#define SPAN(name) "12 { 2a { \"" name "\" } }"

Test(split, a_part_repeats_all_that_encloses_its_items_and_no_item_twice)
{
	const char *value = "f8 07 01 0a { 0a { 10 05 } 12 { 0a { 0a { \"s\" } } " SPAN("one")
		SPAN("two") " 1a "
			    "{ \"su\" } a2 06 { \"u\" } } 1a { \"url\" } a2 06 { \"x\" } 0a { 18 "
			    "01 } } 08 02";
#define AROUND(item)                                                                               \
	"f8 07 01 08 02 0a { 0a { 10 05 } 1a { \"url\" } a2 06 { \"x\" } 0a { 18 01 } 12 { "       \
	"0a { 0a { \"s\" } } 1a { \"su\" } a2 06 { \"u\" } " item " } }"

	expect_parts(OF_TRACES, value, PARTS(52, 0, AROUND(SPAN("one")), AROUND(SPAN("two"))));
	expect_parts(OF_TRACES, value, PARTS(46, 0, AROUND(SPAN("one")), AROUND(SPAN("two"))));
	expect_item(OF_TRACES, value, 45, 46);
}

Test(split, what_fits_whole_stays_as_it_came)
{
	expect_parts(OF_LOGS, "0a { 12 { 12 85 80 00 { \"abc\" } } } 0a { 12 { 12 {} } }",
	             PARTS(30, 0, "0a { 12 { 12 85 80 00 { \"abc\" } } } 0a { 12 { 12 {} } }"));
}

Test(split, a_length_that_was_padded_is_minimal_where_its_message_is_cut)
{
	expect_parts(OF_LOGS,
	             "0a 93 80 00 12 90 00 12 {} 12 {} 12 {} 12 {} 12 {} 12 {} 12 {} 12 00",
	             PARTS(13, 0, "0a { 12 { *4( 12 {} ) } }", "0a { 12 { *4( 12 {} ) } }"));
}

Test(split, an_item_over_the_limit_is_left_out_wherever_it_stands)
{
#define LONG SPAN("much too long, this one")
#define ALONE(item) "0a { " RESOURCE " 12 { " item " } }"

	expect_parts(OF_TRACES, ALONE(LONG SPAN("a") LONG SPAN("b") LONG),
	             PARTS(20, 3, ALONE(SPAN("a") SPAN("b"))));
	expect_item(OF_TRACES, ALONE(LONG LONG), 20, 35);
	expect_parts(OF_TRACES, ALONE(LONG) ALONE(SPAN("a")), PARTS(20, 1, ALONE(SPAN("a"))));
}

Test(split, under_an_envelope_over_the_limit_all_items_are_left_out)
{
	expect_parts(
		OF_TRACES,
		"0a { 0a { 0a { 0a { \"a long name of an attribute\" } } } 12 { 12 {} 12 {} } } "
		"0a { 12 { 12 {} } }",
		PARTS(20, 2, "0a { 12 { 12 {} } }"));
}

Test(split, what_holds_no_item_goes_along_while_it_fits)
{
#define EMPTY "0a { 0a { 0a { 0a { \"0123456789\" } } } }" /* 18 bytes */

	expect_parts(OF_TRACES, EMPTY ALONE(SPAN("a")), PARTS(34, 0, EMPTY ALONE(SPAN("a"))));
	expect_parts(OF_TRACES, ALONE(SPAN("a")) EMPTY ALONE(SPAN("b")),
	             PARTS(34, 0, ALONE(SPAN("a")) EMPTY, ALONE(SPAN("b"))));
}

Test(split, what_holds_no_item_is_no_part_of_its_own)
{
	expect_parts(OF_TRACES, EMPTY ALONE(SPAN("a")), PARTS(20, 0, ALONE(SPAN("a"))));
	expect_parts(OF_TRACES, EMPTY EMPTY ALONE(SPAN("a")) EMPTY EMPTY,
	             PARTS(18, 0, ALONE(SPAN("a"))));
	expect_parts(OF_TRACES, EMPTY ALONE(SPAN("a")), PARTS(17, 0, ALONE(SPAN("a"))));
	expect_item(OF_TRACES, EMPTY, 17, 18);
}

/* ---- a Metric ---- */

#define POINT(second) "0a { 19 00000000000000" second " }"
#define METRIC(fields) "0a { " RESOURCE " 12 { 0a { 0a { \"s\" } } 12 { " fields " } } }"

Test(split, a_metric_is_cut_by_its_points_and_its_other_fields_are_repeated)
{
	expect_parts(OF_METRICS,
	             METRIC("0a { \"m\" } 3a { " POINT("01") " 10 02 " POINT(
			     "02") " 18 01 } 1a { "
	                           "\"By\" } 62 { 0a { \"k\" } } a2 06 { \"x\" }"),
	             PARTS(58, 0,
	                   METRIC("0a { \"m\" } 1a { \"By\" } 62 { 0a { \"k\" } } a2 06 { \"x\" } "
	                          "3a { 10 02 18 01 " POINT("01") " }"),
	                   METRIC("0a { \"m\" } 1a { \"By\" } 62 { 0a { \"k\" } } a2 06 { \"x\" } "
	                          "3a { 10 02 18 01 " POINT("02") " }")));
}

Test(split, every_kind_of_metric_is_cut)
{
#define EACH(tag)                                                                                  \
	expect_parts(OF_METRICS, METRIC(tag " { " POINT("01") POINT("02") " }"),                   \
	             PARTS(34, 0, METRIC(tag " { " POINT("01") " }"),                              \
	                   METRIC(tag " { " POINT("02") " }")))

	EACH("2a");
	EACH("3a");
	EACH("4a");
	EACH("52");
	EACH("5a");
}

/* Decoders merge them: whoever reads one part alone must know the temporality all the same. */
Test(split, a_sum_in_two_pieces_keeps_the_fields_of_both_in_each_part)
{
	expect_parts(
		OF_METRICS,
		METRIC("3a { 10 02 " POINT("01") " } 0a { \"m\" } 3a { 18 01 " POINT("02") " }"),
		PARTS(42, 0, METRIC("0a { \"m\" } 3a { 10 02 18 01 " POINT("01") " }"),
	              METRIC("0a { \"m\" } 3a { 10 02 18 01 " POINT("02") " }")));
}

Test(split, of_a_metric_with_two_kinds_of_data_only_the_last_is_cut)
{
	expect_parts(OF_METRICS,
	             METRIC("3a { 10 02 " POINT("01") " } 2a { " POINT("02") " } 3a { 18 01 " POINT(
			     "03") POINT("04") " }"),
	             PARTS(36, 0, METRIC("3a { 18 01 " POINT("03") " }"),
	                   METRIC("3a { 18 01 " POINT("04") " }")));
}

/* 15 bytes around each METRIC's fields, 11 in each POINT */
Test(split, a_metric_without_points_is_no_item_and_goes_along)
{
#define POINTLESS METRIC("0a { \"m\" } 3a { 10 02 }") /* 22 */
#define ONE METRIC("2a { " POINT("01") " }") /* 28 */
#define TWO METRIC("2a { " POINT("01") POINT("02") " }") /* 39 */

	expect_parts(OF_METRICS, TWO POINTLESS ONE, PARTS(61, 0, TWO POINTLESS, ONE));
	expect_parts(OF_METRICS, TWO POINTLESS ONE, PARTS(60, 0, TWO, POINTLESS ONE));
	expect_parts(OF_METRICS, TWO POINTLESS ONE, PARTS(49, 0, TWO, ONE));
}

/* ---- Loki ---- */

#define STREAM(entries) "0a { 0a { \"{a=1}\" } 18 07 " entries " }"
#define ENTRY(line) "12 { 0a { 08 01 } 12 { \"" line "\" } }"

Test(split, a_stream_is_cut_by_its_entries_and_its_labels_are_repeated)
{
	expect_parts(OF_LOKI,
	             "0a { " ENTRY("x") " 0a { \"{a=1}\" } " ENTRY("y") " 18 07 } 12 { \"f\" }",
	             PARTS(24, 0, "12 { \"f\" } " STREAM(ENTRY("x")),
	                   "12 { \"f\" } " STREAM(ENTRY("y"))));
}

Test(split, no_entry_of_loki_is_left_out)
{
	expect_item(OF_LOKI, STREAM(ENTRY("x")) STREAM(ENTRY("too long") ENTRY("longer still")), 24,
	            27);
}

/* ---- large values ---- */

static size_t message_open(struct buf *b, uint8_t tag)
{
	buf_char(b, (char)tag);
	return b->n;
}

static void message_close(struct buf *b, size_t from)
{
	uint8_t length[10];
	size_t bytes = b->n - from, n = pb_varint_write(bytes, length);

	buf_add(b, length, n);
	memmove(b->p + from + n, b->p + from, bytes);
	memcpy(b->p + from, length, n);
}

static void span_add(struct buf *b, size_t bytes)
{
	static const uint8_t zeros[2 * MIB];
	size_t at = message_open(b, 0x12), name = message_open(b, 0x2a);

	buf_add(b, zeros, bytes);
	message_close(b, name);
	message_close(b, at);
}

/* R8 */
Test(split, five_megabytes_with_a_span_over_the_limit_become_six_parts)
{
	enum { LIMIT = 983040, SPANS = 20000, EACH_BYTES = 250 };
	struct split_done d;
	struct buf b;
	size_t all, scope;

	buf_init(&b, 16 * MIB);
	all = message_open(&b, 0x0a);
	buf_str(&b, "\x0a\x02\x10\x05");
	scope = message_open(&b, 0x12);
	for (size_t i = 0; i < SPANS; i++) {
		if (i == SPANS / 3)
			span_add(&b, 1100000);
		span_add(&b, EACH_BYTES);
	}
	message_close(&b, scope);
	message_close(&b, all);
	d = split_judge(OF_TRACES, false, buf_view(&b), SPANS + 1, LIMIT);
	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.rejected, 1);
	cr_expect_eq(d.parts.n, 6, "%zu parts", d.parts.n);
	for (size_t i = 0; i + 1 < d.parts.n; i++)
		cr_expect_gt(d.parts.v[i].n, LIMIT - EACH_BYTES - 20, "a part that is not full");
	split_free(&d);
	buf_done(&b);
}

/* One Scope* of so many pieces of text, cut. */
static struct split_done pieces_split(const char *piece, size_t n, size_t count, size_t limit)
{
	struct split_done d;
	struct buf b;
	size_t all, scope;

	buf_init(&b, 16 * MIB);
	all = message_open(&b, 0x0a);
	scope = message_open(&b, 0x12);
	for (size_t i = 0; i < count; i++)
		buf_add(&b, piece, n);
	message_close(&b, scope);
	message_close(&b, all);
	d = split_run(OF_TRACES, buf_view(&b), limit);
	buf_done(&b);
	return d;
}

/* The next two would take for ever if a part were looked for in all of its message. */
Test(split, a_scope_of_a_hundred_thousand_parts_is_read_once)
{
	struct split_done d = pieces_split("\x12", 2, 500000, 14);

	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.parts.n, 100000);
	split_free(&d);
}

Test(split, a_million_empty_scopes_cost_little)
{
	struct split_done d;
	struct buf b;
	size_t all;

	buf_init(&b, 16 * MIB);
	all = message_open(&b, 0x0a);
	for (size_t i = 0; i < 1000000; i++)
		buf_add(&b, "\x12", 2);
	buf_add(&b, "\x12\x02\x12", 4);
	message_close(&b, all);
	d = split_run(OF_TRACES, buf_view(&b), 100000);
	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.parts.n, 1, "%zu parts", d.parts.n);
	split_free(&d);
	buf_done(&b);
}

Test(split, an_envelope_in_two_thousand_pieces_is_gathered_whole)
{
	struct split_done d = pieces_split("\x18\x01\x12", 4, 2000, 4008);

	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.parts.n, 2000, "%zu parts", d.parts.n);
	split_free(&d);
}

Test(split, more_parts_than_slices_are_refused)
{
	struct split_done d = pieces_split("\x12", 2, SLICES_MAX, 6), more;

	cr_expect_eq(d.answer, SPLIT_OK);
	cr_expect_eq(d.parts.n, SLICES_MAX);
	more = pieces_split("\x12", 2, SLICES_MAX + 1, 6);
	cr_expect_eq(more.answer, SPLIT_COUNT);
	split_free(&d);
	split_free(&more);
}
