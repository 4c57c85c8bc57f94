/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pb_text.c -- strings that are no UTF-8 (protocols.md 2, records.md 1.2), and the texts of errors.
 * All of it is rare.
 */
#include "proto/pb.h"

#include <stdio.h>

#include "proto/pb_walk.h"

enum { RUN = 16, REPLACEMENT_BYTES = 3, BLOCK = 512 };
#define FFFD "\xef\xbf\xbd"
#define FFFD4 FFFD FFFD FFFD FFFD
static const char replacements[] = FFFD4 FFFD4 FFFD4 FFFD4; /* RUN of them */

/* Bytes from i on that a kernel finds sound as a whole, which is most of any text; 0: they are to
 * be looked at one by one, up to *doubtful. */
static inline size_t sound(struct bytes text, size_t i, size_t *doubtful)
{
	size_t n = text.n - i;

	if (i < *doubtful)
		return 0;
	if (n > BLOCK) /* to the beginning of a character, if there is one */
		for (n = BLOCK; n > BLOCK - 3 && (text.p[i + n] & 0xc0) == 0x80;)
			n--;
	if (bytes_is_utf8(bytes_of(text.p + i, n)))
		return n;
	*doubtful = i + n;
	return 0;
}

size_t pb_broken(struct bytes text)
{
	size_t broken = 0, doubtful = 0;

	for (size_t i = 0; i < text.n;) {
		size_t k = sound(text, i, &doubtful);

		if (!k) {
			k = utf8_sequence(text.p + i, text.n - i);
			broken += k == 0;
		}
		i += k ? k : 1;
	}
	return broken;
}

/* Broken neighbours are one edit: binary dressed as text must not cost an edit per byte. */
void pb_mend(struct pb_walk *w, struct bytes text)
{
	size_t doubtful = 0;

	for (size_t i = 0; i < text.n && !w->edits->failed;) {
		size_t k = sound(text, i, &doubtful), run = 0;

		if (!k)
			k = utf8_sequence(text.p + i, text.n - i);
		if (k) {
			i += k;
			continue;
		}
		do
			run++;
		while (run < RUN && i + run < text.n &&
		       !utf8_sequence(text.p + i + run, text.n - i - run));
		edits_add(w->edits, pb_offset(w, text.p + i), run,
		          bytes_of(replacements, run * REPLACEMENT_BYTES));
		i += run;
	}
}

bool pb_text(struct pb_walk *w, struct pb_frame *f, const uint8_t *field, const uint8_t *length_at,
             struct bytes text)
{
	size_t prefix = (size_t)(text.p - length_at), after;
	struct pb_frame *unit = f;

	if (w->utf8 == UTF8_STRICT)
		return pb_fail(w, f, field, PB_UTF8, 0);
	if (w->edits->failed)
		return pb_fail(w, f, field, PB_STOPPED, 0);
	after = text.n + (REPLACEMENT_BYTES - 1) * pb_broken(text);
	pb_touch(w, f);
	edits_varint(w->edits, pb_offset(w, length_at), prefix, after);
	pb_mend(w, text);
	f->growth += (int64_t)(after + pb_varint_size(after)) - (int64_t)(text.n + prefix);
	while (unit > w->frames && !unit->message->is_unit)
		unit--;
	unit->mends++;
	return true;
}

bool pb_text_is(struct bytes text, struct bytes name)
{
	size_t at = 0;

	for (size_t i = 0; i < text.n;) {
		size_t k = utf8_sequence(text.p + i, text.n - i);
		const void *as = k ? (const void *)(text.p + i) : replacements;
		size_t n = k ? k : REPLACEMENT_BYTES;

		if (n > name.n - at || memcmp(name.p + at, as, n))
			return false;
		at += n;
		i += k ? k : 1;
	}
	return at == name.n;
}

bool pb_is_reserved(const struct pb_walk *w, struct bytes text)
{
	struct bytes prefix = w->reserved_prefix;

	/* The prefix is ASCII: what is repaired is no part of it. */
	return pb_text_is(text, w->reserved) ||
	       (prefix.n && bytes_eq(bytes_cut(text, prefix.n), prefix));
}

/* ---- texts of errors ---- */

static const char *const texts[PB_ERROR_COUNT] = {
	/* %u: error_arg, where it has one */
	[PB_OK] = "valid",
	[PB_TRUNCATED] = "truncated",
	[PB_FIELD_ZERO] = "field number 0",
	[PB_FIELD_HIGH] = "field number over 536870911",
	[PB_GROUP] = "groups are not supported",
	[PB_WIRE_TYPE] = "wrong wire type %u",
	[PB_TAG_LONG] = "tag over 5 bytes",
	[PB_VARINT_LONG] = "varint over 10 bytes or 64 bits",
	[PB_LENGTH_LONG] = "length prefix over 5 bytes",
	[PB_LENGTH_PAST] = "length past the end of its message",
	[PB_UTF8] = "invalid UTF-8",
	[PB_ID_LENGTH] = "an id must be 0 or %u bytes",
	[PB_DEPTH] = "more than %u nested messages",
	[PB_PACKED] = "packed length is no multiple of %u",
	[PB_PACKED_VARINT] = "a packed varint is too long or truncated",
	[PB_STOPPED] = "stopped",
};

/* Past a field that was already found valid. */
static const uint8_t *field_skip(const uint8_t *p, uint32_t *tag)
{
	enum pb_error error;
	uint64_t n = 0;

	p = pb_tag_long(p, tag, &error);
	switch (*tag & 7) {
	case WIRE_VARINT:
		return pb_varint_skip(p);
	case WIRE_64:
		return p + 8;
	case WIRE_32:
		return p + 4;
	}
	p = pb_length_long(p, &n);
	return p + n;
}

/* ".spans[2]": the field at `field` inside f, or nothing if the schema knows no such number. */
static int field_name(const struct pb_frame *f, const uint8_t *field, char *out, size_t cap)
{
	const ProtobufCFieldDescriptor *known;
	const uint8_t *behind_tag;
	enum pb_error error;
	uint32_t tag = 0, other = 0;
	size_t before = 0;

	out[0] = '\0';
	behind_tag = pb_tag_long(field, &tag, &error);
	if (!behind_tag || behind_tag > f->end)
		return 0; /* no tag to go by */
	known = protobuf_c_message_descriptor_get_field(f->message->descriptor, tag >> 3);
	if (!known)
		return 0;
	if (known->label != PROTOBUF_C_LABEL_REPEATED)
		return snprintf(out, cap, ".%s", known->name);
	for (const uint8_t *p = f->start; p < field;) {
		p = field_skip(p, &other);
		before += other >> 3 == tag >> 3;
	}
	return snprintf(out, cap, ".%s[%zu]", known->name, before);
}

void pb_reason(const struct pb_walk *w, char *out, size_t cap)
{
	enum { PATH_MAX_BYTES = 150 }; /* deeper paths end in "..": the byte says where */
	char path[PATH_MAX_BYTES + 64] = "";
	char text[64];
	size_t n = 0;

	for (const struct pb_frame *f = w->frames; f <= w->top && n < PATH_MAX_BYTES; f++) {
		const uint8_t *field = f == w->top ? w->error_at : f[1].field;

		n += (size_t)field_name(f, field, path + n, sizeof(path) - n);
		if (n >= PATH_MAX_BYTES && f < w->top)
			n = PATH_MAX_BYTES + (size_t)sprintf(path + PATH_MAX_BYTES, "..");
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), texts[w->error], w->error_arg);
#pragma GCC diagnostic pop
	snprintf(out, cap, "%s%s%s (byte %zu)", n ? path + 1 : "", n ? ": " : "", text,
	         pb_offset(w, w->error_at));
}
