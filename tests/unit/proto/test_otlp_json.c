/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_json.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/print_json.h"
#include "tests/unit/proto/random_message.h"
#include "tests/unit/proto/transcode.h"

#define CORPUS "../shared/corpora/otlp"

static struct transcoded transcode_text(enum signal signal, const char *json)
{
	return transcode_all(settings_of(signal), bytes_str(json));
}

/* The reason of a refusal; "" if it is none. */
static const char *refusal(enum signal signal, const char *json)
{
	static char text[256];
	struct transcoded t = transcode_text(signal, json);

	strcpy(text, t.result == TRANSCODE_INVALID ? t.e.reason : "");
	transcoded_done(&t);
	return text;
}

/* The JSON means these bytes of protobuf (in the form of hex.h), whatever the length prefixes. */
static void means(enum signal signal, const char *json, const char *hex)
{
	uint8_t wire[4096];
	struct bytes want = hex_bytes(hex, wire, sizeof(wire));
	struct transcoded t = transcode_text(signal, json);

	cr_assert_eq(t.result, TRANSCODE_OK, "%s: %s", json, t.e.reason);
	if (!oracle_equal(signal, want, bytes_of(t.out, t.n), NULL, NULL)) {
		char got[2 * 4096 + 1];

		hex_encode(t.out, min_size(t.n, 4096), got);
		cr_expect_fail("%s: not %s but %s", json, hex, got);
	}
	transcoded_done(&t);
}

/* One span, log record or value of an attribute. */
static void span_means(const char *members, const char *hex)
{
	char json[2000], wire[2000];

	snprintf(json, sizeof(json), "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}",
	         members);
	snprintf(wire, sizeof(wire), "0a { 12 { 12 { %s } } }", hex);
	means(SIGNAL_TRACES, json, wire);
}

static const char *span_refusal(const char *members)
{
	char json[2000];

	snprintf(json, sizeof(json), "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{%s}]}]}]}",
	         members);
	return refusal(SIGNAL_TRACES, json);
}

static void value_means(const char *members, const char *hex)
{
	char json[1000], wire[1000];

	snprintf(json, sizeof(json), "\"attributes\":[{\"key\":\"k\",\"value\":{%s}}]", members);
	snprintf(wire, sizeof(wire), "4a { 0a { \"k\" } 12 { %s } }", hex);
	span_means(json, wire);
}

static const char *value_refusal(const char *members)
{
	char json[1000];

	snprintf(json, sizeof(json), "\"attributes\":[{\"key\":\"k\",\"value\":{%s}}]", members);
	return span_refusal(json);
}

static void point_means(const char *kind, const char *members, const char *hex)
{
	char json[1000], wire[1000];
	unsigned tag = strcmp(kind, "gauge") == 0       ? 0x2a
	               : strcmp(kind, "histogram") == 0 ? 0x4a
	                                                : 0x52;

	snprintf(json, sizeof(json),
	         "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"%s\":{\"dataPoints\":[{"
	         "%s}]}}]}]}]}",
	         kind, members);
	snprintf(wire, sizeof(wire), "0a { 12 { 12 { %02x { 0a { %s } } } } }", tag, hex);
	means(SIGNAL_METRICS, json, wire);
}

#define HAS(text, part) cr_expect(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

/* P2 */
Test(otlp_json, a_request_without_items_is_valid)
{
	means(SIGNAL_TRACES, "{}", "");
	means(SIGNAL_TRACES, " { \"resourceSpans\" : [ ] } \n", "");
	means(SIGNAL_METRICS, "{\"resourceMetrics\":null}", "");
	means(SIGNAL_LOGS, "{\"resourceLogs\":[{},{\"scopeLogs\":[{}]}]}", "0a {} 0a { 12 {} }");
	HAS(refusal(SIGNAL_TRACES, ""), "the JSON ends too early (byte 0)");
	HAS(refusal(SIGNAL_TRACES, " "), "the JSON ends too early (byte 1)");
	HAS(refusal(SIGNAL_TRACES, "[]"), "expected an object (byte 0)");
	HAS(refusal(SIGNAL_TRACES, "null"), "expected an object (byte 0)");
	HAS(refusal(SIGNAL_TRACES, "{}{}"), "bytes behind the JSON value (byte 2)");
}

/* PC6 */
Test(otlp_json, ids_are_hex_of_their_length)
{
	span_means(
		"\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\","
		"\"parentSpanId\":\"eee19b7ec3c1b173\"",
		"0a { 5b8efff798038103d269b633813fc60c } 12 { eee19b7ec3c1b174 } 22 { "
		"eee19b7ec3c1b173 }");
	span_means("\"traceId\":\"5b8EffF798038103d269B633813fc60C\"",
	           "0a { 5b8efff798038103d269b633813fc60c }");
	span_means("\"traceId\":\"\",\"spanId\":\"\",\"parentSpanId\":null", "");
	span_means("\"spanId\":\"\\u0065ee19b7ec3c1b17\\u0034\"", "12 { eee19b7ec3c1b174 }");
	span_means("\"links\":[{\"traceId\":\"00000000000000000000000000000001\",\"spanId\":"
	           "\"0000000000000002\"}]",
	           "6a { 0a { 00000000000000000000000000000001 } 12 { 0000000000000002 } }");
	HAS(span_refusal("\"traceId\":\"5b8efff798038103d269b633813fc6\""), "32 hex digits");
	HAS(span_refusal("\"traceId\":\"5b8efff798038103d269b633813fc60\""), "32 hex digits");
	HAS(span_refusal("\"traceId\":\"5b8efff798038103d269b633813fc60c00\""), "32 hex digits");
	HAS(span_refusal("\"spanId\":\"eee19b7ec3c1b17g\""), "must be hex digits");
	HAS(span_refusal("\"spanId\":\"W47/95gDgQM=\""), "16 hex digits"); /* base64 */
	HAS(span_refusal("\"spanId\":12"), "resourceSpans[0].scopeSpans[0].spans[0].spanId: "
	                                   "expected a string (byte 53)");
}

Test(otlp_json, bytes_are_base64_with_padding)
{
	value_means("\"bytesValue\":\"\"", "3a {}");
	value_means("\"bytesValue\":\"AA==\"", "3a { 00 }");
	value_means("\"bytesValue\":\"//8=\"", "3a { ffff }");
	value_means("\"bytesValue\":\"\\/\\/8\\u003d\"", "3a { ffff }");
	value_means("\"bytesValue\":\"+/Az\"", "3a { fbf033 }");
	value_means("\"bytesValue\":\"aGVsbG8gd29ybGQ=\"", "3a { \"hello world\" }");
	HAS(value_refusal("\"bytesValue\":\"AA\""), "base64");
	HAS(value_refusal("\"bytesValue\":\"AA=\""), "base64");
	HAS(value_refusal("\"bytesValue\":\"A===\""), "base64");
	HAS(value_refusal("\"bytesValue\":\"====\""), "base64");
	HAS(value_refusal("\"bytesValue\":\"AA==AA==\""), "base64");
	HAS(value_refusal("\"bytesValue\":\"-_Az\""), "base64"); /* the other alphabet */
	HAS(value_refusal("\"bytesValue\":[1]"), "expected a string");
}

/* P12 */
Test(otlp_json, enumerations_are_numbers_or_names_of_the_schema)
{
	span_means("\"kind\":2", "30 02");
	span_means("\"kind\":\"2\"", "30 02");
	span_means("\"kind\":2.0", "30 02");
	span_means("\"kind\":\"SPAN_KIND_SERVER\"", "30 02");
	span_means("\"kind\":\"SPAN_KIND_UNSPECIFIED\"", "");
	span_means("\"kind\":77", "30 4d"); /* unknown, and legal */
	span_means("\"kind\":-1", "30 ffffffffffffffffff01");
	span_means("\"status\":{\"code\":\"STATUS_CODE_ERROR\"}", "7a { 18 02 }");
	HAS(span_refusal("\"kind\":\"SERVER\""), "spans[0].kind: no value of this enumeration");
	HAS(span_refusal("\"kind\":\"span_kind_server\""), "no value of this enumeration");
	HAS(span_refusal("\"kind\":\"\""), "no value of this enumeration");
	HAS(span_refusal("\"kind\":\"SPAN_KIND_SERVER\\u0000\""), "no value");
	HAS(span_refusal("\"kind\":"
	                 "\"\\u0041AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                 "AAAAAAAAAAAAAAAAAAAAAAA\""),
	    "no value of this enumeration");
	HAS(span_refusal("\"kind\":2147483648"), "out of range");
	HAS(span_refusal("\"kind\":1.5"), "no value");
	HAS(span_refusal("\"kind\":true"), "expected a number");
	means(SIGNAL_LOGS,
	      "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":\"SEVERITY_"
	      "NUMBER_FATAL4\"},{\"severityNumber\":\"SEVERITY_NUMBER_INFO\"},{\"severityNumber\":"
	      "13}]}]}]}",
	      "0a { 12 { 12 { 10 18 } 12 { 10 09 } 12 { 10 0d } } }");
}

/* P12 */
Test(otlp_json, names_have_two_spellings_and_any_escapes)
{
	means(SIGNAL_TRACES,
	      "{\"resource_spans\":[{\"scope_spans\":[{\"spans\":[{\"start_time_unix_nano\":\"1\","
	      "\"parent_span_id\":\"\",\"dropped_attributes_count\":2}],\"schema_url\":\"s\"}]}]}",
	      "0a { 12 { 12 { 39 0100000000000000 50 02 } 1a { \"s\" } } }");
	span_means("\"\\u006e\\u0061me\":\"x\"", "2a { \"x\" }");
	span_means("\"startTime\\u0055nixNano\":7", "39 0700000000000000");
	value_means("\"\\u0073tring_valu\\u0065\":\"v\"", "0a { \"v\" }");
	/* only these two */
	span_means("\"Name\":\"x\",\"start_timeUnixNano\":1,\"START_TIME_UNIX_NANO\":1", "");
	span_means("\"startTimeUnixNan\":1,\"startTimeUnixNanoX\":1,\"\":1", "");
}

/* P12 */
Test(otlp_json, a_known_member_comes_once)
{
	HAS(span_refusal("\"name\":\"a\",\"name\":\"a\""),
	    "spans[0].name: this member comes twice");
	HAS(span_refusal("\"name\":\"a\",\"\\u006eame\":\"a\""), "comes twice");
	HAS(span_refusal("\"traceState\":\"a\",\"trace_state\":\"a\""), "traceState: this member");
	HAS(span_refusal("\"name\":null,\"name\":\"a\""), "comes twice");
	HAS(span_refusal("\"events\":[],\"events\":[]"), "comes twice");
	HAS(refusal(SIGNAL_LOGS, "{\"resourceLogs\":[],\"resource_logs\":[]}"), "comes twice");
	span_means("\"x\":1,\"x\":2", ""); /* nobody knows it */
	/* in different objects */
	span_means("\"events\":[{\"name\":\"a\"},{\"name\":\"b\"}]",
	           "5a { 12 { \"a\" } } 5a { 12 { \"b\" } }");
}

Test(otlp_json, unknown_members_are_ignored_but_read)
{
	span_means("\"foo\":{\"a\":[1,{\"b\":null}],\"c\":\"\\ud83d\\ude00\"},\"name\":\"x\"",
	           "2a { \"x\" }");
	span_means("\"stringValueStrindex\":3", "");
	value_means("\"stringValueStrindex\":3,\"stringValue\":\"x\"", "0a { \"x\" }");
	HAS(span_refusal("\"foo\":{\"a\":01}"),
	    "resourceSpans[0].scopeSpans[0].spans[0]: malformed");
	HAS(span_refusal("\"foo\":\"\\ud83d\""), "lone surrogate");
	HAS(span_refusal("\"foo\":\"\xff\""), "invalid UTF-8");
	HAS(span_refusal("\"\xff\":1"), "invalid UTF-8");
	HAS(span_refusal("\"foo\":"), "expected a JSON value");
}

Test(otlp_json, data_that_would_vanish_in_silence_is_refused)
{
	static const char old[] =
		"{\"resourceSpans\":[{\"instrumentationLibrarySpans\":[{\"spans\":[{}]}]%s}]}";
	char json[300];

	snprintf(json, sizeof(json), old, "");
	HAS(refusal(SIGNAL_TRACES, json), "instrumentationLibrary without scopes");
	snprintf(json, sizeof(json), old, ",\"scopeSpans\":[]");
	HAS(refusal(SIGNAL_TRACES, json), "instrumentationLibrary without scopes");
	snprintf(json, sizeof(json), old, ",\"scopeSpans\":null");
	HAS(refusal(SIGNAL_TRACES, json), "instrumentationLibrary without scopes");
	snprintf(json, sizeof(json), old, ",\"scopeSpans\":[{\"spans\":[{}]}]");
	means(SIGNAL_TRACES, json, "0a { 12 { 12 {} } }");
	means(SIGNAL_TRACES,
	      "{\"resourceSpans\":[{\"instrumentation_library_spans\":[ ]},{"
	      "\"instrumentationLibrarySpans\":null}]}",
	      "0a {} 0a {}");
	HAS(refusal(SIGNAL_METRICS,
	            "{\"resourceMetrics\":[{\"instrumentation_library_metrics\":[{}]}]}"),
	    "resourceMetrics[0]");
	HAS(refusal(SIGNAL_LOGS, "{\"resourceLogs\":[{\"instrumentationLibraryLogs\":[{}]}]}"),
	    "instrumentationLibrary without scopes");

	HAS(refusal(SIGNAL_TRACES, "{\"resourceLogs\":[{}]}"), "resourceLogs: a member of another");
	HAS(refusal(SIGNAL_TRACES, "{\"resourceSpans\":[],\"resource_metrics\":[]}"), "another");
	HAS(refusal(SIGNAL_METRICS, "{\"resourceSpans\":[]}"), "a member of another signal");
	means(SIGNAL_LOGS, "{\"resourceSpans\":null}", "");
	/* elsewhere it is a name like others */
	means(SIGNAL_TRACES, "{\"resourceSpans\":[{\"resourceLogs\":[1]}]}", "0a {}");
}

/* P13 */
Test(otlp_json, integers_of_64_bits_are_exact)
{
	point_means(
		"histogram", "\"count\":\"18446744073709551615\",\"bucketCounts\":[1,\"2\",3e0]",
		"21 ffffffffffffffff 32 { 0100000000000000 0200000000000000 0300000000000000 }");
	value_means("\"intValue\":9223372036854775807", "18 ffffffffffffffff7f");
	value_means("\"intValue\":\"-9223372036854775808\"", "18 80808080808080808001");
	value_means("\"intValue\":9007199254740993", "18 8180808080808010");
	value_means("\"intValue\":0", "18 00");
	value_means("\"intValue\":1.0e2", "18 64");
	HAS(value_refusal("\"intValue\":9223372036854775808"),
	    "value.intValue: not an integer, or out");
	HAS(value_refusal("\"intValue\":-9223372036854775809"), "out of range");
	HAS(value_refusal("\"intValue\":1.5"), "not an integer");
	HAS(value_refusal("\"intValue\":\"\""), "not an integer");
	HAS(value_refusal("\"intValue\":\" 1\""), "not an integer");
	HAS(value_refusal("\"intValue\":\"0x10\""), "not an integer");
	HAS(value_refusal("\"intValue\":true"), "expected a number");
	HAS(value_refusal("\"intValue\":[1]"), "expected a number");
	HAS(span_refusal("\"startTimeUnixNano\":-1"), "out of range");
	HAS(span_refusal("\"startTimeUnixNano\":18446744073709551616"), "out of range");
	span_means("\"startTimeUnixNano\":-0", "");
	point_means("gauge", "\"asInt\":\"-1\"", "31 ffffffffffffffff");
	point_means("gauge", "\"asInt\":0", "31 0000000000000000");
}

Test(otlp_json, integers_of_32_bits_have_their_range)
{
	span_means("\"droppedLinksCount\":4294967295", "70 ffffffff0f");
	span_means("\"flags\":\"4294967295\"", "8501 ffffffff");
	HAS(span_refusal("\"flags\":4294967296"), "out of range");
	HAS(span_refusal("\"droppedLinksCount\":-1"), "out of range");
	point_means(
		"exponentialHistogram",
		"\"scale\":-3,\"positive\":{\"offset\":-2147483648,\"bucketCounts\":[\"1\",300]},"
		"\"negative\":{\"offset\":2147483647}",
		"30 05 42 { 08 ffffffff0f 12 { 01 ac02 } } 4a { 08 feffffff0f }");
}

Test(otlp_json, doubles_are_numbers_strings_or_names)
{
	value_means("\"doubleValue\":1.5", "21 000000000000f83f");
	value_means("\"doubleValue\":\"1.5e0\"", "21 000000000000f83f");
	value_means("\"doubleValue\":0", "21 0000000000000000");
	value_means("\"doubleValue\":-0.0", "21 0000000000000080");
	value_means("\"doubleValue\":\"NaN\"", "21 000000000000f87f");
	value_means("\"doubleValue\":\"Infinity\"", "21 000000000000f07f");
	value_means("\"doubleValue\":\"-Infinity\"", "21 000000000000f0ff");
	HAS(value_refusal("\"doubleValue\":\"infinity\""), "not a double");
	HAS(value_refusal("\"doubleValue\":\"-NaN\""), "not a double");
	HAS(value_refusal("\"doubleValue\":NaN"), "expected a number");
	HAS(value_refusal("\"doubleValue\":1e400"), "out of range");
	HAS(value_refusal("\"intValue\":\"NaN\""), "not an integer");
}

/* P14 */
Test(otlp_json, zeros_that_say_something_stay)
{
	point_means("histogram", "\"sum\":0,\"min\":0,\"max\":0.0",
	            "29 0000000000000000 59 0000000000000000 61 0000000000000000");
	point_means("histogram", "\"count\":0,\"flags\":0", "");
	point_means("histogram", "\"sum\":null", "");
	point_means("exponentialHistogram", "\"sum\":0,\"min\":0,\"max\":0,\"zeroThreshold\":0",
	            "29 0000000000000000 61 0000000000000000 69 0000000000000000");
	point_means("gauge", "\"asDouble\":0", "21 0000000000000000");
	value_means("\"stringValue\":\"\"", "0a {}");
	value_means("\"boolValue\":false", "10 00");
	value_means("\"boolValue\":true", "10 01");
	value_means("\"arrayValue\":{}", "2a {}");
	value_means("", "");
	span_means("\"status\":{}", "7a {}");
	HAS(value_refusal("\"boolValue\":\"true\""), "expected true or false");
	HAS(value_refusal("\"boolValue\":1"), "expected true or false");
}

Test(otlp_json, of_a_oneof_one_member_is_set)
{
	HAS(value_refusal("\"stringValue\":\"a\",\"intValue\":1"), "only one may be set");
	HAS(value_refusal("\"boolValue\":false,\"arrayValue\":{}"), "only one may be set");
	value_means("\"stringValue\":null,\"intValue\":1,\"boolValue\":null", "18 01");
	HAS(refusal(SIGNAL_METRICS, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{"
	                            "\"gauge\":{},\"sum\":{}}]}]}]}"),
	    "metrics[0].sum: two members of which only one may be set");
	point_means("histogram", "\"sum\":1,\"min\":1,\"max\":1",
	            "29 000000000000f03f 59 000000000000f03f 61 000000000000f03f");
}

Test(otlp_json, null_is_unset_and_a_null_element_is_an_empty_message)
{
	span_means("\"name\":null,\"attributes\":null,\"status\":null,\"kind\":null", "");
	value_means("\"arrayValue\":{\"values\":[null,{\"intValue\":1},null]}",
	            "2a { 0a {} 0a { 18 01 } 0a {} }");
	HAS(span_refusal("\"name\":nul"), "expected true, false or null");
	point_means("histogram", "\"bucketCounts\":null", "");
	HAS(refusal(SIGNAL_METRICS,
	            "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{"
	            "\"dataPoints\":[{\"bucketCounts\":[null]}]}}]}]}]}"),
	    "dataPoints[0].bucketCounts: expected a number");
}

Test(otlp_json, a_value_of_another_type_is_refused_with_its_place)
{
	HAS(refusal(SIGNAL_TRACES, "{\"resourceSpans\":{}}"), "resourceSpans: expected an array");
	HAS(refusal(SIGNAL_TRACES, "{\"resourceSpans\":[{},3]}"),
	    "resourceSpans[1]: expected an object (byte 21)");
	HAS(refusal(SIGNAL_TRACES, "{\"resourceSpans\":[{} {}]}"),
	    "resourceSpans[0]: expected ',' or ']' (byte 21)");
	HAS(span_refusal("\"name\":1"), "spans[0].name: expected a string");
	HAS(span_refusal("\"status\":[]"), "spans[0].status: expected an object");
	HAS(span_refusal("\"attributes\":[[]]"), "attributes[0]: expected an object");
	HAS(span_refusal("\"events\":\"x\""), "events: expected an array");
	HAS(span_refusal("\"name\":\"x\" \"y\":1"), "spans[0]: expected ',' or '}'");
	means(SIGNAL_LOGS,
	      "{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"type\":\"t\",\"idKeys\":[\"a\","
	      "\"\",\"b\"]}]}}]}",
	      "0a { 0a { 1a { 12 { \"t\" } 1a { \"a\" } 1a {} 1a { \"b\" } } } }");
	HAS(refusal(SIGNAL_LOGS,
	            "{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"idKeys\":[1]}]}}]}"),
	    "idKeys: expected a string");
}

/* A text by its members: `open` repeated, then `close`. */
static char *nested(unsigned times, const char *open, const char *inside, const char *close)
{
	size_t a = strlen(open), b = strlen(close), n = strlen(inside);
	char *text = xcalloc(times * (a + b) + n + 1, 1), *p = text;

	for (unsigned i = 0; i < times; i++)
		p = mempcpy(p, open, a);
	p = mempcpy(p, inside, n);
	for (unsigned i = 0; i < times; i++)
		p = mempcpy(p, close, b);
	return text;
}

static enum transcode nested_in_a_log(unsigned messages, const char *inside)
{
	/* request, Resource*, Scope*, record, body: 5; an arrayValue and an element: 2 each */
	autofree char *body =
		nested((messages - 5) / 2, "\"arrayValue\":{\"values\":[{", inside, "}]}");
	autofree char *json = xcalloc(strlen(body) + 200, 1);
	struct transcoded t;
	enum transcode result;

	sprintf(json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{%s}}]}]}]}",
	        body);
	t = transcode_text(SIGNAL_LOGS, json);
	result = t.result;
	if (result == TRANSCODE_OK)
		cr_expect(oracle_equal(SIGNAL_LOGS, bytes_of(t.out, t.n), bytes_of(t.out, t.n),
		                       NULL, NULL));
	else
		cr_expect(strstr(t.e.reason, "too many nested messages") ||
		                  strstr(t.e.reason, "nested too deep"),
		          "%s", t.e.reason);
	transcoded_done(&t);
	return result;
}

/* P9 */
Test(otlp_json, nesting_of_64_messages_is_accepted_and_65_are_not)
{
	cr_expect_eq(nested_in_a_log(63, "\"stringValue\":\"x\""), TRANSCODE_OK);
	cr_expect_eq(nested_in_a_log(63, "\"arrayValue\":{}"), TRANSCODE_OK);
	cr_expect_eq(nested_in_a_log(65, ""), TRANSCODE_INVALID);
	cr_expect_eq(nested_in_a_log(63, "\"arrayValue\":{\"values\":[{}]}"), TRANSCODE_INVALID);
	cr_expect_eq(nested_in_a_log(20001, ""), TRANSCODE_INVALID);
	/* brackets that nobody knows count from where they stand */
	cr_expect_eq(nested_in_a_log(63, "\"x\":[]"), TRANSCODE_OK);
	cr_expect_eq(nested_in_a_log(63, "\"x\":[[]]"), TRANSCODE_INVALID);
}

/* P9 */
Test(otlp_json, a_million_brackets_are_refused)
{
	autofree char *text = nested(1000000, "[", "", "]");
	autofree char *json = xcalloc(strlen(text) + 20, 1);
	struct transcoded t;

	sprintf(json, "{\"x\":%s}", text);
	t = transcode_once(settings_of(SIGNAL_TRACES), bytes_str(json), strlen(json), 0);
	cr_expect_eq(t.result, TRANSCODE_INVALID);
	HAS(t.e.reason, "nested too deep (byte 68)");
}

static struct outcome enrich_json(struct settings s, const char *json)
{
	struct transcoded t = transcode_all(s, bytes_str(json));
	struct outcome o = { .verdict = V_INVALID };

	if (t.result == TRANSCODE_OK)
		o = enrich_all(s, bytes_of(t.out, t.n));
	else
		memcpy(o.e.reason, t.e.reason, sizeof(o.e.reason));
	transcoded_done(&t);
	return o;
}

/* P10 */
Test(otlp_json, text_cut_inside_a_character_is_mended_in_logs)
{
	static const char json[] =
		"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":"
		"\"caf\xc3\"}},{\"body\":{\"stringValue\":\"fine\"}},{\"body\":{\"stringValue\":"
		"\"x\\ud83d\"}}]}]}]}";
	struct settings s = settings_of(SIGNAL_LOGS);
	struct outcome o;

	s.utf8 = UTF8_REPAIR;
	o = enrich_json(s, json);
	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
	cr_expect_eq(o.e.repaired, 2);
	cr_expect_eq(o.e.items, 3);
	cr_expect_not_null(memmem(o.value, o.value_n, "caf\xef\xbf\xbd", 6));
	cr_expect_not_null(memmem(o.value, o.value_n, "x\xef\xbf\xbd", 4));
	outcome_done(&o);
	s.utf8 = UTF8_STRICT;
	o = enrich_json(s, json);
	cr_expect_eq(o.verdict, V_INVALID);
	HAS(o.e.reason, "logRecords[0].body.stringValue: invalid UTF-8");
	outcome_done(&o);
	HAS(span_refusal("\"name\":\"\\ud83d\""), "name: lone surrogate escape");
}

/* P12 */
Test(otlp_json, a_forged_tenant_is_removed_however_it_is_spelt)
{
	static const char json[] =
		"{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"tenant\\u005fid\","
		"\"value\":{\"stringValue\":\"evil\"}},{\"value\":{\"stringValue\":\"evil\"},"
		"\"\\u006bey\":\"tenant_id\"},{\"key\":\"a\"}]},\"scopeLogs\":[{\"logRecords\":[{}]"
		"}]}"
		"]}";
	struct outcome o = enrich_json(settings_of(SIGNAL_LOGS), json);

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.e.reason);
	cr_expect_eq(o.e.spoofed, 2);
	cr_expect_null(memmem(o.value, o.value_n, "evil", 4));
	cr_expect_not_null(memmem(o.value, o.value_n, "acme", 4));
	outcome_done(&o);
}

/* B19 */
Test(otlp_json, order_is_kept)
{
	struct buf json;
	struct transcoded t;
	const uint8_t *p;

	buf_init(&json, MIB);
	buf_str(&json, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
	for (int i = 0; i < 500; i++)
		buf_printf(&json, "%s{\"attributes\":[{\"key\":\"<%06d>\"},{\"key\":\"<%06d>\"}]}",
		           i ? "," : "", 2 * i, 2 * i + 1);
	buf_str(&json, "]}]}]}");
	t = transcode_all(settings_of(SIGNAL_TRACES), buf_view(&json));
	cr_assert_eq(t.result, TRANSCODE_OK);
	p = t.out;
	for (int i = 0; i < 1000; i++) {
		char key[20];
		int n = sprintf(key, "<%06d>", i);

		p = memmem(p, (size_t)(t.out + t.n - p), key, (size_t)n);
		cr_assert(p, "%s", key);
	}
	transcoded_done(&t);
	buf_done(&json);
}

/* P14, B19 */
Test(otlp_json, lists_of_numbers_may_grow_fourfold)
{
	enum { N = 100000 };
	struct buf json;
	struct transcoded t;
	Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *m;
	Opentelemetry__Proto__Metrics__V1__HistogramDataPoint *point;

	buf_init(&json, 4 * MIB);
	buf_str(&json, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{"
	               "\"dataPoints\":[{\"explicitBounds\":[0");
	for (int i = 1; i < N; i++)
		buf_printf(&json, ",%d", i % 10);
	buf_str(&json, "],\"bucketCounts\":[0");
	for (int i = 1; i < MIB / 2; i++)
		buf_str(&json, ",0");
	buf_str(&json, "]}]}}]}]}]}");
	cr_assert_not(json.failed);
	t = transcode_all(settings_of(SIGNAL_METRICS), buf_view(&json));
	cr_assert_eq(t.result, TRANSCODE_OK, "%s", t.e.reason);
	cr_expect_gt(t.n, 3 * json.n);
	m = (void *)oracle_unpack(SIGNAL_METRICS, bytes_of(t.out, t.n));
	cr_assert(m);
	point = m->resource_metrics[0]->scope_metrics[0]->metrics[0]->histogram->data_points[0];
	cr_assert_eq(point->n_explicit_bounds, N);
	for (int i = 0; i < N; i++)
		cr_assert_eq(point->explicit_bounds[i], i % 10);
	cr_expect_eq(point->n_bucket_counts, MIB / 2);
	protobuf_c_message_free_unpacked(&m->base, NULL);
	transcoded_done(&t);
	buf_done(&json);
}

/* Lengths of one, two, three bytes and where they change: what was reserved is not what was needed.
 */
Test(otlp_json, length_prefixes_fit_every_size)
{
	static const size_t sizes[] = { 0,     1,     100,   110,    120,     121,    122,
		                        123,   124,   125,   126,    127,     128,    129,
		                        130,   4000,  4090,  4096,   5000,    16370,  16380,
		                        16383, 16384, 16390, 100000, 2097140, 2097160 };
	static const char *const marks[] = { "", "\\n" };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t k = 0; k < ARRAY_LEN(marks); k++) {
			autofree char *text = xcalloc(sizes[i] + 3, 1);
			struct settings s = settings_of(SIGNAL_LOGS);
			struct transcoded t;
			struct buf json;
			struct outcome o;

			memset(text, 'x', sizes[i]);
			strcat(text, marks[k]);
			buf_init(&json, 8 * MIB);
			buf_printf(
				&json,
				"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
				"\"stringValue\":\"%s\"}},{\"body\":{\"arrayValue\":{\"values\":[{"
				"\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{"
				"\"stringValue\":\"%s\"}}]}}]}}}]}]}]}",
				text, text);
			t = transcode_once(s, buf_view(&json), json.n, 0);
			cr_assert_eq(t.result, TRANSCODE_OK, "%s", t.e.reason);
			o = enrich_once(s, bytes_of(t.out, t.n), false, 0);
			cr_expect_eq(o.verdict, V_ACCEPTED, "%zu: %s", sizes[i], o.e.reason);
			cr_expect_eq(o.e.items, 2);
			cr_expect_geq(t.n, 2 * sizes[i]);
			cr_expect_leq(t.n, 2 * sizes[i] + 80);
			outcome_done(&o);
			transcoded_done(&t);
			buf_done(&json);
		}
}

/* B18: of every ISA but the scalar one pairs take a fast path; transcode_all() compares them. */
Test(otlp_json, a_pair_on_the_fast_path_is_the_pair_of_the_general_one)
{
	static const char *const odd[] = {
		"{\"key\":\"\",\"value\":{\"stringValue\":\"v\"}}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"\"}}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\" }}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"} }",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"},\"x\":1}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\",\"intValue\":1}}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"},\"key\":\"k\"}",
		"{\"key\":\"k\",\"value\":{\"stringvalue\":\"v\"}}",
		"{\"key\":\"k\\u0041\",\"value\":{\"stringValue\":\"\\n\"}}",
		"{\"key\":\"k\xc3\xa4\",\"value\":{\"stringValue\":\"\xe2\x82\xac\"}}",
		"{\"key\":\"k\xc3\",\"value\":{\"stringValue\":\"v\"}}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\x01\"}}",
		"{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}}",
	};
	char json[700], text[140];
	struct transcoded t;

	for (size_t n = 1; n < sizeof(text); n++) {
		memset(text, 'v', n);
		text[n] = '\0';
		snprintf(json, sizeof(json),
		         "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"k\","
		         "\"value\":{\"stringValue\":\"%s\"}},{\"key\":\"%s\",\"value\":{"
		         "\"stringValue\":\"v\"}}]}}]}",
		         text, text);
		t = transcode_text(SIGNAL_TRACES, json);
		cr_assert_eq(t.result, TRANSCODE_OK, "%s", t.e.reason);
		transcoded_done(&t);
	}
	for (size_t n = 0; n <= strlen(json); n++) { /* cut anywhere, before hostile slack */
		t = transcode_all(settings_of(SIGNAL_TRACES), bytes_of(json, n));
		cr_assert_eq(t.result, n < strlen(json) ? TRANSCODE_INVALID : TRANSCODE_OK);
		transcoded_done(&t);
	}
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		snprintf(json, sizeof(json),
		         "{\"resourceSpans\":[{\"resource\":{\"attributes\":[%s,%s]}}]}", odd[i],
		         odd[i]);
		t = transcode_text(SIGNAL_TRACES, json);
		transcoded_done(&t);
	}
}

/* compatibility.md B14 */
Test(otlp_json, a_route_of_any_signal_goes_by_the_member_at_the_top)
{
	static const struct {
		const char *json;
		enum signal signal;
	} good[] = {
		{ "{\"resourceSpans\":[{}]}", SIGNAL_TRACES },
		{ "{\"resource_metrics\":[{}]}", SIGNAL_METRICS },
		{ "{\"x\":{},\"resourceLogs\":[{}],\"resourceSpans\":null}", SIGNAL_LOGS },
		{ "{\"resourceLogs\":[]}", SIGNAL_LOGS },
	};
	static const char *const bad[] = { "{\"resourceSpans\":[{}],\"resourceLogs\":[{}]}",
		                           "{\"spans\":[]}", "{\"resourceSpans\":null,\"x\":1}" };
	const enum signal any = SIGNAL_EVENTS; /* transcode_of() */
	struct transcoded t;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		t = transcode_text(any, good[i].json);
		cr_expect(t.result == TRANSCODE_OK && t.e.signal == good[i].signal, "%s: %s",
		          good[i].json, t.e.reason);
		transcoded_done(&t);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_str_eq(refusal(any, bad[i]), "signal cannot be determined: add /traces, "
		                                       "/metrics or /logs");
	t = transcode_text(any, "{}");
	cr_expect(t.result == TRANSCODE_OK && t.n == 0 && t.e.signal == any);
	transcoded_done(&t);
	HAS(refusal(any, "{\"resourceLogs\":[{\"resource\":1}]}"),
	    "resourceLogs[0].resource: expected an object");
	HAS(refusal(any, "{\"resourceLogs\":[{\"instrumentationLibraryLogs\":[{}]}]}"), "scopes");
}

/* ---- JSON equals the protobuf of the same data ---- */

static void round_trip(enum signal signal, struct bytes wire, struct print style)
{
	ProtobufCMessage *m = oracle_unpack(signal, wire);
	size_t n;
	uint8_t *packed;
	struct transcoded t;
	struct buf json;

	cr_assert(m);
	print_strip(m);
	packed = oracle_pack(m, &n);
	buf_init(&json, 4 * MIB);
	style.out = &json;
	print_message(&style, m);
	cr_assert_not(json.failed);
	t = transcode_all(settings_of(signal), buf_view(&json));
	cr_assert_eq(t.result, TRANSCODE_OK, "%s\n%.*s", t.e.reason, (int)json.n, json.p);
	cr_assert(oracle_equal(signal, bytes_of(packed, n), bytes_of(t.out, t.n), NULL, NULL),
	          "%.*s", (int)json.n, json.p);
	free(packed);
	protobuf_c_message_free_unpacked(m, NULL);
	transcoded_done(&t);
	buf_done(&json);
}

Test(otlp_json, random_messages_come_back_from_json_in_every_spelling)
{
	static struct random_message r;

	r.seed = 20261125;
	for (unsigned i = 0; i < 1500; i++) {
		enum signal signal = (enum signal)(i % 3);

		r.odd = i % 5 == 0;
		round_trip(signal, random_message(&r, oracle_root(signal), 7),
		           (struct print){ .snake = i & 1,
		                           .bare = i & 2,
		                           .names = i & 4,
		                           .spaced = i & 8,
		                           .escaped = i & 16 });
	}
}

/* Every member of every message has its spelling: nothing is known to protobuf alone. */
Test(otlp_json, every_field_of_the_schema_is_a_member)
{
	otlp_json_open();
	for (size_t i = 0; i < tables.n; i++) {
		const struct table *t = &tables.v[i];

		for (unsigned f = 0; t->descriptor && f < t->descriptor->n_fields; f++) {
			const char *name = t->descriptor->fields[f].name;
			uint8_t key[TABLE_NAME_BYTES + 8] = { 0 };
			const struct member *m;

			memcpy(key, name, strlen(name));
			m = table_find(t, key, strlen(name));
			cr_expect((m != NULL) == !strstr(name, "strindex"), "%s.%s",
			          t->descriptor->name, name);
		}
	}
	cr_expect(tables.n > 25 && tables.n <= TABLE_MESSAGES_MAX);
}

static void corpus_file(const char *name, enum signal signal, uint64_t items)
{
	static uint8_t text[20000];
	char path[200];
	struct transcoded t;
	struct outcome o;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	f = fopen(path, "r");
	cr_assert(f, "%s", path);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	t = transcode_all(settings_of(signal), bytes_of(text, n));
	cr_assert_eq(t.result, TRANSCODE_OK, "%s: %s", name, t.e.reason);
	o = enrich_all(settings_of(signal), bytes_of(t.out, t.n));
	cr_expect_eq(o.verdict, V_ACCEPTED, "%s: %s", name, o.e.reason);
	cr_expect_eq(o.e.items, items, "%s: %ju items", name, (uintmax_t)o.e.items);
	outcome_done(&o);
	transcoded_done(&t);
}

/* The examples of opentelemetry-proto. */
Test(otlp_json, the_public_examples_are_accepted)
{
	if (access(CORPUS, R_OK)) /* beside the tree, not of it: a clone alone has none */
		cr_skip_test("no " CORPUS);
	corpus_file("trace.json", SIGNAL_TRACES, 1);
	corpus_file("metrics.json", SIGNAL_METRICS, 4);
	corpus_file("logs.json", SIGNAL_LOGS, 1);
	corpus_file("events.json", SIGNAL_LOGS, 1);
}
