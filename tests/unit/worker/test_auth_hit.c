/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/auth_hit.c"

#include "tests/unit/worker/fixture.h"

static enum auth_say check(struct fixture *f, const char *secret)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct snapshot_hit hit;

	f->r.who = (struct identity){ .method = METHOD_TOKEN };
	hasher_sha256(f->w.hasher, bytes_str(secret), digest);
	cr_assert(snapshot_find(f->w.table, digest, &hit));
	return auth_judge_hit(&f->r, &hit, &f->r.who);
}

static struct fixture *open_with_request(void)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	return f;
}

Test(auth_hit, an_address_is_matched_bit_by_bit)
{
	static const struct {
		uint8_t last[4];
		bool allowed;
	} cases[] = { { { 10, 1, 2, 0 }, true },
		      { { 10, 1, 3, 255 }, true },
		      { { 10, 1, 4, 0 }, false },
		      { { 10, 1, 1, 255 }, false },
		      { { 11, 1, 2, 0 }, false } };
	static const struct snapshot_cidr all = { { 0 }, 0 }, one = { { [15] = 1 }, 128 },
					  odd = { { 0x20, 1, 0xd }, 19 };
	struct fixture *f = open_with_request();
	uint8_t client[16] = { [15] = 1 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		memcpy(f->r.client + 12, cases[i].last, 4);
		cr_assert_eq(check(f, "secret-cidr"), cases[i].allowed ? AUTH_YES : AUTH_NO, "%zu",
		             i);
	}
	cr_assert(address_matches(&all, client) && address_matches(&one, client));
	client[15] = 2;
	cr_assert(address_matches(&all, client) && !address_matches(&one, client));
	memcpy(client, (const uint8_t[]){ 0x20, 1, 0x1f }, 3);
	cr_assert(address_matches(&odd, client));
	client[2] = 0x2f;
	cr_assert(!address_matches(&odd, client));
	fixture_close(f);
}
