/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcra.c -- both roundings go up: with the floor of the burst's time a request of exactly the burst
 * would fail (3/s, burst 7).
 */
#include "common/gcra.h"

static const uint64_t second = UINT64_C(1000000000);
/* A process may look at a time as old as its turn of the loop; another one's word is then ahead. */
static const uint64_t turn = UINT64_C(1000000000);
/* Beyond it lies no time that matters, and sums of three such do not overflow. */
static const uint64_t far = UINT64_C(1) << 61;

static uint64_t time_of(uint64_t cost, uint64_t per_s)
{
	unsigned __int128 t = ((unsigned __int128)cost * second + per_s - 1) / per_s;

	return t < far ? (uint64_t)t : far;
}

/* What the word counts as: one beyond a spent burst was left by a lower rate or a larger burst. */
static uint64_t clamped(uint64_t word, const struct gcra_rate *rate, uint64_t now)
{
	uint64_t latest = now + time_of(rate->burst, rate->per_s);

	return word < now ? now : word > latest ? latest : word;
}

/* How long a cost must wait that would move the word from there to `at`. */
static int64_t wait_of(uint64_t at, const struct gcra_rate *rate, uint64_t now)
{
	uint64_t latest = now + time_of(rate->burst, rate->per_s);

	return at > latest ? (int64_t)(at - latest) : 0;
}

int64_t gcra_take(gcra_word *word, const struct gcra_rate *rate, uint64_t before, uint64_t more,
                  int64_t now_ns)
{
	uint64_t was, cost, now = (uint64_t)now_ns;

	if (!rate->per_s || !more)
		return 0;
	if (__builtin_add_overflow(before, more, &cost) || cost > rate->burst)
		return GCRA_NEVER;
	was = atomic_load_explicit(word, memory_order_relaxed);
	for (;;) {
		uint64_t from = clamped(was, rate, now), at = from + time_of(more, rate->per_s);
		int64_t wait = wait_of(at, rate, now);

		/* Refused, it is not moved ahead; but what other limits left far ahead comes back,
		 * else it would hold its tenant for as long as those meant it to. */
		if (wait && (was <= from || was - from <= turn))
			return wait;
		if (atomic_compare_exchange_weak_explicit(word, &was, wait ? from : at,
		                                          memory_order_relaxed,
		                                          memory_order_relaxed))
			return wait;
	}
}

int64_t gcra_wait(const gcra_word *word, const struct gcra_rate *rate, uint64_t cost,
                  int64_t now_ns)
{
	uint64_t was = atomic_load_explicit(word, memory_order_relaxed), now = (uint64_t)now_ns;

	if (!rate->per_s || !cost)
		return 0;
	return wait_of(clamped(was, rate, now) + time_of(cost, rate->per_s), rate, now);
}

/* Never below 0: a word that was zeroed or came back since would lie at the end of time. */
void gcra_give(gcra_word *word, const struct gcra_rate *rate, uint64_t cost)
{
	uint64_t was, back;

	if (!rate->per_s || !cost)
		return;
	back = time_of(cost, rate->per_s);
	was = atomic_load_explicit(word, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(word, &was, was > back ? was - back : 0,
	                                              memory_order_relaxed, memory_order_relaxed))
		;
}
