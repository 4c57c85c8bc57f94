/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pb_schema.c"

#include <criterion/criterion.h>

#include "tests/unit/proto/oracle.h"

static struct pb_schema schema;
static const struct pb_mark no_marks[] = { { 0 } };

static const struct pb_message *find(const char *name)
{
	for (size_t i = 0; i < schema.n; i++)
		if (!strcmp(schema.messages[i].descriptor->short_name, name))
			return &schema.messages[i];
	cr_assert_fail("no %s", name);
	return NULL;
}

Test(pb_schema, three_roots_share_their_common_messages_and_fit)
{
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
		cr_expect_eq(
			pb_schema_add(&schema, oracle_root((enum signal)s), no_marks)->descriptor,
			oracle_root((enum signal)s));
	cr_expect_eq(schema.n, 34);
	for (size_t i = 0; i < schema.n; i++)
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(schema.messages[i].descriptor, schema.messages[k].descriptor);
	cr_expect_eq(pb_schema_add(&schema, oracle_root(SIGNAL_TRACES), no_marks),
	             &schema.messages[0]);
	cr_expect_eq(schema.n, 34, "again adds nothing");
}

Test(pb_schema, every_tag_value_has_its_operation)
{
	const struct pb_message *point;

	pb_schema_add(&schema, oracle_root(SIGNAL_METRICS), no_marks);
	point = find("HistogramDataPoint");
	for (unsigned wire = 0; wire < 8; wire++) {
		cr_expect_eq(point->ops[wire].kind, KIND_BAD, "field 0, wire type %u", wire);
		cr_expect_eq(point->ops[1 * 8 + wire].kind, pb_unknown[wire].kind,
		             "field 1 is reserved");
		cr_expect_eq(point->ops[31 * 8 + wire].kind, pb_unknown[wire].kind,
		             "field 31 is unknown");
		cr_expect_eq(point->ops[2 * 8 + wire].kind, wire == 1 ? KIND_FIXED64 : KIND_BAD);
		cr_expect_eq(point->ops[6 * 8 + wire].kind, wire == 1   ? KIND_FIXED64
		                                            : wire == 2 ? KIND_PACKED_64
		                                                        : KIND_BAD);
		cr_expect_eq(point->ops[9 * 8 + wire].kind, wire == 2 ? KIND_MESSAGE : KIND_BAD);
		cr_expect_eq(point->ops[10 * 8 + wire].kind, wire == 0 ? KIND_VARINT : KIND_BAD);
	}
	cr_expect_eq(find("Buckets")->ops[2 * 8 + 2].kind, KIND_PACKED_VARINT);
	cr_expect_eq(find("KeyValue")->ops[1 * 8 + 2].kind, KIND_STRING);
	cr_expect_eq(find("AnyValue")->ops[7 * 8 + 2].kind, KIND_BYTES);
}

Test(pb_schema, marks_become_roles)
{
	const ProtobufCMessageDescriptor *resource =
		&opentelemetry__proto__resource__v1__resource__descriptor;
	const struct pb_mark marks[] = {
		{ &opentelemetry__proto__common__v1__key_value__descriptor, NULL, PB_KEY_VALUE, 0 },
		{ resource, "attributes", PB_PAIR, 0 },
		{ resource, NULL, PB_UNIT, 0 },
		{ &opentelemetry__proto__trace__v1__scope_spans__descriptor, "spans", PB_ITEM, 0 },
		{ &opentelemetry__proto__trace__v1__resource_spans__descriptor, "resource",
		  PB_WATCH, 7 },
		{ &opentelemetry__proto__trace__v1__span__descriptor, "trace_id", PB_ID16, 0 },
		{ &opentelemetry__proto__trace__v1__span__descriptor, "span_id", PB_ID8, 0 },
		{ 0 },
	};

	pb_schema_add(&schema, oracle_root(SIGNAL_TRACES), marks);
	cr_expect_eq(find("Resource")->ops[0x0a].role, PB_PAIR);
	cr_expect_eq(find("Resource")->ops[0x0a].kind, KIND_KEY_VALUE);
	cr_expect(find("Resource")->is_unit);
	cr_expect_eq(find("KeyValue")->ops[0x0a].role, PB_NAME);
	cr_expect_eq(find("KeyValue")->ops[0x12].role, PB_PLAIN);
	cr_expect_eq(find("ScopeSpans")->ops[0x12].role, PB_ITEM);
	cr_expect(find("Span")->is_unit, "items are units");
	cr_expect_not(find("Event")->is_unit);
	cr_expect_eq(find("ResourceSpans")->ops[0x0a].arg, 7);
	cr_expect_eq(find("Span")->ops[0x0a].arg, 16);
	cr_expect_eq(find("Span")->ops[0x12].arg, 8);
	cr_expect_eq(find("Span")->ops[0x4a].kind, KIND_KEY_VALUE);
}
