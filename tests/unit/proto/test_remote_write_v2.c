/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write_v2.c"

#include <criterion/criterion.h>

#include "proto/schema/remote_write_v2.pb-c.h"
#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich_rw.h"

static uint8_t room[8 * MIB], wanted[8 * MIB];

/* symbols 0..8 */
#define SYMBOLS                                                                                    \
	"22 {} 22 { \"__name__\" } 22 { \"up\" } 22 { \"job\" } 22 { \"a\" } 22 { \"zone\" } "     \
	"22 { \"tenant_id\" } 22 { \"evil\" } 22 { \"B\" } "
#define OURS "22 { \"acme\" } " /* its ref is 9, and the name's is 6: 06 09 */
#define FEW "22 {} 22 { \"__name__\" } 22 { \"up\" } 22 { \"job\" } 22 { \"a\" } 22 { \"zone\" } "
#define BOTH "22 { \"tenant_id\" } 22 { \"acme\" } " /* behind FEW: 06 07 */
#define SAMPLE "12 { 09 00 00 00 00 00 00 f0 3f 10 80 d0 a5 f4 ab 33 } "
#define HISTOGRAM "1a { 08 00 78 01 } "

static struct rw_outcome run(struct rw_settings s, const char *text)
{
	return rw_all(s, hex_bytes(text, room, sizeof(room)));
}

/* The value that text becomes, byte for byte; samples, histograms, exemplars. */
static void expect_value(struct rw_settings s, const char *text, const char *value,
                         uint64_t spoofed, uint64_t samples, uint64_t histograms,
                         uint64_t exemplars)
{
	struct rw_outcome o = run(s, text);
	struct bytes want = hex_bytes(value, wanted, sizeof(wanted));

	cr_assert(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY, "%s: %s", text, o.e.reason);
	cr_expect_eq(o.e.spoofed, spoofed, "%s: %ju spoofed", text, (uintmax_t)o.e.spoofed);
	cr_expect_eq(o.e.items, samples + histograms + exemplars, "%s", text);
	cr_expect_eq(o.e.written[WRITTEN_SAMPLES], samples, "%s", text);
	cr_expect_eq(o.e.written[WRITTEN_HISTOGRAMS], histograms, "%s", text);
	cr_expect_eq(o.e.written[WRITTEN_EXEMPLARS], exemplars, "%s", text);
	cr_expect(bytes_eq(want, bytes_of(o.value, o.value_n)), "%s: another value", text);
	rw_outcome_done(&o);
}

static void stamped(const char *text, const char *value, uint64_t spoofed)
{
	expect_value(rw_settings_of(2), text, value, spoofed, 1, 0, 0);
}

static void as_it_came(const char *text, uint64_t samples, uint64_t histograms, uint64_t exemplars)
{
	struct rw_settings s = { .version = 2 };

	expect_value(s, text, text, 0, samples, histograms, exemplars);
}

static void refused(const char *text, const char *reason)
{
	for (int stamp = 0; stamp < 2; stamp++) {
		struct rw_settings s = { .version = 2, .stamp = stamp };
		struct rw_outcome o = run(s, text);

		cr_expect_eq(o.verdict, V_INVALID, "%s", text);
		cr_expect_str_eq(o.e.reason, reason, "%s: %s", text, o.e.reason);
		rw_outcome_done(&o);
	}
}

/* ---- the stamp ---- */

Test(remote_write_v2, the_stamp_is_two_symbols)
{
	const struct format *f = &protocol_remote_write.formats[1];
	uint8_t out[64];
	size_t n = f->stamp(BYTES("tenant_id"), BYTES("acme"), out, sizeof(out));

	cr_expect(bytes_eq(bytes_of(out, n), hex_bytes(BOTH, wanted, sizeof(wanted))));
	cr_expect_eq(f->stamp(BYTES("tenant_id"), BYTES("acme"), out, n), n);
	cr_expect_eq(f->stamp(BYTES("tenant_id"), BYTES("acme"), out, n - 1), 0);
}

/* R5 */
Test(remote_write_v2, symbols_that_are_missing_follow_the_last_one)
{
	stamped(FEW "2a { 0a { 01 02 } " SAMPLE "}", FEW BOTH "2a { 0a { 01 02 06 07 } " SAMPLE "}",
	        0);
	/* the name is there */
	stamped(SYMBOLS "2a { 0a { 01 02 } " SAMPLE "}",
	        SYMBOLS OURS "2a { 0a { 01 02 06 09 } " SAMPLE "}", 0);
	/* the tenant is there */
	stamped(FEW "22 { \"acme\" } 2a { 0a { 01 02 } " SAMPLE "}",
	        FEW "22 { \"acme\" } 22 { \"tenant_id\" } 2a { 0a { 01 02 07 06 } " SAMPLE "}", 0);
	/* both are */
	stamped(FEW BOTH "2a { 0a { 01 02 } " SAMPLE "}",
	        FEW BOTH "2a { 0a { 01 02 06 07 } " SAMPLE "}", 0);
	/* twice: the first counts */
	stamped(FEW BOTH BOTH "2a { 0a { 01 02 } " SAMPLE "}",
	        FEW BOTH BOTH "2a { 0a { 01 02 06 07 } " SAMPLE "}", 0);
}

Test(remote_write_v2, symbols_may_stand_behind_and_between_the_series)
{
	stamped("2a { 0a { 01 02 } " SAMPLE "} " FEW,
	        "2a { 0a { 01 02 06 07 } " SAMPLE "} " FEW BOTH, 0);
	expect_value(
		rw_settings_of(2),
		"22 {} 2a { 0a { 01 02 } " SAMPLE "} 22 { \"__name__\" } 22 { \"up\" } 2a { 0a { "
		"01 02 } " SAMPLE "} ",
		"22 {} 2a { 0a { 01 02 03 04 } " SAMPLE "} 22 { \"__name__\" } 22 { \"up\" } " BOTH
		"2a { 0a { 01 02 03 04 } " SAMPLE "} ",
		0, 2, 0, 0);
}

/* R5 */
Test(remote_write_v2, our_pair_comes_before_the_first_greater_name)
{
	stamped(FEW "2a { 0a { 01 02 03 04 05 00 } " SAMPLE "}",
	        FEW BOTH "2a { 0a { 01 02 03 04 06 07 05 00 } " SAMPLE "}", 0);
	stamped(SYMBOLS "2a { 0a { 08 00 01 02 05 04 } " SAMPLE "}",
	        SYMBOLS OURS "2a { 0a { 08 00 01 02 06 09 05 04 } " SAMPLE "}", 0);
	/* unsorted labels are accepted, and stay so */
	stamped(FEW "2a { 0a { 05 00 01 02 03 04 } " SAMPLE "}",
	        FEW BOTH "2a { 0a { 06 07 05 00 01 02 03 04 } " SAMPLE "}", 0);
	stamped("22 {} 22 { \"__name__\" } 22 { \"tenant_a\" } 22 { \"tenant_ib\" } 22 { "
	        "\"tenant_ie\" } "
	        "2a { 0a { 01 02 02 02 03 03 04 04 } " SAMPLE "}",
	        "22 {} 22 { \"__name__\" } 22 { \"tenant_a\" } 22 { \"tenant_ib\" } 22 { "
	        "\"tenant_ie\" } "
	        "22 { \"tenant_id\" } 22 { \"acme\" } "
	        "2a { 0a { 01 02 02 02 03 03 05 06 04 04 } " SAMPLE "}",
	        0);
}

/* R5 */
Test(remote_write_v2, the_clients_own_pair_leaves)
{
	stamped(SYMBOLS "2a { 0a { 01 02 06 07 } " SAMPLE "}",
	        SYMBOLS OURS "2a { 0a { 01 02 06 09 } " SAMPLE "}", 1);
	stamped(SYMBOLS "2a { 0a { 06 07 01 02 05 04 } " SAMPLE "}",
	        SYMBOLS OURS "2a { 0a { 01 02 06 09 05 04 } " SAMPLE "}", 1);
	/* by another symbol of that text, and ours is already one */
	stamped(SYMBOLS OURS "22 { \"tenant_id\" } 2a { 0a { 01 02 0a 07 } " SAMPLE "}",
	        SYMBOLS OURS "22 { \"tenant_id\" } 2a { 0a { 01 02 06 09 } " SAMPLE "}", 1);
}

/* P9 */
Test(remote_write_v2, refs_come_packed_one_by_one_and_mixed)
{
	/* one by one: ours is a packed list before the first greater name, or behind the last */
	stamped(FEW "2a { 08 01 08 02 08 05 08 00 " SAMPLE "}",
	        FEW BOTH "2a { 08 01 08 02 0a { 06 07 } 08 05 08 00 " SAMPLE "}", 0);
	stamped(FEW "2a { 08 01 08 02 " SAMPLE "}",
	        FEW BOTH "2a { 08 01 08 02 0a { 06 07 } " SAMPLE "}", 0);
	/* lists of which a pair crosses the border, and empty ones */
	stamped(FEW "2a { 0a {} 0a { 01 } " SAMPLE "0a { 02 03 } 08 04 0a {} 0a { 05 00 } 0a {} }",
	        FEW BOTH "2a { 0a {} 0a { 01 } " SAMPLE
	                 "0a { 02 03 } 08 04 0a {} 0a { 06 07 05 00 } 0a {} }",
	        0);
	stamped(FEW "2a { 08 01 0a { 02 } 0a {} " SAMPLE "}",
	        FEW BOTH "2a { 08 01 0a { 02 06 07 } 0a {} " SAMPLE "}", 0);
	/* the client's own pair across two fields */
	stamped(SYMBOLS "2a { 0a { 01 02 06 } 0a { 07 05 04 } " SAMPLE "}",
	        SYMBOLS OURS "2a { 0a { 01 02 } 0a { 06 09 05 04 } " SAMPLE "}", 1);
	stamped(SYMBOLS "2a { 08 06 08 07 08 01 08 02 " SAMPLE "}",
	        SYMBOLS OURS "2a { 08 01 08 02 0a { 06 09 } " SAMPLE "}", 1);
	stamped(SYMBOLS "2a { 0a { 01 02 } 08 06 0a { 07 } " SAMPLE "}",
	        SYMBOLS OURS "2a { 0a { 01 02 } 0a { 06 09 } " SAMPLE "}", 1);
}

Test(remote_write_v2, padded_refs_and_lengths_are_read)
{
	stamped(FEW "2a 98 80 00 0a 83 00 81 00 02 " SAMPLE,
	        FEW BOTH "2a { 0a { 81 00 02 06 07 } " SAMPLE "}", 0);
	/* what is above 32 bits is cut */
	stamped(FEW "2a { 0a { 81 80 80 80 10 02 } " SAMPLE "}",
	        FEW BOTH "2a { 0a { 81 80 80 80 10 02 06 07 } " SAMPLE "}", 0);
}

Test(remote_write_v2, refs_of_two_and_three_bytes)
{
	stamped("22 {} *198(22 { \"x\" }) 22 { \"__name__\" } 22 { \"up\" } 2a { 0a { c7 01 c8 01 "
	        "} " SAMPLE "}",
	        "22 {} *198(22 { \"x\" }) 22 { \"__name__\" } 22 { \"up\" } " BOTH
	        "2a { 0a { c7 01 c8 01 c9 01 ca 01 } " SAMPLE "}",
	        0);
	stamped("22 {} *19998(22 { \"x\" }) 22 { \"__name__\" } 22 { \"up\" } 2a { 0a { 9f 9c 01 "
	        "a0 9c "
	        "01 } " SAMPLE "}",
	        "22 {} *19998(22 { \"x\" }) 22 { \"__name__\" } 22 { \"up\" } " BOTH
	        "2a { 0a { 9f 9c 01 a0 9c 01 a1 9c 01 a2 9c 01 } " SAMPLE "}",
	        0);
}

Test(remote_write_v2, lengths_follow_over_their_borders)
{
	/* 60 labels and ours: 122 bytes become 124; 64 of them: 128 become 130 */
	char text[4000] = "22 {} 22 { \"__name__\" } 22 { \"up\" } ", value[4000];

	for (int i = 0; i < 63; i++)
		sprintf(text + strlen(text), "22 { \"l%02d\" } ", i);
	strcpy(value, text);
	strcat(text, "2a { 0a { 01 02 ");
	strcat(value, BOTH "2a { 0a { 01 02 ");
	for (int i = 0; i < 62; i++) {
		sprintf(text + strlen(text), "%02x 02 ", i + 3);
		sprintf(value + strlen(value), "%02x 02 ", i + 3);
	}
	strcat(text, "} " SAMPLE "}");
	strcat(value, "42 43 } " SAMPLE "}");
	stamped(text, value, 0);
}

Test(remote_write_v2, all_other_bytes_survive)
{
	/* unknown fields, created_timestamp (6), NaN bits, order */
	stamped("c0 3e 07 " FEW
	        "2a { 30 05 0a { 01 02 } a2 06 { \"x\" } 12 { 18 07 10 01 09 02 00 00 00 00 "
	        "00 f0 7f } } ca 3e { ff }",
	        "c0 3e 07 " FEW BOTH
	        "2a { 30 05 0a { 01 02 06 07 } a2 06 { \"x\" } 12 { 18 07 10 01 09 02 "
	        "00 00 00 00 00 f0 7f } } ca 3e { ff }",
	        0);
}

Test(remote_write_v2, with_enrich_header_the_body_leaves_as_it_came)
{
	as_it_came("c0 3e 07 " SYMBOLS "2a { 0a { 05 04 01 02 06 07 } 30 01 " SAMPLE "} ", 1, 0, 0);
}

/* ---- what is counted ---- */

/* P15, PC3 */
Test(remote_write_v2, written_is_what_was_sent)
{
	as_it_came(FEW "*50(2a { 0a { 01 02 } " SAMPLE "22 { 0a { 03 04 } 11 *8(01) 18 01 } })", 50,
	           0, 50);
	as_it_came(FEW "2a { 0a { 01 02 } " HISTOGRAM HISTOGRAM
	               "22 {} } 2a { 0a { 01 02 } " SAMPLE SAMPLE SAMPLE "}",
	           3, 2, 1);
}

Test(remote_write_v2, a_sample_may_lack_what_is_zero)
{
	as_it_came(FEW "2a { 0a { 01 02 } 12 {} 12 { 10 01 } 12 { 09 *8(00) } 12 { 18 05 } 12 { 10 "
	               "ff ff ff "
	               "ff ff ff ff ff ff 01 } }",
	           5, 0, 0);
}

Test(remote_write_v2, metadata_refers_to_symbols)
{
	as_it_came(FEW "2a { 0a { 01 02 } " SAMPLE "2a { 08 01 18 04 20 05 } }", 1, 0, 0);
	as_it_came(FEW "2a { 0a { 01 02 } " SAMPLE "2a {} }", 1, 0, 0);
	as_it_came(FEW "2a { 2a { 18 01 } 0a { 01 02 } " SAMPLE "}", 1, 0, 0);
	refused(FEW "2a { 0a { 01 02 } " SAMPLE "2a { 18 06 } }",
	        "timeseries[0].metadata.help_ref: 6, and there are 6 symbols");
	refused(FEW "2a { 0a { 01 02 } " SAMPLE "2a { 08 02 18 05 20 ff 7f } }",
	        "timeseries[0].metadata.unit_ref: 16383, and there are 6 symbols");
	/* merged, the last counts */
	as_it_came(FEW "2a { 0a { 01 02 } " SAMPLE "2a { 18 06 18 05 } }", 1, 0, 0);
	as_it_came(FEW "2a { 0a { 01 02 } " SAMPLE "2a { 18 06 } 2a { 18 05 } }", 1, 0, 0);
	refused(FEW "2a { 0a { 01 02 } " SAMPLE "2a { 18 05 } 2a { 18 06 } 2a { 20 01 } }",
	        "timeseries[0].metadata.help_ref: 6, and there are 6 symbols");
}

Test(remote_write_v2, a_body_without_items_is_empty)
{
	as_it_came("", 0, 0, 0);
	as_it_came("22 {}", 0, 0, 0);
}

/* ---- what is refused ---- */

/* P16 */
Test(remote_write_v2, a_body_of_the_other_version_is_refused)
{
	refused("0a { 0a { 0a { \"__name__\" } 12 { \"up\" } } " SAMPLE "}",
	        "field 1 is not of a 2.0 request: is this a 1.0 body?");
	refused("22 {} 1a { 08 01 }", "field 3 is not of a 2.0 request: is this a 1.0 body?");
	refused("10 01", "field 2 is not of a 2.0 request: is this a 1.0 body?");
}

/* P17 */
Test(remote_write_v2, symbols_begin_with_the_empty_string)
{
	refused("22 { \"a\" } 22 {}", "symbols[0]: must be the empty string");
	refused("2a { 0a { 01 02 } " SAMPLE "}",
	        "symbols: there are none, not even the empty string");
	refused("c0 3e 07", "symbols: there are none, not even the empty string");
}

/* P17 */
Test(remote_write_v2, refs_are_below_the_number_of_symbols_and_even)
{
	refused(FEW "2a { 0a { 01 06 } " SAMPLE "}",
	        "timeseries[0].labels_refs[1]: 6, and there are 6 symbols");
	refused(FEW "2a { 0a { 01 02 06 01 } " SAMPLE "}",
	        "timeseries[0].labels_refs[2]: 6, and there are 6 symbols");
	refused(FEW "2a { 0a { 01 ff ff ff ff 0f } " SAMPLE "}",
	        "timeseries[0].labels_refs[1]: 4294967295, and there are 6 symbols");
	/* not even with those that we add */
	refused(FEW "2a { 0a { 01 02 } " SAMPLE "} 2a { 0a { 01 02 03 07 } " SAMPLE "}",
	        "timeseries[1].labels_refs[3]: 7, and there are 6 symbols");
	refused(FEW "2a { 0a { 01 02 03 } " SAMPLE "}", "timeseries[0].labels_refs: an odd number");
	refused(FEW "2a { 0a { 01 02 } 08 03 " SAMPLE "}",
	        "timeseries[0].labels_refs: an odd number");
	refused(FEW "2a { " SAMPLE "}", "timeseries[0].labels_refs: there are none");
	refused(FEW "2a { 0a {} " SAMPLE "}", "timeseries[0].labels_refs: there are none");
	refused(FEW "2a {}", "timeseries[0].labels_refs: there are none");
}

Test(remote_write_v2, exemplar_refs_are_judged_too)
{
	as_it_came(FEW "2a { 0a { 01 02 } " SAMPLE "22 { 0a {} } 22 { 08 05 08 04 } }", 1, 0, 2);
	refused(FEW "2a { 0a { 01 02 } " SAMPLE "22 {} 22 { 0a { 01 06 } } }",
	        "timeseries[0].exemplars[1].labels_refs[1]: 6, and there are 6 symbols");
	refused(FEW "2a { 0a { 01 02 } " SAMPLE "22 { 0a { 01 } } }",
	        "timeseries[0].exemplars[0].labels_refs: an odd number");
}

/* PC3 */
Test(remote_write_v2, names_are_judged)
{
	refused(FEW "2a { 0a { 03 04 } " SAMPLE "}", "timeseries[0].labels_refs: no __name__");
	refused(FEW "2a { 0a { 01 00 } " SAMPLE "}",
	        "timeseries[0].labels_refs: __name__ is empty");
	refused(FEW "2a { 0a { 01 02 00 04 } " SAMPLE "}",
	        "timeseries[0].labels_refs[2]: the name is empty");
	refused(FEW "22 {} 2a { 0a { 01 02 06 04 } " SAMPLE "}",
	        "timeseries[0].labels_refs[2]: the name is empty");
	refused(FEW "2a { 0a { 01 02 03 04 03 04 } " SAMPLE "}",
	        "timeseries[0].labels_refs: 'job' is there twice");
	refused(FEW "2a { 0a { 03 00 01 02 03 04 } " SAMPLE "}",
	        "timeseries[0].labels_refs: 'job' is there twice");
	/* the same text under another number */
	refused(FEW "22 { \"job\" } 2a { 0a { 01 02 03 04 06 04 } " SAMPLE "}",
	        "timeseries[0].labels_refs: 'job' is there twice");
	refused(SYMBOLS "22 { \"tenant_id\" } 2a { 0a { 01 02 06 07 09 07 } " SAMPLE "}",
	        "timeseries[0].labels_refs: 'tenant_id' is there twice");
	/* the same name in two series is fine */
	as_it_came(FEW "*2(2a { 0a { 03 04 01 02 } " SAMPLE "})", 2, 0, 0);
}

Test(remote_write_v2, names_that_only_begin_alike_are_two)
{
	as_it_came("22 {} 22 { \"__name__\" } 22 { \"a\" } 22 { \"a\\x00\" } 22 { "
	           "\"http_request_a\" } 22 { "
	           "\"http_request_b\" } 22 { *100(\"z\") } 22 { *101(\"z\") } "
	           "2a { 0a { 01 02 02 02 03 02 04 02 05 02 06 02 07 02 } " SAMPLE "}",
	           1, 0, 0);
}

/* P17 */
Test(remote_write_v2, samples_or_histograms_and_never_both)
{
	refused(FEW "2a { 0a { 01 02 } " SAMPLE HISTOGRAM "}",
	        "timeseries[0]: both samples and histograms");
	refused(FEW "2a { 0a { 01 02 } }", "timeseries[0]: neither samples nor histograms");
	refused(FEW "2a { 0a { 01 02 } 2a { 08 01 } }",
	        "timeseries[0]: neither samples nor histograms");
	refused(FEW "2a { 0a { 01 02 } " HISTOGRAM "1a { 20 6a } }",
	        "timeseries[0].histograms[1]: schema is none of -9..52 and -53");
}

/* As Prometheus sends them: of the same series, beside the one that has the sample. */
Test(remote_write_v2, a_series_of_exemplars_alone_is_accepted_and_counted)
{
	as_it_came(FEW "2a { 0a { 01 02 } " SAMPLE "} 2a { 0a { 01 02 } 22 { 0a { 03 04 } } }", 1,
	           0, 1);
}

/* P16 */
Test(remote_write_v2, one_invalid_series_among_2000_refuses_all)
{
	refused(FEW "*1999(2a { 0a { 01 02 } " SAMPLE "}) 2a { 0a { 03 02 } " SAMPLE "}",
	        "timeseries[1999].labels_refs: no __name__");
}

/* P10 */
Test(remote_write_v2, what_is_malformed_is_refused_with_its_place)
{
	refused("22 {} 22 { ff }", "symbols[1]: invalid UTF-8 (byte 2)");
	refused(FEW "2a { 0a { 01 82 } " SAMPLE "}",
	        "timeseries[0].labels_refs[0]: a packed varint is too long or truncated (byte 32)");
	refused("22 {} 2a { 09 *8(00) }",
	        "timeseries[0].labels_refs[0]: wrong wire type 1 (byte 4)");
	refused("22 {} 28 01", "timeseries[0]: wrong wire type 0 (byte 2)");
	refused("22 {} 20 01", "symbols[1]: wrong wire type 0 (byte 2)");
	refused("22 {} 2a 05 0a", "timeseries[0]: length past the end of its message (byte 2)");
	refused("22 {} 22 { \"x\" } 0b", "groups are not supported (byte 5)");
}

Test(remote_write_v2, every_truncation_is_refused_or_a_shorter_request)
{
	struct bytes body = hex_bytes(FEW "2a { 0a { 01 02 05 04 } " SAMPLE "2a { 08 01 } }", room,
	                              sizeof(room));
	size_t accepted = 0;

	for (size_t i = 0; i < body.n; i++) {
		struct rw_outcome o = rw_all(rw_settings_of(2), bytes_of(body.p, i));

		accepted += o.verdict == V_EMPTY;
		cr_expect_neq(o.verdict, V_ACCEPTED);
		rw_outcome_done(&o);
	}
	cr_expect_eq(accepted, 7, "nothing, and one to six symbols");
}

/* ---- bounds ---- */

static void expect_count(struct rw_outcome o, const char *what, uint64_t limit)
{
	cr_assert_eq(o.verdict, V_COUNT);
	cr_expect_str_eq(o.e.counted_what, what);
	cr_expect_eq(o.e.counted, limit + 1);
	cr_expect_eq(o.e.count_limit, limit);
	rw_outcome_done(&o);
}

Test(remote_write_v2, symbols_are_bounded)
{
	struct rw_outcome o;

	for (size_t i = 0; i < 1000001; i++) {
		room[2 * i] = 0x22;
		room[2 * i + 1] = 0;
	}
	o = rw_once(rw_settings_of(2), bytes_of(room, 2000000), false, 0);
	cr_expect_eq(o.verdict, V_EMPTY);
	rw_outcome_done(&o);
	expect_count(rw_once(rw_settings_of(2), bytes_of(room, 2000002), false, 0), "symbols",
	             1000000);
}

Test(remote_write_v2, more_edits_than_the_maximum_are_refused_by_count)
{
	expect_count(run(rw_settings_of(2), FEW "*22000(2a { 0a { 01 02 } " SAMPLE "})"), "edits",
	             EDITS_MAX);
}

/* Two symbols of 1 MiB that differ in their last byte, compared by 100 000 series. */
Test(remote_write_v2, long_symbols_are_compared_once_whatever_refers_to_them)
{
	struct rw_settings s = { .version = 2 };
	struct bytes body = hex_bytes("22 {} 22 { \"__name__\" } 22 { *1000000(\"x\") \"a\" } "
	                              "22 { *1000000(\"x\") \"b\" } "
	                              "*100000(2a { 0a { 01 01 02 01 03 01 } 12 {} })",
	                              room, sizeof(room));
	struct rw_outcome o = rw_once(s, body, false, 0);

	cr_expect_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
	rw_outcome_done(&o);
}
