/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sources.c"

#include <criterion/criterion.h>

static const struct gcra_rate rate = { 1, 2 };
static const int64_t now = INT64_C(1000000000000);

static void client_of(uint32_t n, uint8_t client[static 16])
{
	memset(client, 0, 16);
	client[10] = client[11] = 0xff;
	memcpy(client + 12, &n, sizeof(n));
}

Test(sources, each_address_has_its_own_budget)
{
	struct sources *s = sources_new(NULL);
	uint8_t a[16], b[16];

	client_of(1, a);
	client_of(2, b);
	cr_assert(sources_take(s, a, &rate, now) && sources_take(s, a, &rate, now));
	cr_assert_not(sources_take(s, a, &rate, now));
	cr_assert(sources_take(s, b, &rate, now));
	cr_assert(sources_take(s, a, &rate, now + 1000000000));
	cr_assert_not(sources_take(s, a, &rate, now + 1000000000));
	sources_free(s);
}

Test(sources, all_of_an_ipv6_net_are_one_source)
{
	struct sources *s = sources_new(NULL);
	uint8_t a[16] = { 0x20, 1, [15] = 1 }, b[16] = { 0x20, 1, [15] = 2 }, c[16] = { 0x20, 2 };

	cr_assert(sources_take(s, a, &rate, now) && sources_take(s, b, &rate, now));
	cr_assert_not(sources_take(s, a, &rate, now));
	cr_assert(sources_take(s, c, &rate, now));
	sources_free(s);
}

Test(sources, a_flood_of_addresses_takes_no_more_room_and_forgets_the_quiet_ones)
{
	struct sources *s = sources_new(NULL);
	uint8_t client[16];

	for (uint32_t n = 1; n <= 4 * SETS * WAYS; n++) {
		client_of(n, client);
		cr_assert(sources_take(s, client, &rate, now + n));
		cr_assert(sources_take(s, client, &rate, now + n));
		cr_assert_not(sources_take(s, client, &rate, now + n), "%u", n);
	}
	sources_free(s);
}
