/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_rows.c -- statements and the reader of COPY BINARY, which is bounded: what a row may hold is
 * limited by its columns, and what is held of an unfinished one by HELD_MAX.
 */
#include "master/pg_rows.h"

#include "master/field.h"
#include "master/pg_query.h"
#include "master/tenant_limits.h"

enum {
	COLUMNS_MAX = 32,
	HELD_MAX = 4 * MIB, /* one row; a name and 64 blocks are some kilobytes */
};

/* ---- statements ---- */

/* The columns of both COPY forms; %s is the key. The second is never NULL of a row that is there: of
 * one that is gone it is. Of a million rows the server's share is the greater one, and each column
 * has its price: so what hardly a token has is one column, a record. It is NULL only where each part
 * is known to be the schema's default; a part that is NULL itself is not, so no view grants by it. */
static const char tenant_columns[] =
	"%s::text, t.state::text, t.block_until, t.topic_prefix::text,"
	" t.requests_per_s, t.requests_burst, t.bytes_per_s, t.bytes_burst, t.items_per_s, "
	"t.items_burst,"
	" t.max_body_bytes, t.max_inflight_bytes, t.max_inflight_requests::bigint";
static const char token_columns[] =
	"%s::text, t.tenant_id::text, t.hash::bytea,"
	" CASE WHEN t.kind IS DISTINCT FROM 'sha256' OR cardinality(t.scopes) IS DISTINCT FROM 1"
	" OR t.scopes[1] IS DISTINCT FROM '*' OR t.not_before IS NOT NULL"
	" OR t.expires_at IS NOT NULL OR t.revoked_at IS NOT NULL OR t.replaced_by IS NOT NULL"
	" OR t.allowed_cidrs IS NOT NULL OR t.iterations IS NOT NULL"
	" THEN ROW(t.kind::text, t.scopes::text[], t.not_before, t.expires_at,"
	" t.revoked_at IS NOT NULL, t.replaced_by IS NOT NULL, t.allowed_cidrs::text[],"
	" t.iterations::bigint) END";
enum {
	FIRST_LIMIT = 4,
	TENANT_COLUMNS = FIRST_LIMIT + LIMIT_NAMES,
	TOKEN_COLUMNS = 4,
	TOKEN_PARTS = 8, /* of the record */
};

/* Each read is one pass over rows, for which compiling it first does not pay. */
static const char begin[] =
	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; ";
static const char subscribed[] = "EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid IN"
				 " ('headgate.tenant'::regclass, 'headgate.token'::regclass))";

static void copy_of(struct buf *out, const char *columns, const char *key)
{
	buf_str(out, "; COPY (SELECT ");
	/* The format is one of the two above, its arguments are ours. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	buf_printf(out, columns, key);
#pragma GCC diagnostic pop
}

static const char to_stdout[] = ") TO STDOUT (FORMAT binary)";

void pg_rows_full(struct buf *out)
{
	buf_printf(out, "%sSELECT pg_current_snapshot()::text, false, %s", begin, subscribed);
	/* Ordered: which tenants are beyond the limit must not change from one start to the next.
	 */
	copy_of(out, tenant_columns, "t.tenant_id");
	buf_printf(out, " FROM headgate.gateway_tenant t ORDER BY t.tenant_id%s", to_stdout);
	copy_of(out, token_columns, "t.token_id");
	buf_printf(out, " FROM headgate.gateway_token t%s; COMMIT", to_stdout);
}

bool pg_snapshot_ok(const char *text)
{
	return *text && text[strspn(text, "0123456789:,")] == '\0';
}

/* What became visible since prev; exact under any order of commits (never "version > last"). */
static void new_changes(struct buf *out, const char *prev)
{
	buf_printf(out,
	           "headgate.change WHERE xid >= pg_snapshot_xmin('%s'::pg_snapshot)"
	           " AND NOT pg_visible_in_snapshot(xid, '%s'::pg_snapshot)",
	           prev, prev);
}

static void changed_rows(struct buf *out, const char *prev, const char *key, const char *view)
{
	buf_printf(out, " FROM (SELECT DISTINCT %s FROM ", key);
	new_changes(out, prev);
	buf_printf(out, " AND %s IS NOT NULL) c LEFT JOIN headgate.%s t USING (%s)%s", key, view,
	           key, to_stdout);
}

void pg_rows_changes(struct buf *out, const char *prev)
{
	assert(pg_snapshot_ok(prev));
	buf_printf(out, "%sSELECT pg_current_snapshot()::text, EXISTS (SELECT FROM ", begin);
	new_changes(out, prev);
	buf_str(out, " AND tenant_id IS NULL AND token_id IS NULL), false");
	copy_of(out, tenant_columns, "c.tenant_id");
	changed_rows(out, prev, "tenant_id", "gateway_tenant");
	copy_of(out, token_columns, "c.token_id");
	changed_rows(out, prev, "token_id", "gateway_token");
	buf_str(out, "; COMMIT");
}

/* ---- rows ---- */

static enum tenant_state state_of(struct bytes text)
{
	if (bytes_eq(text, BYTES("active")))
		return TENANT_ACTIVE;
	/* A state of a later schema must not grant. */
	return bytes_eq(text, BYTES("suspended")) ? TENANT_SUSPENDED : TENANT_DELETING;
}

static bool put_tenant_row(struct tenants *t, const struct field f[static TENANT_COLUMNS])
{
	bool broken = f[0].null;
	struct tenant_row row = { .id = f[0].value, .state = state_of(f[1].value) };
	struct named_limits limits;
	enum limit_name wrong;

	if (!broken && f[1].null) {
		tenants_drop_tenant(t, row.id);
		return true;
	}
	row.block_until = field_seconds(field_time(f[2], 0, &broken));
	row.topic_prefix = f[3].value;
	for (enum limit_name name = 0; name < LIMIT_NAMES; name++)
		limits.v[name] = field_limit(f[FIRST_LIMIT + name], &broken);
	/* The schema lets no such row in. */
	broken |= tenant_limits_of(&limits, &row.limits, &wrong) != NULL;
	if (!broken)
		tenants_put_tenant(t, &row);
	return !broken;
}

/* Of the record: what stands for itself. False: a part is of another type. */
static bool take_parts(const struct field f[static TOKEN_PARTS], struct token_row *row)
{
	bool broken = false;

	row->kind = f[0].value;
	row->not_before = field_time(f[2], INT64_MIN, &broken);
	row->not_after = field_time(f[3], INT64_MAX, &broken);
	row->revoked = field_bool(f[4], &broken);
	row->replaced = field_bool(f[5], &broken);
	row->iterations = field_count(f[7], &broken);
	return !broken;
}

static bool put_token_row(struct tenants *t, const struct field f[static TOKEN_COLUMNS])
{
	struct snapshot_cidr cidrs[FIELD_CIDRS_MAX];
	struct field parts[TOKEN_PARTS];
	struct token_row row = { .id = f[0].value,
		                 .tenant = f[1].value,
		                 .hash = f[2].value,
		                 .kind = BYTES("sha256"),
		                 .scopes = SCOPE_ALL,
		                 .not_before = INT64_MIN,
		                 .not_after = INT64_MAX,
		                 .cidrs = cidrs };

	if (f[0].null)
		return false;
	if (f[1].null) {
		tenants_drop_token(t, row.id);
		return true;
	}
	if (f[3].null) {
		tenants_put_token(t, &row);
		return true;
	}
	if (!field_record(f[3], TOKEN_PARTS, parts) || !take_parts(parts, &row))
		return false;
	if (!field_scopes(parts[1], &row.scopes))
		tenants_skip(t, SKIP_SCOPE, row.id);
	else if (!field_cidrs(parts[6], cidrs, &row.cidr_count))
		tenants_skip(t, SKIP_OTHER, row.id);
	else
		tenants_put_token(t, &row);
	return true;
}

static unsigned columns_of(const struct copy_reader *r)
{
	switch (r->what) {
	case COPY_TENANTS:
		return TENANT_COLUMNS;
	case COPY_TOKENS:
		return TOKEN_COLUMNS;
	case COPY_QUERY:
		return pg_query_columns(r->query);
	}
	assert(!"not a COPY");
	return 0;
}

static bool put_row(struct copy_reader *r, const struct field *fields)
{
	switch (r->what) {
	case COPY_TENANTS:
		return put_tenant_row(r->tenants, fields);
	case COPY_TOKENS:
		return put_token_row(r->tenants, fields);
	case COPY_QUERY:
		return pg_query_put(r->query, r->tenants, fields);
	}
	assert(!"not a COPY");
	return false;
}

static int take_row(struct copy_reader *r, struct cursor *c, unsigned columns, struct err *err)
{
	unsigned expected = columns_of(r);
	struct field fields[COLUMNS_MAX];

	assert(expected <= COLUMNS_MAX);
	if (columns != expected)
		return err_set(err, "a row of %u columns, not %u", columns, expected);
	for (unsigned i = 0; i < columns; i++)
		fields[i] = field_take(c);
	if (c->failed)
		return 0; /* not all there yet */
	if (!put_row(r, fields))
		return err_set(err, "a row with a column of another type");
	r->rows++;
	return 0;
}

/* As many whole parts as there are; c->left is then what is not whole. */
static int take_all(struct copy_reader *r, struct cursor *c, struct err *err)
{
	static const char signature[11] = "PGCOPY\n\377\r\n";

	while (c->left.n > 0 && !r->ended) {
		struct cursor part = *c;

		if (!r->head_seen) {
			bool ours = part.left.n >= sizeof(signature) &&
			            memcmp(part.left.p, signature, sizeof(signature)) == 0;
			uint64_t flags, more;

			part.left = bytes_from(part.left, sizeof(signature));
			flags = field_take_be(&part, 4);
			more = field_take_be(&part, 4);
			if (!part.failed && (!ours || flags != 0 || more != 0))
				return err_set(err, "not a binary COPY as this version knows it");
			r->head_seen = !part.failed;
		} else {
			uint16_t columns = (uint16_t)field_take_be(&part, 2);

			r->ended = !part.failed && columns == UINT16_MAX;
			if (!part.failed && !r->ended && take_row(r, &part, columns, err) < 0)
				return -1;
		}
		if (part.failed)
			return 0;
		*c = part;
	}
	return c->left.n > 0 ? err_set(err, "bytes after the end of a COPY") : 0;
}

void copy_start(struct copy_reader *r, enum pg_copy what, struct tenants *t)
{
	*r = (struct copy_reader){ .what = what, .tenants = t };
}

void copy_start_query(struct copy_reader *r, struct pg_query *query, struct tenants *t)
{
	*r = (struct copy_reader){ .what = COPY_QUERY, .query = query, .tenants = t };
}

void copy_done(struct copy_reader *r)
{
	free(r->held);
	r->held = NULL;
	r->held_bytes = r->held_cap = 0;
}

static int hold(struct copy_reader *r, struct bytes more, struct err *err)
{
	if (more.n > HELD_MAX - r->held_bytes)
		return err_set(err, "a row of more than %d bytes", HELD_MAX);
	if (r->held_bytes + more.n > r->held_cap) {
		r->held_cap = 2 * (r->held_bytes + more.n);
		r->held = xrealloc(r->held, r->held_cap, 1);
	}
	memmove(r->held + r->held_bytes, more.p, more.n);
	r->held_bytes += more.n;
	return 0;
}

int copy_feed(struct copy_reader *r, struct bytes in, struct err *err)
{
	struct cursor c = { in, false };

	if (in.n == 0)
		return 0;
	/* A message is a row, in all versions so far, but the protocol does not promise it. */
	if (r->held_bytes > 0) {
		if (hold(r, in, err) < 0)
			return -1;
		c.left = bytes_of(r->held, r->held_bytes);
	}
	if (take_all(r, &c, err) < 0)
		return -1;
	r->held_bytes = 0;
	return c.left.n > 0 ? hold(r, c.left, err) : 0;
}

bool copy_is_whole(const struct copy_reader *r)
{
	return r->ended && r->held_bytes == 0;
}
