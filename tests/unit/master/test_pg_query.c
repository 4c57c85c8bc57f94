/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Without a server: columns, statements and what becomes of rows. The whole, against a real
 * PostgreSQL, is in tests/way.
 */
#include <criterion/criterion.h>

#define tenants_put_tenant fake_put_tenant
#define tenants_put_token fake_put_token
#define tenants_skip fake_skip
#include "master/pg_query.c"

static struct {
	unsigned tenants, tokens, skipped;
	enum skip_reason why;
	struct tenant_row tenant; /* the last one's numbers */
	struct token_row token;
	struct snapshot_cidr cidrs[FIELD_CIDRS_MAX];
	char ids[256]; /* of tenants as they came, a blank after each */
	char id[64], of[64], kind[16];
} put;

static void keep(char *out, size_t cap, struct bytes text)
{
	snprintf(out, cap, "%.*s", (int)text.n, (const char *)text.p);
}

void tenants_put_tenant(struct tenants *t, const struct tenant_row *row)
{
	size_t n = strlen(put.ids);

	(void)t;
	put.tenants++;
	put.tenant = *row;
	snprintf(put.ids + n, sizeof(put.ids) - n, "%.*s ", (int)row->id.n,
	         (const char *)row->id.p);
}

void tenants_put_token(struct tenants *t, const struct token_row *row)
{
	(void)t;
	put.tokens++;
	put.token = *row;
	keep(put.id, sizeof(put.id), row->id);
	keep(put.of, sizeof(put.of), row->tenant);
	keep(put.kind, sizeof(put.kind), row->kind);
	memcpy(put.cidrs, row->cidrs, row->cidr_count * sizeof(*row->cidrs));
}

void tenants_skip(struct tenants *t, enum skip_reason why, struct bytes what)
{
	(void)t;
	put.skipped++;
	put.why = why;
	keep(put.id, sizeof(put.id), what);
}

static struct pg_query *q;

static void describe(const char *const *names, unsigned count)
{
	struct err err = { "" };

	q = pg_query_new("SELECT * FROM keys", &err);
	cr_assert(q);
	cr_assert_eq(pg_query_describe(q, names, count, &err), 0, "%s", err.text);
	memset(&put, 0, sizeof(put));
}
#define DESCRIBE(...)                                                                              \
	describe((const char *const[]){ __VA_ARGS__ },                                             \
	         sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void end(void)
{
	pg_query_free(q);
	q = NULL;
}

TestSuite(pg_query, .fini = end);

static const char *statement(void (*make)(const struct pg_query *, struct buf *))
{
	static char text[4096];
	struct buf out;

	buf_init_fixed(&out, text, sizeof(text) - 1);
	make(q, &out);
	cr_assert_not(out.failed);
	text[out.n] = '\0';
	return text;
}

/* ---- columns ---- */

static void refused(const char *said, const char *const *names, unsigned count)
{
	struct err err = { "" };

	q = pg_query_new("SELECT 1", NULL);
	cr_assert_eq(pg_query_describe(q, names, count, &err), -1);
	cr_assert_str_eq(err.text, said);
	end();
}
#define REFUSED(said, ...)                                                                         \
	refused(said, (const char *const[]){ __VA_ARGS__ },                                        \
	        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

Test(pg_query, columns_that_are_unknown_or_missing_are_named)
{
	REFUSED("tenants.query: unknown column 'colour', 'Hash'; no column 'hash'", "tenant_id",
	        "colour", "Hash");
	REFUSED("tenants.query: no column 'tenant_id', 'hash'", "token_id");
	REFUSED("tenants.query: twice 'hash'", "tenant_id", "hash", "hash");
	REFUSED("tenants.query: unknown column 'a\\x0ab'", "tenant_id", "hash", "a\nb");
}

Test(pg_query, every_column_of_a_token_and_its_tenant_is_known)
{
	DESCRIBE("tenant_id", "hash", "token_id", "kind", "iterations", "state", "scopes",
	         "not_before", "expires_at", "revoked_at", "allowed_cidrs", "block_until",
	         "requests_per_s", "requests_burst", "bytes_per_s", "bytes_burst", "items_per_s",
	         "items_burst", "max_body_bytes", "max_inflight_bytes", "max_inflight_requests");
	cr_assert_eq(pg_query_columns(q), 21);
}

Test(pg_query, a_new_description_takes_the_place_of_the_last)
{
	DESCRIBE("tenant_id", "hash", "state", "bytes_per_s");
	cr_assert_eq(pg_query_columns(q), 4);
	cr_assert_eq(pg_query_describe(q, (const char *const[]){ "hash", "tenant_id" }, 2, NULL),
	             0);
	cr_assert_eq(pg_query_columns(q), 2);
}

/* ---- statements ---- */

Test(pg_query, a_query_may_end_as_people_end_it)
{
	struct err err = { "" };

	q = pg_query_new("SELECT a -- all\n\t;;\n ", &err);
	cr_assert_str_eq(statement(pg_query_probe),
	                 "SELECT * FROM (\nSELECT a -- all\n) q LIMIT 0");
	cr_assert_null(pg_query_new(" ;\n", &err));
	cr_assert(strstr(err.text, "tenants.query holds no statement"));
}

Test(pg_query, what_is_read_is_cast_and_read_only)
{
	DESCRIBE("hash", "tenant_id");
	cr_assert_str_eq(statement(pg_query_read),
	                 "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; COPY (SELECT "
	                 "q.tenant_id::text, q.hash::bytea FROM (\nSELECT * FROM keys\n) q) "
	                 "TO STDOUT (FORMAT binary); COMMIT");
	end();
	DESCRIBE("hash", "tenant_id", "revoked_at", "allowed_cidrs", "items_burst", "bytes_per_s",
	         "iterations");
	cr_assert(strstr(statement(pg_query_read),
	                 "q.revoked_at IS NOT NULL, q.allowed_cidrs::text[], q.iterations::bigint, "
	                 "q.bytes_per_s::bigint, q.items_burst::bigint FROM ("));
}

/* ---- rows ---- */

static const struct field null = { { NULL, 0 }, true };
static uint8_t some_hash[32] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };

static struct field text(const char *s)
{
	return (struct field){ bytes_str(s), false };
}

static struct field hash(unsigned n)
{
	return (struct field){ bytes_of(some_hash, n), false };
}

/* Several may stand in one row. */
static struct field number(int64_t v)
{
	static uint8_t bytes[4][8];
	static unsigned at;
	uint8_t *p = bytes[at++ % 4];

	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
	return (struct field){ bytes_of(p, 8), false };
}

static struct field boolean(bool v)
{
	return (struct field){ bytes_of(v ? "\1" : "\0", 1), false };
}

/* One element, as the server sends an array; more than one array in a row is not needed. */
static struct field list_of(const char *item)
{
	static uint8_t bytes[128];
	static const uint8_t head[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25,
		                        0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0 };
	size_t n = strlen(item);

	memcpy(bytes, head, sizeof(head));
	bytes[sizeof(head)] = (uint8_t)n;
	memcpy(bytes + sizeof(head) + 1, item, n);
	return (struct field){ bytes_of(bytes, sizeof(head) + 1 + n), false };
}

static struct field empty_list(void)
{
	return (struct field){ bytes_of("\0\0\0\0\0\0\0\0\0\0\0\31", 12), false };
}

#define PUT(...) cr_assert(pg_query_put(q, NULL, (const struct field[]){ __VA_ARGS__ }))

static struct field count(const char bytes[static 8])
{
	return (struct field){ bytes_of(bytes, 8), false };
}

Test(pg_query, a_key_comes_out_with_its_iterations)
{
	DESCRIBE("tenant_id", "hash", "kind", "iterations");
	PUT(text("acme"), hash(20), text("pbkdf2"), count("\0\0\0\0\0\0\3\350"));
	cr_assert_str_eq(put.kind, "pbkdf2");
	cr_assert_str_eq(put.id, "0123456789abcdef");
	cr_assert_eq(put.token.hash.n, 20);
	cr_assert_eq(put.token.iterations, 1000);
	PUT(text("acme"), hash(32), text("sha256"), null);
	cr_assert_eq(put.token.iterations, 0);
	cr_assert_not(pg_query_put(q, NULL,
	                           (const struct field[]){ text("acme"), hash(20), text("pbkdf2"),
	                                                   text("1000") }));
}

/* A8, R14 */
Test(pg_query, two_columns_are_enough)
{
	DESCRIBE("tenant_id", "hash");
	PUT(text("42"), hash(32));
	cr_assert_eq(put.tokens, 1);
	cr_assert_str_eq(put.of, "42");
	cr_assert_str_eq(put.id, "0123456789abcdef", "the first 16 digits of the hash");
	cr_assert_str_eq(put.kind, "sha256");
	cr_assert_eq(put.token.hash.n, 32);
	cr_assert_eq(put.token.scopes, SCOPE_ALL);
	cr_assert_eq(put.token.not_before, INT64_MIN);
	cr_assert_eq(put.token.not_after, INT64_MAX);
	cr_assert_not(put.token.revoked || put.token.replaced);
	cr_assert_eq(put.token.cidr_count, 0);
	pg_query_end(q, NULL);
	cr_assert_str_eq(put.ids, "42 ");
	cr_assert_eq(put.tenant.state, TENANT_ACTIVE);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_BYTES].per_s, 0);
}

Test(pg_query, all_columns_come_out_whatever_their_order)
{
	/* 2027-01-01, in microseconds since 2000 */
	struct field time = { bytes_of("\0\3\6\364\4\225\100\0", 8), false };

	DESCRIBE("block_until", "revoked_at", "expires_at", "not_before", "state", "kind",
	         "token_id", "hash", "tenant_id", "items_per_s");
	PUT(text("acme"), hash(32), text("tok1"), text("sha256"), text("suspended"), time, time,
	    boolean(true), time, number(10));
	cr_assert_eq(put.tokens, 1);
	cr_assert_str_eq(put.id, "tok1");
	cr_assert(put.token.revoked);
	cr_assert_eq(put.token.not_before, put.token.not_after);
	cr_assert_gt(put.token.not_before, 946684800000000);
	pg_query_end(q, NULL);
	cr_assert_eq(put.tenant.state, TENANT_SUSPENDED);
	cr_assert_eq(put.tenant.block_until,
	             put.token.not_before / 1000000 + (put.token.not_before % 1000000 > 0));
	cr_assert_eq(put.tenant.limits.rates[LIMIT_ITEMS].per_s, 10);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_ITEMS].burst, 20);
}

/* R14 */
Test(pg_query, a_tenant_id_that_breaks_the_rules_leaves_the_row_out)
{
	char long_id[152] = "";

	DESCRIBE("tenant_id", "hash");
	memset(long_id, 'x', 151);
	PUT(text(long_id), hash(32));
	cr_assert_eq(put.skipped, 1);
	cr_assert_eq(put.why, SKIP_TENANT_ID);
	PUT(null, hash(32));
	cr_assert_eq(put.skipped, 2);
	cr_assert_eq(put.why, SKIP_TENANT_ID);
	pg_query_end(q, NULL);
	cr_assert_eq(put.tokens + put.tenants, 0);
	long_id[150] = '\0';
	PUT(text(long_id), hash(32));
	cr_assert_eq(put.tokens, 1);
}

Test(pg_query, null_grants_nothing_where_it_could_be_read_both_ways)
{
	DESCRIBE("tenant_id", "hash", "state");
	PUT(text("acme"), hash(32), null);
	cr_assert_eq(put.why, SKIP_OTHER);
	PUT(text("acme"), hash(32), text("Active"));
	cr_assert_eq(put.skipped, 2);
	end();
	DESCRIBE("tenant_id", "hash", "scopes");
	PUT(text("acme"), hash(32), null);
	cr_assert_eq(put.why, SKIP_SCOPE);
	end();
	DESCRIBE("tenant_id", "hash", "kind");
	PUT(text("acme"), hash(32), null);
	cr_assert_str_eq(put.kind, "", "the set leaves it out");
	end();
	DESCRIBE("tenant_id", "hash", "allowed_cidrs");
	PUT(text("acme"), hash(32), null);
	cr_assert_eq(put.skipped, 0, "from anywhere");
}

Test(pg_query, scopes_that_are_none_leave_the_row_out)
{
	DESCRIBE("tenant_id", "hash", "scopes");
	PUT(text("acme"), hash(32), list_of("logs:write"));
	cr_assert_eq(put.token.scopes, 1u << SIGNAL_LOGS);
	PUT(text("acme"), hash(32), empty_list());
	cr_assert_eq(put.token.scopes, 0, "it may do nothing");
	cr_assert_eq(put.tokens, 2);
	PUT(text("acme"), hash(32), list_of("admin"));
	cr_assert_eq(put.skipped, 1);
	cr_assert_eq(put.why, SKIP_SCOPE);
}

Test(pg_query, addresses_that_are_none_leave_the_row_out)
{
	DESCRIBE("tenant_id", "hash", "allowed_cidrs");
	PUT(text("acme"), hash(32), list_of("10.0.0.0/8"));
	cr_assert_eq(put.token.cidr_count, 1);
	cr_assert_eq(put.cidrs[0].prefix, 104);
	PUT(text("acme"), hash(32), list_of("10.0.0.1/8"));
	PUT(text("acme"), hash(32), list_of("here,10.0.0.0/8"));
	PUT(text("acme"), hash(32), empty_list());
	cr_assert_eq(put.skipped, 3);
	cr_assert_eq(put.why, SKIP_OTHER);
	cr_assert_eq(put.tokens, 1);
}

Test(pg_query, rows_without_any_name_are_counted_one_by_one)
{
	DESCRIBE("tenant_id", "hash", "token_id");
	PUT(text("acme"), null, null);
	cr_assert_eq(put.why, SKIP_HASH);
	cr_assert_str_eq(put.id, "(no id, 1)");
	PUT(text("acme"), hash(7), null);
	cr_assert_str_eq(put.id, "(no id, 2)");
	PUT(text("acme"), hash(32), text(""));
	cr_assert_eq(put.why, SKIP_TOKEN_ID);
	cr_assert_str_eq(put.id, "(no id, 3)");
	pg_query_end(q, NULL);
	PUT(text("acme"), null, null);
	cr_assert_str_eq(put.id, "(no id, 1)", "the same names in the next read");
}

Test(pg_query, of_a_tenant_s_rows_the_strictest_counts)
{
	DESCRIBE("tenant_id", "hash", "state", "requests_per_s", "requests_burst");
	PUT(text("acme"), hash(32), text("suspended"), null, null);
	PUT(text("acme"), hash(32), text("active"), number(30), number(31));
	PUT(text("globex"), hash(32), text("active"), null, null);
	PUT(text("acme"), hash(32), text("active"), null, null);
	pg_query_end(q, NULL);
	cr_assert_str_eq(put.ids, "acme globex ");
	cr_assert_eq(put.tenant.limits.rates[LIMIT_REQUESTS].per_s, 0);
	PUT(text("acme"), hash(32), text("deleting"), number(30), number(31));
	PUT(text("acme"), hash(32), text("suspended"), null, null);
	PUT(text("acme"), hash(32), text("active"), number(20), null);
	pg_query_end(q, NULL);
	cr_assert_eq(put.tenant.state, TENANT_DELETING);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_REQUESTS].per_s, 20);
	cr_assert_eq(put.tenant.limits.rates[LIMIT_REQUESTS].burst, 31, "40 of the other row");
}

/* R10 */
Test(pg_query, a_row_with_a_limit_that_is_none_is_left_out)
{
	DESCRIBE("tenant_id", "hash", "items_per_s", "items_burst", "max_inflight_requests");
	PUT(text("acme"), hash(32), null, number(5), null);
	cr_assert_eq(put.skipped, 1, "a burst without its rate");
	PUT(text("acme"), hash(32), number(0), null, null);
	PUT(text("acme"), hash(32), number(-5), null, null);
	PUT(text("acme"), hash(32), null, null, number(INT64_C(1) << 31));
	cr_assert_eq(put.skipped, 4);
	cr_assert_eq(put.why, SKIP_OTHER);
	pg_query_end(q, NULL);
	cr_assert_eq(put.tokens + put.tenants, 0);
}

Test(pg_query, tenants_come_in_the_order_of_their_ids)
{
	static const char *const ids[] = { "b", "aa", "c", "a", "b", "B" };

	DESCRIBE("tenant_id", "hash");
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		PUT(text(ids[i]), hash(32));
	pg_query_end(q, NULL);
	cr_assert_str_eq(put.ids, "B a aa b c ");
}

Test(pg_query, a_read_given_up_leaves_no_tenant_behind)
{
	DESCRIBE("tenant_id", "hash");
	PUT(text("acme"), hash(32));
	pg_query_forget(q);
	PUT(text("globex"), hash(32));
	pg_query_end(q, NULL);
	cr_assert_str_eq(put.ids, "globex ");
}

Test(pg_query, a_value_of_another_type_is_no_row)
{
	DESCRIBE("tenant_id", "hash", "expires_at");
	cr_assert_not(pg_query_put(q, NULL,
	                           (const struct field[]){ text("acme"), hash(32), text("2027") }));
	cr_assert_eq(put.tokens + put.skipped, 0);
}
