/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print_json.h -- a protobuf-c message as OTLP/JSON, in any of the spellings that protocols.md 4.2
 * allows: the oracle that transcoding must bring back to the same message. Made from nothing of the
 * scanner's or the tables'.
 */
#pragma once
#include <ctype.h>
#include <math.h>
#include <protobuf-c/protobuf-c.h>
#include "common/buf.h"

struct print {
	struct buf *out;
	bool snake; /* resource_spans, not resourceSpans */
	bool bare; /* 64-bit integers as numbers */
	bool names; /* of enumerations, where there is one */
	bool spaced;
	bool escaped; /* every first letter of a name, every slash of base64 */
};

static inline size_t print_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field)
{
	const char *at = (const char *)m + field->quantifier_offset;
	const char *value = (const char *)m + field->offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)at;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)at == field->id;
	switch ((int)field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(const void *const *)value != NULL;
	case PROTOBUF_C_TYPE_STRING:
		return **(const char *const *)value != '\0';
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)value)->len > 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const uint64_t *)value != 0; /* -0.0 is something */
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
		return *(const uint64_t *)value != 0;
	}
	return *(const uint32_t *)value != 0;
}

static inline size_t print_size(ProtobufCType type)
{
	switch ((int)type) {
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
		return 8;
	}
	return 4;
}

static inline void print_space(struct print *p)
{
	if (p->spaced)
		buf_str(p->out, " \n\t");
}

static inline void print_name(struct print *p, const char *name)
{
	buf_char(p->out, '"');
	if (p->escaped)
		buf_printf(p->out, "\\u%04X", (unsigned)*name++);
	for (; *name; name++)
		if (*name == '_' && !p->snake)
			buf_char(p->out, (char)toupper(*++name));
		else
			buf_char(p->out, *name);
	buf_str(p->out, "\":");
	print_space(p);
}

static inline void print_base64(struct print *p, const ProtobufCBinaryData *data)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < data->len; i += 3) {
		size_t n = min_size(3, data->len - i);
		unsigned group = (unsigned)data->data[i] << 16;

		group |= n > 1 ? (unsigned)data->data[i + 1] << 8 : 0;
		group |= n > 2 ? data->data[i + 2] : 0;
		for (size_t k = 0; k < 4; k++) {
			char c = k <= n ? digits[group >> (18 - 6 * k) & 63] : '=';

			if (c == '/' && p->escaped)
				buf_char(p->out, '\\');
			buf_char(p->out, c);
		}
	}
}

static inline void print_double(struct print *p, double v)
{
	if (isnan(v))
		buf_str(p->out, "\"NaN\"");
	else if (isinf(v))
		buf_str(p->out, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else
		buf_printf(p->out, "%.17g", v);
}

static inline void print_integer(struct print *p, ProtobufCType type, const void *at)
{
	int64_t s = print_size(type) == 8 ? *(const int64_t *)at : *(const int32_t *)at;
	bool is_signed = type == PROTOBUF_C_TYPE_INT64 || type == PROTOBUF_C_TYPE_SFIXED64 ||
	                 type == PROTOBUF_C_TYPE_INT32 || type == PROTOBUF_C_TYPE_SINT32 ||
	                 type == PROTOBUF_C_TYPE_ENUM;
	const char *quote = p->bare ? "" : "\"";

	if (is_signed)
		buf_printf(p->out, "%s%jd%s", quote, (intmax_t)s, quote);
	else
		buf_printf(p->out, "%s%ju%s", quote,
		           (uintmax_t)(print_size(type) == 8 ? (uint64_t)s : (uint32_t)s), quote);
}

static inline void print_enum(struct print *p, const ProtobufCEnumDescriptor *d, const void *at)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(d, *(const int *)at);

	if (p->names && value)
		buf_printf(p->out, "\"%s\"", value->name);
	else
		print_integer(p, PROTOBUF_C_TYPE_ENUM, at);
}

static inline void print_message(struct print *p, const ProtobufCMessage *m);

static inline void print_value(struct print *p, const ProtobufCFieldDescriptor *field,
                               const void *at)
{
	const ProtobufCBinaryData *data = at;

	switch ((int)field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		print_message(p, *(const ProtobufCMessage *const *)at);
		return;
	case PROTOBUF_C_TYPE_STRING:
		buf_char(p->out, '"');
		buf_json(p->out, bytes_str(*(const char *const *)at), SIZE_MAX);
		buf_char(p->out, '"');
		return;
	case PROTOBUF_C_TYPE_BYTES:
		buf_char(p->out, '"');
		if (strcmp(field->name, "bytes_value") == 0)
			print_base64(p, data);
		else
			for (size_t i = 0; i < data->len; i++)
				buf_printf(p->out, p->spaced ? "%02X" : "%02x", data->data[i]);
		buf_char(p->out, '"');
		return;
	case PROTOBUF_C_TYPE_BOOL:
		buf_str(p->out, *(const protobuf_c_boolean *)at ? "true" : "false");
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		print_double(p, *(const double *)at);
		return;
	case PROTOBUF_C_TYPE_ENUM:
		print_enum(p, field->descriptor, at);
		return;
	}
	print_integer(p, field->type, at);
}

static inline void print_message(struct print *p, const ProtobufCMessage *m)
{
	const char *comma = "";

	buf_char(p->out, '{');
	print_space(p);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
		const char *at = (const char *)m + field->offset;
		size_t n = print_count(m, field);
		bool list = field->label == PROTOBUF_C_LABEL_REPEATED;

		if (n == 0)
			continue;
		buf_str(p->out, comma);
		comma = ",";
		print_name(p, field->name);
		if (list) {
			at = *(const char *const *)at;
			buf_char(p->out, '[');
		}
		for (size_t k = 0; k < n; k++, at += print_size(field->type)) {
			if (k)
				buf_char(p->out, ',');
			print_value(p, field, at);
			print_space(p);
		}
		if (list)
			buf_char(p->out, ']');
	}
	print_space(p);
	buf_char(p->out, '}');
}

/* Takes out what OTLP/JSON has no words for: unknown fields, the string indexes of profiles, a
 * NaN's payload. */
static inline void print_strip(ProtobufCMessage *m)
{
	for (size_t i = 0; i < m->n_unknown_fields; i++)
		free(m->unknown_fields[i].data);
	free(m->unknown_fields);
	m->unknown_fields = NULL;
	m->n_unknown_fields = 0;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
		char *at = (char *)m + field->offset;
		size_t n = print_count(m, field);

		if (n && strstr(field->name, "strindex")) {
			if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
				*(uint32_t *)((char *)m + field->quantifier_offset) = 0;
			else
				*(int32_t *)at = 0;
			continue;
		}
		if (n && field->label == PROTOBUF_C_LABEL_REPEATED)
			at = *(char **)at;
		for (size_t k = 0; k < n; k++, at += print_size(field->type))
			if (field->type == PROTOBUF_C_TYPE_MESSAGE)
				print_strip(*(ProtobufCMessage **)at);
			else if (field->type == PROTOBUF_C_TYPE_DOUBLE && isnan(*(double *)at))
				*(double *)at = NAN;
	}
}
