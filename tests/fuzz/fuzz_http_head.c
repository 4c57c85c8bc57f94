/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http_head.c -- the request head from any bytes. Oracles: fed byte by byte it gives the same
 * answer, the same fields and the same length; every slice of a good head lies in it; what is good
 * keeps the promises of faults.md 5 that can be checked from outside.
 * Make it: make MODE=fuzz build/fuzz/tests/fuzz/fuzz_http_head
 */
#include <stdlib.h>
#include "worker/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct answer {
	enum head_result result;
	enum verdict verdict;
	const char *why;
	uint64_t limit;
	struct http_head head;
};

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static void whole(struct bytes in, struct answer *a)
{
	size_t scanned = 0;

	a->result = http_head_parse(in, &scanned, &a->head, &a->verdict, &a->why, &a->limit);
}

static void trickled(struct bytes in, struct answer *a)
{
	size_t scanned = 0;

	a->result = HEAD_MORE;
	for (size_t n = 1; n <= in.n && a->result == HEAD_MORE; n++)
		a->result = http_head_parse(bytes_of(in.p, n), &scanned, &a->head, &a->verdict,
		                            &a->why, &a->limit);
}

static bool same(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || a.p == b.p);
}

static void heads_are_equal(const struct http_head *a, const struct http_head *b)
{
	MUST(a->method == b->method && a->minor == b->minor && a->bytes == b->bytes &&
	     a->length == b->length);
	MUST(a->has_length == b->has_length && a->chunked == b->chunked &&
	     a->keep_alive == b->keep_alive);
	MUST(a->expect_continue == b->expect_continue && a->field_count == b->field_count);
	MUST(same(a->method_text, b->method_text) && same(a->target, b->target));
	MUST(same(a->path, b->path) && same(a->content_type, b->content_type));
	for (unsigned i = 0; i < a->field_count; i++)
		MUST(same(a->fields[i].name, b->fields[i].name) &&
		     same(a->fields[i].value, b->fields[i].value));
}

static bool inside(struct bytes part, struct bytes in, size_t n)
{
	return part.n == 0 || (part.p >= in.p && part.p + part.n <= in.p + n);
}

static void head_is_strict(const struct http_head *h, struct bytes in)
{
	MUST(h->bytes <= in.n && h->bytes <= HEAD_MAX && h->field_count <= HEAD_FIELDS_MAX);
	MUST(memcmp(in.p + h->bytes - 4, "\r\n\r\n", 4) == 0);
	MUST(!(h->chunked && h->has_length) && !(h->chunked && h->minor == 0));
	MUST(h->length <= UINT64_C(1) << 53 && (h->has_length || h->length == 0));
	MUST(h->minor == 0 || h->host.n > 0);
	MUST(http_field_count(h, "host") <= 1 &&
	     http_field_count(h, "content-length") == h->has_length);
	MUST(http_field_count(h, "transfer-encoding") == h->chunked);
	MUST(inside(h->target, in, h->bytes) && inside(h->host, in, h->bytes));
	MUST(h->path.n > 0 && (h->path.p[0] == '/' || (h->path.n == 1 && h->path.p[0] == '*')));
	for (unsigned i = 0; i < h->field_count; i++) {
		MUST(h->fields[i].name.n > 0 && inside(h->fields[i].name, in, h->bytes));
		MUST(inside(h->fields[i].value, in, h->bytes));
	}
	for (size_t i = 0; i < h->bytes; i++) {
		if (in.p[i] == '\n')
			MUST(i > 0 && in.p[i - 1] == '\r');
		else
			MUST(in.p[i] >= ' ' || in.p[i] == '\t' ||
			     (in.p[i] == '\r' && in.p[i + 1] == '\n'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer a, b;
	struct bytes in = bytes_of(data, size);

	if (size == 0)
		return 0;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	whole(in, &a);
	trickled(in, &b);
	MUST(a.result == b.result && a.verdict == b.verdict && a.why == b.why &&
	     a.limit == b.limit);
	MUST(size < HEAD_MAX || a.result != HEAD_MORE);
	if (a.result == HEAD_OK) {
		heads_are_equal(&a.head, &b.head);
		head_is_strict(&a.head, in);
	}
	return 0;
}
