/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

/* The reader's rows come here, not into a set. */
#define tenants_put_tenant fake_put_tenant
#define tenants_put_token fake_put_token
#define tenants_drop_tenant fake_drop_tenant
#define tenants_drop_token fake_drop_token
#define tenants_skip fake_skip
#include "master/pg_rows.c"

static struct {
	unsigned tenants, tokens, dropped_tenants, dropped_tokens, skipped;
	enum skip_reason why;
	struct tenant_row tenant;
	struct token_row token; /* its texts are gone when the test looks; numbers stay */
	struct snapshot_cidr cidrs[FIELD_CIDRS_MAX];
	char id[64], of[64], kind[16];
	uint8_t hash[32];
} put;

static void keep(char *out, size_t cap, struct bytes text)
{
	snprintf(out, cap, "%.*s", (int)text.n, (const char *)text.p);
}

void tenants_put_tenant(struct tenants *t, const struct tenant_row *row)
{
	(void)t;
	put.tenants++;
	put.tenant = *row;
	keep(put.id, sizeof(put.id), row->id);
}

void tenants_put_token(struct tenants *t, const struct token_row *row)
{
	(void)t;
	put.tokens++;
	put.token = *row;
	keep(put.id, sizeof(put.id), row->id);
	keep(put.of, sizeof(put.of), row->tenant);
	keep(put.kind, sizeof(put.kind), row->kind);
	memcpy(put.hash, row->hash.p, min_size(row->hash.n, sizeof(put.hash)));
	memcpy(put.cidrs, row->cidrs, row->cidr_count * sizeof(*row->cidrs));
}

void tenants_drop_tenant(struct tenants *t, struct bytes id)
{
	(void)t;
	put.dropped_tenants++;
	keep(put.id, sizeof(put.id), id);
}

void tenants_drop_token(struct tenants *t, struct bytes id)
{
	(void)t;
	put.dropped_tokens++;
	keep(put.id, sizeof(put.id), id);
}

void tenants_skip(struct tenants *t, enum skip_reason why, struct bytes what)
{
	(void)t;
	put.skipped++;
	put.why = why;
	keep(put.id, sizeof(put.id), what);
}

/* ---- a COPY under construction ---- */

static uint8_t stream[64 * KIB];
static size_t used;

static void add(const void *p, size_t n)
{
	memcpy(stream + used, p, n);
	used += n;
}

static void add_be(uint64_t v, unsigned bytes)
{
	while (bytes-- > 0) {
		uint8_t b = (uint8_t)(v >> 8 * bytes);

		add(&b, 1);
	}
}

static void begin_copy(void)
{
	used = 0;
	add("PGCOPY\n\377\r\n\0", 11);
	add_be(0, 8);
}

static void text(const char *s)
{
	if (!s) {
		add_be(UINT32_MAX, 4);
		return;
	}
	add_be(strlen(s), 4);
	add(s, strlen(s));
}

static void boolean(int v)
{
	add_be(1, 4);
	add_be((uint64_t)v, 1);
}

static void us(int64_t v)
{
	add_be(8, 4);
	add_be((uint64_t)v, 8);
}

static void null(void)
{
	text(NULL);
}

/* A text[] of the words between commas; "": an empty one. NULL: none. */
static void list(const char *words)
{
	unsigned n = words && *words ? 1 : 0;

	if (!words) {
		null();
		return;
	}
	for (const char *p = words; *p; p++)
		n += *p == ',';
	add_be(n == 0 ? 12 : 12 + 8 + 4 * n + strlen(words) - (n - 1), 4);
	add_be(n > 0, 4); /* dimensions */
	add_be(0, 4); /* no NULLs */
	add_be(25, 4); /* text */
	if (n > 0) {
		add_be(n, 4);
		add_be(1, 4);
	}
	for (; n > 0; n--) {
		size_t bytes = strcspn(words, ",");

		add_be(bytes, 4);
		add(words, bytes);
		words += bytes + 1;
	}
}

static void nulls(int from, int to)
{
	for (; from < to; from++)
		null();
}

static void hash(unsigned n)
{
	add_be(n, 4);
	for (unsigned i = 0; i < n; i++)
		add_be(i, 1);
}

/* A record of a token's parts: they follow, each by part(), and record_ends(). */
static size_t record_at;

static void record_begins(void)
{
	record_at = used;
	add_be(0, 4); /* its length, once that is known */
	add_be(TOKEN_PARTS, 4);
}

static void part(void)
{
	add_be(25, 4); /* a type: nobody looks at it */
}

static void record_ends(void)
{
	size_t end = used;

	used = record_at;
	add_be(end - record_at - 4, 4);
	used = end;
}

static void end_copy(void)
{
	add_be(UINT16_MAX, 2);
}

static void tenant(const char *id, const char *state)
{
	add_be(TENANT_COLUMNS, 2);
	text(id);
	text(state);
	nulls(2, TENANT_COLUMNS);
}

static void token_with(const char *scopes, const char *cidrs)
{
	add_be(TOKEN_COLUMNS, 2);
	text("tok1");
	text("acme");
	hash(32);
	record_begins();
	part(), text("sha256");
	part(), list(scopes);
	part(), null();
	part(), null();
	part(), boolean(0);
	part(), boolean(0);
	part(), list(cidrs);
	part(), null();
	record_ends();
}

static int feed_all(enum pg_copy what, size_t at_once, bool *whole, struct err *err)
{
	struct copy_reader r;
	int rc = 0;

	memset(&put, 0, sizeof(put));
	copy_start(&r, what, NULL);
	for (size_t at = 0; at < used && rc == 0; at += at_once)
		rc = copy_feed(&r, bytes_of(stream + at, min_size(at_once, used - at)), err);
	*whole = copy_is_whole(&r);
	copy_done(&r);
	return rc;
}

static void accepted(enum pg_copy what)
{
	struct err err = { "" };
	bool whole;

	cr_assert_eq(feed_all(what, used, &whole, &err), 0, "%s", err.text);
	cr_assert(whole);
}

static void refused(enum pg_copy what, const char *why)
{
	struct err err = { "" };
	bool whole;

	cr_assert_eq(feed_all(what, used, &whole, &err), -1);
	cr_assert(strstr(err.text, why), "%s", err.text);
}

Test(pg_rows, a_tenant_comes_out_with_all_columns)
{
	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	text("acme");
	text("suspended");
	us(852076800000001); /* 2027-01-01 and a microsecond */
	text("a.");
	for (int64_t limit = 1; limit <= LIMIT_NAMES; limit++)
		us(limit);
	end_copy();
	accepted(COPY_TENANTS);
	cr_assert_eq(put.tenants, 1);
	cr_assert_str_eq(put.id, "acme");
	cr_assert_eq(put.tenant.state, TENANT_SUSPENDED);
	cr_assert_eq(put.tenant.block_until, 1798761601); /* a block does not end early */
	cr_assert(bytes_eq(put.tenant.topic_prefix, BYTES("a.")));
	cr_assert_eq(put.tenant.limits.rates[LIMIT_REQUESTS].per_s, 1);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_REQUESTS].burst, 2);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_ITEMS].burst, 6);
	cr_assert_eq(put.tenant.limits.max_body_bytes, 7);
	cr_assert_eq(put.tenant.limits.max_inflight_bytes, 8);
	cr_assert_eq(put.tenant.limits.max_inflight_requests, 9);
}

static void limited(int64_t requests_per_s, int64_t requests_burst)
{
	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	text("acme");
	text("active");
	null();
	null();
	us(requests_per_s);
	us(requests_burst);
	nulls(FIRST_LIMIT + 2, TENANT_COLUMNS);
	end_copy();
}

Test(pg_rows, limits_that_the_schema_forbids_are_refused)
{
	limited(1, 1);
	accepted(COPY_TENANTS);
	limited(0, 1);
	refused(COPY_TENANTS, "another type");
	limited(5, -1);
	refused(COPY_TENANTS, "another type");
	begin_copy();
	tenant("acme", "active");
	end_copy();
	accepted(COPY_TENANTS);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_REQUESTS].per_s, 0, "no limit");
}

Test(pg_rows, a_token_comes_out_with_all_columns)
{
	begin_copy();
	add_be(TOKEN_COLUMNS, 2);
	text("tok1");
	text("acme");
	hash(20);
	record_begins();
	part(), text("pbkdf2");
	part(), list("traces:write,logs:write");
	part(), us(0);
	part(), us(INT64_MAX);
	part(), boolean(1);
	part(), boolean(1);
	part(), list("10.0.0.0/8,2001:db8::/32");
	part(), us(1000); /* an int8 like any other: iterations */
	record_ends();
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.tokens, 1);
	cr_assert_str_eq(put.id, "tok1");
	cr_assert_str_eq(put.of, "acme");
	cr_assert_str_eq(put.kind, "pbkdf2");
	cr_assert_eq(put.token.hash.n, 20);
	cr_assert_eq(put.hash[19], 19);
	cr_assert_eq(put.token.scopes, 1u << SIGNAL_TRACES | 1u << SIGNAL_LOGS);
	cr_assert_eq(put.token.not_before, 946684800000000);
	cr_assert_eq(put.token.not_after, INT64_MAX); /* infinity */
	cr_assert(put.token.revoked && put.token.replaced);
	cr_assert_eq(put.token.iterations, 1000);
	cr_assert_eq(put.token.cidr_count, 2);
	cr_assert_eq(put.cidrs[0].prefix, 96 + 8);
	cr_assert_eq(put.cidrs[0].addr[12], 10);
	cr_assert_eq(put.cidrs[1].prefix, 32);
}

Test(pg_rows, a_token_without_a_record_is_an_ordinary_one)
{
	begin_copy();
	add_be(TOKEN_COLUMNS, 2);
	text("tok1");
	text("acme");
	hash(32);
	null();
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.tokens, 1);
	cr_assert_str_eq(put.kind, "sha256");
	cr_assert_eq(put.hash[31], 31);
	cr_assert_eq(put.token.not_before, INT64_MIN);
	cr_assert_eq(put.token.not_after, INT64_MAX);
	cr_assert_eq(put.token.scopes, SCOPE_ALL);
	cr_assert_not(put.token.revoked || put.token.replaced);
	cr_assert_eq(put.token.cidr_count, 0);
	cr_assert_eq(put.token.iterations, 0);
}

Test(pg_rows, nulls_are_open_ends_and_any_address)
{
	begin_copy();
	token_with("*", NULL);
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.token.not_before, INT64_MIN);
	cr_assert_eq(put.token.not_after, INT64_MAX);
	cr_assert_eq(put.token.scopes, SCOPE_ALL);
	cr_assert_eq(put.token.cidr_count, 0);
}

Test(pg_rows, a_missing_row_is_dropped)
{
	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	text("gone");
	nulls(1, TENANT_COLUMNS);
	end_copy();
	accepted(COPY_TENANTS);
	cr_assert_eq(put.dropped_tenants, 1);
	cr_assert_str_eq(put.id, "gone");

	begin_copy();
	add_be(TOKEN_COLUMNS, 2);
	text("gone");
	nulls(1, TOKEN_COLUMNS - 1);
	record_begins(); /* of an outer join: its kind is not sha256 */
	for (int i = 0; i < TOKEN_PARTS; i++) {
		part();
		if (i == 4 || i == 5)
			boolean(0);
		else
			null();
	}
	record_ends();
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.dropped_tokens, 1);
	cr_assert_eq(put.tokens, 0);
}

Test(pg_rows, a_state_of_a_later_schema_grants_nothing)
{
	begin_copy();
	tenant("acme", "frozen");
	end_copy();
	accepted(COPY_TENANTS);
	cr_assert_eq(put.tenant.state, TENANT_DELETING);
}

Test(pg_rows, unknown_scopes_and_addresses_leave_the_row_out)
{
	begin_copy();
	token_with("traces:write,admin", NULL);
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.skipped, 1);
	cr_assert_eq(put.why, SKIP_SCOPE);
	cr_assert_str_eq(put.id, "tok1");
	begin_copy();
	token_with("*", "10.0.0.0/33");
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.why, SKIP_OTHER);
	begin_copy();
	token_with("*", ""); /* a list of none is not "from anywhere" */
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.skipped, 1);
	cr_assert_eq(put.tokens, 0);
	begin_copy();
	token_with("", NULL); /* no scope at all is allowed: it may do nothing */
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.tokens, 1);
	cr_assert_eq(put.token.scopes, 0);
}

Test(pg_rows, at_most_64_addresses)
{
	char list[64 * 16] = "1.1.1.1/32";

	for (int i = 1; i < 64; i++)
		strcat(list, ",1.1.1.1/32");
	begin_copy();
	token_with("*", list);
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.token.cidr_count, 64);
	strcat(list, ",1.1.1.1/32");
	begin_copy();
	token_with("*", list);
	end_copy();
	accepted(COPY_TOKENS);
	cr_assert_eq(put.why, SKIP_OTHER);
}

Test(pg_rows, rows_cut_anywhere_are_the_same_rows)
{
	begin_copy();
	for (int i = 0; i < 20; i++)
		tenant("acme", "active");
	end_copy();
	for (size_t at_once = 1; at_once <= used; at_once++) {
		bool whole;

		cr_assert_eq(feed_all(COPY_TENANTS, at_once, &whole, NULL), 0);
		cr_assert(whole);
		cr_assert_eq(put.tenants, 20);
	}
}

Test(pg_rows, every_truncation_is_seen)
{
	size_t all;

	begin_copy();
	tenant("acme", "active");
	tenant("globex", "active");
	end_copy();
	all = used;
	for (used = 0; used < all; used++) {
		bool whole;

		cr_assert_eq(feed_all(COPY_TENANTS, all, &whole, NULL), 0);
		cr_assert_not(whole);
	}
}

Test(pg_rows, what_is_no_copy_of_ours_is_refused)
{
	begin_copy();
	stream[3] ^= 1;
	end_copy();
	refused(COPY_TENANTS, "not a binary COPY");
	begin_copy();
	stream[11] = 1; /* a critical flag */
	end_copy();
	refused(COPY_TENANTS, "not a binary COPY");
	begin_copy();
	tenant("acme", "active");
	end_copy();
	refused(COPY_TOKENS, "a row of 13 columns, not 4");
	begin_copy();
	end_copy();
	end_copy();
	refused(COPY_TENANTS, "bytes after the end");
	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	text("acme");
	text("active");
	null();
	null();
	text("one"); /* no int8 */
	nulls(FIRST_LIMIT + 1, TENANT_COLUMNS);
	refused(COPY_TENANTS, "a column of another type");
	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	null(); /* no key */
	text("active");
	nulls(2, TENANT_COLUMNS);
	refused(COPY_TENANTS, "a column of another type");
	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	text("acme");
	text("active");
	text("2027"); /* a time is 8 bytes */
	nulls(3, TENANT_COLUMNS);
	refused(COPY_TENANTS, "a column of another type");
	begin_copy();
	add_be(TOKEN_COLUMNS, 2);
	text("tok1");
	text("acme");
	hash(32);
	text("(sha256,{*})"); /* no record */
	end_copy();
	refused(COPY_TOKENS, "a column of another type");
	begin_copy();
	add_be(TOKEN_COLUMNS, 2);
	text("tok1");
	text("acme");
	hash(32);
	record_begins();
	for (int i = 0; i < TOKEN_PARTS; i++)
		part(), null(); /* whether it is revoked nobody says */
	record_ends();
	end_copy();
	refused(COPY_TOKENS, "a column of another type");
}

Test(pg_rows, a_row_that_never_ends_is_given_up)
{
	static uint8_t much[MIB];
	struct copy_reader r;
	struct err err = { "" };
	int rc;

	begin_copy();
	add_be(TENANT_COLUMNS, 2);
	add_be(0x7fffffff, 4);
	copy_start(&r, COPY_TENANTS, NULL);
	rc = copy_feed(&r, bytes_of(stream, used), &err);
	for (int i = 0; i < 8 && rc == 0; i++)
		rc = copy_feed(&r, bytes_of(much, sizeof(much)), &err);
	cr_assert_eq(rc, -1);
	cr_assert(strstr(err.text, "a row of more than"), "%s", err.text);
	copy_done(&r);
}

Test(pg_rows, changes_are_asked_for_by_snapshot_and_never_by_order)
{
	struct buf sql;

	buf_init(&sql, MIB);
	pg_rows_changes(&sql, "100:105:100,102");
	buf_char(&sql, '\0');
	cr_assert_not(sql.failed);
	cr_assert(strstr(sql.p,
	                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off;") ==
	          sql.p);
	cr_assert(strstr(sql.p, "xid >= pg_snapshot_xmin('100:105:100,102'::pg_snapshot)"));
	cr_assert(strstr(sql.p, "NOT pg_visible_in_snapshot(xid, '100:105:100,102'::pg_snapshot)"));
	cr_assert(strstr(sql.p, "LEFT JOIN headgate.gateway_token"));
	cr_assert(strcmp(sql.p + strlen(sql.p) - 6, "COMMIT") ==
	          0); /* never idle within a transaction */
	buf_done(&sql);
}

Test(pg_rows, only_a_snapshot_gets_into_a_statement)
{
	cr_assert(pg_snapshot_ok("100:105:100,102"));
	cr_assert(pg_snapshot_ok("1:1:"));
	cr_assert_not(pg_snapshot_ok(""));
	cr_assert_not(pg_snapshot_ok("1:1:'; DROP TABLE x"));
	cr_assert_not(pg_snapshot_ok("1:1: "));
}
