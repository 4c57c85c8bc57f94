/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hex.h -- bytes as text, for tests: binaries are never in the tree. Only for test code; a mistake
 * in the text ends the test program.
 *
 *   0a 13        bytes in hex          "text\xff"   a string, with \xNN \n \\ \"
 *   { ... }      the bytes inside behind their length as a varint: one nested message
 *   *3( ... )    three times           # ...        a comment up to the end of the line
 */
#pragma once
#include <stdio.h>
#include "common/bytes.h"
#include "proto/pb.h"

struct hex_text {
	const char *p;
	uint8_t *out;
	size_t n, cap;
};

static inline void hex_fail(const struct hex_text *t, const char *why)
{
	fprintf(stderr, "hex text: %s at '%.20s'\n", why, t->p);
	abort();
}

static inline void hex_put(struct hex_text *t, const void *p, size_t n)
{
	if (n > t->cap - t->n)
		hex_fail(t, "no room");
	memcpy(t->out + t->n, p, n);
	t->n += n;
}

static inline void hex_byte(struct hex_text *t)
{
	uint8_t byte;

	if (!t->p[0] || !hex_decode(bytes_of(t->p, 2), &byte, 1))
		hex_fail(t, "no hex digits");
	hex_put(t, &byte, 1);
	t->p += 2;
}

static inline void hex_string(struct hex_text *t)
{
	for (t->p++; *t->p != '"'; t->p++) {
		if (!*t->p)
			hex_fail(t, "no end of the string");
		if (*t->p != '\\') {
			hex_put(t, t->p, 1);
		} else if (*++t->p == 'x') {
			t->p++;
			hex_byte(t);
			t->p--;
		} else {
			hex_put(t, *t->p == 'n' ? "\n" : t->p, 1);
		}
	}
	t->p++;
}

static inline void hex_run(struct hex_text *t, char end);

static inline void hex_repeat(struct hex_text *t)
{
	char *after;
	long times = strtol(t->p + 1, &after, 10);
	size_t from = t->n;

	if (*after != '(')
		hex_fail(t, "no ( behind the count");
	for (long i = 0; i < times || i == 0; i++) {
		t->p = after + 1;
		hex_run(t, ')');
	}
	if (times == 0)
		t->n = from;
}

static inline void hex_run(struct hex_text *t, char end)
{
	while (*t->p != end) {
		size_t from = t->n;
		uint8_t length[10];

		switch (*t->p) {
		case ' ':
		case '\t':
		case '\n':
			t->p++;
			break;
		case '#':
			t->p += strcspn(t->p, "\n");
			break;
		case '"':
			hex_string(t);
			break;
		case '{':
			t->p++;
			hex_run(t, '}');
			{
				size_t inside = t->n - from, k = pb_varint_write(inside, length);

				hex_put(t, length, k); /* room */
				memmove(t->out + from + k, t->out + from, inside);
				memcpy(t->out + from, length, k);
			}
			break;
		case '*':
			hex_repeat(t);
			break;
		default:
			hex_byte(t);
		}
	}
	if (end)
		t->p++;
}

/* The bytes of text in out, followed by at least BODY_SLACK bytes of room. */
static inline struct bytes hex_bytes(const char *text, uint8_t *out, size_t cap)
{
	struct hex_text t = { .p = text, .out = out, .cap = cap - BODY_SLACK };

	hex_run(&t, '\0');
	return bytes_of(out, t.n);
}
