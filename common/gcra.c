/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcra.c -- both roundings go up: with the floor of the burst's time a request of exactly the burst
 * would fail (3/s, burst 7).
 */
#include "common/gcra.h"

static const uint64_t second = UINT64_C(1000000000);
/* Beyond it lies no time that matters, and sums of three such do not overflow. */
static const uint64_t far = UINT64_C(1) << 61;

static uint64_t time_of(uint64_t cost, uint64_t per_s)
{
	unsigned __int128 t = ((unsigned __int128)cost * second + per_s - 1) / per_s;

	return t < far ? (uint64_t)t : far;
}

/* The word's new value for this cost, and how long until it may be written. */
static uint64_t arrival(uint64_t word, const struct gcra_rate *rate, uint64_t cost, uint64_t now,
                        int64_t *wait)
{
	uint64_t tau = time_of(rate->burst, rate->per_s);
	uint64_t from = word > now ? word : now, at;

	if (from > now + tau) /* the rate was raised since, or the burst made smaller */
		from = now + tau;
	at = from + time_of(cost, rate->per_s);
	*wait = at - now > tau ? (int64_t)(at - now - tau) : 0;
	return at;
}

int64_t gcra_take(gcra_word *word, const struct gcra_rate *rate, uint64_t before, uint64_t more,
                  int64_t now_ns)
{
	uint64_t was, cost;

	if (!rate->per_s || !more)
		return 0;
	if (__builtin_add_overflow(before, more, &cost) || cost > rate->burst)
		return GCRA_NEVER;
	was = atomic_load_explicit(word, memory_order_relaxed);
	for (;;) {
		int64_t wait;
		uint64_t at = arrival(was, rate, more, (uint64_t)now_ns, &wait);

		if (wait)
			return wait;
		if (atomic_compare_exchange_weak_explicit(word, &was, at, memory_order_relaxed,
		                                          memory_order_relaxed))
			return 0;
	}
}

int64_t gcra_wait(const gcra_word *word, const struct gcra_rate *rate, uint64_t cost, int64_t now_ns)
{
	int64_t wait;

	if (!rate->per_s || !cost)
		return 0;
	arrival(atomic_load_explicit(word, memory_order_relaxed), rate, cost, (uint64_t)now_ns,
	        &wait);
	return wait;
}

void gcra_give(gcra_word *word, const struct gcra_rate *rate, uint64_t cost)
{
	if (rate->per_s && cost)
		atomic_fetch_sub_explicit(word, time_of(cost, rate->per_s), memory_order_relaxed);
}
