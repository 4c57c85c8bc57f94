/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_message.h -- random valid messages of any descriptor, straight as wire bytes and with all
 * the liberties that protobuf gives: any order, repeats of singular fields, padded varints, unknown
 * fields, packed and unpacked lists, forged tenant attributes, text beyond ASCII.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include "common/bytes.h"
#include "proto/pb.h"

struct random_message {
	uint64_t seed;
	bool odd; /* liberties beyond what encoders write */
	bool broken; /* text that is no UTF-8 */
	size_t n;
	uint8_t out[1 << 16];
};

static inline uint32_t random_below(struct random_message *r, uint32_t below)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return (uint32_t)(r->seed >> 11) % below;
}

static inline void random_bytes(struct random_message *r, const void *p, size_t n)
{
	if (n <= sizeof(r->out) - r->n) {
		memcpy(r->out + r->n, p, n);
		r->n += n;
	}
}

/* pad_to: padded up to so many bytes, at random */
static inline size_t random_varint(struct random_message *r, uint64_t v, size_t pad_to,
                                   uint8_t out[10])
{
	size_t n = pb_varint_write(v, out);

	while (r->odd && n < pad_to && random_below(r, 8) == 0) {
		out[n - 1] |= 0x80;
		out[n++] = 0;
	}
	return n;
}

static inline void random_put_varint(struct random_message *r, uint64_t v, size_t pad_to)
{
	uint8_t varint[10];

	random_bytes(r, varint, random_varint(r, v, pad_to, varint));
}

static inline void random_tag(struct random_message *r, uint32_t number, unsigned wire)
{
	random_put_varint(r, (uint64_t)number << 3 | wire, 5);
}

/* What was written from `from` on becomes length-prefixed. */
static inline void random_close(struct random_message *r, size_t from)
{
	size_t inside = r->n - from, k;
	uint8_t varint[10];

	k = random_varint(r, inside, 5, varint);
	random_bytes(r, varint, k);
	if (r->n != from + inside + k)
		return; /* full: whoever asks compares n with the room */
	memmove(r->out + from + k, r->out + from, inside);
	memcpy(r->out + from, varint, k);
}

static inline uint64_t random_u64(struct random_message *r)
{
	uint64_t v = (uint64_t)random_below(r, UINT32_MAX) << 32 | random_below(r, UINT32_MAX);

	return v >> random_below(r, 64);
}

static inline void random_text(struct random_message *r)
{
	static const char *const parts[] = { "a",
		                             "service.name",
		                             "x-y_z 0123456789",
		                             "\xc3\xa4",
		                             "\xe2\x82\xac",
		                             "\xf0\x9f\x98\x80",
		                             "/api/v1/things/{id}",
		                             "" };
	static const char *const bad[] = { "\xe2\x82",     "\xff",     "\xc3",
		                           "\xed\xa0\x80", "\xf0\x9f", "\x80" };
	size_t n = random_below(r, 4) ? random_below(r, 3) : random_below(r, 20);

	for (size_t i = 0; i < n; i++) {
		const char *part = r->broken && random_below(r, 6) == 0
		                           ? bad[random_below(r, ARRAY_LEN(bad))]
		                           : parts[random_below(r, ARRAY_LEN(parts))];

		random_bytes(r, part, strlen(part));
	}
}

static inline void random_key(struct random_message *r)
{
	static const char *const keys[] = { "tenant_id", "tenant_ie", "tenant", "k" };

	if (random_below(r, 2)) {
		random_text(r);
	} else {
		const char *key = keys[random_below(r, ARRAY_LEN(keys))];

		random_bytes(r, key, strlen(key));
	}
}

static inline void random_id(struct random_message *r, const char *name)
{
	size_t n = random_below(r, 4) == 0 ? 0 : strcmp(name, "trace_id") ? 8 : 16;

	for (size_t i = 0; i < n; i++)
		random_bytes(r, &(uint8_t){ (uint8_t)random_below(r, 256) }, 1);
}

static inline void random_unknown(struct random_message *r)
{
	static const uint32_t numbers[] = { 25, 31, 32, 1000, 536870911 };
	uint32_t number = numbers[random_below(r, ARRAY_LEN(numbers))];
	uint64_t word = random_u64(r);
	size_t from;

	switch (random_below(r, 4)) {
	case 0:
		random_tag(r, number, 0);
		random_put_varint(r, word, 10);
		return;
	case 1:
		random_tag(r, number, 1);
		random_bytes(r, &word, 8);
		return;
	case 2:
		random_tag(r, number, 5);
		random_bytes(r, &word, 4);
		return;
	}
	random_tag(r, number, 2);
	from = r->n;
	random_bytes(r, &word, random_below(r, 9));
	random_close(r, from);
}

static inline void random_scalar(struct random_message *r, ProtobufCType type)
{
	uint64_t word = random_u64(r);

	switch ((int)type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		random_bytes(r, &word, 4);
		return;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		random_bytes(r, &word, 8);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		random_put_varint(r, random_below(r, 2), 10);
		return;
	}
	random_put_varint(r, word, 10);
}

static inline unsigned random_wire(ProtobufCType type)
{
	switch ((int)type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return 5;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 1;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return 2;
	}
	return 0;
}

static inline void random_fields(struct random_message *r, const ProtobufCMessageDescriptor *d,
                                 int depth);

static inline void random_field(struct random_message *r, const ProtobufCFieldDescriptor *field,
                                int depth)
{
	unsigned wire = random_wire(field->type);
	size_t from, n = random_below(r, 40);

	if (field->label == PROTOBUF_C_LABEL_REPEATED && wire != 2 &&
	    random_below(r, 2)) { /* packed */
		random_tag(r, field->id, 2);
		from = r->n;
		for (size_t i = 0; i < n; i++)
			random_scalar(r, field->type);
		random_close(r, from);
		return;
	}
	random_tag(r, field->id, wire);
	if (wire != 2) {
		random_scalar(r, field->type);
		return;
	}
	from = r->n;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		random_fields(r, field->descriptor, depth - 1);
	else if (field->type == PROTOBUF_C_TYPE_BYTES && strstr(field->name, "_id"))
		random_id(r, field->name);
	else if (!strcmp(field->name, "key"))
		random_key(r);
	else if (field->type == PROTOBUF_C_TYPE_STRING)
		random_text(r);
	else
		random_bytes(r, "\xff\x00\x80 bytes", random_below(r, 9));
	random_close(r, from);
}

static inline void random_fields(struct random_message *r, const ProtobufCMessageDescriptor *d,
                                 int depth)
{
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *field =
			&d->fields[r->odd ? random_below(r, d->n_fields) : i];
		bool many = field->label == PROTOBUF_C_LABEL_REPEATED;
		uint32_t times = field->type == PROTOBUF_C_TYPE_MESSAGE && depth <= 0 ? 0
		                 : many ? random_below(r, 4)
		                        : random_below(r, 4) != 0;

		if (!r->odd && (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && random_below(r, 2))
			continue;
		while (times-- && r->n < sizeof(r->out) / 2)
			random_field(r, field, depth);
		if (r->odd && random_below(r, 16) == 0)
			random_unknown(r);
	}
}

/* The bytes live in r until the next call. */
static inline struct bytes random_message(struct random_message *r,
                                          const ProtobufCMessageDescriptor *d, int depth)
{
	r->n = 0;
	random_fields(r, d, depth);
	assert(r->n < sizeof(r->out) - 64);
	return bytes_of(r->out, r->n);
}
