/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/auth_token.c"

#include "tests/unit/worker/fixture.h"

static enum auth_say check(struct fixture *f, const char *secret)
{
	struct credential c = { .secret = bytes_str(secret), .method = METHOD_TOKEN };

	c.form = token_form(c.secret);
	hasher_sha256(f->w.hasher, c.secret, c.digest);
	f->r.who = (struct identity){ .method = METHOD_TOKEN };
	return auth_token.check(&f->w, &f->r, &c, &f->r.who);
}

static struct fixture *open_with_request(void)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	return f;
}

/* R12 */
Test(auth_token, the_vector_of_the_format_is_known_and_any_changed_character_is_not)
{
	struct fixture *f = open_with_request();
	char token[TOKEN_BYTES + 1];

	cr_assert_eq(check(f, FIXTURE_HGT), AUTH_YES);
	cr_assert_str_eq(f->r.who.token, "0123ABcd");
	for (size_t i = 4; i < TOKEN_BYTES; i++) {
		memcpy(token, FIXTURE_HGT, sizeof(token));
		token[i] = token[i] == 'x' ? 'y' : 'x';
		cr_assert_eq(check(f, token), AUTH_NO);
		cr_assert_eq(f->r.who.result, AUTH_MALFORMED, "%zu", i);
		cr_assert_str_eq(f->r.who.token,
		                 ""); /* no digits of a hash */
	}
	fixture_close(f);
}

Test(auth_token, what_a_request_needs_is_copied_out_of_the_table)
{
	struct fixture *f = open_with_request();

	cr_assert_eq(check(f, "secret-acme"), AUTH_YES);
	snapshot_unmap(f->w.table); /* the master sent a newer one */
	f->w.table = NULL;
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(f->r.who.tenant_n, 4);
	cr_assert_str_eq(f->r.who.token, "t-acme");
	cr_assert_eq(f->r.who.tenant_ordinal, 1);
	cr_assert_eq(f->r.who.scopes, SCOPE_ALL);
	fixture_close(f);
}

/* R13: by the wall clock, on the next request */
Test(auth_token, a_token_is_valid_from_its_first_to_before_its_last_moment)
{
	struct fixture *f = open_with_request();

	cr_assert_eq(check(f, "secret-future"), AUTH_NO);
	cr_assert_eq(check(f, "secret-expired"), AUTH_NO);
	cr_assert_eq(check(f, "secret-replaced"), AUTH_YES);
	cr_assert(f->r.who.replaced);
	loop_set_clock(loop_now_ns(), FIXTURE_NOW_S * 1000000000 - 1000);
	cr_assert_eq(check(f, "secret-expired"), AUTH_YES);
	loop_set_clock(loop_now_ns(), (FIXTURE_NOW_S + 1) * 1000000000 - 1);
	cr_assert_eq(check(f, "secret-future"), AUTH_NO);
	loop_set_clock(loop_now_ns(), (FIXTURE_NOW_S + 1) * 1000000000);
	cr_assert_eq(check(f, "secret-future"), AUTH_YES);
	cr_assert_eq(check(f, "secret-replaced"), AUTH_NO);
	cr_assert_eq(f->r.who.result, AUTH_EXPIRED);
	fixture_close(f);
}

Test(auth_token, an_unknown_token_is_for_others_to_judge)
{
	struct fixture *f = open_with_request();

	cr_assert_eq(check(f, "abc"), AUTH_NOT_MINE);
	fixture_close(f);
}
