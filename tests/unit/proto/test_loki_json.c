/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_json.c"

#include <criterion/criterion.h>

#include "proto/loki_labels.h"
#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich_loki.h"

static uint8_t wanted[2 * MIB];

#define TIME "0a { 08 80 e2 cf aa 06 10 15 }"
#define NS "1700000000000000021"
#define STREAM(stream, values) "{\"streams\":[{\"stream\":" stream ",\"values\":" values "}]}"
#define ONE(labels) STREAM(labels, "[[\"" NS "\",\"hello\"]]")
#define LEGACY(entries) "{\"streams\":[{\"labels\":\"{a=\\\"b\\\"}\",\"entries\":" entries "}]}"

static struct loki_outcome run(enum loki_form form, const char *json)
{
	struct loki_settings s = loki_settings_of(form);

	s.stamp = false;
	return loki_all(s, bytes_str(json));
}

/* The message that json becomes, byte for byte. */
static void becomes(enum loki_form form, const char *json, const char *message)
{
	struct loki_outcome o = run(form, json);
	struct bytes want = hex_bytes(message, wanted, sizeof(wanted));

	cr_assert(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY, "%s: %s", json, o.e.reason);
	cr_expect(bytes_eq(want, bytes_of(o.message, o.message_n)), "%s: another message: %.*s",
	          json, (int)o.message_n, (const char *)o.message);
	loki_outcome_done(&o);
}

static void modern_is(const char *json, const char *message)
{
	becomes(LOKI_JSON, json, message);
}

static void refused(enum loki_form form, const char *json, const char *reason)
{
	struct loki_outcome o = run(form, json);

	cr_expect_eq(o.verdict, V_INVALID, "%s: %d", json, (int)o.verdict);
	cr_expect_str_eq(o.e.reason, reason, "%s: %s", json, o.e.reason);
	loki_outcome_done(&o);
}

static void none(enum loki_form form, const char *json, enum verdict verdict)
{
	struct loki_outcome o = run(form, json);

	cr_expect_eq(o.verdict, verdict, "%s: %d %s", json, (int)o.verdict, o.e.reason);
	loki_outcome_done(&o);
}

/* P18 */
Test(loki_json, a_push_is_the_protobuf_of_the_same_push)
{
	modern_is("{\"streams\":[{\"stream\":{\"job\":\"x\",\"app\":\"y\"},\"values\":[[\"" NS
	          "\",\"one\"],[\"" NS
	          "\",\"two\",{\"k\":\"v\",\"l\":\"\"}]]},{\"stream\":{\"a\":\"b\"},"
	          "\"values\":[[\"0\",\"\"]]}]}",
	          "0a { 0a { \"{app=\\\"y\\\", job=\\\"x\\\"}\" } 12 { " TIME
	          " 12 { \"one\" } } 12 { " TIME
	          " 12 { \"two\" } 1a { 0a { \"k\" } 12 { \"v\" } } 1a { 0a { \"l\" } 12 00 } } } "
	          "0a { 0a { \"{a=\\\"b\\\"}\" } 12 { 0a 00 } }");
}

Test(loki_json, times_are_nanoseconds_of_any_sign)
{
	modern_is(STREAM("{\"a\":\"b\"}",
	                 "[[\"-1\",\"\"],[\"9223372036854775807\",\"\"],[\"\\u0031\",\"\"]]"),
	          "0a { 0a { \"{a=\\\"b\\\"}\" } 12 { 0a { 08 ff ff ff ff ff ff ff ff ff 01 10 ff "
	          "93 eb dc 03 } } "
	          "12 { 0a { 08 84 fa 85 ae 22 10 ff af cb 97 03 } } 12 { 0a { 10 01 } } }");
}

Test(loki_json, labels_are_sorted_quoted_and_escaped)
{
	modern_is(ONE("{\"z\":\"\\\"\\\\\\n\\u0001\xc3\xa9\",\"a "
	              "b\":\"1\",\"\\u0061\":\"2\",\"\xc3\xa9\":\"3\"}"),
	          "0a { 0a { \"{a=\\\"2\\\", \\\"a b\\\"=\\\"1\\\", "
	          "z=\\\"\\\\\\\"\\\\\\\\\\\\n\\\\x01\\xc3\\xa9\\\", "
	          "\\\"\\xc3\\xa9\\\"=\\\"3\\\"}\" } 12 { " TIME " 12 { \"hello\" } } }");
}

/* A lone surrogate would sort behind all, U+FFFD does not. */
Test(loki_json, labels_are_sorted_as_they_are_mended)
{
	struct loki_outcome o = loki_all(
		loki_settings_of(LOKI_JSON),
		bytes_str(ONE("{\"\xf0\x9f\x98\x80\":\"1\",\"\\ud83d\":\"2\",\"\xffz\":\"3\"}")));
	static const char want[] =
		"{tenant_id=\"acme\", \"\xef\xbf\xbd\"=\"2\", \"\xef\xbf\xbdz\"=\"3\", "
		"\"\xf0\x9f\x98\x80\"=\"1\"}";

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
	cr_expect(memmem(o.value, o.value_n, want, sizeof(want) - 1), "%.*s", (int)o.value_n,
	          (const char *)o.value);
	loki_outcome_done(&o);
}

Test(loki_json, empty_values_are_no_labels)
{
	modern_is(ONE("{\"b\":\"\",\"a\":\"1\",\"c\":\"\"}"),
	          "0a { 0a { \"{a=\\\"1\\\"}\" } 12 { " TIME " 12 { \"hello\" } } }");
	refused(LOKI_JSON, ONE("{\"b\":\"\"}"),
	        "error at least one label pair is required per stream");
	refused(LOKI_JSON, ONE("{}"), "error at least one label pair is required per stream");
	refused(LOKI_JSON, ONE("null"), "error at least one label pair is required per stream");
}

Test(loki_json, members_come_in_any_order_and_unknown_ones_are_ignored)
{
	modern_is("{\"x\":[{\"streams\":[]}],\"str\\u0065ams\":[{\"values\":[[\"" NS
	          "\",\"hello\"]],\"labels\":{\"n\":1},\"stream\":{\"a\":\"b\"}}],\"y\":null} ",
	          "0a { 12 { " TIME " 12 { \"hello\" } } 0a { \"{a=\\\"b\\\"}\" } }");
}

/* PC7 */
Test(loki_json, escapes_are_undone_in_lines_and_metadata)
{
	modern_is(STREAM("{\"a\":\"b\"}",
	                 "[[\"" NS
	                 "\",\"a\\nb\\\"c\\u00e9\\ud83d\\ude00\",{\"k\\n\":\"\\\"v\\\"\"}]]"),
	          "0a { 0a { \"{a=\\\"b\\\"}\" } 12 { " TIME
	          " 12 { \"a\\nb\\\"c\\xc3\\xa9\\xf0\\x9f\\x98\\x80\" } 1a { 0a { \"k\\n\" } 12 { "
	          "\"\\\"v\\\"\" } } } }");
}

/* P18 */
Test(loki_json, nothing_to_store_is_told_from_no_stream)
{
	none(LOKI_JSON, "{}", V_NO_STREAMS);
	none(LOKI_JSON, "{\"streams\":[]}", V_NO_STREAMS);
	none(LOKI_JSON, "{\"streams\":null}", V_NO_STREAMS);
	none(LOKI_JSON, "{\"streams\":[null]}", V_NO_STREAMS);
	none(LOKI_JSON, STREAM("{\"a\":\"b\"}", "[]"), V_EMPTY);
	none(LOKI_JSON, STREAM("{\"a\":\"b\"}", "null"), V_EMPTY);
	none(LOKI_JSON, STREAM("{\"a\":\"b\"}", "[null,null]"), V_EMPTY);
	none(LOKI_JSON, STREAM("{}", "[]"), V_EMPTY);
	none(LOKI_JSON, "{\"streams\":[{\"stream\":{}}]}", V_EMPTY);
	none(LOKI_LEGACY, "{\"streams\":[]}", V_NO_STREAMS);
	none(LOKI_LEGACY, LEGACY("[]"), V_EMPTY);
	modern_is("{\"streams\":[{\"stream\":{\"a\":\"b\"}},null,{\"stream\":{\"a\":\"b\"},"
	          "\"values\":[null,[\"" NS "\",\"\"]]}]}",
	          "0a { 0a { \"{a=\\\"b\\\"}\" } 12 { " TIME " } }");
}

Test(loki_json, another_shape_is_refused)
{
	refused(LOKI_JSON, "[]", "expected an object (byte 0)");
	refused(LOKI_JSON, "{\"streams\":{}}", "expected an array of streams (byte 11)");
	refused(LOKI_JSON, "{\"streams\":[1]}", "streams[0]: expected an object (byte 12)");
	refused(LOKI_JSON, "{\"streams\":[{}]}",
	        "streams[0]: a stream has stream and values (byte 12)");
	refused(LOKI_JSON, LEGACY("[]"), "streams[0]: a stream has stream and values (byte 12)");
	refused(LOKI_LEGACY, ONE("{}"), "streams[0]: a stream has labels and entries (byte 12)");
	refused(LOKI_JSON, ONE("\"{}\""), "streams[0]: expected an object of labels (byte 22)");
	refused(LOKI_JSON, ONE("{\"a\":1}"),
	        "streams[0]: the value of a label is a string (byte 27)");
	refused(LOKI_JSON, STREAM("{}", "{}"),
	        "streams[0]: expected an array of entries (byte 34)");
	refused(LOKI_JSON, "{\"streams\":[],\"streams\":[]}", "this member comes twice (byte 24)");
	refused(LOKI_JSON, "{\"streams\":[{\"stream\":{},\"str\\u0065am\":{}}]}",
	        "streams[0]: this member comes twice (byte 39)");
}

#define VALUE(value) STREAM("{\"a\":\"b\"}", "[null," value "]")
#define IN "streams[0].values[1]: "

/* PC7 */
Test(loki_json, an_entry_is_a_time_a_line_and_metadata)
{
	refused(LOKI_JSON, VALUE("{}"), IN "expected an array of timestamp and line (byte 47)");
	refused(LOKI_JSON, VALUE("[]"), IN "an entry has 2 or 3 elements (byte 47)");
	refused(LOKI_JSON, VALUE("[\"1\"]"), IN "an entry has 2 or 3 elements (byte 47)");
	refused(LOKI_JSON, VALUE("[\"1\",\"\",{},1]"), IN "an entry has 2 or 3 elements (byte 58)");
	refused(LOKI_JSON, VALUE("[1,\"\"]"),
	        IN "a timestamp is a string of decimal nanoseconds (byte 48)");
	refused(LOKI_JSON, VALUE("[\"1.5\",\"\"]"),
	        IN "a timestamp is a string of decimal nanoseconds (byte 48)");
	refused(LOKI_JSON, VALUE("[\"9223372036854775808\",\"\"]"),
	        IN "a timestamp is a string of decimal nanoseconds (byte 48)");
	refused(LOKI_JSON, VALUE("[\"1\",{}]"), IN "a line is a string (byte 52)");
	refused(LOKI_JSON, VALUE("[\"1\",null]"), IN "a line is a string (byte 52)");
	refused(LOKI_JSON, VALUE("[\"1\",\"\",null]"),
	        IN "structured metadata is an object (byte 55)");
	refused(LOKI_JSON, VALUE("[\"1\",\"\",{\"a\":{}}]"),
	        IN "the value of structured metadata is a string (byte 60)");
	refused(LOKI_JSON, VALUE("[\"1\",\"\",{\"a\":1}]"),
	        IN "the value of structured metadata is a string (byte 60)");
}

/* P18 */
Test(loki_json, bytes_behind_and_broken_json_are_refused)
{
	refused(LOKI_JSON, "", "the JSON ends too early (byte 0)");
	refused(LOKI_JSON, "  ", "the JSON ends too early (byte 2)");
	refused(LOKI_JSON, "{\"streams\":[]} x", "bytes behind the JSON value (byte 15)");
	refused(LOKI_JSON, "{\"streams\":[]}{}", "bytes behind the JSON value (byte 14)");
	refused(LOKI_JSON, "{\"streams\":[", "streams[0]: the JSON ends too early (byte 12)");
	refused(LOKI_JSON,
	        "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"] "
	        "[\"1\",\"x\"]]}]}",
	        "streams[0].values[0]: expected ',' or ']' (byte 52)");
	refused(LOKI_JSON, "{\"streams\":[],}", "expected a member name in quotes (byte 14)");
}

/* Each prefix of a push is refused: the end is missing. */
Test(loki_json, an_early_end_at_any_byte_is_refused)
{
	static const char whole[] = "{\"x\":[1],\"streams\":[{\"stream\":{\"a\\n\":\"b\"},"
				    "\"values\":[[\"1\",\"l\\u0041\","
				    "{\"k\":\"v\"}]]}]}";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct loki_outcome o = loki_all(loki_settings_of(LOKI_JSON), bytes_of(whole, n));

		cr_expect_eq(o.verdict, V_INVALID, "%.*s", (int)n, whole);
		loki_outcome_done(&o);
	}
	none(LOKI_JSON, whole, V_ACCEPTED);
}

Test(loki_json, the_legacy_shape_has_a_label_text_and_times_of_rfc_3339)
{
	becomes(LOKI_LEGACY,
	        LEGACY("[{\"ts\":\"2023-11-14T22:13:20.000000021Z\",\"line\":\"hello\",\"x\":{}},"
	               "{\"line\":\"\",\"ts\":\"2023-11-14T23:13:20.000000021+01:00\"}]"),
	        "0a { 0a { \"{a=\\\"b\\\"}\" } 12 { " TIME " 12 { \"hello\" } } 12 { " TIME " } }");
	refused(LOKI_LEGACY, LEGACY("[{\"ts\":\"" NS "\",\"line\":\"\"}]"),
	        "streams[0].entries[0]: a timestamp is a string with a time of RFC 3339 (byte 51)");
	refused(LOKI_LEGACY, LEGACY("[{\"line\":\"\"}]"),
	        "streams[0].entries[0]: an entry has ts and line (byte 45)");
	refused(LOKI_LEGACY, LEGACY("[[\"1\",\"x\"]]"),
	        "streams[0].entries[0]: expected an object with ts and line (byte 45)");
	refused(LOKI_LEGACY,
	        LEGACY("[{\"ts\":\"2023-11-14T22:13:20Z\",\"line\":\"\",\"line\":\"\"}]"),
	        "streams[0].entries[0]: this member comes twice (byte 91)");
	refused(LOKI_LEGACY, "{\"streams\":[{\"labels\":{\"a\":\"b\"},\"entries\":[]}]}",
	        "streams[0]: labels are a string (byte 22)");
	refused(LOKI_LEGACY,
	        "{\"streams\":[{\"labels\":\"{a}\",\"entries\":[{\"ts\":\"2023-11-14T22:13:20Z\","
	        "\"line\":\"\"}]}]}",
	        "couldn't parse labels: expected '=' (byte 2 of '{a}')");
}

/* P10 */
Test(loki_json, broken_text_is_repaired_where_it_stands)
{
	struct loki_settings s = loki_settings_of(LOKI_JSON);
	struct loki_outcome o = loki_all(
		s, bytes_str(STREAM("{\"a\":\"\xff\"}",
	                            "[[\"1\",\"x\\ud83d\"],[\"1\",\"\xe2\x82\"],[\"1\",\"ok\"]]")));

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
	cr_expect_eq(o.e.repaired, 3);
	cr_expect(bytes_is_utf8(bytes_of(o.value + 3, o.value_n - 3)));
	loki_outcome_done(&o);
	s.utf8 = UTF8_STRICT;
	o = loki_all(s, bytes_str(STREAM("{\"a\":\"b\"}", "[[\"1\",\"x\\ud83d\"]]")));
	cr_expect_eq(o.verdict, V_INVALID);
	cr_expect_str_eq(o.e.reason,
	                 "streams[0].values[0]: lone surrogate escape in a string (byte 49)");
	loki_outcome_done(&o);
}

/* P12 for labels: the name is compared unescaped */
Test(loki_json, a_client_s_tenant_leaves_labels_and_metadata)
{
	struct loki_outcome o =
		loki_all(loki_settings_of(LOKI_JSON),
	                 bytes_str(STREAM("{\"tenant\\u005fid\":\"evil\",\"z\":\"1\"}",
	                                  "[[\"0\",\"\",{\"tenant_i\\u0064\":\"evil\"}]]")));

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
	cr_expect_eq(o.e.spoofed, 2);
	cr_expect(bytes_eq(
		bytes_of(o.value, o.value_n),
		hex_bytes("0a { 0a { \"{tenant_id=\\\"acme\\\", z=\\\"1\\\"}\" } 12 { 0a 00 } }",
	                  wanted, sizeof(wanted))));
	loki_outcome_done(&o);
}

/* More labels than are held, falling; a name that is too long. */
Test(loki_json, labels_are_bounded)
{
	static char json[1 << 20];

	for (unsigned count = LABELS_MAX; count <= LABELS_MAX + 1; count++) {
		size_t n = (size_t)sprintf(json, "{\"streams\":[{\"stream\":{");
		struct loki_outcome o;

		for (unsigned i = 0; i < count; i++)
			n += (size_t)sprintf(json + n, "%s\"l%05u\":\"v\"", i ? "," : "", 9999 - i);
		n += (size_t)sprintf(json + n, "},\"values\":[[\"1\",\"x\"]]}]}");
		o = loki_all(loki_settings_of(LOKI_JSON), bytes_of(json, n));
		cr_expect_eq(o.verdict, count == LABELS_MAX ? V_ACCEPTED : V_INVALID, "%s",
		             o.e.reason);
		loki_outcome_done(&o);
	}
	memset(json, 'a', LABEL_NAME_MAX + 100);
	memcpy(json, "{\"streams\":[{\"stream\":{\"", 24);
	strcpy(json + 24 + LABEL_NAME_MAX + 1, "\":\"b\"},\"values\":[]}]}");
	refused(LOKI_JSON, json, "streams[0]: a label name of more than 1024 bytes (byte 23)");
}

/* Its escapes are not. */
Test(loki_json, a_label_name_is_as_long_as_what_it_means)
{
	static char json[8 * LABEL_NAME_MAX];

	for (unsigned length = LABEL_NAME_MAX; length <= LABEL_NAME_MAX + 1; length++) {
		size_t n = (size_t)sprintf(json, "{\"streams\":[{\"stream\":{\"");
		struct loki_outcome o;

		for (unsigned i = 0; i < length; i++)
			n += (size_t)sprintf(json + n, "\\u0061");
		n += (size_t)sprintf(json + n, "\":\"b\"},\"values\":[[\"1\",\"x\"]]}]}");
		o = loki_all(loki_settings_of(LOKI_JSON), bytes_of(json, n));
		cr_expect_eq(o.verdict, length == LABEL_NAME_MAX ? V_ACCEPTED : V_INVALID, "%u: %s",
		             length, o.e.reason);
		loki_outcome_done(&o);
	}
}

/* Though its value is empty, kept JSON still has it. */
Test(loki_json, a_label_name_that_grows_too_long_is_refused_without_a_value_too)
{
	static char json[2 * LABEL_NAME_MAX];

	for (unsigned length = LABEL_NAME_MAX / 3; length <= LABEL_NAME_MAX / 3 + 1; length++) {
		size_t n = (size_t)sprintf(json, "{\"streams\":[{\"stream\":{\"a\":\"b\",\"");
		struct loki_outcome o;

		memset(json + n, 0xff, length);
		n += length;
		n += (size_t)sprintf(json + n, "\":\"\"},\"values\":[[\"1\",\"x\"]]}]}");
		o = loki_all(loki_settings_of(LOKI_JSON), bytes_of(json, n));
		cr_expect_eq(o.verdict, 3 * length <= LABEL_NAME_MAX ? V_ACCEPTED : V_INVALID,
		             "%u: %s", length, o.e.reason);
		loki_outcome_done(&o);
	}
}

/* protocols.md 3: messages, as in protobuf */
Test(loki_json, unknown_members_are_bounded_in_depth)
{
	static char json[1000];
	struct loki_settings s = loki_settings_of(LOKI_JSON);

	for (int extra = 0; extra < 2; extra++) {
		struct loki_outcome o;
		size_t n = (size_t)sprintf(json, "{\"x\":");

		for (int i = 0; i < 63 + extra; i++)
			json[n++] = '[';
		for (int i = 0; i < 63 + extra; i++)
			json[n++] = ']';
		json[n++] = '}';
		o = loki_all(s, bytes_of(json, n));
		cr_expect_eq(o.verdict, extra ? V_INVALID : V_NO_STREAMS, "%s", o.e.reason);
		loki_outcome_done(&o);
	}
}

/* Long lines and texts have longer prefixes than were reserved. */
Test(loki_json, long_texts_are_written_right)
{
	static char json[1 * MIB], message[1 * MIB];
	static const size_t sizes[] = { 100, 127, 128, 5000, 16383, 16384, 70000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = (size_t)sprintf(json, "{\"streams\":[{\"stream\":{\"a\":\"");
		struct loki_outcome o;
		int size = (int)sizes[i];

		memset(json + n, 'x', sizes[i]);
		n += sizes[i];
		n += (size_t)sprintf(json + n, "\"},\"values\":[[\"" NS "\",\"\\n");
		memset(json + n, 'y', sizes[i]);
		n += sizes[i];
		n += (size_t)sprintf(json + n, "\",{\"k\":\"\\t");
		memset(json + n, 'z', sizes[i]);
		n += sizes[i];
		sprintf(json + n, "\"}]]}]}");
		o = run(LOKI_JSON, json);
		cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
		/* the stream's own prefix is padded when it is long: compare what is inside */
		sprintf(message,
		        "0a { \"{a=\\\"\" *%d( \"x\" ) \"\\\"}\" } 12 { " TIME
		        " 12 { \"\\n\" *%d( \"y\" ) } 1a { 0a { \"k\" } 12 { 09 *%d( \"z\" ) } } }",
		        size, size, size);
		struct bytes want = hex_bytes(message, wanted, sizeof(wanted));
		cr_assert_geq(o.message_n, want.n);
		cr_expect(bytes_eq(want, bytes_of(o.message + o.message_n - want.n, want.n)), "%d",
		          size);
		loki_outcome_done(&o);
	}
}
