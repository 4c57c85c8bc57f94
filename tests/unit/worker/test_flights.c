/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/flights.c"

#include <criterion/criterion.h>

static const uint8_t one[TOKEN_DIGEST_BYTES] = { 1 };
static const uint8_t two[TOKEN_DIGEST_BYTES] = { 1, [31] = 2 }; /* of the same chain */

struct heard {
	struct flights *f;
	uint64_t handles[8];
	size_t count;
	bool again; /* asks anew from within */
};

static void told(void *arg, uint64_t handle)
{
	struct heard *h = arg;

	h->handles[h->count++] = handle;
	if (h->again)
		cr_assert(flights_wait(h->f, one, 100 + handle));
}

Test(flights, all_who_wait_for_one_digest_are_told_once_in_their_order)
{
	struct heard h = { .f = flights_new() };

	cr_assert_not(flights_has(h.f, one));
	for (uint64_t n = 1; n <= 6; n++)
		cr_assert(flights_wait(h.f, one, n));
	cr_assert(flights_wait(h.f, two, 9));
	cr_assert_eq(flights_count(h.f), 2);
	flights_land(h.f, one, told, &h);
	cr_assert_eq(h.count, 6);
	for (uint64_t n = 0; n < 6; n++)
		cr_assert_eq(h.handles[n], n + 1);
	cr_assert(!flights_has(h.f, one) && flights_has(h.f, two));
	flights_land(h.f, one, told, &h);
	cr_assert_eq(h.count, 6);
	flights_free(h.f);
}

Test(flights, who_is_told_may_ask_again)
{
	struct heard h = { .f = flights_new(), .again = true };

	cr_assert(flights_wait(h.f, one, 1));
	cr_assert(flights_wait(h.f, one, 2));
	flights_land(h.f, one, told, &h);
	cr_assert_eq(h.count, 2);
	h.again = false;
	flights_land(h.f, one, told, &h);
	cr_assert_eq(h.count, 4);
	cr_assert_eq(h.handles[3], 102);
	flights_free(h.f);
}

Test(flights, there_is_an_end_to_them)
{
	struct flights *f = flights_new();
	uint8_t digest[TOKEN_DIGEST_BYTES] = { 0 };

	for (uint32_t n = 0; n < FLIGHTS_MAX; n++) {
		memcpy(digest, &n, sizeof(n));
		cr_assert(flights_wait(f, digest, n));
	}
	digest[31] = 1;
	cr_assert_not(flights_wait(f, digest, 1));
	digest[31] = 0;
	for (unsigned n = 1; n < FLIGHT_WAITERS_MAX; n++)
		cr_assert(flights_wait(f, digest, n));
	cr_assert_not(flights_wait(f, digest, 1));
	flights_free(f);
}
