/* SPDX-License-Identifier: Apache-2.0 */
/* Values in values: the fast path of pb_value_run.h against the general one, by enrich_all(). */
#include "proto/pb.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich.h"

static uint8_t room[1 << 20];

static enum verdict verdict_of(struct settings s, const char *text)
{
	struct outcome o = enrich_all(s, hex_bytes(text, room, sizeof(room) - BODY_SLACK));

	outcome_done(&o);
	return o.verdict;
}

/* A value as the body of a log line, as an attribute of it and as one of its Resource. */
static void expect_value(const char *value, enum verdict expected)
{
	static const char *const places[] = {
		"0a { 12 { 12 { 2a { %s } } } }",
		"0a { 12 { 12 { 32 { 0a { \"key\" } 12 { %s } } 32 { 0a { \"k\" } 12 { 0a { \"v\" "
		"} } } } } }",
		"0a { 0a { 0a { 0a { \"key\" } 12 { %s } } } 12 { 12 { 2a { } } } }",
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *text = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		cr_assert_gt(asprintf(&text, places[i], value), 0);
#pragma GCC diagnostic pop
		cr_expect_eq(verdict_of(settings_of(SIGNAL_LOGS), text), expected, "%s", text);
		free(text);
	}
}

Test(pb_value, what_a_value_may_be_is_accepted)
{
	static const char *const good[] = {
		"",
		"2a { }",
		"32 { }",
		"2a { 0a { } }",
		"2a { 0a { 0a { \"text\" } } 0a { 0a { } } 0a { 18 05 } 0a { 10 01 } }",
		"2a { 0a { 18 ff ff ff ff ff ff ff ff ff 01 } 0a { 21 0102030405060708 } }",
		"2a { 0a { 3a { ff fe 80 } } 0a { 0a { \"behind bytes\" } } }",
		"2a { 0a { 2a { 0a { 2a { 0a { 0a { \"deep\" } } } } 0a { 18 01 } } } }",
		"2a { 0a { 2a { } 0a { \"a second member of the oneof\" } } 0a { 18 01 } }",
		"2a { 0a { 2a { 0a { } } } 2a { 0a { 18 01 } } }",
		"32 { 0a { } }",
		"32 { 0a { 0a { \"k\" } } 0a { 12 { } } 0a { 0a { } 12 { 0a { } } } }",
		"32 { 0a { 0a { \"k\" } 12 { 0a { \"v\" } } } 0a { 0a { \"l\" } 12 { 18 07 } } }",
		"32 { 0a { 12 { 18 07 } 0a { \"the key behind\" } } }",
		"32 { 0a { 0a { \"k\" } 0a { \"again\" } 12 { 18 07 } 12 { 18 08 } } }",
		"32 { 0a { 0a { \"k\" } 12 { 2a { 0a { 32 { 0a { 0a { \"x\" } 12 { } } } } } } } }",
		"2a { 0a { 0a { *63(\"a\") } } 0a { 0a { *64(\"a\") } } 0a { 0a { *65(\"a\") } } }",
		"2a { 0a { 0a { *125(\"a\") } } 0a { 0a { *126(\"a\") } } 0a { 0a { *127(\"a\") } "
		"} }",
		"2a { 0a { 0a { *128(\"a\") } } 0a { 0a { *300(\"a\") } } 0a { 0a { *20000(\"a\") "
		"} } }",
		"32 { 0a { 0a { *125(\"k\") } 12 { 0a { *500(\"v\") } } } }",
		"2a { 0a { 0a { c3a9 } } 0a { 0a { *40(\"a\") e4b896 *30(\"b\") } } 0a { 18 01 } }",
		"32 { 0a { 0a { c3a9 } 12 { 0a { f09f9880 } } } 0a { 0a { c3a9 } 12 { 18 80 01 } } "
		"}",
		/* padded lengths, and fields that only the general path knows */
		"2a { 0a 82 80 00 18 01 0a { 18 01 } }",
		"2a { 0a { 40 05 } 0a { 0a { \"behind an unknown field\" } } 7a { \"x\" } }",
		"32 { 0a { 0a { \"k\" } 18 05 12 { 0a { \"v\" } } } 1d 01020304 }",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		expect_value(good[i], V_ACCEPTED);
}

Test(pb_value, what_is_broken_in_a_value_is_refused)
{
	static const char *const bad[] = {
		"2a 01",
		"2a { 0a 01 }",
		"2a { 0a { 0a 01 } }",
		"2a { 0a { 0a 02 \"x\" } }",
		"2a { 0a { 2a 03 0a 00 } }",
		"2a { 0a 04 0a { \"xyz\" } }",
		"2a { 0a { 0a { \"xyz\" } } 0a 06 0a { \"xyz\" } }",
		"2a { 0a { 18 } }",
		"2a { 0a { 18 80 } }",
		"2a { 0a { 18 ff ff ff ff ff ff ff ff ff 02 } }",
		"2a { 0a { 21 01020304050607 } }",
		"2a { 08 01 }",
		"2a { 0a { 08 01 } }",
		"2a { 0a { 0b 0c } }",
		"2a { 0a { 2a { 0a { 00 00 } } } }",
		"2a { 0a { 0a { ff } } }",
		"2a { 0a { 0a { \"a\" } } 0a { 0a { c3 } } }",
		"2a { 0a { 0a { *100(\"a\") eda080 } } }",
		"2a { 0a { 0a { *300(\"a\") c0 80 } } }",
		"2a { 0a 81 80 80 80 80 00 00 }",
		"32 { 0a { 0a { ff } } }",
		"32 { 0a { 0a { c3 } 12 { 0a { a9 } } } }",
		"32 { 0a { 0a { \"k\" } 12 { 0a { ff } } } }",
		"32 { 0a { 0a { \"k\" } 12 01 } }",
		"32 { 0a { 08 01 } }",
		"32 { 0a { 12 { 2a { 0a { 32 { 0a { 0a 01 } } } } } } }",
		"32 { 12 80 }",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect_value(bad[i], V_INVALID);
}

/* Messages from the root on; each text stands in the body of a log line, which is message 5. */
Test(pb_value, each_message_of_a_value_counts_against_the_depth)
{
	static const struct {
		const char *value;
		unsigned messages;
	} values[] = {
		{ "0a { \"v\" }", 5 },
		{ "2a { }", 6 },
		{ "2a { 0a { } }", 7 },
		{ "2a { 0a { 0a { \"v\" } } }", 7 },
		{ "2a { 0a { 18 01 } 0a { 0a { \"v\" } } 0a { 18 01 } }", 7 },
		{ "2a { 0a { 2a { } } 0a { 18 01 } }", 8 },
		{ "2a { 0a { 2a { 0a { } } 18 01 } 0a { 18 01 } }", 9 },
		{ "2a { 0a { 2a { 0a { 2a { 0a { 0a { \"v\" } } 0a { } } } } } 0a { 2a { } } }",
		  11 },
		{ "32 { }", 6 },
		{ "32 { 0a { } }", 7 },
		{ "32 { 0a { 0a { \"k\" } } }", 7 },
		{ "32 { 0a { 0a { \"k\" } 12 { } } }", 8 },
		{ "32 { 0a { 0a { \"k\" } 12 { 0a { \"v\" } } } }", 8 },
		{ "32 { 0a { 0a { \"k\" } 12 { 32 { 0a { 12 { } } } } } 0a { } }", 11 },
		{ "2a { 0a { 0a { *90(\"v\") c3a9 } } 0a { 32 { 0a { 12 { 2a { } } } } } }", 11 },
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char text[256];

		snprintf(text, sizeof(text), "0a { 12 { 12 { 2a { %s } } } }", values[i].value);
		for (unsigned depth = 4; depth <= 13; depth++) {
			struct settings s = settings_of(SIGNAL_LOGS);

			s.depth = depth;
			cr_expect_eq(verdict_of(s, text),
			             depth >= values[i].messages ? V_ACCEPTED : V_INVALID,
			             "%s at %u", values[i].value, depth);
		}
	}
}

/* A body of all shapes, each of its bits turned and each of its bytes left out. */
Test(pb_value, every_change_of_a_nested_body_has_one_verdict)
{
	static const char text[] =
		"0a { 0a { 0a { 0a { \"list\" } 12 { 2a { 0a { 0a { \"x\" } } } } } } 12 { 12 { "
		"2a { 32 { 0a { 0a { \"k\" } 12 { 0a { \"v\" } } } 0a { 0a { \"n\" } 12 { 18 8001 "
	        "} } "
		"0a { 0a { c3a9 } 12 { 2a { 0a { 2a { 0a { 2a { 0a { 0a { \"deep\" } } } } } } 0a "
	        "{ 10 01 } "
		"0a { 0a { f09f9880 *20(\"w\") } } } } } 0a { 0a { \"d\" } 12 { 21 "
	        "0102030405060788 } } "
		"0a { 0a { \"m\" } 12 { 32 { 0a { 0a { \"b\" } 12 { 3a { ff } } } } } } } } "
		"32 { 0a { \"w\" } 12 { 2a { 0a { 0a { *70(\"t\") } } 0a { } 0a { 0a { \"u\" } } } "
	        "} } } } }";
	static uint8_t changed[1024];
	struct bytes body = hex_bytes(text, room, sizeof(room) - BODY_SLACK);
	unsigned accepted = 0;

	cr_assert_lt(body.n, sizeof(changed));
	for (size_t bit = 0; bit < 9 * body.n; bit++) {
		struct settings s = settings_of(SIGNAL_LOGS);
		size_t at = bit / 9, n = body.n;
		struct outcome o;

		s.utf8 = bit % 2 ? UTF8_REPAIR : UTF8_STRICT;
		memcpy(changed, body.p, n);
		if (bit % 9 < 8)
			changed[at] ^= (uint8_t)(1 << bit % 9);
		else
			memmove(changed + at, changed + at + 1, --n - at);
		o = enrich_all(s, bytes_of(changed, n));
		accepted += o.verdict == V_ACCEPTED;
		outcome_done(&o);
	}
	cr_expect_gt(accepted, 100);
	cr_expect_lt(accepted, 9 * body.n - 100);
}

typedef const uint8_t *values_fn(const uint8_t *p, const uint8_t *end, enum value_shape shape,
                                 size_t levels, const uint8_t **stopped);

/* Where it gave up it must not begin again: else a deep value would be read once for each level. */
Test(pb_value, the_fast_path_says_where_it_stopped)
{
	static const struct {
		const char *list; /* with its length */
		size_t stops_at; /* 0: it does not */
	} lists[] = {
		{ "{ 0a { 18 01 } 0a { 0a { \"x\" } } }", 0 },
		{ "{ 0a { 18 01 } 0a { 0a { ff } } }", 8 },
		{ "{ 0a { 18 01 } 12 { } }", 6 },
		{ "{ 0a { 2a { 0a { 2a { 0a { 40 01 } } } } } }", 12 },
		{ "{ 0a { 32 { 0a { 0a { \"k\" } 12 { 48 01 } } } } }", 13 },
		{ "{ 0a { 2a { 0a { 2a { 0a { 2a { 0a { } } } } } } } }", 14 }, /* by its depth */
	};
	values_fn *const all[] = {
		run_scalar_values,
#if defined(__x86_64__)
		run_sse2_values,
		run_avx2_values
#endif
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < ARRAY_LEN(all); k++) {
			struct bytes body = hex_bytes("2a", room, sizeof(room));
			const uint8_t *stopped = NULL, *behind;

			body.n +=
				hex_bytes(lists[i].list, room + 1, sizeof(room) - 1 - BODY_SLACK).n;
			if (k == ISA_AVX2 && !isa_force(ISA_AVX2))
				continue;
			behind = all[k](room + 1, room + body.n, VALUE_ARRAY, 7, &stopped);
			if (lists[i].stops_at) {
				cr_expect_null(behind, "%zu", i);
				cr_expect_eq(stopped, room + lists[i].stops_at, "%zu: %td", i,
				             stopped - room);
			} else {
				cr_expect_eq(behind, room + body.n);
			}
		}
}
