/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_schema.c -- descriptors become dense tables: one operation per tag value, so that the walker
 * never searches. Runs once at start over our own descriptors; what is wrong here is our mistake.
 */
#include "proto/pb.h"

#include "proto/pb_walk.h"

const struct pb_op pb_unknown[8] = {
	[WIRE_VARINT] = { .kind = KIND_VARINT },
	[WIRE_64] = { .kind = KIND_FIXED64 },
	[WIRE_LENGTH] = { .kind = KIND_BYTES },
	[WIRE_32] = { .kind = KIND_FIXED32 },
};

static size_t index_of(struct pb_schema *schema, const ProtobufCMessageDescriptor *descriptor)
{
	size_t i = 0;

	while (i < schema->n && schema->messages[i].descriptor != descriptor)
		i++;
	if (i == schema->n) {
		assert(schema->n < PB_MESSAGES_MAX);
		schema->messages[schema->n++] = (struct pb_message){ .descriptor = descriptor };
	}
	return i;
}

static const struct pb_mark *mark_find(const struct pb_mark *marks,
                                       const ProtobufCMessageDescriptor *descriptor,
                                       const char *field)
{
	for (; marks->message; marks++)
		if (marks->message == descriptor &&
		    (field ? marks->field && !strcmp(marks->field, field) : !marks->field))
			return marks;
	return NULL;
}

/* Is descriptor the type of a PB_PAIR field? */
static bool is_pair(const struct pb_mark *marks, const ProtobufCMessageDescriptor *descriptor)
{
	for (; marks->message; marks++)
		if (marks->role == PB_PAIR) {
			const ProtobufCFieldDescriptor *field =
				protobuf_c_message_descriptor_get_field_by_name(marks->message,
			                                                        marks->field);

			assert(field && field->type == PROTOBUF_C_TYPE_MESSAGE);
			if (field->descriptor == descriptor)
				return true;
		}
	return false;
}

struct wire {
	unsigned type; /* of the wire */
	enum pb_kind kind, packed; /* KIND_BAD: cannot be packed */
};

static struct wire wire_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		return (struct wire){ WIRE_VARINT, KIND_VARINT, KIND_PACKED_VARINT };
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return (struct wire){ WIRE_32, KIND_FIXED32, KIND_PACKED_32 };
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return (struct wire){ WIRE_64, KIND_FIXED64, KIND_PACKED_64 };
	case PROTOBUF_C_TYPE_STRING:
		return (struct wire){ WIRE_LENGTH, KIND_STRING, KIND_BAD };
	case PROTOBUF_C_TYPE_BYTES:
		return (struct wire){ WIRE_LENGTH, KIND_BYTES, KIND_BAD };
	case PROTOBUF_C_TYPE_MESSAGE:
		return (struct wire){ WIRE_LENGTH, KIND_MESSAGE, KIND_BAD };
	}
	assert(!"a type of protobuf-c");
	return (struct wire){ WIRE_GROUP, KIND_BAD, KIND_BAD };
}

static void op_set_role(struct pb_op *op, const ProtobufCFieldDescriptor *field,
                        const struct pb_mark *mark)
{
	op->role = (uint8_t)mark->role;
	switch ((int)mark->role) {
	case PB_ID8:
	case PB_ID16:
		assert(field->type == PROTOBUF_C_TYPE_BYTES);
		op->kind = KIND_ID;
		op->arg = mark->role == PB_ID8 ? 8 : 16;
		break;
	case PB_OWN:
		assert(field->type == PROTOBUF_C_TYPE_STRING);
		op->kind = KIND_BYTES;
		break;
	case PB_WATCH:
		assert(mark->watch);
		op->arg = mark->watch;
		/* fall through */
	case PB_ITEM:
	case PB_CHOICE:
	case PB_PAIR:
		assert(field->type == PROTOBUF_C_TYPE_MESSAGE);
		break;
	default:
		assert(!"a role of fields");
	}
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *owner, unsigned id,
                                                ProtobufCType type)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(owner, id);

	assert(field && field->type == type);
	return field;
}

/* The value's type of a PB_KEY_VALUE message, which must be what the fast path takes it for. */
static const ProtobufCMessageDescriptor *value_of(const ProtobufCMessageDescriptor *pair)
{
	enum { KEY = 1, VALUE, STRING = 1, BOOL, INT, DOUBLE, ARRAY, LIST, VALUES = 1 };
	const ProtobufCMessageDescriptor *any, *array, *list;

	field_of(pair, KEY, PROTOBUF_C_TYPE_STRING);
	any = field_of(pair, VALUE, PROTOBUF_C_TYPE_MESSAGE)->descriptor;
	field_of(any, STRING, PROTOBUF_C_TYPE_STRING);
	field_of(any, BOOL, PROTOBUF_C_TYPE_BOOL);
	field_of(any, INT, PROTOBUF_C_TYPE_INT64);
	field_of(any, DOUBLE, PROTOBUF_C_TYPE_DOUBLE);
	array = field_of(any, ARRAY, PROTOBUF_C_TYPE_MESSAGE)->descriptor;
	list = field_of(any, LIST, PROTOBUF_C_TYPE_MESSAGE)->descriptor;
	assert(field_of(array, VALUES, PROTOBUF_C_TYPE_MESSAGE)->descriptor == any);
	assert(field_of(list, VALUES, PROTOBUF_C_TYPE_MESSAGE)->descriptor == pair);
	return any;
}

static enum pb_kind message_kind(const struct pb_mark *marks,
                                 const ProtobufCMessageDescriptor *descriptor)
{
	for (; marks->message; marks++)
		if (marks->role == PB_KEY_VALUE && !marks->field) {
			const ProtobufCMessageDescriptor *any = value_of(marks->message);

			if (marks->message == descriptor)
				return KIND_KEY_VALUE;
			if (any == descriptor)
				return KIND_VALUE;
		}
	return KIND_MESSAGE;
}

static void add_field(struct pb_schema *schema, size_t at, const ProtobufCFieldDescriptor *field,
                      const struct pb_mark *marks)
{
	const ProtobufCMessageDescriptor *owner = schema->messages[at].descriptor;
	const struct pb_mark *mark = mark_find(marks, owner, field->name);
	struct wire wire = wire_of(field->type);
	struct pb_op op = { .kind = (uint8_t)wire.kind };
	struct pb_op *ops = &schema->messages[at].ops[field->id * 8];

	assert(field->id >= 1 && field->id <= PB_FIELD_MAX);
	if (wire.kind == KIND_MESSAGE) {
		size_t child = index_of(schema, field->descriptor);

		op.child = (uint8_t)child;
		op.kind = (uint8_t)message_kind(marks, field->descriptor);
		if (mark && mark->role == PB_ITEM)
			schema->messages[child].is_unit = true;
	}
	if (mark)
		op_set_role(&op, field, mark);
	if (field->id == 1 && field->type == PROTOBUF_C_TYPE_STRING && is_pair(marks, owner))
		op.role = PB_NAME;
	memset(ops, 0, 8 * sizeof(*ops)); /* KIND_BAD: a known field has one wire type, or two */
	ops[wire.type] = op;
	if (field->label == PROTOBUF_C_LABEL_REPEATED && wire.packed != KIND_BAD)
		ops[WIRE_LENGTH] = (struct pb_op){ .kind = (uint8_t)wire.packed };
}

static void add_message(struct pb_schema *schema, size_t at, const struct pb_mark *marks)
{
	struct pb_message *message = &schema->messages[at];
	const struct pb_mark *mark = mark_find(marks, message->descriptor, NULL);

	if (mark && mark->role == PB_UNIT)
		message->is_unit = true;
	for (unsigned tag = 8; tag < PB_TAGS; tag++) /* field number 0 stays bad */
		message->ops[tag] = pb_unknown[tag & 7];
	for (unsigned i = 0; i < message->descriptor->n_fields; i++)
		add_field(schema, at, &message->descriptor->fields[i], marks);
}

static bool names_something(const struct pb_mark *mark)
{
	return !mark->field ||
	       protobuf_c_message_descriptor_get_field_by_name(mark->message, mark->field);
}

const struct pb_message *pb_schema_add(struct pb_schema *schema,
                                       const ProtobufCMessageDescriptor *root,
                                       const struct pb_mark *marks)
{
	size_t done = schema->n;
	size_t at = index_of(schema, root);

	for (const struct pb_mark *mark = marks; mark->message; mark++)
		assert(names_something(mark));
	/* what a message refers to is added behind it: this ends with all that is reached */
	for (; done < schema->n; done++)
		add_message(schema, done, marks);
	return &schema->messages[at];
}
