/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#undef HEADGATE_ASAN /* what is looked at is the slab, not malloc */
#include "master/slab.c"

enum { THINGS = 20000, LARGE = 1000 };

static size_t size_of(size_t i)
{
	return i % 500 == 0 ? LARGE : 1 + i * 37 % 300;
}

static void fill(struct slab *s, uint8_t *p[], uint8_t units[], size_t from)
{
	for (size_t i = from; i < THINGS; i += 2) {
		p[i] = slab_take(s, size_of(i), &units[i]);
		for (size_t at = 0; at < size_of(i); at++)
			cr_assert_eq(p[i][at], 0, "thing %zu is not all zeros", i);
		memset(p[i], (int)(i % 255) + 1, size_of(i));
	}
}

static void whole(uint8_t *p[], size_t from)
{
	for (size_t i = from; i < THINGS; i += 2) {
		cr_assert_eq((uintptr_t)p[i] % _Alignof(uint64_t), 0);
		for (size_t at = 0; at < size_of(i); at++)
			cr_assert_eq(p[i][at], i % 255 + 1, "thing %zu was changed", i);
	}
}

static void give(struct slab *s, uint8_t *p[], const uint8_t units[], size_t from)
{
	for (size_t i = from; i < THINGS; i += 2)
		slab_give(s, p[i], units[i]);
}

Test(slab, things_come_as_zeros_and_never_share_a_byte)
{
	static uint8_t *p[THINGS], units[THINGS];
	struct slab s;

	slab_init(&s);
	fill(&s, p, units, 0);
	fill(&s, p, units, 1);
	whole(p, 0);
	give(&s, p, units, 0);
	whole(p, 1);
	fill(&s, p, units, 0); /* from what was given back */
	whole(p, 0);
	whole(p, 1);
	give(&s, p, units, 0);
	give(&s, p, units, 1);
	slab_done(&s);
}

static size_t pieces_of(const struct slab *s)
{
	size_t n = 0;

	for (const struct slab_piece *p = s->pieces; p; p = p->next)
		n++;
	return n;
}

Test(slab, what_was_given_back_is_taken_again)
{
	struct slab s;
	uint8_t units;

	slab_init(&s);
	for (int i = 0; i < THINGS; i++) {
		void *p = slab_take(&s, i % 2 ? 97 : 100, &units);

		slab_give(&s, p, units);
	}
	cr_assert_eq(pieces_of(&s), 1);
	slab_done(&s);
}
