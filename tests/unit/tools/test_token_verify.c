/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/token_verify.c"

#include <criterion/criterion.h>

static const int64_t NOW = 1800000000; /* 2027-01-15T08:00:00Z */
static const char good[] = "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr";

/* O12 */
Test(token_verify, a_form_that_is_wrong_says_how)
{
	char text[] = "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr";

	cr_expect_str_eq(judge_form(bytes_of(good, 40)).verdict, "malformed");
	cr_expect(strstr(judge_form(bytes_of(good, 40)).words, "truncated?"));
	cr_expect_str_eq(
		judge_form(BYTES("hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVrX")).verdict,
		"malformed");
	text[20] = '-';
	cr_expect_str_eq(judge_form(bytes_str(text)).verdict, "malformed");
	text[20] = '\0';
	cr_expect_str_eq(judge_form(bytes_of(text, TOKEN_BYTES)).verdict, "malformed");
	text[20] = 'x';
	cr_expect_str_eq(judge_form(bytes_str(text)).verdict, "checksum");
	cr_expect(strstr(judge_form(bytes_str(text)).words, "truncated?"));
}

static const char *judged(const char *token, const char *tenant)
{
	json_t *row = json_loads(token, 0, NULL), *of = json_loads(tenant, 0, NULL);
	const char *verdict;

	cr_assert(row && of);
	verdict = judge_row(row, of, NOW).verdict;
	json_decref(row);
	json_decref(of);
	return verdict;
}

/* O12 */
Test(token_verify, a_row_is_judged_as_the_gateway_does)
{
	static const char active[] = "{\"state\":\"active\"}";

	cr_expect_str_eq(judged("{}", active), "valid");
	cr_expect_str_eq(judged("{\"revoked_at\":\"2020-01-01T00:00:00Z\"}", active), "revoked");
	cr_expect_str_eq(judged("{\"revoked_at\":\"infinity\"}", active), "revoked",
	                 "any time revokes at once");
	cr_expect_str_eq(judged("{\"expires_at\":\"2027-01-15T08:00:00Z\"}", active), "expired");
	cr_expect_str_eq(judged("{\"expires_at\":\"2027-01-15T08:00:01Z\"}", active), "valid");
	cr_expect_str_eq(judged("{\"expires_at\":\"infinity\"}", active), "valid");
	cr_expect_str_eq(judged("{\"expires_at\":\"-infinity\"}", active), "expired");
	cr_expect_str_eq(judged("{\"not_before\":\"infinity\"}", active), "not-yet-valid");
	cr_expect_str_eq(judged("{\"not_before\":\"-infinity\"}", active), "valid");
	cr_expect_str_eq(judged("{\"not_before\":\"2027-01-15T08:00:01Z\"}", active),
	                 "not-yet-valid");
	cr_expect_str_eq(judged("{\"not_before\":\"2027-01-15T08:00:00Z\"}", active), "valid");
	cr_expect_str_eq(judged("{}", "{\"state\":\"suspended\"}"), "tenant-suspended");
	cr_expect_str_eq(judged("{}", "{\"state\":\"deleting\"}"), "tenant-deleting");
	cr_expect_str_eq(
		judged("{}", "{\"state\":\"active\",\"block_until\":\"2027-01-15T08:00:01Z\"}"),
		"tenant-blocked");
	cr_expect_str_eq(
		judged("{}", "{\"state\":\"active\",\"block_until\":\"2027-01-15T08:00:00Z\"}"),
		"valid");
	cr_expect_str_eq(
		judged("{\"revoked_at\":\"2020-01-01T00:00:00Z\"}", "{\"state\":\"suspended\"}"),
		"revoked", "the token's own fault comes first");
}

/* ---- rows of one hash ---- */

static json_t *test_tenants(struct registry *s, const char *id, int *code)
{
	(void)s, (void)code;
	return json_pack("[{s:s,s:s}]", "id", id, "state", "active");
}

static const struct registry_kind test_kind = { .name = "test", .tenants = test_tenants };

static const char *of_rows(const char *text)
{
	struct registry s = { .kind = &test_kind };
	json_t *rows = json_loads(text, 0, NULL), *row = NULL;
	const char *verdict;
	int code = 0;

	cr_assert_not_null(rows);
	verdict = judge_rows(&s, rows, &row, &code).verdict;
	json_decref(rows);
	return verdict;
}

Test(token_verify, rows_of_one_hash_are_one_secret_or_nobodys)
{
	cr_expect_str_eq(of_rows("[]"), "unknown");
	cr_expect_str_eq(of_rows("[{\"tenant\":\"a\"}]"), "valid");
	cr_expect_str_eq(of_rows("[{\"tenant\":\"a\"},{\"tenant\":\"b\"}]"), "ambiguous");
	cr_expect_str_eq(of_rows("[{\"tenant\":\"a\"},{\"tenant\":\"a\",\"revoked_at\":\"2020-01-"
	                         "01T00:00:00Z\"}]"),
	                 "revoked");
	cr_expect_str_eq(of_rows("[{\"tenant\":\"a\",\"revoked_at\":\"2020-01-01T00:00:00Z\"},{"
	                         "\"tenant\":\"a\"}]"),
	                 "revoked");
}

static bool is_said(const char *text, const char *verdict)
{
	return strcmp(of_rows(text), verdict) == 0;
}

/* R14 */
Test(token_verify, a_row_that_the_gateway_leaves_out_is_not_valid)
{
	cr_expect(is_said("[{\"tenant\":\"a\",\"left_out\":\"its kind\"}]", "left-out"));
	cr_expect(is_said("[{\"tenant\":\"a\",\"left_out\":\"x\"},{\"tenant\":\"b\"}]", "valid"));
	cr_expect(is_said("[{\"tenant\":\"a\"},{\"tenant\":\"b\",\"left_out\":\"x\"}]", "valid"));
	cr_expect(is_said("[{\"tenant\":\"a\"},{\"tenant\":\"b\",\"left_out\":\"x\"},{\"tenant\":"
	                  "\"c\"}]",
	                  "ambiguous"));
}

static bool is_shared(const char *of_id_text, const char *of_hash_text)
{
	json_t *of_id = json_loads(of_id_text, 0, NULL),
	       *of_hash = json_loads(of_hash_text, 0, NULL);
	bool shared;

	cr_assert(of_id && of_hash);
	shared = id_is_shared(of_id, of_hash, json_array_get(of_hash, 0));
	json_decref(of_id);
	json_decref(of_hash);
	return shared;
}

Test(token_verify, an_id_that_another_row_has_too_grants_nothing)
{
	cr_expect_not(is_shared("[{\"id\":\"a\"}]", "[{\"id\":\"a\"}]"));
	cr_expect_not(
		is_shared("[{\"id\":\"a\"},{\"id\":\"a\"}]", "[{\"id\":\"a\"},{\"id\":\"a\"}]"),
		"the same row twice");
	cr_expect(is_shared("[{\"id\":\"a\"},{\"id\":\"a\"}]", "[{\"id\":\"a\"},{\"id\":\"b\"}]"),
	          "one of them has another hash");
	cr_expect(is_shared("[{\"id\":\"a\"},{\"id\":\"a\",\"tenant\":\"x\"}]",
	                    "[{\"id\":\"a\"},{\"id\":\"a\",\"tenant\":\"x\"}]"));
}
