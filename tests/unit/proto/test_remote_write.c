/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich_rw.h"

static uint8_t room[8 * MIB], wanted[8 * MIB];

#define NAME "0a { 0a { \"__name__\" } 12 { \"up\" } }"
#define LABEL(name, value) "0a { 0a { \"" name "\" } 12 { \"" value "\" } }"
#define STAMP "0a 11 0a 09 \"tenant_id\" 12 04 \"acme\""
#define SAMPLE "12 { 09 00 00 00 00 00 00 f0 3f 10 80 d0 a5 f4 ab 33 }"
#define METADATA "1a { 08 01 12 { \"up\" } 22 { \"Is it up?\" } 2a { \"\" } }"

static struct rw_outcome run(struct rw_settings s, const char *text)
{
	return rw_all(s, hex_bytes(text, room, sizeof(room)));
}

/* The value that text becomes, byte for byte, and what was counted. */
static void expect_value(struct rw_settings s, const char *text, const char *value, uint64_t items,
                         uint64_t spoofed)
{
	struct rw_outcome o = run(s, text);
	struct bytes want = hex_bytes(value, wanted, sizeof(wanted));

	cr_assert_eq(o.verdict, items ? V_ACCEPTED : V_EMPTY, "%s: %s", text, o.e.reason);
	cr_expect_eq(o.e.items, items, "%s: %ju items", text, (uintmax_t)o.e.items);
	cr_expect_eq(o.e.spoofed, spoofed, "%s: %ju spoofed", text, (uintmax_t)o.e.spoofed);
	cr_expect(bytes_eq(want, bytes_of(o.value, o.value_n)), "%s: another value", text);
	rw_outcome_done(&o);
}

static void stamped(const char *text, const char *value, uint64_t spoofed)
{
	expect_value(rw_settings_of(1), text, value, 1, spoofed);
}

static void as_it_came(const char *text, uint64_t items)
{
	struct rw_settings s = rw_settings_of(1);

	s.stamp = false;
	expect_value(s, text, text, items, 0);
}

static void refused(const char *text, const char *reason)
{
	for (int stamp = 0; stamp < 2; stamp++) {
		struct rw_settings s = { .version = 1, .stamp = stamp };
		struct rw_outcome o = run(s, text);

		cr_expect_eq(o.verdict, V_INVALID, "%s", text);
		cr_expect_str_eq(o.e.reason, reason, "%s: %s", text, o.e.reason);
		rw_outcome_done(&o);
	}
}

/* ---- the stamp ---- */

/* R5 */
Test(remote_write, the_stamp_is_the_vector_of_the_record_contract)
{
	const struct format *f = &protocol_remote_write.formats[0];
	uint8_t out[64];
	size_t n = f->stamp(BYTES("tenant_id"), BYTES("acme"), out, sizeof(out));

	cr_expect(bytes_eq(bytes_of(out, n), hex_bytes(STAMP, wanted, sizeof(wanted))));
	cr_expect_eq(f->stamp(BYTES("tenant_id"), BYTES("acme"), out, n), n);
	cr_expect_eq(f->stamp(BYTES("tenant_id"), BYTES("acme"), out, n - 1), 0);
}

Test(remote_write, stamps_of_every_length_decode_to_their_name_and_tenant)
{
	char name[256] = "", tenant[151] = "";
	uint8_t out[700];

	for (size_t i = 1; i <= 255; i++) {
		Prometheus__TimeSeries *series;
		size_t n;

		name[i - 1] = 'n';
		if (i <= 150)
			tenant[i - 1] = 't';
		n = protocol_remote_write.formats[0].stamp(bytes_of(name, i), bytes_str(tenant),
		                                           out, sizeof(out));
		series = prometheus__time_series__unpack(NULL, n, out);
		cr_assert(series && series->n_labels == 1);
		cr_assert_str_eq(series->labels[0]->name, name);
		cr_assert_str_eq(series->labels[0]->value, tenant);
		prometheus__time_series__free_unpacked(series, NULL);
	}
}

/* R5 */
Test(remote_write, our_label_stands_in_byte_order_of_names)
{
	stamped("0a { " NAME SAMPLE " }", "0a { " NAME STAMP SAMPLE " }", 0);
	stamped("0a { " LABEL("A", "a") NAME LABEL("zone", "z") SAMPLE " }",
	        "0a { " LABEL("A", "a") NAME STAMP LABEL("zone", "z") SAMPLE " }", 0);
	stamped("0a { " NAME LABEL("tenant", "z") LABEL("tenant_ic", "") LABEL("tenant_id2", "b")
	                SAMPLE " }",
	        "0a { " NAME LABEL("tenant", "z") LABEL("tenant_ic", "")
	                STAMP LABEL("tenant_id2", "b") SAMPLE " }",
	        0);
}

Test(remote_write, our_label_may_be_the_first)
{
	struct rw_settings s = rw_settings_of(1);

	s.name = "A";
	expect_value(s, "0a { " NAME SAMPLE " }",
	             "0a { 0a { 0a { \"A\" } 12 { \"acme\" } }" NAME SAMPLE " }", 1, 0);
}

Test(remote_write, each_series_gets_its_own_stamp_and_lengths_follow)
{
	expect_value(rw_settings_of(1),
	             "*3(0a { " NAME LABEL("zone", "*") SAMPLE
	             " }) 0a { " NAME "0a { 0a { \"path\" } 12 { *100(\"x\") } }" SAMPLE SAMPLE
	             " }",
	             "*3(0a { " NAME STAMP LABEL("zone", "*") SAMPLE
	             " }) 0a { " NAME
	             "0a { 0a { \"path\" } 12 { *100(\"x\") } }" STAMP SAMPLE SAMPLE " }",
	             5, 0);
	/* a padded length becomes a minimal one */
	expect_value(rw_settings_of(1), "0a a2 80 80 00 " NAME SAMPLE,
	             "0a { " NAME STAMP SAMPLE " }", 1, 0);
	/* a padded tag stays */
	expect_value(rw_settings_of(1), "8a 80 00 { " NAME SAMPLE " }",
	             "8a 80 00 { " NAME STAMP SAMPLE " }", 1, 0);
}

/* R5 */
Test(remote_write, the_clients_own_tenant_leaves)
{
	stamped("0a { " NAME LABEL("tenant_id", "evil") SAMPLE " }", "0a { " NAME STAMP SAMPLE " }",
	        1);
	/* of the same length: no length changes */
	stamped("0a { " NAME LABEL("tenant_id", "EVIL") LABEL("zone", "") SAMPLE " }",
	        "0a { " NAME STAMP LABEL("zone", "") SAMPLE " }", 1);
	/* wherever it stands */
	stamped("0a { " LABEL("tenant_id", "e") NAME LABEL("zone", "") SAMPLE " }",
	        "0a { " NAME STAMP LABEL("zone", "") SAMPLE " }", 1);
	stamped("0a { " NAME SAMPLE LABEL("tenant_id", "e") " }", "0a { " NAME STAMP SAMPLE " }",
	        1);
}

/* P11's kind: what a decoder would make of it is judged */
Test(remote_write, of_a_repeated_name_or_value_in_a_label_the_last_counts)
{
	stamped("0a { " NAME "0a { 0a { \"zone\" } 12 { \"evil\" } 0a { \"tenant_id\" } }" SAMPLE
	        " }",
	        "0a { " NAME STAMP SAMPLE " }", 1);
	stamped("0a { " NAME "0a { 0a { \"tenant_id\" } 12 { \"evil\" } 0a { \"zone\" } }" SAMPLE
	        " }",
	        "0a { " NAME STAMP
	        "0a { 0a { \"tenant_id\" } 12 { \"evil\" } 0a { \"zone\" } }" SAMPLE " }",
	        0);
	/* the value before the name */
	stamped("0a { " NAME "0a { 12 { \"evil\" } 0a { \"tenant_id\" } }" SAMPLE " }",
	        "0a { " NAME STAMP SAMPLE " }", 1);
	/* padded tags and lengths hide nothing */
	stamped("0a { " NAME "8a 00 92 00 8a 00 89 80 00 \"tenant_id\" 12 02 \"e2\"" SAMPLE " }",
	        "0a { " NAME STAMP SAMPLE " }", 1);
	refused("0a { 0a { 0a { \"__name__\" } 12 { \"up\" } 12 { \"\" } } " SAMPLE " }",
	        "timeseries[0].labels: __name__ is empty");
	refused("0a { " NAME "0a { 0a { \"zone\" } 0a { \"\" } } " SAMPLE " }",
	        "timeseries[0].labels[1]: the name is empty");
}

Test(remote_write, names_and_values_of_several_bytes_and_lengths_are_read)
{
	stamped("0a { " NAME "0a { 0a { *200(\"p\") } 12 { *300(\"v\") } }" SAMPLE " }",
	        "0a { " NAME "0a { 0a { *200(\"p\") } 12 { *300(\"v\") } }" STAMP SAMPLE " }", 0);
	stamped("0a { " NAME LABEL("stra\xc3\x9f"
	                           "e",
	                           "K\xc3\xb6ln") SAMPLE " }",
	        "0a { " NAME LABEL("stra\xc3\x9f"
	                           "e",
	                           "K\xc3\xb6ln") STAMP SAMPLE " }",
	        0);
	stamped("0a { " NAME LABEL("\xc3\xa4", "1") SAMPLE " }",
	        "0a { " NAME STAMP LABEL("\xc3\xa4", "1") SAMPLE " }", 0);
}

/* R5 */
Test(remote_write, unsorted_labels_leave_sorted)
{
	stamped("0a { " LABEL("zone", "1") LABEL("job", "2") NAME SAMPLE " }",
	        "0a { " NAME LABEL("job", "2") STAMP LABEL("zone", "1") SAMPLE " }", 0);
	stamped("0a { " LABEL("b", "1") NAME SAMPLE LABEL("a", "22") " }",
	        "0a { " NAME LABEL("a", "22") SAMPLE LABEL("b", "1") STAMP " }", 0);
	stamped("0a { " LABEL("zone", "1") LABEL("tenant_id", "evil") LABEL("job", "2") NAME SAMPLE
	        " }",
	        "0a { " NAME LABEL("job", "2") STAMP LABEL("zone", "1") SAMPLE " }", 1);
}

Test(remote_write, with_enrich_header_labels_leave_sorted_and_unstamped)
{
	struct rw_settings s = rw_settings_of(1);

	s.stamp = false;
	expect_value(s, "0a { " LABEL("tenant_id", "evil") LABEL("job", "2") NAME SAMPLE " }",
	             "0a { " NAME LABEL("job", "2") LABEL("tenant_id", "evil") SAMPLE " }", 1, 0);
	as_it_came("0a { " NAME LABEL("tenant_id", "evil") SAMPLE
	           " } 0a ad 00 " NAME LABEL("job", "\xc3\xa4") SAMPLE METADATA,
	           3);
}

/* R5 */
Test(remote_write, fields_of_no_contract_leave_in_every_mode)
{
	static const char text[] = "10 01 c2 3e { ff } 0a { " NAME SAMPLE " } c0 3e 01 "
				   "22 { \"symbol\" } 15 01020304 " METADATA " c9 3e *8(ff)";
	struct rw_settings s = rw_settings_of(1);

	expect_value(s, text, "0a { " NAME STAMP SAMPLE " } " METADATA, 2, 0);
	s.stamp = false;
	expect_value(s, text, "0a { " NAME SAMPLE " } " METADATA, 2, 0);
	/* a run of them is one edit */
	expect_value(s, "*70000(10 01) 0a { " NAME SAMPLE " }", "0a { " NAME SAMPLE " }", 1, 0);
}

/* P10: unknown fields below the top level, order, padding */
Test(remote_write, all_other_bytes_survive)
{
	stamped("0a { 0a { a2 06 { \"x\" } 0a { \"__name__\" } 12 { \"up\" } f8 01 07 } b5 06 "
	        "01020304 "
	        "12 { 18 05 10 80 80 00 09 *8(ff) } }",
	        "0a { 0a { a2 06 { \"x\" } 0a { \"__name__\" } 12 { \"up\" } f8 01 07 } " STAMP
	        " b5 06 01020304 12 { 18 05 10 80 80 00 09 *8(ff) } }",
	        0);
}

/* P17 */
Test(remote_write, stale_markers_and_other_nans_are_bit_exact)
{
	static const char *const values[] = { "02 00 00 00 00 00 f0 7f", "01 00 00 00 00 00 f8 7f",
		                              "ff ff ff ff ff ff ff ff", "00 00 00 00 00 00 f0 ff",
		                              "00 00 00 00 00 00 f0 7f" };
	char text[300], value[300];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(text, sizeof(text), "0a { " NAME " 12 { 09 %s 10 01 } }", values[i]);
		snprintf(value, sizeof(value), "0a { " NAME STAMP " 12 { 09 %s 10 01 } }",
		         values[i]);
		stamped(text, value, 0);
	}
}

/* ---- what is counted ---- */

/* P15 */
Test(remote_write, metadata_alone_is_a_request)
{
	expect_value(rw_settings_of(1), METADATA METADATA, METADATA METADATA, 2, 0);
	expect_value(rw_settings_of(1), "1a {}", "1a {}", 1, 0);
}

/* PC2 */
Test(remote_write, metadata_of_all_types_is_accepted)
{
	as_it_came("1a { 08 00 12 { \"a.b c\" } } 1a { 08 01 } 1a { 08 02 } 1a { 08 03 } 1a { 08 "
	           "04 22 "
	           "{ \"help\\n\" } } 1a { 08 05 } 1a { 08 06 } 1a { 08 07 } 1a { 08 63 }",
	           9);
}

/* PC2 */
Test(remote_write, samples_exemplars_and_histograms_are_items)
{
	as_it_came("0a { " NAME LABEL("a.b c", "line\\nline") SAMPLE SAMPLE
	           "12 {} 12 { 10 01 } 12 { 09 *8(00) } 12 { 10 ff ff ff ff ff ff ff ff ff 01 }"
	           "1a { 0a { 0a { \"trace \\xc3\\xa4\" } 12 { \"\\xe2\\x82\\xac\" } } 11 *8(01) } "
	           "1a {} "
	           "22 { 08 00 } }",
	           9);
}

Test(remote_write, exemplar_labels_stay_whatever_their_name)
{
	stamped("0a { " NAME "1a { 0a { 0a { \"tenant_id\" } 12 { \"x\" } } } }",
	        "0a { " NAME STAMP "1a { 0a { 0a { \"tenant_id\" } 12 { \"x\" } } } }", 0);
}

Test(remote_write, a_body_without_items_is_empty)
{
	as_it_came("", 0);
	as_it_came("0a { " NAME " }", 0);
}

/* ---- what is refused ---- */

/* P16 */
Test(remote_write, a_body_of_the_other_version_is_refused)
{
	refused("22 {} 2a { 0a { 01 02 } }",
	        "neither timeseries nor metadata: is this a 2.0 body?");
	refused("22 {}", "neither timeseries nor metadata: is this a 2.0 body?");
	refused("f8 01 01", "neither timeseries nor metadata: is this a 2.0 body?");
}

/* PC3 */
Test(remote_write, a_series_without_a_metric_name_is_refused)
{
	refused("0a { " LABEL("job", "a") SAMPLE " }", "timeseries[0].labels: no __name__");
	refused("0a { " LABEL("__name__", "") SAMPLE " }",
	        "timeseries[0].labels: __name__ is empty");
	refused("0a { 0a { 0a { \"__name__\" } } " SAMPLE " }",
	        "timeseries[0].labels: __name__ is empty");
	refused("0a { " SAMPLE " }", "timeseries[0].labels: there are none");
	refused("0a {}", "timeseries[0].labels: there are none");
	refused("0a { " SAMPLE " 1a { 11 *8(00) } }", "timeseries[0].labels: there are none");
	refused(METADATA "0a { " SAMPLE " }", "timeseries[0].labels: there are none");
	/* four series, one bad */
	refused("0a { " NAME SAMPLE " } 0a { " NAME SAMPLE " } 0a { " LABEL("job", "") SAMPLE
	        " } 0a { " NAME SAMPLE " }",
	        "timeseries[2].labels: no __name__");
}

Test(remote_write, empty_and_repeated_names_are_refused)
{
	refused("0a { " NAME LABEL("", "x") SAMPLE " }",
	        "timeseries[0].labels[1]: the name is empty");
	refused("0a { " NAME " 0a {} " SAMPLE " }", "timeseries[0].labels[1]: the name is empty");
	refused("0a { " NAME LABEL("job", "a") LABEL("job", "a") SAMPLE " }",
	        "timeseries[0].labels: 'job' is there twice");
	refused("0a { " LABEL("job", "a") NAME LABEL("a", "") LABEL("job", "b") SAMPLE " }",
	        "timeseries[0].labels: 'job' is there twice");
	refused("0a { " NAME LABEL("long_label_name", "a") LABEL("long_label_name", "b") SAMPLE
	        " }",
	        "timeseries[0].labels: 'long_label_name' is there twice");
	refused("0a { " NAME LABEL("tenant_id", "a") LABEL("tenant_id", "b") SAMPLE " }",
	        "timeseries[0].labels: 'tenant_id' is there twice");
}

Test(remote_write, names_that_only_begin_alike_are_two)
{
	as_it_came("0a { " NAME LABEL("a", "1") LABEL("a\\x00", "2") LABEL("ab", "3")
	                   LABEL("http_request_a", "4") LABEL("http_request_aa", "4")
	                           LABEL("http_request_b", "4") SAMPLE " }",
	           1);
}

/* P20 */
Test(remote_write, a_reason_shows_no_byte_unescaped_and_is_cut)
{
	refused("0a { " NAME "*2(0a { 0a { \"a\\xc3\\xa4'\\n\" *400(\"\\x01\") } }) " SAMPLE " }",
	        "timeseries[0].labels: "
	        "'a\\xc3\\xa4\\x27\\x0a\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01..."
	        "' is there twice");
}

/* P10 */
Test(remote_write, what_is_malformed_is_refused_with_its_place)
{
	refused("0a { " NAME SAMPLE " } 0a { " NAME " 0a { 0a { ff } } }",
	        "timeseries[1].labels[1].name: invalid UTF-8 (byte 56)");
	refused("0a { " NAME LABEL("k", "\\xed\\xa0\\x80") SAMPLE " }",
	        "timeseries[0].labels[1].value: invalid UTF-8 (byte 23)");
	refused("1a { 12 { c3 } }", "metadata[0].metric_family_name: invalid UTF-8 (byte 2)");
	refused("0a { " NAME SAMPLE " } 0a 05 00",
	        "timeseries[1]: length past the end of its message "
	        "(byte 36)");
	refused("0a { " NAME " 12 { 09 00 } }",
	        "timeseries[0].samples[0].value: truncated (byte 20)");
	refused("0a { " NAME " 13 14 }",
	        "timeseries[0].samples[0]: groups are not supported (byte 18)");
	refused("08 01", "timeseries[0]: wrong wire type 0 (byte 0)");
	refused("18 01", "metadata[0]: wrong wire type 0 (byte 0)");
	refused("0b", "timeseries[0]: groups are not supported (byte 0)");
	refused("1b", "metadata[0]: groups are not supported (byte 0)");
	refused("02 00", "field number 0 (byte 0)");
	refused("0e", "timeseries[0]: wrong wire type 6 (byte 0)");
	refused("20 ff ff ff ff ff ff ff ff ff ff 01", "varint over 10 bytes or 64 bits (byte 0)");
	refused("0a { " NAME SAMPLE " } 0a", "timeseries[1]: truncated (byte 36)");
}

Test(remote_write, every_truncation_is_refused_or_a_shorter_request)
{
	struct bytes body =
		hex_bytes("0a { " NAME LABEL("job", "j") SAMPLE " } " METADATA, room, sizeof(room));
	size_t accepted = 0;

	for (size_t i = 0; i < body.n; i++) {
		struct rw_outcome o = rw_all(rw_settings_of(1), bytes_of(body.p, i));

		accepted += o.verdict != V_INVALID;
		rw_outcome_done(&o);
	}
	cr_expect_eq(accepted, 2, "nothing, and the series alone");
}

/* P16 */
Test(remote_write, one_invalid_series_among_2000_refuses_all)
{
	refused("*1999(0a { " NAME SAMPLE " }) 0a { " LABEL("job", "x") SAMPLE " }",
	        "timeseries[1999].labels: no __name__");
}

Test(remote_write, an_invalid_histogram_is_refused_with_its_place)
{
	refused("0a { " NAME " 22 { 08 00 } 22 { 20 6a } }",
	        "timeseries[0].histograms[1]: schema is none of -9..52 and -53");
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

/* B25 */
Test(remote_write, a_million_series_without_labels_are_refused)
{
	struct rw_outcome o;

	for (size_t i = 0; i < 1000000; i++) {
		room[2 * i] = 0x0a;
		room[2 * i + 1] = 0;
	}
	o = rw_all(rw_settings_of(1), bytes_of(room, 2000000));
	cr_expect_eq(o.verdict, V_INVALID);
	rw_outcome_done(&o);
}

Test(remote_write, more_edits_than_the_maximum_are_refused_by_count)
{
	expect_count(run(rw_settings_of(1), "*40000(0a { " NAME SAMPLE " })"), "edits", EDITS_MAX);
}

Test(remote_write, labels_of_one_series_are_bounded)
{
	struct rw_outcome o;
	size_t n = 0, at;

	for (int labels = 10000; labels <= 10001; labels++) {
		n = 5;
		for (int i = 1; i < labels; i++) {
			char name[16];

			sprintf(name, "x%07d", i);
			n += hex_bytes("0a { 0a { \"xxxxxxxx\" } 12 {} }", room + n, 20).n;
			memcpy(room + n - 10, name, 8);
		}
		n += hex_bytes(NAME SAMPLE, room + n, 100).n;
		room[0] = 0x0a;
		at = n - 5;
		for (int i = 1; i < 5; i++, at >>= 7)
			room[i] = (uint8_t)(at & 0x7f) | (i < 4 ? 0x80 : 0);
		o = rw_all(rw_settings_of(1), bytes_of(room, n));
		if (labels == 10000) {
			cr_expect_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
			rw_outcome_done(&o);
		} else {
			expect_count(o, "labels of one series", 10000);
		}
	}
}

/* ---- the protocol ---- */

Test(remote_write, the_protocol_is_what_the_wire_contract_says)
{
	const struct protocol *p = &protocol_remote_write;

	cr_expect_str_eq(p->paths[0], "/api/v1/write");
	cr_expect_str_eq(p->paths[1], "/api/v1/push");
	cr_expect_null(p->paths[2]);
	cr_expect_eq(p->signal, SIGNAL_METRICS);
	cr_expect_str_eq(p->formats[0].record_format, "prom_rw1");
	cr_expect_str_eq(p->formats[1].record_format, "prom_rw2");
	cr_expect(p->formats[0].untyped && !p->formats[1].untyped);
	cr_expect(!p->formats[0].written && p->formats[1].written);
	cr_expect(p->formats[0].block && p->formats[1].block);
	cr_expect_null(p->formats[2].type);
}
