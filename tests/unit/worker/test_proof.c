/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/proof.c"

#include <criterion/criterion.h>

Test(proof, a_copy_needs_nothing_of_what_it_was_copied_from)
{
	char subject[] = "sub", email[] = "a@b", issuer[] = "https://i", challenge[] = "Bearer x",
	     claims[] = "{\"a\":1}", one[] = "acme", two[] = "globex";
	const char *tenants[] = { one, two };
	struct proof_key keys[] = { { 1000, { 1 } }, { 7, { 2 } } };
	struct proof from = { .method = METHOD_JWT, .subject = subject, .email = email,
		              .issuer = issuer, .challenge = challenge, .claims = BYTES("{\"a\":1}"),
		              .tenants = tenants, .tenant_count = 2, .keys = keys, .key_count = 2,
		              .not_after = 5 };
	struct proof *p;

	from.claims = bytes_str(claims);
	p = proof_copy(&from);
	memset(subject, 'x', 3);
	memset(claims, 'x', 7);
	memset(one, 'x', 4);
	memset(keys, 0, sizeof(keys));
	tenants[1] = NULL;
	cr_assert_str_eq(p->subject, "sub");
	cr_assert_str_eq(p->email, "a@b");
	cr_assert_str_eq(p->issuer, "https://i");
	cr_assert_str_eq(p->challenge, "Bearer x");
	cr_assert(bytes_eq(p->claims, BYTES("{\"a\":1}")));
	cr_assert_str_eq(p->tenants[0], "acme");
	cr_assert_str_eq(p->tenants[1], "globex");
	cr_assert(p->keys[0].iterations == 1000 && p->keys[1].derived[0] == 2);
	cr_assert(p->method == METHOD_JWT && p->not_after == 5);
	free(p);
}

Test(proof, what_is_unknown_stays_unknown)
{
	struct proof *p = proof_copy(&(struct proof){ .result = AUTH_EXPIRED, .why = "expired" });

	cr_assert_null(p->subject);
	cr_assert_null(p->challenge);
	cr_assert_eq(p->claims.n, 0);
	cr_assert_eq(p->tenant_count + p->key_count, 0);
	cr_assert_str_eq(p->why, "expired");
	free(p);
}
