/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json_table.h -- which members a message has in JSON, and what becomes of each: made once
 * from protobuf-c's descriptors, only read afterwards. Between otlp_json.c and otlp_json_table.c.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include "common/bytes.h"
#include "common/telemetry.h"
struct pb_schema;

enum {
	TABLE_MESSAGES_MAX = 40,
	TABLE_MEMBERS_MAX = 24, /* of one message; a bit each */
	TABLE_NAMES_MAX = 48, /* two spellings of most */
	TABLE_NAME_BYTES = 32,
	TABLE_SLOTS = 128, /* a power of 2 */
	TABLE_NONE = 0xff,
};

enum member_kind {
	MEMBER_STRING,
	MEMBER_BOOL,
	MEMBER_INTEGER, /* of 32 or 64 bits */
	MEMBER_DOUBLE,
	MEMBER_ENUM,
	MEMBER_ID, /* hex digits */
	MEMBER_BYTES, /* base64 */
	MEMBER_MESSAGE,
	MEMBER_LEGACY, /* instrumentationLibrary*: 400 if its content would be lost */
	MEMBER_FOREIGN, /* at the top, of another signal: 400 */
};

enum member_wire { WIRE_AS_VARINT, WIRE_AS_ZIGZAG, WIRE_AS_32, WIRE_AS_64 };

struct member {
	char name[TABLE_NAME_BYTES]; /* lowerCamelCase, for reasons */
	uint8_t kind; /* enum member_kind */
	uint8_t wire; /* enum member_wire */
	uint8_t tag[2], tag_bytes;
	uint8_t id_bytes;
	uint8_t child; /* index of the message */
	bool repeated;
	bool keeps_default; /* in a oneof: a zero says something */
	bool wide; /* a message that holds most of the body */
	bool is_scopes; /* the list of Scope* */
	bool is_pairs; /* a list of KeyValue */
	uint8_t role; /* enum pb_role, as the walker of protobuf has it */
	unsigned oneof; /* 0: in none */
	uint32_t bit; /* this member */
	uint32_t excludes; /* the other members of its oneof */
	uint64_t up, down; /* integers: the largest, and the magnitude of the smallest */
	const ProtobufCEnumDescriptor *values;
};

struct member_name { /* a spelling, as words to compare */
	uint64_t head, second, last_but, tail;
	uint8_t n, member;
};

struct table {
	const ProtobufCMessageDescriptor *descriptor; /* NULL: the root of any signal */
	uint8_t n_members, n_names;
	uint8_t reserve; /* bytes of the length prefix of a usual one */
	bool is_unit; /* counts once, however many strings in it were mended */
	uint32_t home; /* bit of the member in which the stamp is; 0: not here */
	uint64_t multiplier; /* no two names in one slot */
	uint8_t slots[TABLE_SLOTS];
	struct member_name names[TABLE_NAMES_MAX];
	struct member members[TABLE_MEMBERS_MAX];
};

struct tables {
	size_t n;
	struct table v[TABLE_MESSAGES_MAX];
	const struct table *roots[SIGNAL_COUNT]; /* of the three signals */
	const struct table *any; /* has their three lists */
};

/* Roles and units are those of the schema by which protobuf is walked. */
void tables_build(struct tables *t, const struct pb_schema *schema);

/* k may be read up to 8 bytes behind n. */
static inline struct member_name name_words(const uint8_t *k, size_t n)
{
	struct member_name w = { .n = (uint8_t)n };

	memcpy(&w.head, k, 8);
	if (n <= 8) {
		w.head &= n == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * n) - 1; /* little-endian */
		return w;
	}
	memcpy(&w.tail, k + n - 8, 8);
	if (n > 16) {
		memcpy(&w.second, k + 8, 8);
		memcpy(&w.last_but, k + n - 16, 8);
	}
	return w;
}

static inline size_t name_slot(uint64_t multiplier, const struct member_name *w)
{
	return (w->head * 31 + w->tail + w->n) * multiplier / (UINT64_MAX / TABLE_SLOTS + 1);
}

static inline bool name_equal(const struct member_name *a, const struct member_name *b)
{
	return a->n == b->n && a->head == b->head && a->tail == b->tail && a->second == b->second &&
	       a->last_but == b->last_but;
}

/* NULL: the message has no such member. */
static inline const struct member *table_find(const struct table *t, const uint8_t *k, size_t n)
{
	struct member_name words;
	uint8_t at;

	if (n == 0 || n > TABLE_NAME_BYTES)
		return NULL;
	words = name_words(k, n);
	at = t->slots[name_slot(t->multiplier, &words)];
	if (at == TABLE_NONE || !name_equal(&t->names[at], &words))
		return NULL;
	return &t->members[t->names[at].member];
}
