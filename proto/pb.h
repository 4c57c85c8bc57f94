/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb.h -- the wire walker: one bounded, iterative pass over protobuf bytes with protobuf-c's
 * descriptors as schema (protocols.md 2, performance.md 3 recipes 4, 5). It validates every byte,
 * counts items, repairs or refuses broken UTF-8 and removes pairs of the reserved name; what else a
 * protocol wants to know (a Resource, its envelope) it learns by the close and open hooks.
 * protobuf_c_message_unpack() never touches client bytes: it has no depth limit, and 30 KB overflow
 * its stack.
 *
 * Stricter than protocols.md 2 in one point: a length prefix over 5 bytes is refused. It would be a
 * legal padded varint, but protobuf-c and the C++ decoders refuse it, so the record would be
 * poison.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include "common/bytes.h"
#include "proto/edits.h"
#include "proto/protocol.h"

/* Varints (minimal form). Returns bytes written, 1..10. */
size_t pb_varint_write(uint64_t v, uint8_t out[static 10]);
size_t pb_varint_size(uint64_t v);

/* ---- schema: descriptors as dense tables, built once at start ---- */

enum {
	PB_MESSAGES_MAX = 48, /* message types of one schema */
	PB_FIELD_MAX = 31, /* highest field number of a schema: all known ones are <= 17 */
	PB_TAGS = (PB_FIELD_MAX + 1) * 8,
	PB_DEPTH_MAX = 100, /* canonical decoders stop there */
};

/* What a protocol says of a message or field beside its descriptor. */
enum pb_role {
	PB_PLAIN,
	/* of fields */
	PB_ITEM, /* each element is one item (a span) */
	PB_ID8, /* bytes: 0 or 8 */
	PB_ID16, /* bytes: 0 or 16 */
	PB_OWN, /* string that the protocol judges itself: UTF-8 is not checked */
	PB_NAME, /* string field 1 of a PB_PAIR; set by pb_schema_add() */
	PB_CHOICE, /* member of a oneof that holds items: only those of the last member count */
	PB_PAIR, /* message whose string field 1 is a name: the reserved one is removed */
	PB_WATCH, /* message whose opening and closing the hooks are told */
	/* of messages */
	PB_KEY_VALUE, /* {string key 1, AnyValue value 2}: may take the fast path */
	PB_UNIT, /* a repaired string counts once in the innermost of these; items are units too */
};

struct pb_mark {
	const ProtobufCMessageDescriptor *message;
	const char *field; /* NULL: the role is the message's */
	enum pb_role role;
	uint8_t watch; /* with PB_WATCH: the protocol's own number, not 0 */
};

struct pb_op { /* what to do at one tag value */
	uint8_t kind; /* enum pb_kind, pb_walk.h */
	uint8_t role; /* enum pb_role of the field */
	uint8_t arg; /* watch number, or length of an id */
	uint8_t child; /* index of the message type */
};

struct pb_message {
	const ProtobufCMessageDescriptor *descriptor;
	bool is_unit;
	struct pb_op ops[PB_TAGS];
};

struct pb_schema {
	size_t n;
	struct pb_message messages[PB_MESSAGES_MAX];
};

/* Adds root and all it reaches; marks end with message NULL. A mark that names nothing, a field
 * number over PB_FIELD_MAX or a full schema is our mistake: assert. */
const struct pb_message *pb_schema_add(struct pb_schema *schema,
                                       const ProtobufCMessageDescriptor *root,
                                       const struct pb_mark *marks);

/* ---- walk ---- */

enum pb_error {
	PB_OK,
	PB_TRUNCATED,
	PB_FIELD_ZERO,
	PB_FIELD_HIGH,
	PB_GROUP,
	PB_WIRE_TYPE, /* 6, 7, or not that of the field */
	PB_TAG_LONG,
	PB_VARINT_LONG,
	PB_LENGTH_LONG,
	PB_LENGTH_PAST,
	PB_UTF8,
	PB_ID_LENGTH,
	PB_DEPTH,
	PB_PACKED,
	PB_PACKED_VARINT,
	PB_STOPPED, /* a hook said so, or the edits have failed: the rest is not read */
	PB_ERROR_COUNT
};

struct pb_frame { /* an open message */
	const uint8_t *start, *end; /* its content */
	const uint8_t *field; /* the tag that opened it */
	const uint8_t *length_at; /* its length prefix, which ends at start */
	const struct pb_message *message;
	int64_t growth; /* bytes that the edits inside add, or take */
	size_t slot; /* edit of the length prefix; EDIT_NONE before pb_touch() */
	size_t items_then; /* PB_CHOICE: items before the first member */
	uint32_t mends; /* units: strings repaired inside */
	uint8_t choice; /* PB_CHOICE: tag of the member seen last, 0 none */
	uint8_t role; /* enum pb_role of the field that opened it */
	uint8_t watch;
	bool is_reserved; /* PB_PAIR: its name, as far as read, is the reserved one */
	bool closes_slow; /* has a slot, or role PB_PAIR or PB_WATCH */
};

struct pb_pair { /* state of the one open PB_PAIR frame: pairs do not nest in pairs */
	size_t least; /* bytes of a pair whose name may be one to be removed */
	size_t edits_then;
	struct pb_frame *unit;
	uint32_t mends_then;
};

struct pb_walk {
	/* set by the caller */
	const struct pb_schema *schema;
	const struct pb_message *root;
	struct bytes body; /* followed by BODY_SLACK readable bytes */
	enum utf8_mode utf8;
	unsigned depth; /* 1..PB_DEPTH_MAX messages, the root being 1 */
	struct bytes reserved; /* name to remove, n = 0: none */
	struct bytes reserved_prefix; /* beside it, all names that begin so; n = 0: none */
	struct edits *edits;
	bool exact; /* tests: never the fast path */
	/* Told of PB_WATCH frames; false stops the walk. The close hook comes before the frame's
	 * own length is settled. */
	bool (*on_open)(struct pb_walk *w, struct pb_frame *f);
	void (*on_close)(struct pb_walk *w, struct pb_frame *f);
	void *user;

	/* results */
	uint64_t items, removed, repaired;
	enum pb_error error;

	/* private */
	const uint8_t *error_at; /* the field at fault */
	unsigned error_arg;
	struct pb_frame *top; /* at an error: the frame of that field */
	size_t touched; /* frames from the root with a slot */
	struct pb_pair pair;
	struct pb_frame frames[PB_DEPTH_MAX];
};

/* Before the caller's members are set; the rest is zero. */
void pb_walk_init(struct pb_walk *w, const struct pb_schema *schema, const struct pb_message *root);
/* Reads the whole body. False: w->error is set. */
bool pb_walk_run(struct pb_walk *w) MUST_USE;
/* After an error: "resource_spans[3].scope_spans[0].spans[2].name: invalid UTF-8 (byte 812)". */
void pb_reason(const struct pb_walk *w, char *out, size_t cap);

/* Text that the walker does not know for a string: its bytes that are part of no character, and the
 * edits that make U+FFFD of them, two bytes more for each. pb_touch() and its length are the
 * caller's. */
size_t pb_broken(struct bytes text);
void pb_mend(struct pb_walk *w, struct bytes text);
/* Is text, once repaired, this name? */
bool pb_text_is(struct bytes text, struct bytes name);
/* Is it a name to be removed, once repaired? */
bool pb_is_reserved(const struct pb_walk *w, struct bytes text);

/* Before an edit inside f: gives f and all that enclose it their slots, in order. */
void pb_touch(struct pb_walk *w, struct pb_frame *f);
static inline size_t pb_offset(const struct pb_walk *w, const uint8_t *p)
{
	return (size_t)(p - w->body.p);
}
