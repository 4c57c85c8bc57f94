/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/gcra.c"

#define SECOND INT64_C(1000000000)
#define START (INT64_C(1000) * SECOND)

/* R16 */
Test(gcra, a_cost_of_the_burst_passes_and_one_more_never_does)
{
	static const struct gcra_rate rates[] = { { 3, 7 }, { 1, 1 }, { 7, 3 }, { 1000000007, 13 },
		                                  { 5000000, 20000000 }, { 1, UINT64_MAX / 4 } };

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		gcra_word word = 0;

		cr_assert_eq(gcra_take(&word, &rates[i], 0, rates[i].burst + 1, START), GCRA_NEVER);
		cr_assert_eq(word, 0);
		cr_assert_eq(gcra_take(&word, &rates[i], 0, rates[i].burst, START), 0, "%zu", i);
		cr_assert_gt(gcra_take(&word, &rates[i], 0, 1, START), 0);
	}
}

/* The top-ups of one request are one cost. */
Test(gcra, parts_of_one_cost_beyond_the_burst_never_pass)
{
	const struct gcra_rate rate = { 10, 20 };
	gcra_word word = 0;

	cr_assert_eq(gcra_take(&word, &rate, 0, 15, START), 0);
	cr_assert_eq(gcra_take(&word, &rate, 15, 5, START), 0);
	cr_assert_eq(gcra_take(&word, &rate, 15, 6, START + 100 * SECOND), GCRA_NEVER);
	cr_assert_eq(gcra_take(&word, &rate, UINT64_MAX, 2, START), GCRA_NEVER);
}

/* R17 */
Test(gcra, what_waits_as_long_as_it_was_told_passes)
{
	srandom(7);
	for (int i = 0; i < 10000; i++) {
		const struct gcra_rate rate = { 1 + (uint64_t)random() % 1000,
			                        1 + (uint64_t)random() % 2000 };
		uint64_t cost = 1 + (uint64_t)random() % rate.burst;
		gcra_word word = 0;
		int64_t wait;

		cr_assert_eq(gcra_take(&word, &rate, 0, rate.burst, START), 0);
		wait = gcra_take(&word, &rate, 0, cost, START);
		cr_assert_gt(wait, 0);
		cr_assert_eq(gcra_wait(&word, &rate, cost, START), wait);
		cr_assert_gt(gcra_take(&word, &rate, 0, cost, START + wait - 1), 0);
		cr_assert_eq(gcra_take(&word, &rate, 0, cost, START + wait), 0);
	}
}

/* A bucket of tokens with exact fractions: what is in it, in cost x 10^9. */
struct bucket {
	unsigned __int128 level, burst;
	int64_t at;
};

static bool bucket_take(struct bucket *b, const struct gcra_rate *rate, uint64_t cost, int64_t now)
{
	unsigned __int128 wanted = (unsigned __int128)cost * SECOND;

	b->level += (unsigned __int128)(now - b->at) * rate->per_s;
	b->at = now;
	if (b->level > b->burst)
		b->level = b->burst;
	if (b->level < wanted)
		return false;
	b->level -= wanted;
	return true;
}

/* R16: 90 000 random events. Rates that divide a second have no roundings, so no word may differ. */
Test(gcra, it_agrees_with_a_token_bucket)
{
	static const uint64_t rates[] = { 1, 2, 5, 10, 40, 100, 1000, 8000, 1000000 };
	unsigned passed = 0, all = 0;

	srandom(1);
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		const struct gcra_rate rate = { rates[i], 1 + (uint64_t)random() % (3 * rates[i]) };
		struct bucket b = { .burst = (unsigned __int128)rate.burst * SECOND, .at = START };
		int64_t now = START;
		gcra_word word = 0;

		b.level = b.burst;
		for (int k = 0; k < 10000; k++, all++) {
			uint64_t cost = 1 + (uint64_t)random() % rate.burst;
			bool takes = bucket_take(&b, &rate, cost, now);

			cr_assert_eq(gcra_take(&word, &rate, 0, cost, now) == 0, takes,
			             "event %d at a rate of %lu", k, rates[i]);
			passed += takes;
			now += random() % (2 * SECOND * (int64_t)rate.burst / (int64_t)rate.per_s / 3);
		}
	}
	cr_assert_eq(all, 90000);
	cr_assert(passed > all / 10 && passed < all * 9 / 10, "%u of %u say little", passed, all);
}

Test(gcra, without_a_rate_all_passes_and_nothing_is_written)
{
	const struct gcra_rate none = { 0, 0 };
	gcra_word word = 0;

	cr_assert_eq(gcra_take(&word, &none, 0, UINT64_MAX, START), 0);
	gcra_give(&word, &none, 5);
	cr_assert_eq(word, 0);
}

/* Other limits apply with the next table: what was taken under those before holds nobody for
 * long. */
Test(gcra, a_word_far_ahead_counts_as_a_spent_burst)
{
	const struct gcra_rate slow = { 1, 100000 }, fast = { 10, 20 };
	gcra_word word = 0;

	cr_assert_eq(gcra_take(&word, &slow, 0, 100000, START), 0);
	cr_assert_eq(gcra_wait(&word, &fast, 1, START), SECOND / 10);
	cr_assert_eq(gcra_take(&word, &fast, 0, 1, START), SECOND / 10);
	cr_assert_eq(gcra_take(&word, &fast, 0, 1, START + SECOND / 10), 0,
	             "what it had to wait has passed");
}

Test(gcra, what_is_given_back_after_the_word_was_zeroed_does_not_hold_it_for_ever)
{
	const struct gcra_rate rate = { 3, 7 };
	gcra_word word = 0;

	gcra_give(&word, &rate, 7);
	cr_assert_eq(word, 0);
	cr_assert_eq(gcra_take(&word, &rate, 0, 7, START), 0);
}

Test(gcra, what_is_given_back_can_be_taken_again)
{
	const struct gcra_rate rate = { 3, 7 };
	gcra_word word = 0;

	cr_assert_eq(gcra_take(&word, &rate, 0, 7, START), 0);
	gcra_give(&word, &rate, 7);
	cr_assert_eq(gcra_take(&word, &rate, 0, 7, START), 0);
}

/* R18, in small: admitted <= burst + rate x time, however many take at once. */
Test(gcra, processes_together_take_no_more_than_the_rate_gives)
{
	enum { PROCESSES = 4, TRIES = 20000 };
	struct shared {
		gcra_word word;
		_Atomic uint64_t taken;
	} *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct gcra_rate rate = { 1000, 500 };
	int status;

	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			for (int i = 0; i < TRIES; i++) /* one second, as each of them sees it */
				if (gcra_take(&s->word, &rate, 0, 1,
				              START + i * SECOND / TRIES) == 0)
					atomic_fetch_add(&s->taken, 1);
			_exit(0);
		}
	for (int p = 0; p < PROCESSES; p++) {
		cr_assert_gt(wait(&status), 0);
		cr_assert_eq(status, 0);
	}
	cr_assert_leq(s->taken, 500 + 1000);
	cr_assert_geq(s->taken, 500 + 1000 - 10);
	munmap(s, sizeof(*s));
}
