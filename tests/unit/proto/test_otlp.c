/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich.h"
#include "tests/unit/proto/oracle.h"

static uint8_t room[8 * MIB], wanted[8 * MIB];

#define STAMP "0a 13 0a 09 \"tenant_id\" 12 06 0a 04 \"acme\""
#define FORGED "0a { 0a { \"tenant_id\" } 12 { 0a { \"evil\" } } }"
#define SPAN "12 { 12 { 2a { \"s\" } } }"

static struct outcome run(struct settings s, const char *text)
{
	return enrich_all(s, hex_bytes(text, room, sizeof(room)));
}

/* The value that text becomes, byte for byte, and what was counted. */
static void expect_value(struct settings s, const char *text, const char *value, uint64_t items,
                         uint64_t spoofed, uint64_t repaired)
{
	struct outcome o = run(s, text);
	struct bytes want = hex_bytes(value, wanted, sizeof(wanted));

	cr_assert_eq(o.verdict, items ? V_ACCEPTED : V_EMPTY, "%s: %s", text, o.e.reason);
	cr_expect_eq(o.e.items, items, "%s: %ju items", text, (uintmax_t)o.e.items);
	cr_expect_eq(o.e.spoofed, spoofed, "%s: %ju spoofed", text, (uintmax_t)o.e.spoofed);
	cr_expect_eq(o.e.repaired, repaired, "%s: %ju repaired", text, (uintmax_t)o.e.repaired);
	cr_expect(bytes_eq(want, bytes_of(o.value, o.value_n)), "%s: another value", text);
	outcome_done(&o);
}

static void traces(const char *text, const char *value, uint64_t spoofed)
{
	expect_value(settings_of(SIGNAL_TRACES), text, value, 1, spoofed, 0);
}

/* R4 */
Test(otlp, the_stamp_is_the_vector_of_the_record_contract)
{
	uint8_t out[64];
	size_t n = protocol_otlp_traces.formats->stamp(BYTES("tenant_id"), BYTES("acme"), out,
	                                               sizeof(out));

	cr_expect(bytes_eq(bytes_of(out, n), hex_bytes(STAMP, wanted, sizeof(wanted))));
	cr_expect_eq(protocol_otlp_logs.formats->stamp(BYTES("tenant_id"), BYTES("acme"), out, n),
	             n);
	cr_expect_eq(
		protocol_otlp_logs.formats->stamp(BYTES("tenant_id"), BYTES("acme"), out, n - 1),
		0);
}

/* R4 */
Test(otlp, stamps_of_every_length_decode_to_their_name_and_tenant)
{
	char name[256] = "", tenant[151] = "";
	uint8_t out[700];

	for (size_t i = 1; i <= 255; i++) {
		struct bytes id;
		size_t n;
		oracle_resource *r;

		name[i - 1] = 'n';
		if (i <= 150)
			tenant[i - 1] = 't';
		id = bytes_str(tenant);
		n = protocol_otlp_metrics.formats->stamp(bytes_of(name, i), id, out, sizeof(out));
		r = opentelemetry__proto__resource__v1__resource__unpack(NULL, n, out);
		cr_assert(r && r->n_attributes == 1);
		cr_assert_str_eq(r->attributes[0]->key, name);
		cr_assert_str_eq(r->attributes[0]->value->string_value, tenant);
		opentelemetry__proto__resource__v1__resource__free_unpacked(r, NULL);
	}
}

Test(otlp, the_stamp_is_appended_to_the_resource_and_lengths_above_follow)
{
	traces("0a { 0a { 0a { 0a { \"a\" } } 10 05 } " SPAN " }",
	       "0a { 0a { 0a { 0a { \"a\" } } 10 05 " STAMP " } " SPAN " }", 0);
	traces("0a { 0a {} " SPAN " }", "0a { 0a { " STAMP " } " SPAN " }", 0);
}

Test(otlp, a_resource_is_added_where_there_is_none)
{
	traces("0a { " SPAN " }", "0a { " SPAN " 0a { " STAMP " } }", 0);
}

/* An empty Resource* beside data is kept and stamped. */
Test(otlp, each_envelope_gets_its_own_stamp)
{
	traces("0a { " SPAN " } 0a {} 0a { 0a {} }",
	       "0a { " SPAN " 0a { " STAMP " } } 0a { 0a { " STAMP " } } 0a { 0a { " STAMP " } }",
	       0);
}

/* P11, R3 */
Test(otlp, a_forged_tenant_is_removed_from_every_resource_occurrence)
{
	traces("0a { 0a { " FORGED " } " SPAN " 0a { 0a { 0a { \"k\" } } " FORGED " 10 01 " FORGED
	       " } 1a { \"u\" } }",
	       "0a { 0a {} " SPAN " 0a { 0a { 0a { \"k\" } } 10 01 " STAMP " } 1a { \"u\" } }", 3);
}

/* P11, R3 */
Test(otlp, the_last_key_of_a_pair_is_its_key)
{
	traces("0a { 0a { 0a { 0a { \"x\" } 12 { 0a { \"evil\" } } 0a { \"tenant_id\" } } } " SPAN
	       " }",
	       "0a { 0a { " STAMP " } " SPAN " }", 1);
	traces("0a { 0a { 0a { 0a { \"tenant_id\" } 12 { 0a { \"fine\" } } 0a { \"x\" } } } " SPAN
	       " }",
	       "0a { 0a { 0a { 0a { \"tenant_id\" } 12 { 0a { \"fine\" } } 0a { \"x\" } } " STAMP
	       " } " SPAN " }",
	       0);
	traces("0a { 0a { 0a { 12 { 0a { \"evil\" } } 0a { \"tenant_id\" } } } " SPAN " }",
	       "0a { 0a { " STAMP " } " SPAN " }", 1);
}

/* P11 */
Test(otlp, padded_tags_and_lengths_do_not_hide_a_forged_tenant)
{
	traces("0a { 0a { 8a 00 8e 80 00 8a 80 00 89 00 \"tenant_id\" 10 01 } " SPAN " }",
	       "0a { 0a { 10 01 " STAMP " } " SPAN " }", 1);
	traces("8a 80 80 80 00 { 8a 00 { 8a 00 { 0a 89 80 80 80 00 \"tenant_id\" } 10 01 } " SPAN
	       " }",
	       "8a 80 80 80 00 { 8a 00 { 10 01 " STAMP " } " SPAN " }", 1);
}

Test(otlp, only_the_exact_name_is_reserved)
{
	static const char *const keys[] = { "tenant_i", "tenant_ida",     "Tenant_id",
		                            "",         "tenant_id\\x00", "\\x00tenant_id" };
	char text[200], value[300];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(text, sizeof(text),
		         "0a { 0a { 0a { 0a { \"%s\" } 12 { 0a { \"v\" } } } } " SPAN " }",
		         keys[i]);
		snprintf(value, sizeof(value),
		         "0a { 0a { 0a { 0a { \"%s\" } 12 { 0a { \"v\" } } } " STAMP " } " SPAN
		         " }",
		         keys[i]);
		traces(text, value, 0);
	}
	/* a pair without key has the key "" */
	traces("0a { 0a { 0a { 12 { 0a { \"tenant_id\" } } } } " SPAN " }",
	       "0a { 0a { 0a { 12 { 0a { \"tenant_id\" } } } " STAMP " } " SPAN " }", 0);
}

Test(otlp, scope_and_item_attributes_of_that_name_stay)
{
	traces("0a { 0a {} 12 { 0a { 1a { 0a { \"tenant_id\" } } } 12 { 4a { 0a { \"tenant_id\" } "
	       "12 { 0a { \"x\" } } } } } }",
	       "0a { 0a { " STAMP " } 12 { 0a { 1a { 0a { \"tenant_id\" } } } 12 { 4a { 0a { "
	       "\"tenant_id\" } 12 { 0a { \"x\" } } } } } }",
	       0);
	/* and so does a nested value of a resource attribute */
	traces("0a { 0a { 0a { 0a { \"k\" } 12 { 32 { " FORGED " } } } } " SPAN " }",
	       "0a { 0a { 0a { 0a { \"k\" } 12 { 32 { " FORGED " } } } " STAMP " } " SPAN " }", 0);
}

/* R3, P10: unknown fields at every level, NaN bits, padded varints, order */
Test(otlp, all_other_bytes_survive)
{
	struct settings s = settings_of(SIGNAL_METRICS);

	expect_value(s,
	             "9a 3f { \"top\" } 0a { a0 06 81 00 12 { b5 06 01020304 12 { c2 3e { ff } 3a "
	             "{ 18 02 0a { 51 *8(01) "
	             "21 02 00 00 00 00 00 f0 7f 19 00 00 00 00 00 00 00 00 f8 ff ff ff 0f 05 } } "
	             "} } 0a { 10 85 80 00 } } f8 01 07",
	             "9a 3f { \"top\" } 0a { a0 06 81 00 12 { b5 06 01020304 12 { c2 3e { ff } 3a "
	             "{ 18 02 0a { 51 *8(01) "
	             "21 02 00 00 00 00 00 f0 7f 19 00 00 00 00 00 00 00 00 f8 ff ff ff 0f 05 } } "
	             "} } 0a { 10 85 80 00 " STAMP " } } f8 01 07",
	             1, 0, 0);
}

Test(otlp, with_enrich_header_the_body_leaves_as_it_came)
{
	struct settings s = settings_of(SIGNAL_TRACES);

	s.stamp = false;
	expect_value(s, "0a { 0a { " FORGED " } " SPAN " } 0a {}",
	             "0a { 0a { " FORGED " } " SPAN " } 0a {}", 1, 0, 0);
}

/* P2 */
Test(otlp, a_body_without_items_is_empty)
{
	static const char *const empty[] = {
		"", "0a {}", "0a { 0a { 0a { 0a { \"k\" } } } 12 { 0a { 0a { \"scope\" } } } }",
		"a2 06 { \"unknown\" }"
	};

	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
		for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
			struct outcome o = run(settings_of((enum signal)s), empty[i]);

			cr_expect_eq(o.verdict, V_EMPTY, "%s", empty[i]);
			outcome_done(&o);
		}
}

static uint64_t points(const char *metric)
{
	char text[500];
	struct outcome o;

	snprintf(text, sizeof(text), "0a { 12 { 12 { %s } } }", metric);
	o = run(settings_of(SIGNAL_METRICS), text);
	cr_assert(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY, "%s", o.e.reason);
	outcome_done(&o);
	return o.e.items;
}

Test(otlp, data_points_of_all_kinds_are_items)
{
	cr_expect_eq(points("2a { *3(0a {}) }"), 3, "gauge");
	cr_expect_eq(points("3a { *3(0a {}) 10 01 18 01 }"), 3, "sum");
	cr_expect_eq(points("4a { *2(0a {}) }"), 2, "histogram");
	cr_expect_eq(points("52 { *2(0a {}) }"), 2, "exponential histogram");
	cr_expect_eq(points("5a { *4(0a {}) }"), 4, "summary");
	cr_expect_eq(points("0a { \"name only\" }"), 0);
}

Test(otlp, of_a_repeated_oneof_only_the_last_members_points_count)
{
	cr_expect_eq(points("2a { *3(0a {}) } 3a { 0a {} }"), 1, "another member replaces");
	cr_expect_eq(points("2a { *3(0a {}) } 2a { 0a {} }"), 4, "the same one merges");
	cr_expect_eq(points("2a { *3(0a {}) } 3a { 0a {} } 2a { 0a {} 0a {} }"), 2);
	cr_expect_eq(points("2a { *3(0a {}) } 3a {}"), 0);
	/* another Metric has a oneof of its own */
	expect_value(settings_of(SIGNAL_METRICS),
	             "0a { 0a {} 12 { 12 { 2a { *3(0a {}) } } 12 { 3a { 0a {} } } } }",
	             "0a { 0a { " STAMP " } 12 { 12 { 2a { *3(0a {}) } } 12 { 3a { 0a {} } } } }",
	             4, 0, 0);
}

Test(otlp, ids_of_other_lengths_are_refused_wherever_they_are)
{
	static const struct {
		enum signal signal;
		const char *around; /* with %s for the field */
		const char *tag;
		int bytes;
	} ids[] = {
		{ SIGNAL_TRACES, "0a { 12 { 12 { %s } } }", "0a", 16 },
		{ SIGNAL_TRACES, "0a { 12 { 12 { %s } } }", "12", 8 },
		{ SIGNAL_TRACES, "0a { 12 { 12 { %s } } }", "22", 8 },
		{ SIGNAL_TRACES, "0a { 12 { 12 { 6a { %s } } } }", "0a", 16 },
		{ SIGNAL_TRACES, "0a { 12 { 12 { 6a { %s } } } }", "12", 8 },
		{ SIGNAL_LOGS, "0a { 12 { 12 { %s } } }", "4a", 16 },
		{ SIGNAL_LOGS, "0a { 12 { 12 { %s } } }", "52", 8 },
		{ SIGNAL_METRICS, "0a { 12 { 12 { 2a { 0a { 2a { %s } } } } } }", "22", 8 },
		{ SIGNAL_METRICS, "0a { 12 { 12 { 2a { 0a { 2a { %s } } } } } }", "2a", 16 },
		{ SIGNAL_METRICS, "0a { 12 { 12 { 4a { 0a { 42 { %s } } } } } }", "22", 8 },
		{ SIGNAL_METRICS, "0a { 12 { 12 { 52 { 0a { 5a { %s } } } } } }", "2a", 16 },
	};
	static const int lengths[] = { 0, 1, 7, 8, 9, 15, 16, 17, 32, 200 };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		for (size_t k = 0; k < ARRAY_LEN(lengths); k++) {
			char field[40], text[200];
			struct outcome o;

			snprintf(field, sizeof(field), "%s { *%d(ab) }", ids[i].tag, lengths[k]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(text, sizeof(text), ids[i].around, field);
#pragma GCC diagnostic pop
			o = run(settings_of(ids[i].signal), text);
			cr_expect_eq(o.verdict == V_ACCEPTED,
			             lengths[k] == 0 || lengths[k] == ids[i].bytes, "%s", text);
			outcome_done(&o);
		}
}

static struct settings repairing(enum signal signal)
{
	struct settings s = settings_of(signal);

	s.utf8 = UTF8_REPAIR;
	return s;
}

/* P10 */
Test(otlp, a_log_line_cut_inside_a_character_is_mended_and_counted)
{
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 0a {} 12 { 12 { 2a { 0a { \"caf\\xc3\" } } } } }",
	             "0a { 0a { " STAMP " } 12 { 12 { 2a { 0a { \"caf\\xef\\xbf\\xbd\" } } } } }",
	             1, 0, 1);
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 0a {} 12 { 12 { 2a { 0a { \"\\xe2\\x82 \\xf0\\x9f\\x98\" } } } } }",
	             "0a { 0a { " STAMP " } 12 { 12 { 2a { 0a { *2(\"\\xef\\xbf\\xbd\") \" \" "
	             "*3(\"\\xef\\xbf\\xbd\") } } } } }",
	             1, 0, 1);
}

/* P10 */
Test(otlp, with_strict_it_is_refused)
{
	struct outcome o =
		run(settings_of(SIGNAL_LOGS), "0a { 12 { 12 { 2a { 0a { \"caf\\xc3\" } } } } }");

	cr_expect_eq(o.verdict, V_INVALID);
	cr_expect_str_eq(o.e.reason, "resource_logs[0].scope_logs[0].log_records[0].body.string_"
	                             "value: invalid UTF-8 (byte 8)");
	outcome_done(&o);
	o = run(settings_of(SIGNAL_TRACES), "0a { 12 { 12 { 2a { \"caf\\xc3\" } } } }");
	cr_expect_eq(o.verdict, V_INVALID);
	outcome_done(&o);
}

Test(otlp, an_item_with_several_broken_strings_counts_once)
{
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 0a {} 12 { *2(12 { 1a { ff } 2a { 0a { ff } } 32 { 0a { ff } 12 { 0a { "
	             "ff } } } }) 12 {} } }",
	             "0a { 0a { " STAMP " } 12 { *2(12 { 1a { efbfbd } 2a { 0a { efbfbd } } 32 { "
	             "0a { efbfbd } 12 { 0a { efbfbd } } } }) 12 {} } }",
	             3, 0, 2);
}

Test(otlp, a_broken_scope_resource_or_metric_counts_once_each)
{
	expect_value(repairing(SIGNAL_METRICS),
	             "0a { 0a { 0a { 0a { ff } } 0a { 0a { fe } } } 1a { 80 } 12 { 0a { 0a { ff } "
	             "12 { ff } } 12 { 0a { ff } 1a { ff } 2a { 0a {} } } } }",
	             "0a { 0a { 0a { 0a { efbfbd } } 0a { 0a { efbfbd } } " STAMP
	             " } 1a { efbfbd } 12 { 0a { 0a { efbfbd } 12 { efbfbd } } 12 { 0a { efbfbd } "
	             "1a { efbfbd } 2a { 0a {} } } } }",
	             1, 0, 4);
}

Test(otlp, lengths_that_grow_by_repair_are_rewritten_at_every_level)
{
	/* 100 bytes become 300: two-byte lengths where one byte was */
	expect_value(
		repairing(SIGNAL_LOGS),
		"0a { 12 { 12 { 2a { 2a { 0a { 0a { *100(ff) } } } } } } 0a { 10 80 00 } }",
		"0a { 12 { 12 { 2a { 2a { 0a { 0a { *100(efbfbd) } } } } } } 0a { 10 80 00 " STAMP
		" } }",
		1, 0, 1);
	/* padded lengths that change become minimal */
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 12 { 12 8c 80 80 00 2a 89 00 0a 85 80 00 \"a\" ff ff ff 43 } 0a {} }",
	             "0a { 12 { 12 { 2a { 0a { \"a\" *3(efbfbd) \"C\" } } } } 0a { " STAMP " } }",
	             1, 0, 1);
	/* those that stay true stay as they came: what the string gains its prefix loses */
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 12 { 12 8c 80 80 00 2a 89 00 0a 85 80 00 \"a\" ff \"ABC\" } 0a {} }",
	             "0a { 12 { 12 8c 80 80 00 2a 89 00 0a { \"a\" efbfbd \"ABC\" } } 0a { " STAMP
	             " } }",
	             1, 0, 1);
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 12 { 12 8c 80 80 00 2a 89 00 0a 85 80 00 \"abABC\" } 0a {} }",
	             "0a { 12 { 12 8c 80 80 00 2a 89 00 0a 85 80 00 \"abABC\" } 0a { " STAMP " } }",
	             1, 0, 0);
}

Test(otlp, keys_are_compared_after_repair)
{
	struct settings s = repairing(SIGNAL_LOGS);

	s.name = "t\xef\xbf\xbd"; /* as if configured */
	expect_value(s,
	             "0a { 0a { 0a { 0a { \"t\\xff\" } 12 { 0a { \"evil\" } } } } 12 { 12 {} } }",
	             "0a { 0a { 0a { 0a { \"t\" efbfbd } 12 { 0a { \"acme\" } } } } 12 { 12 {} } }",
	             1, 1, 0);
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 0a { 0a { 0a { \"tenant_id\\xff\" } } } 12 { 12 {} } }",
	             "0a { 0a { 0a { 0a { \"tenant_id\" efbfbd } } " STAMP " } 12 { 12 {} } }", 1,
	             0, 1);
}

Test(otlp, repairs_inside_a_removed_attribute_are_forgotten)
{
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 0a { 0a { 12 { 0a { \"\\xff\\xff\" } } 0a { \"tenant_id\" } } } 12 { 12 "
	             "{ 1a { \"ok\" } } } }",
	             "0a { 0a { " STAMP " } 12 { 12 { 1a { \"ok\" } } } }", 1, 1, 0);
	/* those before and after it stay */
	expect_value(repairing(SIGNAL_LOGS),
	             "0a { 0a { 0a { 0a { ff } } 0a { 12 { 0a { ff } } 0a { \"tenant_id\" } } 0a { "
	             "0a { fe } } } 12 { 12 { 1a { ff } } } }",
	             "0a { 0a { 0a { 0a { efbfbd } } 0a { 0a { efbfbd } } " STAMP
	             " } 12 { 12 { 1a { efbfbd } } } }",
	             1, 1, 2);
}

Test(otlp, bytes_fields_and_unknown_fields_may_hold_anything)
{
	struct settings s = settings_of(SIGNAL_LOGS);

	expect_value(s, "0a { 0a {} 12 { 12 { 2a { 3a { ff fe } } a2 06 { ff fe } } } }",
	             "0a { 0a { " STAMP " } 12 { 12 { 2a { 3a { ff fe } } a2 06 { ff fe } } } }", 1,
	             0, 0);
	s.utf8 = UTF8_REPAIR;
	expect_value(s, "0a { 0a {} 12 { 12 { 2a { 3a { ff fe } } a2 06 { ff fe } } } }",
	             "0a { 0a { " STAMP " } 12 { 12 { 2a { 3a { ff fe } } a2 06 { ff fe } } } }", 1,
	             0, 0);
}

static void expect_count(struct outcome o, const char *what, uint64_t counted, uint64_t limit)
{
	cr_assert_eq(o.verdict, V_COUNT);
	cr_expect_str_eq(o.e.counted_what, what);
	cr_expect_eq(o.e.counted, counted);
	cr_expect_eq(o.e.count_limit, limit);
	outcome_done(&o);
}

/* F45, B25 */
Test(otlp, a_million_empty_resources_are_refused_by_count)
{
	size_t n = 1000000;
	struct settings s = settings_of(SIGNAL_TRACES);

	for (size_t i = 0; i < n; i++) {
		room[2 * i] = 0x0a;
		room[2 * i + 1] = 0;
	}
	for (int signal = SIGNAL_TRACES; signal <= SIGNAL_LOGS; signal++) {
		s.signal = (enum signal)signal;
		expect_count(enrich_all(s, bytes_of(room, 2 * n)), "resources", 10001, 10000);
	}
	s.stamp = false;
	expect_count(enrich_all(s, bytes_of(room, 2 * n)), "resources", 10001, 10000);
}

Test(otlp, resources_up_to_the_limit_are_accepted)
{
	struct settings s = settings_of(SIGNAL_TRACES);
	struct outcome o;

	o = run(s, "*10000(0a {12{12{}}})");
	cr_expect_eq(o.verdict, V_ACCEPTED);
	cr_expect_eq(o.e.items, 10000);
	outcome_done(&o);
	expect_count(run(s, "*10001(0a {12{12{}}})"), "resources", 10001, 10000);
	s.resources_max = 2;
	expect_count(run(s, "*3(0a {12{12{}}})"), "resources", 3, 2);
}

/* F45: 4 MiB of empty sub-messages are walked in place */
Test(otlp, millions_of_empty_sub_messages_take_no_memory)
{
	struct outcome o;
	size_t n = 4 * MIB, at = 0;

	/* one envelope, one scope, spans without end */
	room[at++] = 0x0a;
	at += pb_varint_write(n - 5, room + at);
	room[at++] = 0x12;
	at += pb_varint_write(n - 10, room + at);
	cr_assert_eq(at, 10);
	for (; at < n; at += 2) {
		room[at] = 0x12;
		room[at + 1] = 0;
	}
	o = enrich_once(settings_of(SIGNAL_TRACES), bytes_of(room, n), false, 0);
	cr_expect_eq(o.verdict, V_ACCEPTED);
	cr_expect_eq(o.e.items, (n - 10) / 2);
	cr_expect_leq(o.edits.cap, 64);
	outcome_done(&o);
}

Test(otlp, more_edits_than_the_maximum_are_refused_by_count)
{
	expect_count(run(repairing(SIGNAL_LOGS), "0a { 12 { *30000(12 { 1a { ff } }) } }"), "edits",
	             EDITS_MAX + 1, EDITS_MAX);
}

Test(otlp, binary_in_a_string_costs_an_edit_per_run_not_per_byte)
{
	struct outcome o =
		run(repairing(SIGNAL_LOGS), "0a { 12 { 12 { 2a { 0a { *500000(ff) } } } } }");

	cr_expect_eq(o.verdict, V_ACCEPTED);
	cr_expect_gt(o.value_n, 1500000);
	outcome_done(&o);
}

Test(otlp, the_walk_stops_at_the_first_resource_too_many)
{
	struct settings s = settings_of(SIGNAL_TRACES);
	struct outcome o;

	s.resources_max = 1;
	expect_count(run(s, "0a {} 0a {} 0b"), "resources", 2, 1);
	o = run(s, "0a {} 0b"); /* what comes before is judged */
	cr_expect_eq(o.verdict, V_INVALID);
	outcome_done(&o);
}

Test(otlp, more_removals_than_edits_are_refused_by_count)
{
	expect_count(run(settings_of(SIGNAL_TRACES), "0a { 0a { *70000(" FORGED ") } " SPAN " }"),
	             "edits", EDITS_MAX + 1, EDITS_MAX);
}

Test(otlp, the_protocols_are_what_the_wire_contract_says)
{
	static const struct protocol *const all[] = { &protocol_otlp_traces, &protocol_otlp_metrics,
		                                      &protocol_otlp_logs };
	char path[40];

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		snprintf(path, sizeof(path), "/v1/%s", signal_name(all[i]->signal));
		cr_expect_str_eq(all[i]->paths[0], path);
		cr_expect_str_eq(all[i]->formats[0].type, "application/x-protobuf");
		cr_expect_str_eq(all[i]->formats[0].record_format, "otlp_proto");
		cr_expect_str_eq(all[i]->formats[1].type, "application/json");
		cr_expect_str_eq(all[i]->formats[1].record_format, "otlp_proto");
		cr_expect_str_eq(all[i]->formats[1].record_type, "application/x-protobuf");
		cr_expect_not_null(all[i]->formats[1].transcode);
		cr_expect_null(all[i]->formats[2].type);
		cr_expect_eq(all[i]->wire_limit, 64 * MIB);
	}
}

/* ---- a route without a signal (compatibility.md 2) ---- */

/* As on /ingest/otlp/v1, in memory that ends BODY_SLACK behind the body. */
static enum verdict run_any(const char *text, struct enriched *e, struct bytes *value)
{
	static struct edits edits;
	static uint8_t copy[1 * MIB], out[1 * MIB];
	uint8_t stamp[64];
	struct bytes body = hex_bytes(text, room, sizeof(room));
	struct enrich_in in = { .body = bytes_of(copy, body.n),
		                .stamp = BYTES_NONE,
		                .stamp_name = BYTES("tenant_id"),
		                .utf8 = UTF8_REPAIR,
		                .depth = 64,
		                .resources_max = 3 };
	enum verdict v;

	memset(copy, 0xff, sizeof(copy));
	if (body.n)
		memcpy(copy, body.p, body.n);
	in.stamp = bytes_of(stamp, otlp_stamp(in.stamp_name, BYTES("acme"), stamp, sizeof(stamp)));
	protocols_open();
	edits_init(&edits);
	*e = (struct enriched){ .edits = &edits, .signal = protocol_otlp_any.signal };
	v = protocol_otlp_any.formats->enrich(&in, e);
	*value = BYTES_NONE;
	if (v == V_ACCEPTED) {
		value->p = out;
		value->n = edits_out_bytes(&edits, body.n);
		edits_emit(&edits, in.body, out);
	}
	edits_done(&edits);
	return v;
}

#define TIMED_LOG "12 { 12 { 09 01 00 00 00 00 00 00 00 2a { 0a { \"line\" } } } }"
#define FULL_SPAN                                                                                  \
	"12 { 12 { 0a { 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 } 12 { 01 02 03 04 05 06 " \
	"07 08 } 2a { \"GET /\" } 39 01 00 00 00 00 00 00 00 } }"
#define GAUGE "12 { 12 { 0a { \"up\" } 2a { 0a { 19 01 00 00 00 00 00 00 00 } } } }"

/* A1 */
Test(otlp, a_body_tells_its_signal_by_what_only_one_schema_takes)
{
	static const struct {
		const char *text;
		enum signal signal;
	} cases[] = { { FULL_SPAN, SIGNAL_TRACES },
		      { GAUGE, SIGNAL_METRICS },
		      { TIMED_LOG, SIGNAL_LOGS } };
	char text[500], stamped[700];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct enriched e;
		struct bytes value;

		snprintf(text, sizeof(text), "0a { 0a { " FORGED " } %s }", cases[i].text);
		snprintf(stamped, sizeof(stamped), "0a { 0a { " STAMP " } %s }", cases[i].text);
		cr_assert_eq(run_any(text, &e, &value), V_ACCEPTED, "%s: %s", text, e.reason);
		cr_expect_eq(e.signal, cases[i].signal, "%s", text);
		cr_expect_eq(e.items, 1);
		cr_expect_eq(e.spoofed, 1);
		cr_expect(bytes_eq(value, hex_bytes(stamped, wanted, sizeof(wanted))), "%s", text);
	}
}

Test(otlp, a_body_without_items_needs_no_signal)
{
	static const char *const cases[] = { "", "0a {}", "0a { 0a {} 12 {} }",
		                             "0a { 12 { 0a { 0a { \"scope\" } } } }" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct enriched e;
		struct bytes value;

		cr_expect_eq(run_any(cases[i], &e, &value), V_EMPTY, "%s", cases[i]);
	}
}

Test(otlp, what_no_schema_or_more_than_one_takes_has_no_signal)
{
	static const char *const cases[] = {
		"0a { 12 { 12 {} } }", /* a Span, a Metric or a LogRecord */
		"0a { 12 { 12 { 2a { 0a 01 \"x\" } } } }", /* a LogRecord's body, a Span's name */
		"0a { 12 { 12 { 0a { 01 02 03 } 09 01 00 00 00 00 00 00 00 } } }", /* no one's */
		"0a { 12 { 12 { 09 01 00 00 00 00 00 00 00 2a { 0a { ff } } } } }", /* UTF-8 */
		"0a { 0a { 0a { 0a { ff } } } }",
		"08 01",
		"0a 05",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct enriched e;
		struct bytes value;

		cr_expect_eq(run_any(cases[i], &e, &value), V_INVALID, "%s", cases[i]);
		cr_expect_str_eq(e.reason,
		                 "signal cannot be determined: add /traces, /metrics or /logs");
		cr_expect_eq(e.items, 0);
	}
}

/* compatibility.md 2: an id that is neither absent nor whole refuses, so it tells signals apart */
Test(otlp, a_name_of_the_length_of_an_id_is_told_from_it_by_the_rest)
{
	struct enriched e;
	struct bytes value;

	cr_expect_eq(run_any("0a { 12 { 12 { 0a { \"sixteen bytes...\" } 3a { 0a { 19 01 00 00 "
	                     "00 00 00 00 00 } } } } }",
	                     &e, &value),
	             V_ACCEPTED);
	cr_expect_eq(e.signal, SIGNAL_METRICS);
}

Test(otlp, too_many_resources_are_so_whatever_the_signal)
{
	struct enriched e;
	struct bytes value;

	cr_expect_eq(run_any("0a {} 0a {} 0a {} 0a {}", &e, &value), V_COUNT);
	cr_expect_eq(e.counted, 4);
	cr_expect_eq(run_any("0a {} 0a {} 0a {} 0a { " TIMED_LOG " }", &e, &value), V_COUNT);
	cr_expect_eq(run_any("0a {} 0a {} 0a { " TIMED_LOG " }", &e, &value), V_ACCEPTED);
	cr_expect_eq(e.signal, SIGNAL_LOGS);
}
