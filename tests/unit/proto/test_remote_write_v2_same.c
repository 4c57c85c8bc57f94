/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write_v2_same.c"

#include <criterion/criterion.h>

#include "tests/unit/proto/enrich_rw.h"

enum { TEXT = 16, ROOM = 1 << 20 };
static uint8_t body[ROOM];
static size_t body_n;

static void put(const void *p, size_t n)
{
	memcpy(body + body_n, p, n);
	body_n += n;
}

static void put_symbol(const void *text, uint8_t n)
{
	put((uint8_t[]){ 0x22, n }, 2);
	put(text, n);
}

/* The i-th of texts that all have one hash: the second word undoes what the first one did. */
static void colliding(uint64_t i, uint8_t text[static TEXT])
{
	static uint64_t state = 1;
	uint64_t words[2] = { (i & 0x7f) << 32 | i >> 7 << 40 }, hash; /* 7 bits in a byte */

	do {
		state = state * 6364136223846793005u + 1442695040888963407u;
		words[0] = (words[0] & ~(uint64_t)UINT32_MAX) | (state >> 33 & 0x7f7f7f7f);
		hash = (TEXT * multipliers[0] ^ words[0]) * multipliers[0];
		hash ^= hash >> 32;
		words[1] = hash ^ 0x0123456789abcdef;
	} while ((words[0] | words[1]) & 0x8080808080808080); /* ASCII, to be UTF-8 */
	for (unsigned k = 0; k < TEXT; k++)
		text[k] = (uint8_t)(words[k / 8] >> (56 - k % 8 * 8));
}

/* Symbols "", __name__, x, n made ones and `more`; a series with all of them for names, not in
 * order: the general path. */
static void make(unsigned n, bool collide, const void *more, uint8_t more_n)
{
	uint8_t refs[ROOM / 4];
	size_t at = 0, series;

	body_n = 0;
	put_symbol("", 0);
	put_symbol("__name__", 8);
	put_symbol("x", 1);
	for (unsigned i = 0; i < n; i++) {
		uint8_t text[TEXT + 1];

		if (collide)
			colliding(i, text);
		else
			snprintf((char *)text, sizeof(text), "label_number%04u", n - i);
		put_symbol(text, TEXT);
	}
	if (more)
		put_symbol(more, more_n);
	for (unsigned i = 3; i < 3 + n + (more != NULL); i++) {
		at += pb_varint_write(i, refs + at);
		refs[at++] = 2;
	}
	refs[at++] = 1;
	refs[at++] = 2;
	series = 1 + pb_varint_size(at) + at + 2;
	put("\x2a", 1);
	body_n += pb_varint_write(series, body + body_n);
	put("\x0a", 1);
	body_n += pb_varint_write(at, body + body_n);
	put(refs, at);
	put("\x12\0", 2);
}

static void expect(enum verdict wanted, const char *reason)
{
	struct rw_outcome o = rw_all(rw_settings_of(2), bytes_of(body, body_n));

	cr_expect_eq(o.verdict, wanted, "%d", (int)o.verdict);
	cr_expect(strstr(o.e.reason, reason), "%s", o.e.reason);
	rw_outcome_done(&o);
}

Test(remote_write_v2_same, a_hash_is_of_all_bytes_and_the_length)
{
	static const char *const texts[] = { "a",        "b",        "aa",       "a\0",
		                             "aaaaaaaa", "aaaaaaab", "aaaaaaaaa" };
	uint8_t first[TEXT], second[TEXT];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t k = 0; k < i; k++) {
			uint8_t a[32] = { 0 }, b[32] = { 0 };
			size_t a_n = i == 3 ? 2 : strlen(texts[i]),
			       b_n = k == 3 ? 2 : strlen(texts[k]);

			memcpy(a, texts[i], a_n);
			memcpy(b, texts[k], b_n);
			cr_expect_neq(hash_of(a, a_n, multipliers[0]),
			              hash_of(b, b_n, multipliers[0]), "%zu %zu", i, k);
		}
	colliding(1, first);
	colliding(2, second);
	cr_expect_neq(memcmp(first, second, TEXT), 0);
	cr_expect_eq(hash_of(first, TEXT, multipliers[0]), hash_of(second, TEXT, multipliers[0]));
	cr_expect_neq(hash_of(first, TEXT, multipliers[1]), hash_of(second, TEXT, multipliers[1]));
}

Test(remote_write_v2_same, equal_texts_are_found_among_ten_thousand)
{
	make(9000, false, NULL, 0);
	expect(V_ACCEPTED, "");
	make(9000, false, "label_number4711", TEXT);
	expect(V_INVALID, "'label_number4711' is there twice");
	make(0, false, NULL, 0);
	expect(V_ACCEPTED, "");
}

/* The last of n colliding ones becomes the first. */
static void repeat_first(unsigned n)
{
	const size_t first = 2 + 10 + 3 + 2;
	uint8_t text[TEXT];

	memcpy(text, body + first, TEXT);
	memcpy(body + first + (n - 1) * (2 + TEXT), text, TEXT);
}

Test(remote_write_v2_same, texts_that_collide_are_told_apart)
{
	static const unsigned counts[] = { 2, 40, 100, 5000 };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		make(counts[i], true, NULL, 0);
		expect(V_ACCEPTED, "");
		repeat_first(counts[i]);
		expect(V_INVALID, "is there twice");
	}
}

/* The symbols of `body`, and their equals by a hash. */
static bool hashed(struct rw_v2 *v, uint64_t multiplier)
{
	static struct rw_symbol symbols[8192];
	static uint32_t same[8192], slots[16384];
	struct pb_cursor c = pb_cursor_of(bytes_of(body, body_n));
	struct pb_field f;

	*v = (struct rw_v2){ .rw = v->rw, .symbols = symbols, .same = same };
	while (pb_next(&c, &f))
		if (f.tag == TAG_V2_SYMBOL)
			symbols[v->n++] = (struct rw_symbol){
				.key = name_key(f.bytes.p, f.bytes.n),
				.at = (uint32_t)(f.bytes.p - body),
				.n = (uint32_t)f.bytes.n,
			};
	return by_hash(v, slots, ARRAY_LEN(slots), multiplier);
}

/* A million symbols that begin alike took a sort of a second. */
Test(remote_write_v2_same, comparing_what_collides_is_bounded)
{
	struct enrich_in in = { .body = bytes_of(body, sizeof(body)) };
	struct rw rw = { .in = &in };
	struct rw_v2 v = { .rw = &rw };
	uint32_t order[128], spare[128], sorted[128], *same;

	make(40, true, NULL, 0);
	cr_expect(hashed(&v, multipliers[0]));
	make(100, true, NULL, 0); /* 4950 pairs */
	cr_expect_not(hashed(&v, multipliers[0]));
	make(5000, true, NULL, 0);
	cr_expect_not(hashed(&v, multipliers[0]));
	cr_expect(hashed(&v, multipliers[1]), "texts made for one hash");
	make(5000, false, NULL, 0);
	cr_expect(hashed(&v, multipliers[0]), "texts that begin alike");
	make(100, true, NULL, 0);
	repeat_first(100);
	cr_expect(hashed(&v, multipliers[1]));
	same = v.same;
	v.same = sorted;
	by_sort(&v, order, spare);
	cr_expect_eq(memcmp(same, sorted, v.n * sizeof(*same)), 0, "the sort finds the same");
	cr_expect_eq(same[102], 3);
}
