/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json_table.c -- descriptors become tables of JSON members (protocols.md 4.2): both spellings
 * of each name, and by type what a value may look like. Runs once at start over our own
 * descriptors; what is wrong here is our mistake.
 */
#include "proto/otlp_json_table.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>

#include "proto/pb.h"
#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/metrics_service.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

enum {
	RESERVE_FIELDS = 6, /* a message of so many fields is seldom below 128 bytes */
	TRACE_ID_BYTES = 16,
	SPAN_ID_BYTES = 8,
};

static size_t index_of(struct tables *t, const ProtobufCMessageDescriptor *descriptor)
{
	size_t i = 0;

	while (i < t->n && t->v[i].descriptor != descriptor)
		i++;
	if (i == t->n) {
		assert(t->n < TABLE_MESSAGES_MAX);
		t->v[t->n++] = (struct table){ .descriptor = descriptor };
	}
	return i;
}

/* resource_spans -> resourceSpans */
static void camel(const char *snake, char out[static TABLE_NAME_BYTES])
{
	size_t n = 0;

	assert(strlen(snake) < TABLE_NAME_BYTES);
	for (; *snake; snake++) {
		bool up = *snake == '_';

		snake += up;
		out[n++] = up ? (char)toupper((unsigned char)*snake) : *snake;
	}
	out[n] = '\0';
}

static void add_spelling(struct table *t, const char *name, size_t member)
{
	uint8_t padded[TABLE_NAME_BYTES + 8] = { 0 };
	size_t n = strlen(name);

	assert(n <= TABLE_NAME_BYTES && t->n_names < TABLE_NAMES_MAX);
	memcpy(padded, name, n);
	t->names[t->n_names] = name_words(padded, n);
	t->names[t->n_names++].member = (uint8_t)member;
}

static struct member *add_member(struct table *t, const char *snake, enum member_kind kind)
{
	struct member *m = &t->members[t->n_members];

	assert(t->n_members < TABLE_MEMBERS_MAX);
	*m = (struct member){ .kind = (uint8_t)kind, .bit = UINT32_C(1) << t->n_members };
	camel(snake, m->name);
	add_spelling(t, m->name, t->n_members);
	if (strcmp(snake, m->name) != 0)
		add_spelling(t, snake, t->n_members);
	t->n_members++;
	return m;
}

struct type {
	enum member_kind kind;
	enum member_wire wire;
	unsigned wire_type; /* of protobuf */
	uint64_t up, down;
};

static struct type type_of(ProtobufCType type)
{
	const uint64_t s32 = INT32_MAX, s64 = INT64_MAX;

	switch (type) {
	case PROTOBUF_C_TYPE_STRING:
		return (struct type){ MEMBER_STRING, WIRE_AS_VARINT, 2, 0, 0 };
	case PROTOBUF_C_TYPE_BYTES:
		return (struct type){ MEMBER_BYTES, WIRE_AS_VARINT, 2, 0, 0 };
	case PROTOBUF_C_TYPE_MESSAGE:
		return (struct type){ MEMBER_MESSAGE, WIRE_AS_VARINT, 2, 0, 0 };
	case PROTOBUF_C_TYPE_BOOL:
		return (struct type){ MEMBER_BOOL, WIRE_AS_VARINT, 0, 1, 0 };
	case PROTOBUF_C_TYPE_ENUM:
		return (struct type){ MEMBER_ENUM, WIRE_AS_VARINT, 0, s32, s32 + 1 };
	case PROTOBUF_C_TYPE_INT32:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_VARINT, 0, s32, s32 + 1 };
	case PROTOBUF_C_TYPE_SINT32:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_ZIGZAG, 0, s32, s32 + 1 };
	case PROTOBUF_C_TYPE_UINT32:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_VARINT, 0, UINT32_MAX, 0 };
	case PROTOBUF_C_TYPE_FIXED32:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_32, 5, UINT32_MAX, 0 };
	case PROTOBUF_C_TYPE_INT64:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_VARINT, 0, s64, s64 + 1 };
	case PROTOBUF_C_TYPE_UINT64:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_VARINT, 0, UINT64_MAX, 0 };
	case PROTOBUF_C_TYPE_FIXED64:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_64, 1, UINT64_MAX, 0 };
	case PROTOBUF_C_TYPE_SFIXED64:
		return (struct type){ MEMBER_INTEGER, WIRE_AS_64, 1, s64, s64 + 1 };
	case PROTOBUF_C_TYPE_DOUBLE:
		return (struct type){ MEMBER_DOUBLE, WIRE_AS_64, 1, 0, 0 };
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		break; /* no field of OTLP */
	}
	assert(!"a type that OTLP has");
	return (struct type){ MEMBER_STRING, WIRE_AS_VARINT, 2, 0, 0 };
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n >= k && strcmp(text + n - k, end) == 0;
}

static void member_tag(struct member *m, const ProtobufCFieldDescriptor *field, unsigned wire_type)
{
	bool packed = field->label == PROTOBUF_C_LABEL_REPEATED && wire_type != 2;
	unsigned tag = field->id << 3 | (packed ? 2 : wire_type);

	assert(tag < 1u << 14);
	m->tag_bytes = tag < 0x80 ? 1 : 2;
	m->tag[0] = (uint8_t)(tag < 0x80 ? tag : (tag & 0x7f) | 0x80);
	m->tag[1] = (uint8_t)(tag >> 7);
}

static const struct pb_message *message_of(const struct pb_schema *schema,
                                           const ProtobufCMessageDescriptor *descriptor)
{
	size_t i = 0;

	while (i < schema->n && schema->messages[i].descriptor != descriptor)
		i++;
	assert(i < schema->n);
	return &schema->messages[i];
}

static void add_field(struct tables *t, size_t at, const struct pb_message *owner,
                      const ProtobufCFieldDescriptor *field)
{
	struct type type = type_of(field->type);
	struct member *m;

	if (ends_with(field->name, "strindex"))
		return; /* profiles only: elsewhere as if absent (protocols.md 4.5) */
	m = add_member(&t->v[at], field->name, type.kind);
	m->wire = (uint8_t)type.wire;
	m->up = type.up;
	m->down = type.down;
	m->repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
	m->role = owner->ops[field->id << 3 | type.wire_type].role;
	if (m->role == PB_PAIR || (m->role == PB_WATCH && !m->repeated))
		t->v[at].home = m->bit; /* resource of a Resource*, attributes of a Resource */
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		m->keeps_default = true;
		m->oneof =
			field->quantifier_offset; /* where protobuf-c notes the one that is set */
	}
	member_tag(m, field, type.wire_type);
	if (type.kind == MEMBER_BYTES && ends_with(field->name, "_id")) {
		m->kind = MEMBER_ID;
		m->id_bytes = ends_with(field->name, "trace_id") ? TRACE_ID_BYTES : SPAN_ID_BYTES;
	} else if (type.kind == MEMBER_ENUM) {
		m->values = field->descriptor;
	} else if (type.kind == MEMBER_MESSAGE) {
		m->child = (uint8_t)index_of(t, field->descriptor);
		m->is_pairs = field->descriptor ==
		              &opentelemetry__proto__common__v1__key_value__descriptor;
	}
}

/* Of one oneof at most one member may say something. */
static void exclude(struct table *t)
{
	for (size_t i = 0; i < t->n_members; i++)
		for (size_t k = 0; k < t->n_members; k++)
			if (i != k && t->members[i].oneof &&
			    t->members[i].oneof == t->members[k].oneof)
				t->members[i].excludes |= t->members[k].bit;
}

/* Slots without a collision, so that one comparison decides. */
static void hash(struct table *t)
{
	uint64_t multiplier = 1;
	size_t placed;

	do {
		multiplier = multiplier * UINT64_C(6364136223846793005) + 1442695040888963407;
		memset(t->slots, TABLE_NONE, sizeof(t->slots));
		for (placed = 0; placed < t->n_names; placed++) {
			uint8_t *slot = &t->slots[name_slot(multiplier | 1, &t->names[placed])];

			if (*slot != TABLE_NONE)
				break;
			*slot = (uint8_t)placed;
		}
	} while (placed < t->n_names);
	t->multiplier = multiplier | 1;
}

static void add_message(struct tables *t, size_t at, const struct pb_schema *schema)
{
	const ProtobufCMessageDescriptor *d = t->v[at].descriptor;
	const struct pb_message *message = message_of(schema, d);

	t->v[at].is_unit = message->is_unit;
	for (unsigned i = 0; i < d->n_fields; i++)
		add_field(t, at, message, &d->fields[i]);
	t->v[at].reserve = d->n_fields < RESERVE_FIELDS ? 1 : 2;
}

/* Before OTLP 0.19 a Resource* had its spans in `instrumentation_library_spans`. */
static void add_legacy(struct table *t)
{
	static const char scope[] = "scope";

	assert(t->n_members == t->descriptor->n_fields); /* in the same order */
	for (size_t i = 0; i < t->descriptor->n_fields; i++) {
		const char *name = t->descriptor->fields[i].name;
		char legacy[TABLE_NAME_BYTES + 32];

		if (strncmp(name, scope, sizeof(scope) - 1) != 0)
			continue;
		t->members[i].is_scopes = true;
		t->members[i].wide = true;
		snprintf(legacy, sizeof(legacy), "instrumentation_library%s",
		         name + sizeof(scope) - 1);
		add_member(t, legacy, MEMBER_LEGACY);
		return;
	}
	assert(!"a Resource* has scopes");
}

static const ProtobufCMessageDescriptor *const requests[SIGNAL_COUNT] = {
	[SIGNAL_TRACES] =
		&opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
	[SIGNAL_METRICS] =
		&opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
	[SIGNAL_LOGS] =
		&opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
};

/* The list of a request comes first in its table; the members of other signals follow. */
static void add_roots(struct tables *t, const struct pb_schema *schema)
{
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++) {
		size_t at = index_of(t, requests[s]);

		add_message(t, at, schema);
		t->v[at].members[0].wide = true;
		for (int other = SIGNAL_TRACES; other <= SIGNAL_LOGS; other++)
			if (other != s)
				add_member(&t->v[at], requests[other]->fields[0].name,
				           MEMBER_FOREIGN);
		t->roots[s] = &t->v[at];
	}
}

/* The root of a route without a signal: one list of the three. Last, as it is nobody's child. */
static void add_any(struct tables *t, const struct pb_schema *schema)
{
	size_t at = t->n++;

	assert(at < TABLE_MESSAGES_MAX);
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++) {
		add_field(t, at, message_of(schema, requests[s]), &requests[s]->fields[0]);
		t->v[at].members[s - SIGNAL_TRACES].wide = true;
		t->v[at].members[s - SIGNAL_TRACES].oneof = UINT_MAX;
	}
	t->any = &t->v[at];
}

void tables_build(struct tables *t, const struct pb_schema *schema)
{
	add_roots(t, schema);
	/* what a message refers to is added behind it: this ends with all that is reached */
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].n_members == 0)
			add_message(t, i, schema);
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
		add_legacy(&t->v[t->roots[s]->members[0].child]);
	add_any(t, schema);
	for (size_t i = 0; i < t->n; i++) {
		exclude(&t->v[i]);
		hash(&t->v[i]);
	}
}
