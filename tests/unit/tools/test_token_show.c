/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/token_show.c"

#include <criterion/criterion.h>

static const int64_t NOW = 1800000000; /* 2027-01-15T08:00:00Z */

static bool unused_for_a_day(const char *row_text)
{
	json_t *row = json_loads(row_text, 0, NULL);
	bool unused;

	cr_assert_not_null(row);
	unused = is_unused(row, NOW - DAY_S);
	json_decref(row);
	return unused;
}

Test(token_show, a_new_token_is_not_unused_for_long)
{
	cr_expect(unused_for_a_day("{\"last_used_at\":\"2027-01-14T07:59:59Z\"}"));
	cr_expect_not(unused_for_a_day("{\"last_used_at\":\"2027-01-14T08:00:00Z\"}"));
	cr_expect(unused_for_a_day("{\"created_at\":\"2027-01-14T07:59:59Z\"}"));
	cr_expect_not(unused_for_a_day("{\"created_at\":\"2027-01-15T07:00:00Z\"}"));
	cr_expect_not(unused_for_a_day("{\"last_used_at\":\"2027-01-15T07:00:00Z\","
	                               "\"created_at\":\"2026-01-01T00:00:00Z\"}"));
	cr_expect(unused_for_a_day("{}"), "what the gateway's role may not see");
}

static const char *standing(const char *row_text)
{
	json_t *row = json_loads(row_text, 0, NULL);
	const char *text;

	cr_assert_not_null(row);
	text = standing_of(row, NOW);
	json_decref(row);
	return text;
}

Test(token_show, how_a_token_stands_is_one_word)
{
	cr_expect_str_eq(standing("{}"), "valid");
	cr_expect_str_eq(standing("{\"replaced_by\":\"x\"}"), "replaced");
	cr_expect_str_eq(standing("{\"not_before\":\"2027-01-15T08:00:01Z\"}"), "not yet");
	cr_expect_str_eq(standing("{\"expires_at\":\"2027-01-15T08:00:00Z\"}"), "expired");
	cr_expect_str_eq(standing("{\"expires_at\":\"-infinity\"}"), "expired");
	cr_expect_str_eq(standing("{\"not_before\":\"infinity\"}"), "not yet");
	cr_expect_str_eq(standing("{\"expires_at\":\"infinity\"}"), "valid");
	cr_expect_str_eq(standing("{\"revoked_at\":\"infinity\"}"), "revoked");
	cr_expect_str_eq(standing("{\"left_out\":\"x\",\"revoked_at\":\"infinity\"}"), "left out");
}
