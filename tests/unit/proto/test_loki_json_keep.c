/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_json_keep.c"

#include <criterion/criterion.h>

#include <dirent.h>

#include "common/buf.h"
#include "tests/unit/proto/keep_loki.h"

#define STREAMS(...) "{\"streams\":[" __VA_ARGS__ "]}"
#define WITH(labels) STREAMS("{\"stream\":{" labels "},\"values\":[[\"1\",\"x\"]]}")
#define ENTRY(entry) STREAMS("{\"stream\":{\"a\":\"b\"},\"values\":[[" entry "]]}")
#define OURS "\"tenant_id\":\"acme\""
#define EVIL "\"tenant_id\":\"evil\""
#define OLD(labels)                                                                                \
	STREAMS("{\"labels\":\"" labels                                                            \
	        "\",\"entries\":[{\"ts\":\"2026-11-25T17:00:00Z\",\"line\":\"x\"}]}")

static void becomes_as(struct loki_settings s, const char *json, const char *want, uint64_t spoofed,
                       uint64_t repaired)
{
	struct loki_outcome o = loki_keep_all(s, bytes_str(json));

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s: %s", json, o.e.reason);
	cr_expect(bytes_eq(bytes_str(want), bytes_of(o.value, o.value_n)), "%s became\n%.*s", json,
	          (int)o.value_n, (const char *)o.value);
	cr_expect_eq(o.e.spoofed, spoofed, "%s: %ju", json, (uintmax_t)o.e.spoofed);
	cr_expect_eq(o.e.repaired, repaired, "%s: %ju", json, (uintmax_t)o.e.repaired);
	loki_outcome_done(&o);
	loki_keep_judge(s, bytes_str(json));
}

static void becomes(const char *json, const char *want, uint64_t spoofed)
{
	becomes_as(loki_settings_of(LOKI_JSON), json, want, spoofed, 0);
}

static void into_entries(const char *json, const char *want, uint64_t spoofed)
{
	struct loki_settings s = loki_settings_of(LOKI_JSON);

	s.into_entries = true;
	becomes_as(s, json, want, spoofed, 0);
}

static void old_becomes(const char *json, const char *want, uint64_t spoofed)
{
	becomes_as(loki_settings_of(LOKI_LEGACY), json, want, spoofed, 0);
}

static void refused(enum loki_form form, const char *json, const char *reason)
{
	struct loki_settings s = loki_settings_of(form);
	struct loki_outcome o = loki_keep_all(s, bytes_str(json));

	cr_expect_eq(o.verdict, V_INVALID, "%s: %d", json, (int)o.verdict);
	cr_expect_str_eq(o.e.reason, reason, "%s: %s", json, o.e.reason);
	loki_outcome_done(&o);
	loki_keep_judge(s, bytes_str(json));
}

/* R6 */
Test(loki_json_keep, the_stamp_is_a_member_of_stream)
{
	becomes(WITH("\"a\":\"b\""), WITH("\"a\":\"b\"," OURS), 0);
	becomes(WITH(" \"z\" : \"\\u0061\" , \"a\":\"\" "),
	        WITH(" \"z\" : \"\\u0061\" , \"a\":\"\"," OURS " "), 0);
	becomes(STREAMS("{\"values\":[null,[\"1\",\"x\",{}]],\"stream\":{\"a\":\"b\"}},null"),
	        STREAMS("{\"values\":[null,[\"1\",\"x\",{}]],\"stream\":{\"a\":\"b\"," OURS
	                "}},null"),
	        0);
}

/* R6 */
Test(loki_json_keep, a_forged_tenant_leaves_both_places)
{
	becomes(WITH(EVIL), WITH(OURS), 1);
	becomes(WITH(EVIL ", \"a\":\"b\""), WITH("\"a\":\"b\"," OURS), 1);
	becomes(WITH("\"a\":\"b\" ,\n" EVIL " "), WITH("\"a\":\"b\"," OURS " "), 1);
	becomes(WITH("\"a\":\"b\",\"tenant\\u005fid\":\"evil\",\"c\":\"d\""),
	        WITH("\"a\":\"b\",\"c\":\"d\"," OURS), 1);
	/* an empty one is no label, but there must not be two members */
	becomes(WITH("\"tenant_id\":\"\",\"a\":\"b\""), WITH("\"a\":\"b\"," OURS), 0);
	becomes(WITH("\"tenant_id\":\"\"," EVIL ",\"a\":\"b\""), WITH("\"a\":\"b\"," OURS), 1);
	becomes(STREAMS("{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",{" EVIL
	                "}],[\"2\",\"y\",{\"k\":\"v\",\"tenant_i\\u0064\":\"evil\" , "
	                "\"l\":\"w\"}]]}"),
	        STREAMS("{\"stream\":{\"a\":\"b\"," OURS "},\"values\":[[\"1\",\"x\",{}],[\"2\","
	                "\"y\",{\"k\":\"v\" , \"l\":\"w\"}]]}"),
	        2);
	into_entries(WITH(EVIL ",\"a\":\"b\""),
	             STREAMS("{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",{" OURS "}]]}"),
	             1);
}

/* R6 */
Test(loki_json_keep, the_stamp_may_go_into_each_entry)
{
	into_entries(ENTRY("\"1\",\"x\""), ENTRY("\"1\",\"x\",{" OURS "}"), 0);
	into_entries(ENTRY(" \"1\" , \"x\\n\" "), ENTRY(" \"1\" , \"x\\n\",{" OURS "} "), 0);
	into_entries(ENTRY("\"1\",\"x\",{ }"), ENTRY("\"1\",\"x\",{" OURS " }"), 0);
	into_entries(ENTRY("\"1\",\"x\",{\"k\":\"v\"}"),
	             ENTRY("\"1\",\"x\",{\"k\":\"v\"," OURS "}"), 0);
	into_entries(ENTRY("\"1\",\"x\",{" EVIL ",\"k\":\"v\"}"),
	             ENTRY("\"1\",\"x\",{\"k\":\"v\"," OURS "}"), 1);
	into_entries(ENTRY("\"1\",\"x\",{" EVIL "," EVIL "}"), ENTRY("\"1\",\"x\",{" OURS "}"), 2);
	into_entries(
		STREAMS("{\"stream\":{\"a\":\"b\"},\"values\":[null,[\"1\",\"\"],[\"2\",\"\"]]}"),
		STREAMS("{\"stream\":{\"a\":\"b\"},\"values\":[null,[\"1\",\"\",{" OURS
	                "}],[\"2\",\"\",{" OURS "}]]}"),
		0);
}

/* R6 */
Test(loki_json_keep, a_legacy_text_is_spliced_inside_its_string)
{
	old_becomes(OLD("{a=\\\"b\\\"}"), OLD("{a=\\\"b\\\", tenant_id=\\\"acme\\\"}"), 0);
	old_becomes(OLD("{z=\\\"b\\\",}"), OLD("{tenant_id=\\\"acme\\\", z=\\\"b\\\",}"), 0);
	old_becomes(OLD("{a='1', \\u007a=\\u0022\\u00e9\\ud83d\\ude00\\u0022 }"),
	            OLD("{a='1', tenant_id=\\\"acme\\\", \\u007a=\\u0022\\u00e9\\ud83d\\ude00"
	                "\\u0022 }"),
	            0);
	old_becomes(OLD("{tenant_id='evil'}"), OLD("{tenant_id=\\\"acme\\\"}"), 1);
	old_becomes(OLD("{a='b',tenant\\u005fid=`evil`,z='\\\\n'}"),
	            OLD("{a='b',tenant_id=\\\"acme\\\",z='\\\\n'}"), 1);
	old_becomes(OLD("{tenant_id='\\u0065vil' ,a='b'}"), OLD("{a='b', tenant_id=\\\"acme\\\"}"),
	            1);
	/* plain slices need no memory */
	old_becomes(OLD("{a='b'}"), OLD("{a='b', tenant_id=\\\"acme\\\"}"), 0);
	/* an entry has no place for it */
	into_entries(ENTRY("\"1\",\"x\""), ENTRY("\"1\",\"x\",{" OURS "}"), 0);
}

Test(loki_json_keep, a_name_that_is_no_word_is_quoted_in_a_legacy_text)
{
	struct loki_settings s = loki_settings_of(LOKI_LEGACY);

	s.name = "a.b";
	s.tenant = "c";
	becomes_as(s, OLD("{x='1'}"), OLD("{\\\"a.b\\\"=\\\"c\\\", x='1'}"), 0, 0);
	becomes_as(s, OLD("{'a.b'='1'}"), OLD("{\\\"a.b\\\"=\\\"c\\\"}"), 1, 0);
	s.form = LOKI_JSON;
	becomes_as(s, WITH("\"x\":\"1\",\"a.b\":\"2\""), WITH("\"x\":\"1\",\"a.b\":\"c\""), 1, 0);
}

/* As in protobuf: its labels were not judged, and may forge a tenant. */
Test(loki_json_keep, a_stream_without_entries_leaves)
{
	static const char kept[] = "{\"stream\":{\"a\":\"b\"," OURS "},\"values\":[[\"1\",\"x\"]]}";
	static const char none[] = "{\"stream\":{" EVIL "},\"values\":[]}";
	static const char data[] = "{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]]}";
	struct loki_settings s = loki_settings_of(LOKI_LEGACY);
	char json[400], want[400];

	snprintf(json, sizeof(json), STREAMS("%s, %s,%s ,%s"), none, data, none, none);
	snprintf(want, sizeof(want), STREAMS("%s "), kept);
	/* the blank before the last comma went with it */
	want[strlen(want) - 3] = '\0';
	strcat(want, "]}");
	becomes(json, want, 0);
	snprintf(json, sizeof(json), STREAMS("{\"stream\":{\"\":\"\xff\"}},null,%s"), data);
	snprintf(want, sizeof(want), STREAMS("null,%s"), kept);
	becomes(json, want, 0);
	s.stamp = false;
	becomes_as(s,
	           STREAMS("{\"labels\":\"{\",\"entries\":[]},{\"labels\":\"{a='b'}\","
	                   "\"entries\":[{\"line\":\"\",\"ts\":\"2026-11-25T17:00:00Z\"}]}"),
	           STREAMS("{\"labels\":\"{\",\"entries\":[]},{\"labels\":\"{a='b'}\","
	                   "\"entries\":[{\"line\":\"\",\"ts\":\"2026-11-25T17:00:00Z\"}]}"),
	           0, 0);
}

Test(loki_json_keep, all_else_survives_byte_for_byte)
{
	becomes(" {\"x\":[1.50e+2,{\"streams\":[]}],\r\n\"str\\u0065ams\" : [ {\"n\":null,"
	        "\"stream\":{\"b\\u0061\":\"\\/\"},\"values\":[ [\"-1\" "
	        ",\"\\u0041\\ud83d\\ude00\"] "
	        "]} ],\"y\":{}}\t",
	        " {\"x\":[1.50e+2,{\"streams\":[]}],\r\n\"str\\u0065ams\" : [ {\"n\":null,"
	        "\"stream\":{\"b\\u0061\":\"\\/\"," OURS
	        "},\"values\":[ [\"-1\" ,\"\\u0041\\ud83d\\ude00\"] ]} ],\"y\":{}}\t",
	        0);
}

/* P10 */
Test(loki_json_keep, broken_text_is_mended_wherever_it_stands)
{
	struct loki_settings s = loki_settings_of(LOKI_JSON);

	/* a stream, two of three entries, what nobody knows */
	becomes_as(s,
	           "{\"u\":\"\xff\",\"streams\":[{\"stream\":{\"a\":\"\xc3\"},\"values\":[[\"1\","
	           "\"x\\ud83d\"],[\"2\",\"y\"],[\"3\",\"\",{\"k\xff\":\"v\"}]],\"n\":\"\xff\"}]}",
	           "{\"u\":\"\xef\xbf\xbd\",\"streams\":[{\"stream\":{\"a\":\"\xef\xbf\xbd\"," OURS
	           "},\"values\":[[\"1\",\"x\xef\xbf\xbd\"],[\"2\",\"y\"],[\"3\",\"\",{\"k"
	           "\xef\xbf\xbd\":\"v\"}]],\"n\":\"\xef\xbf\xbd\"}]}",
	           0, 4);
	/* what leaves is not mended, and does not count */
	becomes_as(s, WITH("\"a\":\"b\",\"tenant_id\":\"\xff\""), WITH("\"a\":\"b\"," OURS), 1, 0);
	becomes_as(s, WITH(EVIL ",\"a\xff\":\"b\xff\""),
	           WITH("\"a\xef\xbf\xbd\":\"b\xef\xbf\xbd\"," OURS), 1, 1);
	s.form = LOKI_LEGACY;
	becomes_as(s, OLD("{a='\xff\\ud83d'}"),
	           OLD("{a='\xef\xbf\xbd\xef\xbf\xbd', tenant_id=\\\"acme\\\"}"), 0, 1);
	becomes_as(s, OLD("{a='\xff',tenant_id='\xff\xff',z='\\ude00'}"),
	           OLD("{a='\xef\xbf\xbd',tenant_id=\\\"acme\\\",z='\xef\xbf\xbd'}"), 1, 1);
	becomes_as(s, OLD("{a='b',tenant_id='\xff\xff'}"), OLD("{a='b',tenant_id=\\\"acme\\\"}"), 1,
	           0);
	s.stamp = false;
	becomes_as(s, OLD("{tenant_id='\xff'}"), OLD("{tenant_id='\xef\xbf\xbd'}"), 0, 1);
}

Test(loki_json_keep, with_the_tenant_in_the_header_a_push_leaves_as_it_came)
{
	struct loki_settings s = loki_settings_of(LOKI_JSON);
	static const char json[] = STREAMS("{\"stream\":{" EVIL "},\"values\":[[\"1\",\"x\",{" EVIL
	                                   "}]]},{\"stream\":{}},null");

	s.stamp = false;
	becomes_as(s, json, json, 0, 0);
	s.into_entries = true;
	becomes_as(s, json, json, 0, 0);
}

/* P18: in Loki's words, as if it had become protobuf. */
Test(loki_json_keep, it_is_as_strict_as_transcoding)
{
	refused(LOKI_JSON, "[]", "expected an object (byte 0)");
	refused(LOKI_JSON, WITH("\"a\":1"),
	        "streams[0]: the value of a label is a string (byte 27)");
	refused(LOKI_JSON, WITH("\"a\":\"b\",\"a\":\"c\""),
	        "stream '{a=\\x22b\\x22, a=\\x22c\\x22}' has duplicate label name: 'a'");
	refused(LOKI_JSON, WITH("\"\":\"b\""),
	        "couldn't parse labels: expected a label name (byte 1 of "
	        "'{\\x22\\x22=\\x22b\\x22}')");
	refused(LOKI_JSON, WITH("\"a\":\"\""),
	        "error at least one label pair is required per stream");
	refused(LOKI_JSON, STREAMS("{\"values\":[[\"1\",\"x\"]]}"),
	        "error at least one label pair is required per stream");
	refused(LOKI_LEGACY,
	        STREAMS("{\"entries\":[{\"ts\":\"2026-11-25T17:00:00Z\",\"line\":\"\"}],"
	                "\"labels\":null}"),
	        "error at least one label pair is required per stream");
	refused(LOKI_LEGACY, OLD("{a=1}"),
	        "couldn't parse labels: expected a value in quotes (byte 3 of '{a=1}')");
	refused(LOKI_LEGACY, OLD("{\\u0061=\\u0031}"),
	        "couldn't parse labels: expected a value in quotes (byte 3 of '{a=1}')");
	refused(LOKI_LEGACY,
	        STREAMS("{\"labels\":\"{a='b'}\",\"entries\":[]},{\"labels\":\"{\",\"entries\":[{"
	                "\"ts\":\"0001-01-01T00:00:00Z\",\"line\":\"\"},{\"ts\":"
	                "\"0000-12-31T23:59:59Z\",\"line\":\"\"}]}"),
	        "streams[0].entries[1].timestamp: out of range");
	refused(LOKI_LEGACY,
	        STREAMS("{\"labels\":\"{a='b'}\",\"entries\":[{\"ts\":\"2026-11-25T17:00:00Z\","
	                "\"line\":\"\"}]},{\"labels\":\"{a='b'}\",\"entries\":[{\"ts\":"
	                "\"9999-12-31T23:59:59-00:01\",\"line\":\"\"}]}"),
	        "streams[1].entries[0].timestamp: out of range");
	/* what is no JSON is said first */
	refused(LOKI_JSON,
	        STREAMS("{\"stream\":{\"\":\"b\"},\"values\":[[\"1\",\"x\"]]},{\"stream\":{}}{"),
	        "streams[1]: expected ',' or ']' (byte 66)");
}

/* Into entries, the only label may leave. */
Test(loki_json_keep, a_stream_that_is_left_without_labels_is_refused)
{
	struct loki_settings s = loki_settings_of(LOKI_JSON);
	struct loki_outcome o;

	s.into_entries = true;
	o = loki_keep_all(s, bytes_str(WITH(EVIL)));
	cr_expect_eq(o.verdict, V_INVALID);
	cr_expect_str_eq(o.e.reason, "error at least one label pair is required per stream");
	loki_outcome_done(&o);
	loki_keep_judge(s, bytes_str(WITH(EVIL)));
}

/* P18 */
Test(loki_json_keep, nothing_to_store_is_told_from_no_stream)
{
	static const struct {
		const char *json;
		enum verdict verdict;
	} cases[] = {
		{ "{}", V_NO_STREAMS },
		{ STREAMS(""), V_NO_STREAMS },
		{ STREAMS("null"), V_NO_STREAMS },
		{ "{\"streams\":null}", V_NO_STREAMS },
		{ STREAMS("{\"stream\":{}}"), V_EMPTY },
		{ STREAMS("{\"stream\":{\"a\":\"b\"},\"values\":[null]},null"), V_EMPTY },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct loki_settings s = loki_settings_of(LOKI_JSON);
		struct loki_outcome o = loki_keep_all(s, bytes_str(cases[i].json));

		cr_expect_eq(o.verdict, cases[i].verdict, "%s: %d", cases[i].json, (int)o.verdict);
		loki_outcome_done(&o);
		loki_keep_judge(s, bytes_str(cases[i].json));
	}
}

static enum verdict of_text(enum loki_form form, size_t n, bool escaped)
{
	struct loki_settings s = loki_settings_of(form);
	struct loki_outcome o;
	enum verdict v;
	struct buf json;

	buf_init(&json, 40 * MIB);
	buf_str(&json, form == LOKI_JSON ? "{\"streams\":[{\"stream\":{\"a\":\""
	                                 : "{\"streams\":[{\"labels\":\"{a='");
	for (size_t i = 0; i < n; i++)
		buf_char(&json, 'x');
	if (escaped)
		buf_str(&json, "\\u0078");
	buf_str(&json, form == LOKI_JSON
	                       ? "\"},\"values\":[[\"1\",\"\"]]}]}"
	                       : "'}\",\"entries\":[{\"ts\":\"2026-11-25T17:00:00Z\",\"line\":\"\""
	                         "}]}]}");
	cr_assert_not(json.failed);
	o = loki_keep_once(s, buf_view(&json), 0);
	v = o.verdict;
	if (v == V_COUNT)
		cr_expect_str_eq(o.e.counted_what, "bytes of a stream's labels");
	loki_outcome_done(&o);
	buf_done(&json);
	return v;
}

/* protocols.md 6: 413 */
Test(loki_json_keep, a_label_text_over_16_mebibytes_is_too_much)
{
	static const enum loki_form forms[] = { LOKI_JSON, LOKI_LEGACY };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		for (int escaped = 0; escaped < 2; escaped++) {
			cr_expect_eq(of_text(forms[i], LABELS_TEXT_MAX / 2, escaped), V_ACCEPTED);
			cr_expect_eq(of_text(forms[i], LABELS_TEXT_MAX, escaped), V_COUNT);
		}
}

Test(loki_json_keep, edits_are_counted)
{
	struct loki_settings s = loki_settings_of(LOKI_JSON);
	struct loki_outcome o;
	struct buf json;

	s.into_entries = true;
	buf_init(&json, 4 * MIB);
	buf_str(&json, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\"]");
	for (size_t i = 0; i < EDITS_MAX; i++)
		buf_str(&json, ",[\"1\",\"\"]");
	buf_str(&json, "]}]}");
	o = loki_keep_once(s, buf_view(&json), 0);
	cr_expect_eq(o.verdict, V_COUNT);
	cr_expect(o.e.counted == EDITS_MAX + 1 && !strcmp(o.e.counted_what, "edits"));
	loki_outcome_done(&o);
	buf_done(&json);
}

Test(loki_json_keep, a_push_cut_anywhere_is_refused)
{
	static const char *const bodies[] = {
		STREAMS("{\"stream\":{\"a\\u0062\":\"c\"," EVIL
		        "},\"values\":[[\"1\",\"x\\ud83d\\ude00\",{" EVIL ",\"k\":\"v\"}],null]},{"
		        "\"stream\":{}}"),
		OLD("{a='b',tenant\\u005fid='\\\"'}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		for (size_t n = 0; n < strlen(bodies[i]); n++)
			for (int k = 0; k < 4; k++) {
				struct loki_settings s =
					loki_settings_of(i ? LOKI_LEGACY : LOKI_JSON);
				struct loki_outcome o;

				s.into_entries = k & 1;
				s.utf8 = k & 2 ? UTF8_STRICT : UTF8_REPAIR;
				o = loki_keep_once(s, bytes_of(bodies[i], n), '"');
				cr_expect_eq(o.verdict, V_INVALID, "%zu bytes", n);
				loki_outcome_done(&o);
				loki_keep_judge(s, bytes_of(bodies[i], n));
			}
}

Test(loki_json_keep, a_stamp_fits_or_is_not_written)
{
	static const struct bytes name = BYTES("a.b"), id = BYTES("c");
	uint8_t out[100];
	size_t n = loki_json_stamp(name, id, out, sizeof(out));

	cr_expect(bytes_eq(bytes_of(out, n), BYTES(",{\"a.b\":\"c\"}")));
	for (size_t cap = 0; cap <= n; cap++)
		cr_expect_eq(loki_json_stamp(name, id, out, cap), 0);
	n = loki_json_legacy_stamp(name, id, out, sizeof(out));
	cr_expect(bytes_eq(bytes_of(out, n), BYTES(", \\\"a.b\\\"=\\\"c\\\", ")));
	for (size_t cap = 0; cap <= n; cap++)
		cr_expect_eq(loki_json_legacy_stamp(name, id, out, cap), 0);
}

/* P10, P18, R6, R26: each case is judged by transcoding too, in both shapes and with both stamps.
 */
Test(loki_json_keep, every_golden_push_has_one_verdict_in_both_ways)
{
	static const char folder[] = "tests/golden/loki_json";
	static char text[64 * KIB];
	DIR *dir = opendir(folder);
	unsigned files = 0;

	cr_assert(dir, "no %s: run from the root of the tree", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[600];
		const char *body;
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s/%s/request.txt", folder, entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
		body = memchr(text, '{', n);
		for (unsigned k = 0; body && k < 16; k++) {
			struct loki_settings s = { .form = k & 1 ? LOKI_LEGACY : LOKI_JSON,
				                   .stamp = k & 2,
				                   .into_entries = k & 4,
				                   .utf8 = k & 8 ? UTF8_STRICT : UTF8_REPAIR };

			loki_keep_judge(s, bytes_of(body, n - (size_t)(body - text)));
		}
		files++;
	}
	closedir(dir);
	cr_expect_geq(files, 10);
}
