/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c -- libFuzzer over the JSON scanner. The first byte picks the UTF-8 mode and a depth;
 * the rest is a body. What must hold for any bytes:
 *   - scalar, sse2, avx2, and whatever lies behind the body: one answer, one place (B18);
 *   - strictly, it is what jansson takes, but for what jansson limits by its own types;
 *   - what json_unescape() makes of a string fits in the string and is UTF-8, but for repair.
 */
#include <jansson.h>
#include <stdio.h>

#include "common/isa.h"
#include "proto/json.h"

enum { PICK_REPAIR = 1, PICK_SHALLOW = 2, DEPTH = 64, SHALLOW = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

struct scanned {
	enum json_error error;
	size_t at;
	uint64_t sum; /* of all strings and numbers, in order */
};

static void add(struct scanned *s, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		s->sum = s->sum * 31 + b[i] + 1;
}

static void look_at_text(struct scanned *s, struct json_text text, enum utf8_mode utf8)
{
	uint8_t *out = xcalloc(text.raw.n + 1, 1);
	size_t n = json_unescape(text, out);

	must(n <= text.raw.n, "unescaped text is no longer than it was");
	must(utf8 == UTF8_REPAIR || bytes_is_utf8(bytes_of(out, n)), "strict text is UTF-8");
	add(s, out, n);
	free(out);
}

static void look_at_number(struct scanned *s, struct bytes number)
{
	uint64_t magnitude = 0;
	bool negative = false;
	double value = 0;

	if (json_to_integer(number, &negative, &magnitude)) {
		add(s, &magnitude, sizeof(magnitude));
		if (json_to_double(number, &value) && magnitude < UINT64_C(1) << 53)
			must(value == (negative ? -(double)magnitude : (double)magnitude),
			     "integer and double are one value");
	}
	if (json_to_double(number, &value)) {
		char *text = xstrndup((const char *)number.p, number.n);

		must(value == strtod(text, NULL), "a double is what the C library reads");
		free(text);
		add(s, &value, sizeof(value));
	}
}

/* The members of the object, or elements of the array, at the top: one by one, not skipped. */
static void walk(struct json *j, struct scanned *s, unsigned depth)
{
	uint8_t open = json_peek(j);
	struct json_text text;
	struct bytes number;

	if (open != '{' && open != '[')
		return;
	json_open(j);
	for (bool first = true; open == '{' ? json_member(j, first, &text) : json_element(j, first);
	     first = false) {
		uint8_t c;

		if (open == '{')
			look_at_text(s, text, j->utf8);
		c = json_peek(j);
		if (c == '"') {
			if (!json_read_string(j, &text))
				return;
			look_at_text(s, text, j->utf8);
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			if (!json_read_number(j, &number))
				return;
			look_at_number(s, number);
		} else if (!json_skip(j, depth - 1)) {
			return;
		}
	}
}

static struct scanned scan(struct bytes body, enum utf8_mode utf8, unsigned depth, bool by_hand,
                           uint8_t slack)
{
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);
	struct scanned s = { JSON_OK, 0, 0 };
	struct json j;

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	json_init(&j, bytes_of(copy, body.n), utf8);
	if (by_hand && (json_peek(&j) == '{' || json_peek(&j) == '['))
		walk(&j, &s, depth);
	else
		must(json_skip(&j, depth) || j.error, "a failure has its error");
	if (!json_end(&j)) {
		s.error = j.error;
		s.at = (size_t)(j.error_at - j.start);
		must(s.error != JSON_OK && s.at <= body.n, "a failure has its error and place");
	}
	free(copy);
	return s;
}

/* What jansson refuses though RFC 8259 does not: its numbers are long long and double, its keys C
 * strings, its depth 2048 (ours is less). And it passes over zero bytes, wherever they are. */
static bool is_its_own_limit(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static void compare(struct bytes body, enum json_error ours)
{
	json_error_t error;
	json_t *theirs;

	if (memchr(body.p, '\0', body.n))
		return;
	theirs = json_loadb((const char *)body.p, body.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (theirs)
		must(ours == JSON_OK || ours == JSON_DEPTH, "jansson takes it, and so do we");
	else if (!is_its_own_limit(&error))
		must(ours != JSON_OK, "jansson refuses it, and so do we");
	json_decref(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum utf8_mode utf8;
	unsigned depth;
	struct bytes body;

	if (n == 0)
		return 0;
	utf8 = data[0] & PICK_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
	depth = data[0] & PICK_SHALLOW ? SHALLOW : DEPTH;
	body = bytes_of(data + 1, n - 1);
	for (int by_hand = 0; by_hand < 2; by_hand++) {
		enum isa before = isa_get();
		struct scanned first;

		isa_force(ISA_SCALAR);
		first = scan(body, utf8, depth, by_hand, ' ');
		for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++) {
			struct scanned s = scan(body, utf8, depth, by_hand, (uint8_t) "\"}0"[isa]);

			must(s.error == first.error && s.at == first.at && s.sum == first.sum,
			     "every kernel gives one answer");
		}
		isa_force(before);
		if (utf8 == UTF8_STRICT && body.n)
			compare(body, first.error);
	}
	return 0;
}
