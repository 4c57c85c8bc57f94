/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json_value.c -- the values of OTLP/JSON that are no messages (protocols.md 4.2): strings,
 * hex ids, base64, integers and doubles as numbers or strings, enumerations by number or name, and
 * lists of them. Called for one member at a time by otlp_json.c.
 */
#include "common/base64.h"
#include "proto/json_escape.h"
#include "proto/otlp_json_private.h"

enum { ESCAPE_GROWTH = 6 /* \u0061 */, ID_BYTES_MAX = 16 };

static void put_word(struct transcoder *t, const struct member *m, uint64_t word)
{
	switch ((enum member_wire)m->wire) {
	case WIRE_AS_VARINT:
		put_varint(t, word);
		return;
	case WIRE_AS_ZIGZAG:
		put_varint(t, word << 1 ^ -(word >> 63));
		return;
	case WIRE_AS_32:
		memcpy(t->p, &word, 4);
		t->p += 4;
		return;
	case WIRE_AS_64:
		memcpy(t->p, &word, 8);
		t->p += 8;
		return;
	}
	assert(!"a wire form");
}

struct bytes otlp_json_short(struct json_text text, uint8_t local[static SHORT_TEXT + 8])
{
	uint8_t plain[ESCAPE_GROWTH * SHORT_TEXT];
	size_t n;

	if (likely(!text.escaped))
		return text.raw;
	if (text.raw.n > sizeof(plain))
		return BYTES_NONE;
	n = json_unescape(text, plain);
	if (n > SHORT_TEXT)
		return BYTES_NONE;
	memcpy(local, plain, n);
	return bytes_of(local, n);
}

static inline bool put_string(struct transcoder *t, const struct member *m,
                              const struct json_text *text, bool keeps_empty)
{
	size_t n = text->raw.n, k;
	uint8_t *at;

	if (n == 0 && !keeps_empty)
		return true;
	if (unlikely(!room(t, n)))
		return false;
	put_tag(t, m);
	if (likely(!text->escaped)) {
		put_varint(t, n);
		put_text(t, text->raw.p, n);
		return true;
	}
	at = t->p;
	k = pb_varint_size(n); /* of the most it can be */
	n = json_unescape(*text, at + k);
	t->p = at + k + n;
	return put_length(t, at + k, (unsigned)k, false);
}

/* One more than the value of a hex digit; 0: it is none. */
static const uint8_t hex_values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static inline bool put_id(struct transcoder *t, const struct member *m, struct json_text text,
                          bool keeps)
{
	uint8_t local[SHORT_TEXT + 8], id[ID_BYTES_MAX];
	unsigned bad = 0;
	struct bytes hex = otlp_json_short(text, local);

	if (text.raw.n == 0)
		return true; /* absent */
	if (hex.n != 2u * m->id_bytes)
		return otlp_json_refuse(t, text.raw.p,
		                        m->id_bytes == 8
		                                ? "an id must be 16 hex digits, or empty"
		                                : "a trace id must be 32 hex digits, or empty");
	for (unsigned i = 0; i < m->id_bytes; i++) {
		unsigned high = hex_values[hex.p[2 * i]] - 1u;
		unsigned low = hex_values[hex.p[2 * i + 1]] - 1u;

		bad |= high | low;
		id[i] = (uint8_t)(high << 4 | low);
	}
	if (bad > 15)
		return otlp_json_refuse(t, text.raw.p, "an id must be hex digits");
	if (keeps)
		return true;
	if (!room(t, m->id_bytes))
		return false;
	put_tag(t, m);
	*t->p++ = m->id_bytes;
	t->p = mempcpy(t->p, id, m->id_bytes);
	return true;
}

/* In place: the n characters at p become bytes. SIZE_MAX: no base64 with its padding. */
static size_t decode_base64(uint8_t *p, size_t n)
{
	const uint8_t *from = p;
	uint8_t *to = p;
	size_t pad = 0;

	if (n % 4)
		return SIZE_MAX;
	while (pad < 2 && pad < n && p[n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < n; i += 4, from += 4) {
		size_t digits = i + 4 == n ? 4 - pad : 4;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k < digits ? base64_value(BASE64_STANDARD, from[k]) : 0;

			if (value < 0)
				return SIZE_MAX;
			group = group << 6 | (uint32_t)value;
		}
		for (size_t k = 0; k + 1 < digits; k++)
			*to++ = (uint8_t)(group >> (16 - 8 * k));
	}
	return (size_t)(to - p);
}

/* The same of a text that stays where it is, in no memory. */
static bool is_base64(struct json_text text)
{
	const uint8_t *p = text.raw.p, *end = p + text.raw.n;
	size_t n = 0, pad = 0;

	for (; p < end; n++) {
		int32_t c = *p;

		p += c == '\\' ? json_escape(p, &c) : 1;
		if (c == '=')
			pad++;
		else if (pad || c < 0 || c > 0x7f || base64_value(BASE64_STANDARD, (uint8_t)c) < 0)
			return false;
	}
	return n % 4 == 0 && pad <= 2;
}

static bool put_bytes(struct transcoder *t, const struct member *m, struct json_text text,
                      bool keeps)
{
	static const char otherwise[] = "expected base64 with its padding";
	unsigned reserved = (unsigned)pb_varint_size(text.raw.n);
	uint8_t *content;
	size_t n = text.raw.n;

	if (keeps)
		return is_base64(text) || otlp_json_refuse(t, text.raw.p, otherwise);
	if (!room(t, n))
		return false;
	put_tag(t, m);
	content = t->p + reserved;
	if (text.escaped)
		n = json_unescape(text, content);
	else if (n)
		memcpy(content, text.raw.p, n);
	n = decode_base64(content, n);
	if (n == SIZE_MAX)
		return otlp_json_refuse(t, text.raw.p, otherwise);
	t->p = content + n;
	return put_length(t, content, reserved, false);
}

/* A number, or a string with one inside. */
static bool read_number(struct transcoder *t, uint8_t c, uint8_t *local, struct bytes *number)
{
	struct json_text text;

	if (c == '"') {
		if (!json_read_string(&t->j, &text))
			return false;
		*number = otlp_json_short(text, local);
		return true;
	}
	if (c != '-' && (uint8_t)(c - '0') > 9)
		return otlp_json_refuse(t, t->j.p, "expected a number, or a string with a number");
	return json_read_number(&t->j, number);
}

static bool read_integer(struct transcoder *t, const struct member *m, uint8_t c, uint64_t *word)
{
	const uint8_t *at = t->j.p;
	uint8_t local[SHORT_TEXT + 8];
	struct bytes number;
	uint64_t magnitude;
	bool negative;

	if (!read_number(t, c, local, &number))
		return false;
	if (!json_to_integer(number, &negative, &magnitude) ||
	    magnitude > (negative ? m->down : m->up))
		return otlp_json_refuse(t, at, "not an integer, or out of range");
	*word = negative ? -magnitude : magnitude;
	return true;
}

static bool read_double(struct transcoder *t, uint8_t c, uint64_t *word)
{
	static const struct {
		struct bytes name;
		uint64_t bits;
	} names[] = {
		{ BYTES("NaN"), 0x7ff8000000000000 },
		{ BYTES("Infinity"), 0x7ff0000000000000 },
		{ BYTES("-Infinity"), 0xfff0000000000000 },
	};
	const uint8_t *at = t->j.p;
	uint8_t local[SHORT_TEXT + 8];
	struct bytes number;
	double value;

	if (!read_number(t, c, local, &number))
		return false;
	for (size_t i = 0; c == '"' && i < ARRAY_LEN(names); i++)
		if (bytes_eq(number, names[i].name)) {
			*word = names[i].bits;
			return true;
		}
	if (!json_to_double(number, &value))
		return otlp_json_refuse(t, at, "not a double, or out of range");
	memcpy(word, &value, sizeof(*word));
	return true;
}

static bool enum_find(const ProtobufCEnumDescriptor *values, struct bytes name, uint64_t *word)
{
	const ProtobufCEnumValue *value;
	char text[SHORT_TEXT + 1];

	if (name.n == 0 || name.n > SHORT_TEXT || memchr(name.p, '\0', name.n))
		return false;
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	value = protobuf_c_enum_descriptor_get_value_by_name(values, text);
	if (!value)
		return false;
	*word = (uint64_t)value->value;
	return true;
}

/* The name is not of the specification, but generic writers of proto3 JSON use it. */
static bool read_enum(struct transcoder *t, const struct member *m, uint8_t c, uint64_t *word)
{
	const uint8_t *at = t->j.p;
	uint8_t local[SHORT_TEXT + 8];
	struct bytes text;
	uint64_t magnitude;
	bool negative;

	if (!read_number(t, c, local, &text))
		return false;
	if (json_to_integer(text, &negative, &magnitude)) {
		if (magnitude > (negative ? m->down : m->up))
			return otlp_json_refuse(t, at, "out of range");
		*word = negative ? -magnitude : magnitude;
		return true;
	}
	return enum_find(m->values, text, word) ||
	       otlp_json_refuse(t, at, "no value of this enumeration");
}

/* A value that is one word: integer, double, enumeration, boolean. */
static bool read_word(struct transcoder *t, const struct member *m, uint8_t c, uint64_t *word)
{
	bool value;

	if (m->kind == MEMBER_INTEGER)
		return read_integer(t, m, c, word);
	if (m->kind == MEMBER_DOUBLE)
		return read_double(t, c, word);
	if (m->kind == MEMBER_ENUM)
		return read_enum(t, m, c, word);
	if (c != 't' && c != 'f')
		return otlp_json_refuse(t, t->j.p, "expected true or false");
	if (!json_read_bool(&t->j, &value))
		return false;
	*word = value;
	return true;
}

/* A list of strings, or a packed one of numbers. */
static inline bool read_list(struct transcoder *t, const struct member *m, bool keeps)
{
	unsigned reserved = reserve_wide(t);
	uint8_t *before = t->p, *content = NULL;
	bool first = true;
	struct json_text text;
	uint64_t word;

	if (!keeps && !room(t, 0))
		return false;
	json_open(&t->j);
	if (!keeps && m->kind != MEMBER_STRING) {
		put_tag(t, m);
		content = t->p += reserved;
	}
	for (; json_element(&t->j, first); first = false) {
		uint8_t c = json_peek(&t->j);

		if (m->kind == MEMBER_STRING) {
			if (c != '"')
				return otlp_json_refuse(t, t->j.p, "expected a string");
			if (!json_read_string(&t->j, &text))
				return false;
			if (!keeps && !put_string(t, m, &text, true))
				return false;
		} else {
			if (!read_word(t, m, c, &word))
				return false;
			if (keeps)
				continue;
			if (!room(t, 0))
				return false;
			put_word(t, m, word);
		}
	}
	if (t->j.error)
		return false;
	if (t->p == content) {
		t->p = before; /* nothing in it */
		return true;
	}
	return !content || put_length(t, content, reserved, false);
}

/* What is no message; the value is not null. Compiled twice, as the walk is. */
static inline __attribute__((always_inline)) bool scalar(struct transcoder *t,
                                                         const struct member *m, uint8_t c,
                                                         bool keeps)
{
	struct json_text text;
	uint64_t word;

	if (unlikely(m->repeated)) {
		if (c != '[')
			return otlp_json_refuse(t, t->j.p, "expected an array");
		return read_list(t, m, keeps);
	}
	switch ((enum member_kind)m->kind) {
	case MEMBER_STRING:
	case MEMBER_ID:
	case MEMBER_BYTES:
		if (unlikely(c != '"'))
			return otlp_json_refuse(t, t->j.p, "expected a string");
		if (unlikely(!json_read_string(&t->j, &text)))
			return false;
		if (likely(m->kind == MEMBER_STRING)) {
			if (!keeps)
				return put_string(t, m, &text, m->keeps_default);
			if (m->role == PB_NAME && t->top == t->keep->pair)
				otlp_json_keep_name(t, &text);
			return true;
		}
		return m->kind == MEMBER_ID ? put_id(t, m, text, keeps)
		                            : put_bytes(t, m, text, keeps);
	case MEMBER_BOOL:
	case MEMBER_INTEGER:
	case MEMBER_DOUBLE:
	case MEMBER_ENUM:
		if (unlikely(!read_word(t, m, c, &word)))
			return false;
		if (keeps || (word == 0 && !m->keeps_default))
			return true;
		if (unlikely(!room(t, 0)))
			return false;
		put_tag(t, m);
		put_word(t, m, word);
		return true;
	case MEMBER_MESSAGE:
	case MEMBER_LEGACY:
	case MEMBER_FOREIGN:
		break;
	}
	assert(!"a scalar");
	return false;
}

bool otlp_json_scalar(struct transcoder *t, const struct member *m, uint8_t c)
{
	return scalar(t, m, c, false);
}

bool otlp_json_check(struct transcoder *t, const struct member *m, uint8_t c)
{
	return scalar(t, m, c, true);
}
