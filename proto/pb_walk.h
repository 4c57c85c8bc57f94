/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_walk.h -- what the walker's files share: pb_schema.c makes the kinds, pb_run.h runs over them,
 * pb.c and pb_text.c hold what is rare. Nobody else includes this.
 */
#pragma once
#include "proto/pb.h"

enum pb_kind {
	KIND_BAD, /* field 0, group, wire type 6 or 7, known field with another wire type */
	KIND_VARINT,
	KIND_FIXED64,
	KIND_FIXED32,
	KIND_BYTES, /* known or unknown: nothing inside is looked at */
	KIND_STRING,
	KIND_ID,
	KIND_MESSAGE,
	KIND_KEY_VALUE,
	KIND_VALUE, /* the value of a KEY_VALUE's message, there or elsewhere */
	KIND_PACKED_VARINT,
	KIND_PACKED_64,
	KIND_PACKED_32,
};

enum {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_LENGTH = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_32 = 5,
	TAG_MAX_BYTES = 5,
	LENGTH_MAX_BYTES = 5,
	VARINT_MAX_BYTES = 10,
};
#define FIELD_NUMBER_MAX ((1u << 29) - 1)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((cold, noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* What a PB_KEY_VALUE message is to the fast path; pb_schema_add() asserts that it is so. */
enum value_shape { VALUE_ANY, VALUE_ARRAY, VALUE_LIST, VALUE_PAIR };
enum {
	TAG_KEY = 0x0a, /* PAIR: string 1 */
	TAG_VALUE = 0x12, /* ANY 2 */
	TAG_STRING = 0x0a, /* ANY, a oneof: string 1 */
	TAG_BOOL = 0x10,
	TAG_INT = 0x18,
	TAG_DOUBLE = 0x21,
	TAG_ARRAY = 0x2a,
	TAG_LIST = 0x32,
	TAG_VALUES = 0x0a, /* ARRAY: repeated ANY 1; LIST: repeated PAIR 1 */
};

/* An unknown field, by wire type. */
extern const struct pb_op pb_unknown[8];

/* Notes the first error and gives false. */
COLD bool pb_fail(struct pb_walk *w, struct pb_frame *f, const uint8_t *field, enum pb_error error,
                  unsigned arg);
COLD bool pb_fail_tag(struct pb_walk *w, struct pb_frame *f, const uint8_t *field, uint32_t tag);
/* Tag of more than one byte at p. NULL with *error said. May read 8 bytes. */
const uint8_t *pb_tag_long(const uint8_t *p, uint32_t *tag, enum pb_error *error);
/* Length of more than two bytes at p; NULL if over 5 bytes. May read 8 bytes. */
const uint8_t *pb_length_long(const uint8_t *p, uint64_t *n);
/* Skips a varint; NULL if over 10 bytes or 64 bits. May read 10 bytes. */
const uint8_t *pb_varint_skip(const uint8_t *p);

bool pb_open(struct pb_walk *w, struct pb_frame *parent, struct pb_frame *f, uint32_t tag);
void pb_close(struct pb_walk *w, struct pb_frame *f);

/* A string that is no UTF-8: refuses or repairs it. */
COLD bool pb_text(struct pb_walk *w, struct pb_frame *f, const uint8_t *field,
                  const uint8_t *length_at, struct bytes text);
