/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich_loki.h"

static uint8_t room[20 * MIB], wanted[20 * MIB];

#define TIME "0a { 08 80 e2 cf aa 06 10 15 }"
#define ENTRY "12 { " TIME " 12 { \"hello\" } }"
#define STREAM(labels) "0a { 0a { " labels " } " ENTRY " }"
#define PAIR(name, value) "1a { 0a { \"" name "\" } 12 { \"" value "\" } }"
#define STAMP PAIR("tenant_id", "acme")

static struct loki_outcome run(struct loki_settings s, const char *text)
{
	return loki_all(s, hex_bytes(text, room, sizeof(room)));
}

struct counts {
	uint64_t items, spoofed, repaired;
};

/* The value that text becomes, byte for byte, and what was counted. */
static void expect_value(struct loki_settings s, const char *text, const char *value,
                         struct counts want)
{
	struct loki_outcome o = run(s, text);
	struct bytes bytes = hex_bytes(value, wanted, sizeof(wanted));

	cr_assert_eq(o.verdict, want.items ? V_ACCEPTED : V_EMPTY, "%s: %s", text, o.e.reason);
	cr_expect(o.e.items == want.items && o.e.spoofed == want.spoofed &&
	                  o.e.repaired == want.repaired,
	          "%s: %ju items, %ju spoofed, %ju repaired", text, (uintmax_t)o.e.items,
	          (uintmax_t)o.e.spoofed, (uintmax_t)o.e.repaired);
	cr_expect(bytes_eq(bytes, bytes_of(o.value, o.value_n)), "%s: another value: %.*s", text,
	          (int)o.value_n, (const char *)o.value);
	loki_outcome_done(&o);
}

static void stamped(const char *text, const char *value, struct counts want)
{
	expect_value(loki_settings_of(LOKI_PROTOBUF), text, value, want);
}

/* A label text, and what the stamp makes of it. */
static void labelled(const char *labels, const char *value, uint64_t spoofed)
{
	char text[1000], becomes[1000];

	snprintf(text, sizeof(text), "0a { 0a { \"%s\" } " ENTRY " }", labels);
	snprintf(becomes, sizeof(becomes), "0a { 0a { \"%s\" } " ENTRY " }", value);
	stamped(text, becomes, (struct counts){ 1, spoofed, 0 });
}

/* With the stamp in each entry: what becomes of the labels. */
static void unlabelled(const char *labels, const char *value, uint64_t spoofed)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);
	char text[1000], becomes[1000];

	s.into_entries = true;
	snprintf(text, sizeof(text), "0a { 0a { \"%s\" } " ENTRY " }", labels);
	snprintf(becomes, sizeof(becomes),
	         "0a { 0a { \"%s\" } 12 { " TIME " 12 { \"hello\" } " STAMP " } }", value);
	expect_value(s, text, becomes, (struct counts){ 1, spoofed, 0 });
}

static void as_it_came(const char *text, struct counts want)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);

	s.stamp = false;
	expect_value(s, text, text, want);
}

/* With the stamp in the labels, and without any. */
static void refused(const char *text, enum verdict verdict, const char *reason)
{
	for (int stamp = 0; stamp < 2; stamp++) {
		struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);
		struct loki_outcome o;

		s.stamp = stamp;
		o = run(s, text);
		cr_expect_eq(o.verdict, verdict, "%s", text);
		cr_expect_str_eq(o.e.reason, reason, "%s: %s", text, o.e.reason);
		loki_outcome_done(&o);
	}
}

/* R6 */
Test(loki, the_stamp_goes_before_the_first_greater_name)
{
	labelled("{foo=\\\"bar\\\", z=\\\"1\\\"}",
	         "{foo=\\\"bar\\\", tenant_id=\\\"acme\\\", z=\\\"1\\\"}", 0);
	labelled("{z=\\\"1\\\"}", "{tenant_id=\\\"acme\\\", z=\\\"1\\\"}", 0);
	labelled("{a=\\\"1\\\"}", "{a=\\\"1\\\", tenant_id=\\\"acme\\\"}", 0);
	labelled("{tenant_i=\\\"1\\\"}", "{tenant_i=\\\"1\\\", tenant_id=\\\"acme\\\"}", 0);
	labelled("{tenant_id_=\\\"1\\\"}", "{tenant_id=\\\"acme\\\", tenant_id_=\\\"1\\\"}", 0);
}

/* PC7: the text is otherwise as it came */
Test(loki, blanks_quotes_and_order_of_a_label_text_stay)
{
	labelled(" { a = 'b' , } ", " { a = 'b', tenant_id=\\\"acme\\\" , } ", 0);
	labelled("{z=`1`,a=\\\"\\\\n\\\"}", "{tenant_id=\\\"acme\\\", z=`1`,a=\\\"\\\\n\\\"}", 0);
	labelled("{\\\"u v\\\"=\\\"1\\\"}", "{tenant_id=\\\"acme\\\", \\\"u v\\\"=\\\"1\\\"}", 0);
	labelled("{a=\\\"\\\", b=\\\"c\\\"}", "{a=\\\"\\\", b=\\\"c\\\", tenant_id=\\\"acme\\\"}",
	         0);
}

/* R6 */
Test(loki, a_client_s_own_pair_leaves_the_labels_wherever_it_is)
{
	labelled("{a=\\\"1\\\", tenant_id=\\\"evil\\\", z=\\\"2\\\"}",
	         "{a=\\\"1\\\", tenant_id=\\\"acme\\\", z=\\\"2\\\"}", 1);
	labelled("{tenant_id=\\\"evil\\\"}", "{tenant_id=\\\"acme\\\"}", 1);
	labelled("{tenant_id=\\\"\\\", a=\\\"b\\\"}", "{a=\\\"b\\\", tenant_id=\\\"acme\\\"}", 1);
	labelled("{z=\\\"2\\\", tenant_id=\\\"evil\\\"}", "{tenant_id=\\\"acme\\\", z=\\\"2\\\"}",
	         1);
	labelled("{z=\\\"2\\\",'tenant_id'='evil',a=\\\"1\\\"}",
	         "{tenant_id=\\\"acme\\\", z=\\\"2\\\",a=\\\"1\\\"}", 1);
	labelled("{tenant_id=\\\"evil\\\", a=\\\"1\\\" , z=\\\"2\\\"}",
	         "{a=\\\"1\\\" , tenant_id=\\\"acme\\\", z=\\\"2\\\"}", 1);
	labelled("{a=\\\"1\\\", b=\\\"2\\\", \\\"tenant\\\\x5fid\\\"=`evil`,}",
	         "{a=\\\"1\\\", b=\\\"2\\\", tenant_id=\\\"acme\\\",}", 1);
	labelled("{`tenant\\\\x5fid`=\\\"mine\\\"}", /* in backticks an escape is none */
	         "{`tenant\\\\x5fid`=\\\"mine\\\", tenant_id=\\\"acme\\\"}", 0);
}

Test(loki, structured_metadata_can_carry_the_stamp)
{
	unlabelled("{a=\\\"1\\\"}", "{a=\\\"1\\\"}", 0);
	unlabelled("{a=\\\"1\\\", tenant_id=\\\"evil\\\"}", "{a=\\\"1\\\"}", 1);
	unlabelled("{tenant_id=\\\"evil\\\", a=\\\"1\\\"}", "{a=\\\"1\\\"}", 1);
	unlabelled("{a=\\\"1\\\",tenant_id=\\\"evil\\\",b=\\\"2\\\"}", "{a=\\\"1\\\",b=\\\"2\\\"}",
	           1);
}

Test(loki, a_stream_with_no_label_but_the_client_s_tenant_has_none)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);
	struct loki_outcome o;

	s.into_entries = true;
	o = run(s, STREAM("\"{tenant_id=\\\"evil\\\"}\""));
	cr_expect_eq(o.verdict, V_INVALID);
	cr_expect_str_eq(o.e.reason, "error at least one label pair is required per stream");
	loki_outcome_done(&o);
}

/* R6 */
Test(loki, a_client_s_own_pair_leaves_structured_metadata)
{
	stamped("0a { 0a { \"{z='1'}\" } 12 { " TIME PAIR("a", "b") PAIR("tenant_id", "evil")
	                PAIR("c", "d") " } 12 { " PAIR("tenant_id", "") " } }",
	        "0a { 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } 12 { " TIME PAIR("a", "b")
	                PAIR("c", "d") " } 12 { } }",
	        (struct counts){ 2, 2, 0 });
	/* the last name counts */
	stamped("0a { 0a { \"{z='1'}\" } 12 { 1a { 0a { \"a\" } 0a { \"tenant_id\" } } } 12 { 1a { "
	        "0a { "
	        "\"tenant_id\" } 0a { \"a\" } } } }",
	        "0a { 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } 12 { } 12 { 1a { 0a { "
	        "\"tenant_id\" } 0a { "
	        "\"a\" } } } }",
	        (struct counts){ 2, 1, 0 });
}

Test(loki, what_is_for_servers_alone_leaves)
{
	stamped("0a { 0a { \"{z='1'}\" } 18 07 12 { 22 { 0a { \"k\" } } " TIME
	        " 22 00 } 18 ff 01 }",
	        "0a { 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } 12 { " TIME " } }",
	        (struct counts){ 1, 0, 0 });
}

Test(loki, enrich_header_leaves_the_body_as_it_came)
{
	as_it_came("0a { 0a { \"{tenant_id='evil'}\" } 18 07 12 { " TIME PAIR(
			   "tenant_id", "x") " 22 00 } } "
	                                     "0a { 0a { \"{\" } }",
	           (struct counts){ 1, 0, 0 });
}

Test(loki, unknown_fields_and_format_stay)
{
	stamped("7a { 00 } 0a { 7a 00 0a { \"{z='1'}\" } 12 { 7a 00 " TIME
	        " } 78 01 } 12 { \"x\" }",
	        "7a { 00 } 0a { 7a 00 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } 12 { 7a 00 " TIME
	        " } 78 01 } 12 { \"x\" }",
	        (struct counts){ 1, 0, 0 });
}

Test(loki, labels_may_come_behind_the_entries)
{
	stamped("0a { " ENTRY " 18 05 0a { \"{z='1'}\" } } " STREAM("\"{a='1'}\""),
	        "0a { " ENTRY " 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } } " STREAM(
			"\"{a='1', tenant_id=\\\"acme\\\"}\""),
	        (struct counts){ 2, 0, 0 });
}

Test(loki, of_repeated_labels_the_last_ones_stay)
{
	stamped("0a { 0a { \"{tenant_id='evil'}\" } 0a { \"{z='1'}\" } " ENTRY " }",
	        "0a { 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } " ENTRY " }",
	        (struct counts){ 1, 0, 0 });
	refused("0a { 0a { \"{z='1'}\" } " ENTRY " 0a { \"{\" } }", V_INVALID,
	        "couldn't parse labels: expected a label name (byte 1 of '{')");
}

/* P18 */
Test(loki, no_stream_at_all_is_refused_and_streams_without_entries_are_nothing)
{
	refused("", V_NO_STREAMS, "");
	refused("12 { \"x\" }", V_NO_STREAMS, "");
	stamped("0a 00", "", (struct counts){ 0 });
	stamped("0a { 0a { \"{\" } 18 01 }", "", (struct counts){ 0 });
	stamped("0a { 0a { \"{\" } } " STREAM("\"{z='1'}\"") " 0a 00",
	        STREAM("\"{tenant_id=\\\"acme\\\", z='1'}\""), (struct counts){ 1, 0, 0 });
}

Test(loki, a_stream_left_out_leaves_the_stamp_before_it)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);

	s.into_entries = true;
	expect_value(s, "0a { 0a { \"{z='1'}\" } 12 { " TIME " } } 0a { 0a { \"{}\" } }",
	             "0a { 0a { \"{z='1'}\" } 12 { " TIME STAMP " } }", (struct counts){ 1, 0, 0 });
	expect_value(s,
	             "0a { 12 { " TIME
	             " } 0a { \"{z='1'}\" } 12 { " TIME PAIR("tenant_id", "x") " } 18 01 } 0a 00",
	             "0a { 12 { " TIME STAMP " } 0a { \"{z='1'}\" } 12 { " TIME STAMP " } }",
	             (struct counts){ 2, 1, 0 });
}

Test(loki, labels_are_refused_in_loki_s_words)
{
	refused("0a { " ENTRY " }", V_INVALID,
	        "error at least one label pair is required per stream");
	refused(STREAM(""), V_INVALID, "couldn't parse labels: expected '{' (byte 0 of '')");
	refused(STREAM("\"{}\""), V_INVALID,
	        "error at least one label pair is required per stream");
	refused(STREAM("\"{a=''}\""), V_INVALID,
	        "error at least one label pair is required per stream");
	refused(STREAM("\"{a=\\\"\\x01\\\" b}\""), V_INVALID,
	        "couldn't parse labels: expected ',' or '}' (byte 7 of '{a=\\x22\\x01\\x22 b}')");
	refused(STREAM("\"{a='b', a='c'}\""), V_INVALID,
	        "stream '{a='b', a='c'}' has duplicate label name: 'a'");
	refused(STREAM("\"{tenant_id='b', tenant_id='c'}\""), V_INVALID,
	        "stream '{tenant_id='b', tenant_id='c'}' has duplicate label name: 'tenant_id'");
	refused(STREAM("\"{\" *1025( \"a\" ) \"='b'}\""), V_INVALID,
	        "stream '{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' has label name too long: "
	        "'aaaaaaaaaaaaaaaa'");
	refused(STREAM("\"{z='1'}\"") STREAM("\"{\""), V_INVALID,
	        "couldn't parse labels: expected a label name (byte 1 of '{')");
}

Test(loki, a_label_text_is_bounded)
{
	struct loki_outcome o =
		run(loki_settings_of(LOKI_PROTOBUF), STREAM("\"{a='\" *16777212( \"x\" ) \"'}\""));

	cr_expect_eq(o.verdict, V_COUNT);
	cr_expect(o.e.counted == LABELS_TEXT_MAX + 2 && o.e.count_limit == LABELS_TEXT_MAX);
	loki_outcome_done(&o);
}

Test(loki, a_time_is_one_of_protobuf)
{
	refused(STREAM("\"{z='1'}\"") "0a { 0a { \"{z='1'}\" } 12 { } 12 { 0a { 10 80 94 eb dc 03 "
	                              "} } }",
	        V_INVALID, "streams[1].entries[1].timestamp: out of range");
	refused("0a { 12 { 0a { 10 ff ff ff ff ff ff ff ff ff 01 } } }", V_INVALID,
	        "streams[0].entries[0].timestamp: out of range");
	refused("0a { 12 { 0a { 08 80 d2 93 ad e0 07 } } }", V_INVALID,
	        "streams[0].entries[0].timestamp: out of range");
	stamped("0a { 0a { \"{z='1'}\" } 12 { 0a { 08 ff ff ff ff ff ff ff ff ff 01 10 ff 93 eb dc "
	        "03 } } }",
	        "0a { 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } 12 { 0a { 08 ff ff ff ff ff ff ff "
	        "ff ff 01 10 ff "
	        "93 eb dc 03 } } }",
	        (struct counts){ 1, 0, 0 });
}

#define FFFD "\\xef\\xbf\\xbd"

/* P10, R26 */
Test(loki, broken_text_is_repaired_and_each_item_counts_once)
{
	stamped("0a { 0a { \"{a='\\xff', b='\\xc3', z='1'}\" } 12 { 12 { \"x\\xe2\\x82\" } 1a { 0a "
	        "{ "
	        "\"\\xff\" } 12 { \"\\xff\" } } } 12 { 12 { \"ok\" } } }",
	        "0a { 0a { \"{a='" FFFD "', b='" FFFD
	        "', tenant_id=\\\"acme\\\", z='1'}\" } 12 { 12 { "
	        "\"x" FFFD FFFD "\" } 1a { 0a { \"" FFFD "\" } 12 { \"" FFFD
	        "\" } } } 12 { 12 { \"ok\" } } }",
	        (struct counts){ 2, 0, 2 });
}

Test(loki, broken_text_that_leaves_is_not_repaired)
{
	stamped("0a { 0a { \"{a='\\xff', tenant_id='\\xff', z='\\xff'}\" } 12 { 1a { 0a { "
	        "\"tenant_id\" } "
	        "12 { \"\\xff\" } } 12 { \"\\xff\" } 22 { 0a { \"\\xff\" } } } }",
	        "0a { 0a { \"{a='" FFFD "', tenant_id=\\\"acme\\\", z='" FFFD
	        "'}\" } 12 { 12 { \"" FFFD "\" } } }",
	        (struct counts){ 1, 2, 2 });
	stamped("0a { 0a { \"{z='1'}\" } 12 { 1a { 0a { \"tenant_id\" } 12 { \"\\xff\" } } 22 { 0a "
	        "{ "
	        "\"\\xff\" } } } }",
	        "0a { 0a { \"{tenant_id=\\\"acme\\\", z='1'}\" } 12 { } }",
	        (struct counts){ 1, 1, 0 });
}

Test(loki, broken_text_is_repaired_without_a_stamp_too)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);

	s.stamp = false;
	expect_value(
		s, "0a { 0a { \"\\xff\" } 0a { \"{a='\\xff'}\" } 12 { 22 { 0a { \"\\xff\" } } } }",
		"0a { 0a { \"" FFFD "\" } 0a { \"{a='" FFFD "'}\" } 12 { 22 { 0a { \"" FFFD
		"\" } } } }",
		(struct counts){ 1, 0, 2 });
}

static void strict(const char *text, const char *reason)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);

	s.utf8 = UTF8_STRICT;
	for (int stamp = 0; stamp < 2; stamp++) {
		struct loki_outcome o;

		s.stamp = stamp;
		o = run(s, text);
		cr_expect_eq(o.verdict, V_INVALID, "%s", text);
		cr_expect_str_eq(o.e.reason, reason, "%s: %s", text, o.e.reason);
		loki_outcome_done(&o);
	}
}

/* P10 */
Test(loki, broken_text_is_refused_where_the_route_is_strict)
{
	strict(STREAM("\"{z='\\xff'}\""), "streams[0].labels: invalid UTF-8");
	strict("0a { 0a { \"{z='1'}\" } 12 { 12 { \"\\xff\" } } }",
	       "streams[0].entries[0].line: invalid UTF-8 (byte 13)");
}

/* P9, P10 */
Test(loki, malformed_bytes_are_refused_with_their_place)
{
	refused("0a 05 0a", V_INVALID, "streams[0]: length past the end of its message (byte 0)");
	refused("0a { 08 01 }", V_INVALID, "streams[0].labels: wrong wire type 0 (byte 2)");
	refused("0a { 12 { 0a { 0a 00 } } }", V_INVALID,
	        "streams[0].entries[0].timestamp.seconds: wrong wire type 2 (byte 6)");
	refused("0b 0c", V_INVALID, "streams[0]: groups are not supported (byte 0)");
	refused("0a { 12 { 1a { 0a 7f } } }", V_INVALID,
	        "streams[0].entries[0].structured_metadata[0].name: length past the end of its "
	        "message "
	        "(byte 6)");
	refused("0a { 0a { \"{\" } " ENTRY " } 00", V_INVALID, /* the first that is wrong */
	        "couldn't parse labels: expected a label name (byte 1 of '{')");
}

Test(loki, edits_are_bounded)
{
	struct loki_outcome o =
		run(loki_settings_of(LOKI_PROTOBUF), "*22000( 0a { 0a { \"{z='1'}\" } 12 00 } )");

	cr_expect_eq(o.verdict, V_COUNT);
	cr_expect_str_eq(o.e.counted_what, "edits");
	loki_outcome_done(&o);
}

Test(loki, stamps_are_ready_made_and_fit_or_say_so)
{
	uint8_t out[700];
	size_t n = splice_stamp(BYTES("tenant_id"), BYTES("acme"), out, sizeof(out));

	cr_expect(bytes_eq(bytes_of(out, n), BYTES(", tenant_id=\"acme\", ")));
	cr_expect_eq(splice_stamp(BYTES("tenant_id"), BYTES("acme"), out, n), n);
	cr_expect_eq(splice_stamp(BYTES("tenant_id"), BYTES("acme"), out, n - 1), 0);
	n = splice_stamp(BYTES("tenant.id"), BYTES("a!b"), out, sizeof(out));
	cr_expect(bytes_eq(bytes_of(out, n), BYTES(", \"tenant.id\"=\"a!b\", ")));
	n = entries_stamp(BYTES("tenant_id"), BYTES("acme"), out, sizeof(out));
	cr_expect(bytes_eq(bytes_of(out, n), hex_bytes(STAMP, wanted, sizeof(wanted))));
	cr_expect_eq(entries_stamp(BYTES("tenant_id"), BYTES("acme"), out, n), n);
	cr_expect_eq(entries_stamp(BYTES("tenant_id"), BYTES("acme"), out, n - 1), 0);
}

Test(loki, a_stamp_s_name_in_quotes_replaces_the_client_s)
{
	struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);

	s.name = "tenant.id";
	expect_value(s, STREAM("\"{a='1', \\\"tenant.id\\\"='x'}\""),
	             STREAM("\"{a='1', \\\"tenant.id\\\"=\\\"acme\\\"}\""),
	             (struct counts){ 1, 1, 0 });
}
