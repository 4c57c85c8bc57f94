/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write against protobuf-c on generated bodies: the same verdict as the rules over its
 * trees, the same counts, and the value is unpack + remove + add + sort + pack.
 */
#include <criterion/criterion.h>

#include "tests/unit/proto/enrich_rw.h"
#include "tests/unit/proto/oracle_rw.h"
#include "tests/unit/proto/random_rw.h"

static void judge(unsigned version, bool stamp, struct bytes body, uint64_t *accepted)
{
	struct rw_settings s = { .version = version, .stamp = stamp };
	struct rw_outcome o = rw_all(s, body);
	ProtobufCMessage *m = oracle_rw_unpack(version, body);
	uint64_t counts[3], items;
	bool valid;

	cr_assert(m);
	valid = oracle_rw_valid(version, m, body.n);
	cr_assert_eq(valid, o.verdict == V_ACCEPTED || o.verdict == V_EMPTY, "version %u: %s",
	             version, o.e.reason);
	if (valid) {
		oracle_rw_count(version, m, counts, &items);
		cr_assert_eq(items, o.e.items);
		cr_assert_eq(o.verdict == V_EMPTY, items == 0);
		if (version == 2)
			cr_assert_eq(memcmp(counts, o.e.written, sizeof(counts)), 0);
		cr_assert(oracle_rw_equal(version, body, bytes_of(o.value, o.value_n),
		                          stamp ? "tenant_id" : NULL, "acme"));
		++*accepted;
	}
	protobuf_c_message_free_unpacked(m, &sized);
	rw_outcome_done(&o);
}

static void many(unsigned version, bool odd)
{
	static struct random_message r;
	uint64_t accepted = 0, n = 4000;

	r.seed = 88172645463325252u + version;
	r.odd = odd;
	for (uint64_t i = 0; i < n; i++)
		judge(version, i % 3 != 0, random_rw(&r, version), &accepted);
	cr_expect(accepted > n / 4 && accepted < n, "%ju of %ju accepted", (uintmax_t)accepted,
	          (uintmax_t)n);
}

/* P16, P17, R5 */
Test(remote_write_oracle, bodies_of_1_0_as_senders_write_them)
{
	many(1, false);
}

Test(remote_write_oracle, bodies_of_1_0_with_all_liberties)
{
	many(1, true);
}

/* P9, P17, R5 */
Test(remote_write_oracle, bodies_of_2_0_as_senders_write_them)
{
	many(2, false);
}

Test(remote_write_oracle, bodies_of_2_0_with_all_liberties)
{
	many(2, true);
}
