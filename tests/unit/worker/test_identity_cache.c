/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/identity_cache.c"

#include <criterion/criterion.h>
#include <stdio.h>

static const uint8_t *digest_of(unsigned n)
{
	static uint8_t digest[TOKEN_DIGEST_BYTES];

	memset(digest, 0, sizeof(digest)); /* all in one bucket */
	memcpy(digest + 8, &n, sizeof(n));
	return digest;
}

static void put(struct identity_cache *c, unsigned n, msec_t until)
{
	char subject[16];

	snprintf(subject, sizeof(subject), "s%u", n);
	identity_cache_put(c, digest_of(n), proof_copy(&(struct proof){ .subject = subject }),
	                   until);
}

static bool has(struct identity_cache *c, unsigned n, msec_t now)
{
	const struct proof *p = identity_cache_find(c, digest_of(n), now);
	char subject[16];

	snprintf(subject, sizeof(subject), "s%u", n);
	cr_assert(!p || strcmp(p->subject, subject) == 0);
	return p != NULL;
}

Test(identity_cache, the_one_used_longest_ago_gives_way)
{
	struct identity_cache *c = identity_cache_new(3);

	for (unsigned n = 1; n <= 3; n++)
		put(c, n, 100);
	cr_assert(has(c, 1, 0));
	put(c, 4, 100);
	cr_assert(has(c, 1, 0) && !has(c, 2, 0) && has(c, 3, 0) && has(c, 4, 0));
	cr_assert_eq(identity_cache_count(c), 3);
	identity_cache_free(c);
}

Test(identity_cache, an_entry_ends_with_its_time)
{
	struct identity_cache *c = identity_cache_new(3);

	put(c, 1, 100);
	cr_assert(has(c, 1, 99));
	cr_assert_not(has(c, 1, 100));
	cr_assert_eq(identity_cache_count(c), 0);
	put(c, 1, 200);
	identity_cache_keep(c, digest_of(1), 250);
	identity_cache_keep(c, digest_of(2), 250);
	cr_assert(has(c, 1, 249) && !has(c, 2, 0));
	put(c, 1, 300);
	cr_assert_eq(identity_cache_count(c), 1);
	cr_assert(has(c, 1, 299));
	identity_cache_drop(c, digest_of(1));
	identity_cache_drop(c, digest_of(1));
	cr_assert_not(has(c, 1, 0));
	identity_cache_free(c);
}

Test(identity_cache, whatever_happens_it_holds_what_a_list_would)
{
	enum { PLACES = 5, NAMES = 12 };
	struct identity_cache *c = identity_cache_new(PLACES);
	unsigned list[PLACES], count = 0;
	uint64_t state = 7;

	for (unsigned step = 0; step < 20000; step++) {
		unsigned n, at = 0;

		state = state * 6364136223846793005u + 1442695040888963407u;
		n = (unsigned)(state >> 33) % NAMES;
		while (at < count && list[at] != n)
			at++;
		if (state >> 60 & 1) {
			put(c, n, 1000000);
			if (at == count && count == PLACES)
				at = 0;
			else if (at == count)
				count++;
		} else {
			cr_assert_eq(has(c, n, 0), at < count, "step %u", step);
			if (at == count)
				continue;
		}
		for (; at + 1 < count; at++)
			list[at] = list[at + 1];
		list[count - 1] = n;
		cr_assert_eq(identity_cache_count(c), count);
	}
	identity_cache_free(c);
}
