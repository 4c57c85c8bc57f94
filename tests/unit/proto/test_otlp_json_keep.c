/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_json_keep.c"

#include <criterion/criterion.h>

#include <dirent.h>

#include "tests/unit/proto/keep.h"
#include "tests/unit/proto/print_json.h"
#include "tests/unit/proto/random_message.h"

#define OURS "{\"key\":\"tenant_id\",\"value\":{\"stringValue\":\"acme\"}}"
#define EVIL "{\"key\":\"tenant_id\",\"value\":{\"stringValue\":\"evil\"}}"
#define A "{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}}"
#define SPANS "\"scopeSpans\":[{\"spans\":[{}]}]"
#define TRACES_OF(...) "{\"resourceSpans\":[" __VA_ARGS__ "]}"
#define WITH(attributes) TRACES_OF("{\"resource\":{\"attributes\":[" attributes "]}," SPANS "}")

static void becomes_as(struct settings s, const char *json, const char *want, uint64_t spoofed,
                       uint64_t repaired)
{
	struct outcome o = keep_all(s, bytes_str(json));

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s: %s", json, o.e.reason);
	cr_expect(bytes_eq(bytes_str(want), bytes_of(o.value, o.value_n)), "%s became\n%.*s", json,
	          (int)o.value_n, (const char *)o.value);
	cr_expect_eq(o.e.spoofed, spoofed, "%s: %ju", json, (uintmax_t)o.e.spoofed);
	cr_expect_eq(o.e.repaired, repaired, "%s: %ju", json, (uintmax_t)o.e.repaired);
	outcome_done(&o);
	keep_judge(s, bytes_str(json));
}

static void becomes(const char *json, const char *want, uint64_t spoofed)
{
	becomes_as(settings_of(SIGNAL_TRACES), json, want, spoofed, 0);
}

static void stays_and_is_refused(enum signal signal, const char *json, const char *reason)
{
	struct settings s = settings_of(signal);
	struct outcome o = keep_all(s, bytes_str(json));

	cr_expect_eq(o.verdict, V_INVALID, "%s", json);
	cr_expect(strstr(o.e.reason, reason), "%s: %s", json, o.e.reason);
	outcome_done(&o);
	keep_judge(s, bytes_str(json));
}

/* R3 */
Test(otlp_json_keep, the_stamp_comes_behind_the_last_attribute)
{
	becomes(WITH(A), WITH(A "," OURS), 0);
	becomes(WITH(A " , " A " "), WITH(A " , " A "," OURS " "), 0);
	becomes(WITH(""), WITH(OURS), 0);
	becomes(WITH(" \n"), WITH(OURS " \n"), 0);
	becomes(WITH("null"), WITH("null," OURS), 0);
	becomes(WITH("{}"), WITH("{}," OURS), 0);
}

Test(otlp_json_keep, what_leads_to_the_stamp_is_made_where_it_is_missing)
{
	becomes(TRACES_OF("{" SPANS "}"),
	        TRACES_OF("{" SPANS ",\"resource\":{\"attributes\":[" OURS "]}}"), 0);
	becomes(TRACES_OF("{" SPANS ",\"x\":1 }"),
	        TRACES_OF("{" SPANS ",\"x\":1 ,\"resource\":{\"attributes\":[" OURS "]}}"), 0);
	becomes(TRACES_OF("{\"resource\":null," SPANS "}"),
	        TRACES_OF("{\"resource\":{\"attributes\":[" OURS "]}," SPANS "}"), 0);
	becomes(TRACES_OF("{\"resource\":{}," SPANS "}"),
	        TRACES_OF("{\"resource\":{\"attributes\":[" OURS "]}," SPANS "}"), 0);
	becomes(TRACES_OF("{\"resource\":{ \"droppedAttributesCount\":1}," SPANS "}"),
	        TRACES_OF("{\"resource\":{ \"droppedAttributesCount\":1,\"attributes\":[" OURS
	                  "]}," SPANS "}"),
	        0);
	becomes(TRACES_OF("{\"resource\":{\"attributes\":null }," SPANS "}"),
	        TRACES_OF("{\"resource\":{\"attributes\":[" OURS "] }," SPANS "}"), 0);
	/* beside data, an empty Resource* is stamped like the others */
	becomes(TRACES_OF("{" SPANS ",\"resource\":null},{},null"),
	        TRACES_OF("{" SPANS ",\"resource\":{\"attributes\":[" OURS
	                  "]}},{\"resource\":{\"attributes\":[" OURS
	                  "]}},{\"resource\":{\"attributes\":[" OURS "]}}"),
	        0);
}

/* P12 */
Test(otlp_json_keep, a_forged_tenant_leaves_with_the_comma_that_it_needs)
{
	becomes(WITH(EVIL), WITH(OURS), 1);
	becomes(WITH(" " EVIL "\t"), WITH(" " OURS "\t"), 1);
	becomes(WITH(A "," EVIL), WITH(A "," OURS), 1);
	becomes(WITH(EVIL " , " A), WITH(A "," OURS), 1);
	becomes(WITH(A " ," EVIL ", " A), WITH(A ", " A "," OURS), 1);
	becomes(WITH(EVIL "," EVIL), WITH(OURS), 2);
	becomes(WITH(EVIL "," EVIL "," A "," EVIL "," EVIL), WITH(A "," OURS), 4);
	becomes(WITH("null," EVIL ",null"), WITH("null,null," OURS), 1);
}

/* P12 */
Test(otlp_json_keep, a_forged_tenant_is_known_in_every_spelling)
{
	static const char *const spellings[] = {
		"{\"key\":\"tenant\\u005fid\",\"value\":{\"stringValue\":\"evil\"}}",
		"{\"k\\u0065y\":"
		"\"\\u0074\\u0065\\u006e\\u0061\\u006e\\u0074\\u005f\\u0069\\u0064\"}",
		"{\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\"}]}},\"key\":\"tenant_"
		"id\"}",
		"{ \"key\" : \"tenant_id\" }",
		"{\"x\":{\"key\":\"a\"},\"key\":\"tenant_id\",\"value\":null}",
		"{\"key\":\"tenant_id\",\"value\":{\"stringValue\":\"evil\"} }",
	};
	static const char *const others[] = {
		"{\"key\":\"tenant_i\",\"value\":{\"stringValue\":\"x\"}}",
		"{\"key\":\"tenant_id \"}",
		"{\"key\":\"Tenant_id\"}",
		"{\"key\":\"tenant_id\\u0000\"}",
		"{\"key\":\"tenant_i\\u0064\\u0064\"}",
		"{\"key\":null,\"value\":{\"stringValue\":\"tenant_id\"}}",
		"{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":[" EVIL "]}}}",
		"{\"value\":{\"kvlistValue\":{\"values\":[" EVIL "]}}}",
		"{\"key\":\"\\ud83d\\ude00\"}",
	};
	char json[600], want[600];

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		snprintf(json, sizeof(json), WITH("%s"), spellings[i]);
		becomes(json, WITH(OURS), 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		snprintf(json, sizeof(json), WITH("%s"), others[i]);
		snprintf(want, sizeof(want), WITH("%s," OURS), others[i]);
		becomes(json, want, 0);
	}
}

Test(otlp_json_keep, all_else_survives_byte_for_byte)
{
	static const char head[] =
		" {\"x\":[1.50e+2, \"\\u0061\\/\"],\r\n\t\"resource_spans\":[ {\"scope_spans\":[{"
		"\"spans\":[{\"start_time_unix_nano\":\"1\",\"endTimeUnixNano\":2.0e0,\"kind\":"
		"\"SPAN_KIND_SERVER\",\"traceId\":\"5B8EFFF798038103d269b633813fc60c\","
		"\"attributes\":[" EVIL
		",{\"key\":\"n\",\"value\":{\"doubleValue\":1.0E0}},{\"key\":"
		"\"y\",\"value\":{\"bytesValue\":\"\\/\\/8\\u003d\"}}]}],\"scope\":{"
		"\"attributes\":[" EVIL
		"]}}],\"schema_url\":\"\\\"\",\"resource\":{\"attributes\":[" A;
	static const char tail[] =
		"],\"entity_refs\":[{\"idKeys\":[\"\"]}],\"attributes_\":[" EVIL "]}}]} \n";
	char json[1000], want[1000];

	snprintf(json, sizeof(json), "%s%s", head, tail);
	snprintf(want, sizeof(want), "%s,%s%s", head, OURS, tail);
	becomes(json, want, 0);
}

Test(otlp_json_keep, with_the_tenant_in_the_header_a_body_leaves_as_it_came)
{
	struct settings s = settings_of(SIGNAL_LOGS);

	s.stamp = false;
	s.utf8 = UTF8_REPAIR;
	becomes_as(s,
	           "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" EVIL
	           "]},\"scopeLogs\":[{\"logRecords\":[null]}]},null,{\"resource\":null}]}",
	           "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" EVIL
	           "]},\"scopeLogs\":[{\"logRecords\":[null]}]},null,{\"resource\":null}]}",
	           0, 0);
	becomes_as(s,
	           "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":\"\xff\"}"
	           "]}]}]}",
	           "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":"
	           "\"\xef\xbf\xbd\"}]}]}]}",
	           0, 1);
}

/* P10 */
Test(otlp_json_keep, broken_text_is_mended_wherever_it_stands)
{
	struct settings s = settings_of(SIGNAL_LOGS);

	s.utf8 = UTF8_REPAIR;
	/* a cut character, lone surrogates, a run, a pair that is whole; two records and a scope */
	becomes_as(s,
	           "{\"resourceLogs\":[{\"resource\":{\"attributes\":[]},\"scopeLogs\":[{\"scope\":"
	           "{\"name\":\"\xc3\"},\"logRecords\":[{\"body\":{\"stringValue\":\"caf\xc3\"},"
	           "\"severityText\":\"\\ud83d\\ud83d\\u00e9\\ude00\"},{},{\"attributes\":[{"
	           "\"key\":\"\\ud83d\\ude00\xff\xfe\xff\"}]}]}]}]}",
	           "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" OURS
	           "]},\"scopeLogs\":[{\"scope\":{\"name\":\"\xef\xbf\xbd\"},\"logRecords\":[{"
	           "\"body\":{\"stringValue\":\"caf\xef\xbf\xbd\"},\"severityText\":\""
	           "\xef\xbf\xbd\xef\xbf\xbd\\u00e9\xef\xbf\xbd\"},{},{\"attributes\":[{\"key\":"
	           "\"\\ud83d\\ude00\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}]}]}]}]}",
	           0, 3);
	/* what nobody knows stays in JSON, so it is mended: names, and what is inside */
	becomes_as(s,
	           "{\"\xff\":[\"\\ud83d\"],\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{"
	           "\"x\":{\"\xff\":\"\xff\"}}]}],\"resource\":{\"attributes\":[{\"key\":"
	           "\"tenant_id\",\"value\":{\"stringValue\":\"\xff\"}}]}}]}",
	           "{\"\xef\xbf\xbd\":[\"\xef\xbf\xbd\"],\"resourceLogs\":[{\"scopeLogs\":[{"
	           "\"logRecords\":[{\"x\":{\"\xef\xbf\xbd\":\"\xef\xbf\xbd\"}}]}],\"resource\":{"
	           "\"attributes\":[" OURS "]}}]}",
	           1, 2);
	s.utf8 = UTF8_STRICT;
	keep_judge(s, bytes_str("{\"resourceLogs\":[{\"x\":\"\\ud83d\"}]}"));
	stays_and_is_refused(SIGNAL_TRACES, "{\"\xff\":1}", "invalid UTF-8 (byte 2)");
}

/* P2, P9, P13, P14: the same reader refuses what is kept and what is transcoded. */
Test(otlp_json_keep, it_is_as_strict_as_transcoding)
{
	stays_and_is_refused(SIGNAL_TRACES, "", "the JSON ends too early (byte 0)");
	stays_and_is_refused(SIGNAL_TRACES, "{}{}", "bytes behind the JSON value (byte 2)");
	stays_and_is_refused(SIGNAL_TRACES, "{\"resourceLogs\":[{}]}",
	                     "a member of another signal");
	stays_and_is_refused(SIGNAL_TRACES, TRACES_OF("{" SPANS ",\"scope_spans\":[]}"),
	                     "scopeSpans: this member comes twice");
	stays_and_is_refused(SIGNAL_TRACES, WITH(A "," A ",{\"key\":1}"),
	                     "resource.attributes[2].key: expected a string");
	stays_and_is_refused(SIGNAL_TRACES, WITH("{\"value\":{\"intValue\":9223372036854775808}}"),
	                     "value.intValue: not an integer, or out of range");
	stays_and_is_refused(SIGNAL_TRACES, WITH("{\"value\":{\"bytesValue\":\"A\"}}"), "base64");
	stays_and_is_refused(SIGNAL_TRACES, WITH("{\"value\":{\"bytesValue\":\"\\u0041\"}}"),
	                     "base64");
	stays_and_is_refused(SIGNAL_TRACES, WITH("{\"value\":{\"doubleValue\":1e999}}"),
	                     "not a double, or out of range");
	stays_and_is_refused(SIGNAL_TRACES,
	                     TRACES_OF("{\"scopeSpans\":[{\"spans\":[{\"spanId\":\"12\"}]}]}"),
	                     "16 hex digits");
	stays_and_is_refused(SIGNAL_LOGS,
	                     "{\"resourceLogs\":[{\"instrumentationLibraryLogs\":[{}]}]}",
	                     "without scopes");
	stays_and_is_refused(
		SIGNAL_METRICS,
		"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{"
		"\"dataPoints\":[{\"bucketCounts\":[1,-1]}]}}]}]}]}",
		"bucketCounts: not an integer, or out of range");
}

/* Judged without being decoded. */
Test(otlp_json_keep, bytes_are_base64_as_for_transcoding)
{
	static const char *const texts[] = { "",       "AA==",     "//8=",       "\\/\\/8\\u003d",
		                             "+/Az",   "AA",       "AA=",        "A===",
		                             "====",   "AA==AA==", "-_Az",       "A=A=",
		                             "AAAAA=", "AAAAAA==", "AA\\u0100=", "AAA\\n",
		                             "=",      "AAA\xff",  "\\ud83dAAA" };
	char json[300];

	for (size_t i = 0; i < 2 * ARRAY_LEN(texts); i++) {
		struct settings s = settings_of(SIGNAL_TRACES);

		s.utf8 = i % 2 ? UTF8_REPAIR : UTF8_STRICT;
		snprintf(json, sizeof(json), WITH("{\"value\":{\"bytesValue\":\"%s\"}}"),
		         texts[i / 2]);
		keep_judge(s, bytes_str(json));
	}
}

/* P2 */
Test(otlp_json_keep, without_items_there_is_nothing_to_store)
{
	static const char *const bodies[] = { "{}", TRACES_OF(""), TRACES_OF("{},null"),
		                              TRACES_OF("{\"scopeSpans\":[{\"spans\":[]}]}"),
		                              "{\"resourceSpans\":null}" };

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct outcome o = keep_all(settings_of(SIGNAL_TRACES), bytes_str(bodies[i]));

		cr_expect_eq(o.verdict, V_EMPTY, "%s: %s", bodies[i], o.e.reason);
		outcome_done(&o);
		keep_judge(settings_of(SIGNAL_TRACES), bytes_str(bodies[i]));
	}
}

/* compatibility.md B14 */
Test(otlp_json_keep, a_route_of_any_signal_goes_by_the_member_at_the_top)
{
	static const char *const bodies[] = {
		"{\"x\":{},\"resource_logs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}],"
		"\"resourceSpans\":null}",
		TRACES_OF("{" SPANS "}"),
		"{\"resourceSpans\":[{}],\"resourceLogs\":[{}]}",
		"{\"spans\":[]}",
		"{}",
		"{\"resourceLogs\":[{\"resource\":1}]}",
	};
	struct settings any = settings_of(SIGNAL_EVENTS); /* transcode_of() */
	struct outcome o = keep_all(any, bytes_str(bodies[0]));

	cr_expect(o.verdict == V_ACCEPTED && o.e.signal == SIGNAL_LOGS && o.e.items == 1);
	outcome_done(&o);
	o = keep_all(any, bytes_str(bodies[3]));
	cr_expect_str_eq(o.e.reason, "signal cannot be determined: add /traces, /metrics or /logs");
	outcome_done(&o);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		keep_judge(any, bytes_str(bodies[i]));
}

static enum verdict of_many(struct settings s, const char *head, const char *part, size_t n,
                            const char *tail, uint64_t *counted)
{
	struct outcome o;
	enum verdict v;
	struct buf json;

	buf_init(&json, 32 * MIB);
	buf_str(&json, head);
	for (size_t i = 0; i < n; i++)
		buf_printf(&json, "%s%s", i ? "," : "", part);
	buf_str(&json, tail);
	o = keep_once(s, buf_view(&json), 0);
	v = o.verdict;
	*counted = o.e.counted;
	outcome_done(&o);
	keep_judge(s, buf_view(&json));
	buf_done(&json);
	return v;
}

/* Stamping amplifies (faults.md 6): what it makes of little is bounded. */
Test(otlp_json_keep, resources_and_edits_are_counted)
{
	struct settings s = settings_of(SIGNAL_TRACES);
	uint64_t counted;

	s.resources_max = 20;
	cr_expect_eq(of_many(s, "{\"resourceSpans\":[", "{" SPANS "}", 20, "]}", &counted),
	             V_ACCEPTED);
	cr_expect_eq(of_many(s, "{\"resourceSpans\":[", "null", 21, "]}", &counted), V_COUNT);
	cr_expect_eq(counted, 21);
	cr_expect_eq(of_many(s, "{\"resourceSpans\":[{" SPANS ",\"resource\":{\"attributes\":[",
	                     EVIL "," A, 60000, "]}}]}", &counted),
	             V_ACCEPTED);
	cr_expect_eq(of_many(s, "{\"resourceSpans\":[{" SPANS ",\"resource\":{\"attributes\":[",
	                     EVIL, 66000, "]}}]}", &counted),
	             V_COUNT);
	cr_expect_eq(counted, EDITS_MAX + 1);
}

/* `{"resourceSpans":[...]}`, cut at every byte: refused, whatever lies behind. */
Test(otlp_json_keep, a_body_cut_anywhere_is_refused)
{
	static const char json[] =
		TRACES_OF("{\"resource\":{\"attributes\":[" A "," EVIL ",{\"key\":\"\\ud83d\\ude00"
	                  "\",\"value\":{\"bytesValue\":\"\\/w==\"}}]}," SPANS "}");

	for (size_t n = 0; n < sizeof(json) - 1; n++) {
		struct outcome o = keep_all(settings_of(SIGNAL_TRACES), bytes_of(json, n));

		cr_expect_eq(o.verdict, V_INVALID, "%zu bytes", n);
		outcome_done(&o);
		keep_judge(settings_of(SIGNAL_TRACES), bytes_of(json, n));
	}
}

Test(otlp_json_keep, a_stamp_fits_or_is_not_written)
{
	uint8_t out[200];
	size_t n = otlp_json_stamp(BYTES("tenant_id"), BYTES("acme"), out, sizeof(out));

	cr_expect(
		bytes_eq(bytes_of(out, n), bytes_str("\"resource\":{\"attributes\":[" OURS "]}")));
	for (size_t cap = 0; cap < n; cap++)
		cr_expect_eq(otlp_json_stamp(BYTES("tenant_id"), BYTES("acme"), out, cap), 0);
}

/* ---- kept, then decoded, it is what transcoding makes ---- */

/* R3, R4 */
Test(otlp_json_keep, random_messages_are_kept_in_every_spelling)
{
	static struct random_message r;

	r.seed = 20261126;
	for (unsigned i = 0; i < 600; i++) {
		enum signal signal = (enum signal)(i % 3);
		struct settings s = settings_of(i % 7 ? signal : SIGNAL_EVENTS);
		struct bytes wire;
		ProtobufCMessage *m;
		struct buf json;

		r.odd = i % 5 == 0;
		wire = random_message(&r, oracle_root(signal), 7);
		m = oracle_unpack(signal, wire);
		print_strip(m);
		buf_init(&json, 4 * MIB);
		print_message(&(struct print){ .out = &json,
		                               .snake = i & 1,
		                               .bare = i & 2,
		                               .names = i & 4,
		                               .spaced = i & 8,
		                               .escaped = i & 16 },
		              m);
		s.utf8 = i & 32 ? UTF8_REPAIR : UTF8_STRICT;
		s.stamp = i % 11 > 0;
		keep_judge(s, buf_view(&json));
		buf_done(&json);
		protobuf_c_message_free_unpacked(m, NULL);
	}
}

static unsigned judge_files(const char *folder, const char *file)
{
	static char text[64 * KIB];
	DIR *dir = opendir(folder);
	unsigned files = 0;

	cr_assert(dir, "no %s: run from the root of the tree", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[600];
		FILE *f;
		size_t n;

		snprintf(path, sizeof(path), "%s/%s%s%s", folder, entry->d_name, file ? "/" : "",
		         file ? file : "");
		f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
		for (unsigned k = 0; n < sizeof(text) && k < 8; k++) {
			const char *body = memchr(text, '{', n);
			struct settings s = settings_of((enum signal)(k % 4));

			s.utf8 = k & 4 ? UTF8_REPAIR : UTF8_STRICT;
			keep_judge(s, bytes_of(text, n));
			if (body)
				keep_judge(s, bytes_of(body, n - (size_t)(body - text)));
		}
		files++;
	}
	closedir(dir);
	return files;
}

/* P9, P10, P12-P14: each case is judged by transcoding too, as every signal. */
Test(otlp_json_keep, every_golden_body_has_one_verdict_in_both_ways)
{
	cr_expect_geq(judge_files("tests/golden/otlp_json", "request.txt"), 25);
	cr_expect_geq(judge_files("tests/golden/loki_json", "request.txt"), 10);
}

#define CORPORA "../shared/corpora"
/* RFC 8259 as others test it. */
Test(otlp_json_keep, every_public_body_has_one_verdict_in_both_ways)
{
	if (access(CORPORA, R_OK)) /* beside the tree, not of it: a clone alone has none */
		cr_skip_test("no " CORPORA);
	cr_expect_geq(judge_files(CORPORA "/json", NULL), 100);
	cr_expect_geq(judge_files(CORPORA "/otlp", NULL), 4);
}
