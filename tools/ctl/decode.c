/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/decode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/loki.pb-c.h"
#include "proto/schema/metrics_service.pb-c.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"
#include "proto/schema/trace_service.pb-c.h"

enum {
	VALUE_MAX_BYTES = 16 * MIB, /* unpacked it may be 50 times as much */
	DEPTH_MAX = 100, /* limits.depth is at most that */
	TAG_SHIFT = 3,
	TAG_TYPE = 7,
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_LEN = 2,
	WIRE_32 = 5,
	VARINT_MAX = 10,
};

/* clang-format off */
static const struct {
	const char *format, *signal; /* NULL: any */
	const ProtobufCMessageDescriptor *message;
} messages[] = {
	{ "otlp_proto", "traces",  &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor },
	{ "otlp_proto", "metrics", &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor },
	{ "otlp_proto", "logs",    &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor },
	{ "loki_proto", NULL,      &logproto__push_request__descriptor },
	{ "prom_rw1",   NULL,      &prometheus__write_request__descriptor },
	{ "prom_rw2",   NULL,      &io__prometheus__write__v2__request__descriptor },
};
/* clang-format on */

/* ---- is it safe to unpack ---- */

static bool take_varint(struct bytes *b, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < VARINT_MAX && b->n; i++) {
		uint8_t byte = *b->p;

		*b = bytes_from(*b, 1);
		*out |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct bytes *b, uint64_t n)
{
	if (n > b->n)
		return false;
	*b = bytes_from(*b, n);
	return true;
}

/* protobuf_c_message_unpack() has no bound of its own. Goes no deeper than `left`, 100 frames. */
static bool is_bounded(const ProtobufCMessageDescriptor *d, struct bytes b, unsigned left)
{
	while (b.n) {
		const ProtobufCFieldDescriptor *field;
		uint64_t tag, n;
		struct bytes inner;

		if (!take_varint(&b, &tag))
			return false;
		switch (tag & TAG_TYPE) {
		case WIRE_VARINT:
			if (!take_varint(&b, &n))
				return false;
			continue;
		case WIRE_64:
			if (!skip(&b, 8))
				return false;
			continue;
		case WIRE_32:
			if (!skip(&b, 4))
				return false;
			continue;
		case WIRE_LEN:
			break;
		default:
			return false;
		}
		if (!take_varint(&b, &n) || n > b.n || tag >> TAG_SHIFT > INT32_MAX)
			return false;
		inner = bytes_of(b.p, n);
		b = bytes_from(b, n);
		field = protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> TAG_SHIFT));
		if (field && field->type == PROTOBUF_C_TYPE_STRING &&
		    inner.n && memchr(inner.p, '\0', inner.n))
			return false; /* legal, but protobuf-c's strings end there */
		if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
		    (left == 0 || !is_bounded(field->descriptor, inner, left - 1)))
			return false;
	}
	return true;
}

/* ---- scalars ---- */

void decode_base64(struct buf *out, struct bytes value)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < value.n; i += 3) {
		size_t n = min_size(value.n - i, 3);
		uint32_t word = (uint32_t)value.p[i] << 16;
		char four[4];

		if (n > 1)
			word |= (uint32_t)value.p[i + 1] << 8;
		if (n > 2)
			word |= value.p[i + 2];
		for (unsigned k = 0; k < 4; k++)
			four[k] = k <= n ? digits[word >> (18 - 6 * k) & 63] : '=';
		buf_add(out, four, sizeof(four));
	}
}

/* The shortest decimal that reads back as the same number. */
static void put_double(struct buf *out, double v)
{
	char text[40];

	if (isnan(v) || isinf(v)) {
		buf_str(out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_str(out, text);
}

static void put_bytes(struct buf *out, const ProtobufCFieldDescriptor *field,
                      const ProtobufCBinaryData *data)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = strlen(field->name);

	buf_char(out, '"');
	if (n >= 3 && strcmp(field->name + n - 3, "_id") == 0) {
		for (size_t i = 0; i < data->len; i++) {
			buf_char(out, hex[data->data[i] >> 4]);
			buf_char(out, hex[data->data[i] & 15]);
		}
	} else {
		decode_base64(out, bytes_of(data->data, data->len));
	}
	buf_char(out, '"');
}

static void put_message(struct buf *out, const ProtobufCMessage *m);

static void put_value(struct buf *out, const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		buf_i64(out, *(const int32_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		buf_u64(out, *(const uint32_t *)at);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		buf_printf(out, "\"%lld\"", (long long)*(const int64_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		buf_printf(out, "\"%llu\"", (unsigned long long)*(const uint64_t *)at);
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		put_double(out, (double)*(const float *)at);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		put_double(out, *(const double *)at);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		buf_str(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		return;
	case PROTOBUF_C_TYPE_STRING:
		buf_char(out, '"');
		buf_json(out, bytes_str(*(char *const *)at), SIZE_MAX);
		buf_char(out, '"');
		return;
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(out, field, at);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		put_message(out, *(const ProtobufCMessage *const *)at);
		return;
	}
	assert(!"a type of protobuf-c");
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	}
	assert(!"a type of protobuf-c");
	return 0;
}

/* ---- messages ---- */

/* proto3: what is at its default is not told, but for the chosen member of a oneof. */
static bool is_there(const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	static const uint8_t zeros[sizeof(ProtobufCBinaryData)];
	const void *at = base + field->offset;

	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(const void *)(base + field->quantifier_offset) ==
		       field->id;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(const void *)(base + field->quantifier_offset) > 0;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return *(char *const *)at && **(char *const *)at;
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)at)->len > 0;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_MESSAGE)
		return *(const protobuf_c_boolean *)(base + field->quantifier_offset);
	return memcmp(at, zeros, size_of(field)) != 0;
}

static void put_name(struct buf *out, const char *name)
{
	buf_char(out, '"');
	for (; *name; name++) {
		if (*name == '_' && name[1] >= 'a' && name[1] <= 'z')
			buf_char(out, (char)(*++name - 'a' + 'A'));
		else
			buf_char(out, *name);
	}
	buf_str(out, "\":");
}

static void put_field(struct buf *out, const ProtobufCFieldDescriptor *field, const uint8_t *base)
{
	const void *at = base + field->offset;
	const uint8_t *element;
	size_t n;

	put_name(out, field->name);
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		put_value(out, field, at);
		return;
	}
	n = *(const size_t *)(const void *)(base + field->quantifier_offset);
	element = *(const uint8_t *const *)at;
	buf_char(out, '[');
	for (size_t i = 0; i < n; i++, element += size_of(field)) {
		if (i)
			buf_char(out, ',');
		put_value(out, field, element);
	}
	buf_char(out, ']');
}

static void put_message(struct buf *out, const ProtobufCMessage *m)
{
	const uint8_t *base = (const uint8_t *)m;
	bool any = false;

	buf_char(out, '{');
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];

		if (!is_there(field, base))
			continue;
		if (any)
			buf_char(out, ',');
		any = true;
		put_field(out, field, base);
	}
	buf_char(out, '}');
}

const char *decode_value(const char *format, const char *signal, struct bytes value,
                         struct buf *json)
{
	const ProtobufCMessageDescriptor *d = NULL;
	ProtobufCMessage *m;

	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (strcmp(format, messages[i].format) == 0 &&
		    (!messages[i].signal || strcmp(signal, messages[i].signal) == 0))
			d = messages[i].message;
	if (!d)
		return "this version does not decode its format";
	if (value.n > VALUE_MAX_BYTES)
		return "too large to be decoded";
	if (!is_bounded(d, value, DEPTH_MAX))
		return "no message of its format, or one that holds a NUL in a text";
	m = protobuf_c_message_unpack(d, NULL, value.n, value.p);
	if (!m)
		return "no message of its format";
	put_message(json, m);
	protobuf_c_message_free_unpacked(m, NULL);
	return NULL;
}
