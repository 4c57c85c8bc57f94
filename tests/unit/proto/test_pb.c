/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pb.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"
#include "tests/unit/proto/enrich.h"
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/random_message.h"

static uint8_t room[4 * MIB];

static struct outcome run_hex(struct settings s, const char *text)
{
	return enrich_all(s, hex_bytes(text, room, sizeof(room)));
}

static enum verdict verdict_of(const char *text)
{
	struct outcome o = run_hex(settings_of(SIGNAL_TRACES), text);

	outcome_done(&o);
	return o.verdict;
}

/* The text inside a span: request, ResourceSpans, ScopeSpans, Span. */
static enum verdict in_span(const char *text)
{
	char *whole = NULL;
	enum verdict v;

	cr_assert_gt(asprintf(&whole, "0a { 12 { 12 { %s } } }", text), 0);
	v = verdict_of(whole);
	free(whole);
	return v;
}

static void expect_reason(const char *text, const char *reason)
{
	struct outcome o = run_hex(settings_of(SIGNAL_TRACES), text);

	cr_expect_eq(o.verdict, V_INVALID, "%s", text);
	cr_expect_str_eq(o.e.reason, reason);
	outcome_done(&o);
}

Test(pb, varints_are_written_in_their_minimal_form)
{
	static const uint64_t values[] = { 0,         1,     127,        128,
		                           16383,     16384, UINT32_MAX, (UINT64_C(1) << 63) - 1,
		                           UINT64_MAX };
	static const size_t sizes[] = { 1, 1, 1, 2, 2, 3, 5, 9, 10 };
	uint8_t out[VARINT_MAX_BYTES + 1];

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		cr_expect_eq(pb_varint_size(values[i]), sizes[i]);
		cr_expect_eq(pb_varint_write(values[i], out), sizes[i]);
		cr_expect_eq(pb_varint_skip(out), out + sizes[i]);
	}
	cr_expect_eq(memcmp(out, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10), 0);
}

/* P10, PC8 */
Test(pb, groups_reserved_wire_types_and_field_zero_are_refused_at_the_top_and_nested)
{
	static const char *const bad[] = {
		"03 00 04", /* field 0 */
		"00 00",
		"02 00",
		"05 00000000",
		"0b 0c",
		"13 14",
		"7b 7c", /* groups: known and unknown numbers */
		"0c",
		"fb 01 fc 01",
		"8b fa 01 8c fa 01", /* 31, 4001 */
		"0e 00",
		"0f 00",
		"f6 01 00", /* wire types 6, 7 */
		"f7 01 00",
		"fe ff ff ff 0f 00",
		"80 00 00", /* field 0, padded */
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_eq(verdict_of(bad[i]), V_INVALID, "top: %s", bad[i]);
		cr_expect_eq(in_span(bad[i]), V_INVALID, "span: %s", bad[i]);
	}
}

Test(pb, tags_of_up_to_5_bytes_and_29_bit_numbers_are_accepted_longer_ones_refused)
{
	cr_expect_eq(in_span("30 02"), V_ACCEPTED);
	cr_expect_eq(in_span("b0 00 02"), V_ACCEPTED, "a padded tag");
	cr_expect_eq(in_span("b0 80 80 80 00 02"), V_ACCEPTED, "padded to 5 bytes");
	cr_expect_eq(in_span("b0 80 80 80 80 00 02"), V_INVALID, "to 6");
	cr_expect_eq(in_span("f8 ff ff ff 0f 00"), V_ACCEPTED, "field 536870911");
	cr_expect_eq(in_span("f8 ff ff ff 1f 00"), V_INVALID, "field 1073741823");
	cr_expect_eq(in_span("f8 ff ff ff 7f 00"), V_INVALID);
}

/* P10 */
Test(pb, a_varint_has_10_bytes_and_64_bits_at_most)
{
	cr_expect_eq(in_span("30 ff ff ff ff ff ff ff ff ff 01"), V_ACCEPTED, "64 bits");
	cr_expect_eq(in_span("30 82 80 80 80 80 80 80 80 80 00"), V_ACCEPTED, "padded");
	cr_expect_eq(in_span("30 ff ff ff ff ff ff ff ff ff 02"), V_INVALID, "65 bits");
	cr_expect_eq(in_span("30 80 80 80 80 80 80 80 80 80 80 00"), V_INVALID, "11 bytes");
	cr_expect_eq(in_span("a0 06 ff ff ff ff ff ff ff ff ff 7f"), V_INVALID,
	             "unknown fields too");
	cr_expect_eq(in_span("30 80"), V_INVALID, "truncated");
}

Test(pb, a_length_has_5_bytes_at_most_and_stays_inside_its_message)
{
	cr_expect_eq(in_span("2a 01 78"), V_ACCEPTED);
	cr_expect_eq(in_span("2a 81 00 78"), V_ACCEPTED, "padded");
	cr_expect_eq(in_span("2a 81 80 80 80 00 78"), V_ACCEPTED, "padded to 5");
	cr_expect_eq(in_span("2a 81 80 80 80 80 00 78"), V_INVALID,
	             "to 6: protobuf-c and C++ refuse it");
	cr_expect_eq(in_span("2a 02 78"), V_INVALID, "past the span");
	cr_expect_eq(in_span("2a ff ff ff ff 0f 78"), V_INVALID);
	cr_expect_eq(in_span("2a 81 80 80 80 10 78"), V_INVALID,
	             "33 bits: some decoders wrap it to 1");
	cr_expect_eq(verdict_of("0a 04 12 03 12 01"), V_INVALID,
	             "past the parent, inside the body");
	cr_expect_eq(in_span("a2 06 02 78"), V_INVALID, "unknown fields too");
}

/* P10, PC8: all fields of all messages of the three signals */
Test(pb, a_known_field_with_another_wire_type_is_refused)
{
	uint8_t body[64] = { 0 };
	struct pb_walk w;
	struct edits e;
	size_t judged = 0;

	protocols_open();
	edits_init(&e);
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++) {
		struct pb_schema all = { 0 };
		static const struct pb_mark none[] = { { 0 } };

		pb_schema_add(&all, oracle_root((enum signal)s), none);
		for (size_t m = 0; m < all.n; m++)
			for (unsigned i = 0; i < all.messages[m].descriptor->n_fields; i++) {
				const ProtobufCFieldDescriptor *field =
					&all.messages[m].descriptor->fields[i];
				unsigned wire = random_wire(field->type);

				for (unsigned other = 0; other < 8; other++) {
					bool right = other == wire ||
					             (other == 2 && wire != 2 &&
					              field->label == PROTOBUF_C_LABEL_REPEATED);
					size_t n = pb_varint_write(field->id << 3 | other, body);

					memset(body + n, 0, 20); /* a zero of any type */
					n += other == 1 ? 8 : other == 5 ? 4 : 1;
					pb_walk_init(&w, &all, &all.messages[m]);
					w.body = bytes_of(body, n);
					w.depth = 64;
					w.edits = &e;
					cr_assert_eq(pb_walk_run(&w), right, "%s.%s, wire type %u",
					             all.messages[m].descriptor->name, field->name,
					             other);
					judged++;
				}
			}
	}
	cr_expect_gt(judged, 1000);
}

/* PC8 */
Test(pb, an_early_end_at_every_byte_of_every_wire_type_is_refused)
{
	static const char *const fields[] = {
		"30 80 80 01", /* varint */
		"39 0102030405060708", /* 64 bits */
		"85 01 01020304", /* 32 bits, tag of two bytes */
		"2a 85 00 \"hello\"", /* string, padded length */
		"0a 10 *16(aa)", /* bytes */
		"4a { 0a { \"k\" } 12 { 0a { \"v\" } } }",
		"a0 06 80 80 01",
		"a1 06 0102030405060708", /* unknown */
		"a2 06 85 00 \"hello\"",
		"a5 06 01020304",
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct bytes field = hex_bytes(fields[i], room, sizeof(room));
		uint8_t body[300] = { 0x0a, 0, 0x12, 0, 0x12, 0 };

		for (size_t n = 0; n <= field.n; n++) {
			struct outcome o;
			bool whole = n == field.n || n == 0;

			memcpy(body + 6, field.p, n);
			body[1] = (uint8_t)(n + 4);
			body[3] = (uint8_t)(n + 2);
			body[5] = (uint8_t)n;
			o = enrich_all(settings_of(SIGNAL_TRACES), bytes_of(body, 6 + n));
			cr_expect_eq(o.verdict, whole ? V_ACCEPTED : V_INVALID, "%s cut to %zu",
			             fields[i], n);
			outcome_done(&o);
		}
	}
}

Test(pb, every_truncation_of_a_valid_message_is_judged_and_no_byte_is_read_beyond)
{
	struct random_message *r = xcalloc(1, sizeof(*r));

	r->seed = 4711;
	for (int round = 0; round < 12; round++) {
		enum signal signal = (enum signal)(round % 3);
		struct bytes body;

		r->odd = round & 1;
		body = random_message(r, oracle_root(signal), 5);
		for (size_t n = 0; n < min_size(body.n, 3000); n++) {
			struct outcome o = enrich_once(settings_of(signal), bytes_of(body.p, n),
			                               n & 1, n & 2 ? 0xff : 0x00);

			cr_assert(o.verdict == V_INVALID || o.verdict == V_ACCEPTED ||
			          o.verdict == V_EMPTY);
			outcome_done(&o);
		}
	}
	free(r);
}

static struct bytes nested_values(size_t messages)
{
	/* request, ResourceLogs, ScopeLogs, LogRecord, then AnyValue and ArrayValue in turn;
	 * written from the inside, at the end of the room */
	uint8_t *end = room + sizeof(room) - BODY_SLACK, *p = end, varint[10];
	static const uint8_t tags[] = { 0x0a, 0x12, 0x12, 0x2a };

	for (size_t depth = messages; depth > 1; depth--) {
		size_t n = pb_varint_write((uint64_t)(end - p), varint);

		p -= n;
		memcpy(p, varint, n);
		/* message 5 is the body, 6 its ArrayValue (2a), 7 an AnyValue of it (0a).. */
		*--p = depth < 6 ? tags[depth - 2] : depth % 2 ? 0x0a : 0x2a;
	}
	return bytes_of(p, (size_t)(end - p));
}

/* P9, F44, PC8 */
Test(pb, nesting_of_64_messages_is_accepted_65_and_a_million_refused)
{
	static const size_t deep[] = { 65, 100, 1000, 10000, 100000 };
	struct settings s = settings_of(SIGNAL_LOGS);
	struct outcome o = enrich_all(s, nested_values(64));

	cr_expect_eq(o.verdict, V_ACCEPTED);
	outcome_done(&o);
	for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
		o = enrich_all(s, nested_values(deep[i]));
		cr_expect_eq(o.verdict, V_INVALID, "%zu", deep[i]);
		cr_expect(strstr(o.e.reason, "more than 64 nested messages"), "%s", o.e.reason);
		outcome_done(&o);
	}
	s.depth = 100;
	o = enrich_all(s, nested_values(100));
	cr_expect_eq(o.verdict, V_ACCEPTED);
	outcome_done(&o);
	o = enrich_all(s, nested_values(101));
	cr_expect_eq(o.verdict, V_INVALID);
	outcome_done(&o);
}

/* P9, F44 */
Test(pb, a_million_nested_messages_are_refused_without_recursion)
{
	/* lengths that all claim the rest of the body: 6 bytes a level */
	size_t levels = 1000000, n = levels * 5 + 4;
	uint8_t *body = xcalloc(n + BODY_SLACK, 1), *p = body;
	static const uint8_t tags[] = { 0x0a, 0x12, 0x12, 0x2a };
	struct outcome o;

	for (size_t i = 0; i < levels; i++) {
		size_t rest = (size_t)(body + n - p) - 5;

		*p++ = i < 4 ? tags[i] : i % 2 ? 0x0a : 0x2a;
		for (int k = 0; k < 4; k++, rest >>= 7)
			*p++ = (uint8_t)((rest & 0x7f) | (k < 3 ? 0x80 : 0));
	}
	o = enrich_all(settings_of(SIGNAL_LOGS), bytes_of(body, n));
	cr_expect_eq(o.verdict, V_INVALID);
	cr_expect(strstr(o.e.reason, "nested"), "%s", o.e.reason);
	outcome_done(&o);
	free(body);
}

Test(pb, the_fast_path_keeps_the_depth_limit_too)
{
	/* a kvlist at the limit: its KeyValue and AnyValue would be messages 65 and 66 */
	for (unsigned depth = 6; depth <= 9; depth++) {
		struct settings s = settings_of(SIGNAL_LOGS);
		struct outcome o;

		s.depth = depth;
		o = run_hex(s, "0a { 12 { 12 { 2a { 32 { 0a { 0a { \"k\" } 12 { 0a { \"v\" } } } } "
		               "} } } }");

		cr_expect_eq(o.verdict, depth >= 8 ? V_ACCEPTED : V_INVALID, "depth %u", depth);
		outcome_done(&o);
	}
}

/* P9 */
Test(pb, packed_unpacked_and_mixed_lists_have_one_verdict_and_count)
{
	static const char *const lists[] = {
		"32 { *40(0102030405060708) }",
		"*40(31 0102030405060708)",
		"31 0102030405060708 32 { *20(0102030405060708) } 31 0102030405060708 32 {}",
	};
	static const char *const varints[] = {
		"12 { *200(01) }",
		"12 { *70(ff ff 03) 00 *80(01) }",
		"12 { *9(ff ff ff ff ff ff ff ff ff 01) *60(7f) *30(80 01) }",
		"*20(10 80 01)",
		"10 05 12 { 06 07 *100(80 80 80 80 80 80 80 80 80 00) } 10 08",
	};
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct outcome o;

		snprintf(text, sizeof(text), "0a { 12 { 12 { 4a { 0a { %s } } } } }", lists[i]);
		o = run_hex(settings_of(SIGNAL_METRICS), text);
		cr_expect_eq(o.verdict, V_ACCEPTED, "%s: %s", lists[i], o.e.reason);
		cr_expect_eq(o.e.items, 1);
		outcome_done(&o);
	}
	for (size_t i = 0; i < ARRAY_LEN(varints); i++) {
		struct outcome o;

		snprintf(text, sizeof(text), "0a { 12 { 12 { 52 { 0a { 42 { %s } } } } } }",
		         varints[i]);
		o = run_hex(settings_of(SIGNAL_METRICS), text);
		cr_expect_eq(o.verdict, V_ACCEPTED, "%s: %s", varints[i], o.e.reason);
		cr_expect_eq(o.e.items, 1);
		outcome_done(&o);
	}
}

Test(pb, broken_packed_lists_are_refused)
{
	/* histogram: no multiples of 8; exponential histogram: cut, 11 bytes, 65 bits, among others
	 */
	static const char *const lists[] = {
		"4a { 0a { 32 { *5(00) } } }",
		"4a { 0a { 3a { *17(00) } } }",
		"52 { 0a { 42 { 12 { 01 80 } } } }",
		"52 { 0a { 42 { 12 { *200(01) ff } } } }",
		"52 { 0a { 42 { 12 { *10(80) 00 } } } }",
		"52 { 0a { 42 { 12 { *30(01) *9(ff) 02 *100(01) } } } }",
		"52 { 0a { 42 { 12 { *59(01) *10(80) 00 *100(01) } } } }",
	};
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct outcome o;

		snprintf(text, sizeof(text), "0a { 12 { 12 { %s } } }", lists[i]);
		o = run_hex(settings_of(SIGNAL_METRICS), text);
		cr_expect_eq(o.verdict, V_INVALID, "%s", lists[i]);
		outcome_done(&o);
	}
}

Test(pb, what_protobuf_allows_is_accepted)
{
	cr_expect_eq(in_span("85 01 00000000 7a {} 30 02 2a {} 0a {}"), V_ACCEPTED,
	             "any order, empty ids");
	cr_expect_eq(in_span("30 e8 07"), V_ACCEPTED, "an unknown enum value");
	cr_expect_eq(in_span("2a { \"a\\x00b\" }"), V_ACCEPTED, "a NUL in a string");
	cr_expect_eq(in_span("4a { 0a { \"k\" } 12 { 10 85 01 } }"), V_ACCEPTED,
	             "any varint as true");
	cr_expect_eq(in_span("2a { \"a\" } 2a { \"b\" } 7a { 18 01 } 7a { 18 02 }"), V_ACCEPTED,
	             "repeats");
	cr_expect_eq(in_span("e2 0f { ff ff 0b 0b }"), V_ACCEPTED,
	             "nothing inside an unknown field is judged");
}

Test(pb, fields_of_the_fast_path_that_are_broken_are_refused)
{
	static const char *const bad[] = {
		"0a { \"k\" } 12 { 0a { \"\\xff\" } }",
		"0a { \"\\xc3\" } 12 { 0a { \"v\" } }",
		"0a { \"k\" } 12 { 18 80 }",
		"0a { \"k\" } 12 { 18 80 80 80 80 80 80 80 80 80 02 }",
		"0a { \"k\" } 12 { 21 01020304050607 }",
		"0a { \"k\" } 12 { 0a 05 \"v\" }",
		"0a { \"k\" } 12 { 18 01 01 }",
		"0a { \"k\" } 12 07 0a { \"v\" }",
		"0a 09 \"k\" 12 { 0a { \"v\" } }",
		"0a { \"k\" } 12 { 10 }",
		"0a { *70(\"k\") } 12 { 0a { *20(\"v\") \"\\xff\" } }",
		"0a { *62(\"k\") } 12 { 0a { \"\\xff\" *20(\"v\") } }",
	};
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "4a { %s }", bad[i]);
		cr_expect_eq(in_span(text), V_INVALID, "%s", bad[i]);
	}
}

Test(pb, every_length_of_key_and_value_is_the_same_on_and_off_the_fast_path)
{
	char text[200];

	for (int key = 0; key < 130; key += key < 70 ? 1 : 7)
		for (int value = 0; value < 130; value += value < 70 ? 1 : 7) {
			snprintf(text, sizeof(text),
			         "4a { 0a { *%d(\"k\") } 12 { 0a { *%d(\"v\") } } }", key, value);
			cr_assert_eq(in_span(text), V_ACCEPTED, "%d %d", key, value);
			if (!value)
				continue;
			snprintf(text, sizeof(text),
			         "4a { 0a { *%d(\"k\") } 12 { 0a { *%d(\"v\") ff } } }", key,
			         value - 1);
			cr_assert_eq(in_span(text), V_INVALID, "%d %d", key, value);
		}
	for (int varint = 0; varint <= 11; varint++) {
		snprintf(text, sizeof(text), "4a { 0a { \"k\" } 12 { 18 *%d(80) 01 } }", varint);
		cr_expect_eq(in_span(text), varint <= 9 ? V_ACCEPTED : V_INVALID, "%d", varint);
	}
}

Test(pb, a_reason_says_what_and_where)
{
	expect_reason("0a {} 0a { 12 {} 12 { 12 {} 12 { 2a { \"a\\xff\" } } } }",
	              "resource_spans[1].scope_spans[1].spans[1].name: invalid UTF-8 (byte 12)");
	expect_reason("0a { 12 { 12 { 0a { *15(aa) } } } }",
	              "resource_spans[0].scope_spans[0].spans[0].trace_id: an id must be 0 or 16 "
	              "bytes (byte 6)");
	expect_reason("00 00", "field number 0 (byte 0)");
	expect_reason("0a { 0a { 80 } }", "resource_spans[0].resource: truncated (byte 4)");
	expect_reason("0a { 1d 00000000 }",
	              "resource_spans[0].schema_url: wrong wire type 5 (byte 2)");
	expect_reason("0a { 12 { 12 { 4a { 0a { \"k\" } } 4a { 12 { 2a { 0a {} 0a { 0a { ff } } } "
	              "} } } } }",
	              "resource_spans[0].scope_spans[0].spans[0].attributes[1].value.array_value."
	              "values[1]."
	              "string_value: invalid UTF-8 (byte 21)");
	expect_reason("0a { 12 { a3 06 } }",
	              "resource_spans[0].scope_spans[0]: groups are not supported (byte 4)");
}

Test(pb, a_reason_of_a_deep_path_is_cut_and_fits)
{
	struct outcome o = enrich_all(settings_of(SIGNAL_LOGS), nested_values(65));

	cr_expect_lt(strlen(o.e.reason), sizeof(o.e.reason) - 1);
	cr_expect(strstr(o.e.reason, "..: more than 64 nested messages (byte "), "%s", o.e.reason);
	outcome_done(&o);
}

static void expect_oracle(enum signal signal, bool odd, struct bytes body, const struct outcome *o)
{
	ProtobufCMessage *m = oracle_unpack(signal, body);

	cr_assert(m, "protobuf-c refuses what the walker accepts");
	/* canonical decoders merge a oneof's member that comes twice, protobuf-c replaces it */
	if (!odd)
		cr_assert_eq(o->e.items, oracle_items(m), "%ju items, %ju by protobuf-c",
		             (uintmax_t)o->e.items, (uintmax_t)oracle_items(m));
	protobuf_c_message_free_unpacked(m, NULL);
	cr_assert(oracle_equal(signal, body, bytes_of(o->value, o->value_n), "tenant_id", "acme"),
	          "the splice differs from unpack, remove, add, pack");
}

/* R4 */
Test(pb, the_splice_of_thousands_of_random_messages_equals_that_of_protobuf_c)
{
	struct random_message *r = xcalloc(1, sizeof(*r));
	uint64_t items = 0, spoofed = 0;

	r->seed = 20261125;
	for (int round = 0; round < 4000; round++) {
		enum signal signal = (enum signal)(round % 3);
		struct bytes body;
		struct outcome o;

		r->odd = round % 4 != 0;
		body = random_message(r, oracle_root(signal), 3 + round % 4);
		o = enrich_all(settings_of(signal), body);
		cr_assert(o.verdict == V_ACCEPTED || o.verdict == V_EMPTY, "%s", o.e.reason);
		expect_oracle(signal, r->odd, body, &o);
		items += o.e.items;
		spoofed += o.e.spoofed;
		outcome_done(&o);
	}
	cr_expect_gt(items, 1000);
	cr_expect_gt(spoofed, 100);
	free(r);
}

Test(pb, thousands_of_random_mutations_have_one_verdict_and_none_poisons_protobuf_c)
{
	struct random_message *r = xcalloc(1, sizeof(*r));
	int accepted = 0, refused = 0;

	r->seed = 99;
	for (int round = 0; round < 6000; round++) {
		enum signal signal = (enum signal)(round % 3);
		struct settings s = settings_of(signal);
		struct bytes body;
		struct outcome o;

		s.utf8 = round & 8 ? UTF8_REPAIR : UTF8_STRICT;
		s.stamp = (round & 16) == 0;
		r->odd = round & 1;
		r->broken = round & 4;
		body = random_message(r, oracle_root(signal), 3);
		for (int i = 0; body.n && i < round % 5; i++)
			r->out[random_below(r, (uint32_t)body.n)] = (uint8_t)random_below(r, 256);
		o = enrich_all(s, body);
		if (o.verdict == V_INVALID) {
			refused++;
		} else {
			ProtobufCMessage *m = oracle_unpack(signal, bytes_of(o.value, o.value_n));

			cr_assert(m, "protobuf-c refuses what the walker accepts");
			protobuf_c_message_free_unpacked(m, NULL);
			accepted++;
		}
		outcome_done(&o);
	}
	cr_expect_gt(accepted, 500);
	cr_expect_gt(refused, 500);
	free(r);
}

/* The fast path looks at both texts of a pair at once: what lies between them parts the characters. */
Test(pb, a_character_does_not_go_on_behind_the_end_of_a_key)
{
	static const struct {
		const char *pair;
		size_t n;
		enum verdict verdict;
	} pairs[] = {
		{ "\x0a\2\xc3\xa9\x12\4\x0a\2\xc3\xa9", 10, V_ACCEPTED },
		{ "\x0a\1\xc3\x12\5\x0a\3\xa9xx", 10, V_INVALID },
		{ "\x0a\2\xc3\xa9\x12\3\x0a\1\xc3", 9, V_INVALID },
		{ "\x0a\2\xa9x\x12\4\x0a\2xx", 10, V_INVALID },
		{ "\x0a\2\xc3\xa9\x12\2\x18\1", 8, V_ACCEPTED },
		{ "\x0a\1\xc3\x12\2\x18\1", 7, V_INVALID },
		{ "\x0a\x38 a key of 56 bytes and its last one begins a character \xe4\x12\5"
		  "\x0a\3\xb8\x96x",
		  65, V_INVALID },
		{ "\x0a\x38 a key of 56 bytes, and its last two are a character, \xc3\xa9\x12\5\x0a\3"
		  "\xe4\xb8\x96",
		  65, V_ACCEPTED },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		uint8_t body[128] = { 0x0a, 0, 0x12, 0, 0x12, 0, 0x4a, 0 };
		size_t n = pairs[i].n;
		struct outcome o;

		body[1] = (uint8_t)(n + 6);
		body[3] = (uint8_t)(n + 4);
		body[5] = (uint8_t)(n + 2);
		body[7] = (uint8_t)n;
		memcpy(body + 8, pairs[i].pair, n);
		o = enrich_all(settings_of(SIGNAL_TRACES), bytes_of(body, 8 + n));
		cr_expect_eq(o.verdict, pairs[i].verdict, "%zu: %s", i, o.e.reason);
		outcome_done(&o);
	}
}
