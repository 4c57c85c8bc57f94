/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_query.c -- columns, statements and rows of tenants.query. A row that breaks a rule is left out
 * under a name of its own, so that it is counted; a NULL grants nothing where it could be read both
 * ways (state, scopes, kind).
 */
#include "master/pg_query.h"

#include <stdio.h>

#include "master/idmap.h"
#include "master/tenant_limits.h"

enum {
	DEFAULT_ID_BYTES = 8, /* of the hash, in hex */
};

enum column {
	COLUMN_TENANT_ID,
	COLUMN_HASH,
	COLUMN_TOKEN_ID,
	COLUMN_KIND,
	COLUMN_STATE,
	COLUMN_SCOPES,
	COLUMN_NOT_BEFORE,
	COLUMN_EXPIRES_AT,
	COLUMN_REVOKED_AT,
	COLUMN_ALLOWED_CIDRS,
	COLUMN_BLOCK_UNTIL,
	COLUMN_ITERATIONS,
	COLUMN_LIMITS, /* the first of LIMIT_NAMES */
	COLUMN_COUNT = COLUMN_LIMITS + LIMIT_NAMES
};
static const enum column LAST_REQUIRED = COLUMN_HASH;

/* clang-format off */
static const struct column_kind {
	const char *name;
	const char *as; /* behind the name in the SELECT */
} columns[COLUMN_LIMITS] = {
	[COLUMN_TENANT_ID]     = { "tenant_id",     "::text"        },
	[COLUMN_HASH]          = { "hash",          "::bytea"       },
	[COLUMN_TOKEN_ID]      = { "token_id",      "::text"        },
	[COLUMN_KIND]          = { "kind",          "::text"        },
	[COLUMN_STATE]         = { "state",         "::text"        },
	[COLUMN_SCOPES]        = { "scopes",        "::text[]"      },
	[COLUMN_NOT_BEFORE]    = { "not_before",    "::timestamptz" },
	[COLUMN_EXPIRES_AT]    = { "expires_at",    "::timestamptz" },
	[COLUMN_REVOKED_AT]    = { "revoked_at",    " IS NOT NULL"  },
	[COLUMN_ALLOWED_CIDRS] = { "allowed_cidrs", "::text[]"      },
	[COLUMN_BLOCK_UNTIL]   = { "block_until",   "::timestamptz" },
	[COLUMN_ITERATIONS]    = { "iterations",    "::bigint"      },
};
/* clang-format on */

static struct column_kind column_kind(enum column c)
{
	if (c < COLUMN_LIMITS)
		return columns[c];
	return (struct column_kind){ limit_name((enum limit_name)(c - COLUMN_LIMITS)), "::bigint" };
}

struct named { /* a tenant, of this read */
	struct idmap_node node;
	enum tenant_state state;
	int64_t block_until;
	struct tenant_limits limits;
	uint32_t id_bytes;
	char text[];
};

struct pg_query {
	char *text;
	bool has[COLUMN_COUNT];
	unsigned at[COLUMN_COUNT]; /* in a row, of those that are asked for */
	unsigned asked;
	struct idmap tenants; /* of this read */
	struct named *last; /* rows of one tenant often stand together */
	struct snapshot_cidr cidrs[FIELD_CIDRS_MAX]; /* of the row at hand */
	unsigned nameless; /* rows of this read that have no id and no hash to make one of */
};

static struct bytes named_id(const struct idmap_node *node)
{
	const struct named *n = idmap_owner(node, struct named, node);

	return bytes_of(n->text, n->id_bytes);
}

/* ---- the query and its columns ---- */

/* A statement as a person would end it: what stands in a FROM has no semicolon. */
static size_t length_without_end(const char *text)
{
	size_t n = strlen(text);

	while (n > 0 && strchr("; \t\n", text[n - 1]))
		n--;
	return n;
}

struct pg_query *pg_query_new(const char *text, struct err *err)
{
	size_t n = length_without_end(text);
	struct pg_query *q;

	if (n == 0) {
		err_set(err, "tenants.query holds no statement");
		return NULL;
	}
	q = xcalloc(1, sizeof(*q));
	q->text = xstrndup(text, n);
	idmap_init(&q->tenants, named_id);
	return q;
}

void pg_query_free(struct pg_query *q)
{
	if (!q)
		return;
	pg_query_forget(q);
	idmap_done(&q->tenants);
	free(q->text);
	free(q);
}

/* The line break ends a comment that the text may end with. */
static void from_query(const struct pg_query *q, struct buf *out)
{
	buf_printf(out, " FROM (\n%s\n) q", q->text);
}

void pg_query_probe(const struct pg_query *q, struct buf *out)
{
	buf_str(out, "SELECT *");
	from_query(q, out);
	buf_str(out, " LIMIT 0");
}

static enum column column_find(const char *name)
{
	enum column c = 0;

	while (c < COLUMN_COUNT && strcmp(column_kind(c).name, name) != 0)
		c++;
	return c;
}

struct complaint {
	struct buf text;
	const char *what; /* said last */
};

/* `no column 'a', 'b'; unknown column 'c'` grows. */
static void complain(struct complaint *c, const char *what, const char *name)
{
	if (c->what == what)
		buf_str(&c->text, ", '");
	else
		buf_printf(&c->text, "%s%s '", c->what ? "; " : "", what);
	c->what = what;
	buf_escaped(&c->text, bytes_str(name), 64);
	buf_char(&c->text, '\'');
}

static void lay_out(struct pg_query *q)
{
	q->asked = 0;
	for (enum column c = 0; c < COLUMN_COUNT; c++)
		if (q->has[c])
			q->at[c] = q->asked++;
}

int pg_query_describe(struct pg_query *q, const char *const *names, unsigned count, struct err *err)
{
	static const char none[] = "no column", unknown[] = "unknown column", twice[] = "twice";
	char text[600];
	struct complaint wrong = { .what = NULL };

	buf_init_fixed(&wrong.text, text, sizeof(text));
	memset(q->has, 0, sizeof(q->has));
	for (unsigned i = 0; i < count; i++) {
		enum column c = column_find(names[i]);

		if (c == COLUMN_COUNT)
			complain(&wrong, unknown, names[i]);
		else if (q->has[c])
			complain(&wrong, twice, names[i]);
		else
			q->has[c] = true;
	}
	for (enum column c = 0; c <= LAST_REQUIRED; c++)
		if (!q->has[c])
			complain(&wrong, none, column_kind(c).name);
	lay_out(q);
	if (wrong.what)
		return err_set(err, "tenants.query: %.*s", (int)wrong.text.n, text);
	return 0;
}

void pg_query_read(const struct pg_query *q, struct buf *out)
{
	const char *between = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; COPY (SELECT ";

	for (enum column c = 0; c < COLUMN_COUNT; c++) {
		const struct column_kind kind = column_kind(c);

		if (!q->has[c])
			continue;
		buf_printf(out, "%sq.%s%s", between, kind.name, kind.as);
		between = ", ";
	}
	from_query(q, out);
	buf_str(out, ") TO STDOUT (FORMAT binary); COMMIT");
}

unsigned pg_query_columns(const struct pg_query *q)
{
	return q->asked;
}

/* ---- tenants ---- */

static struct named *named_of(struct idmap_node *node)
{
	return node ? idmap_owner(node, struct named, node) : NULL;
}

static struct named *find_or_add(struct pg_query *q, struct bytes id)
{
	struct named *n = q->last;

	if (n && bytes_eq(named_id(&n->node), id))
		return n;
	n = named_of(idmap_find(&q->tenants, id));
	if (!n) {
		n = xcalloc(1, sizeof(*n) + id.n);
		memcpy(n->text, id.p, id.n);
		n->id_bytes = (uint32_t)id.n;
		idmap_add(&q->tenants, &n->node);
	}
	q->last = n;
	return n;
}

/* Of rows that differ the strictest counts. */
static void name_tenant(struct pg_query *q, const struct tenant_row *row)
{
	struct named *n = find_or_add(q, row->id);

	if (row->state > n->state)
		n->state = row->state;
	if (row->block_until > n->block_until)
		n->block_until = row->block_until;
	tenant_limits_least(&n->limits, &row->limits);
}

static int by_id(const void *a, const void *b)
{
	struct bytes x = named_id(&(*(struct named *const *)a)->node);
	struct bytes y = named_id(&(*(struct named *const *)b)->node);
	int order = memcmp(x.p, y.p, min_size(x.n, y.n));

	return order ? order : (x.n > y.n) - (x.n < y.n);
}

/* In the order of ids: which tenants are beyond the limit must not change from one start to the
 * next. */
void pg_query_end(struct pg_query *q, struct tenants *t)
{
	size_t n = 0;
	autofree struct named **sorted = xcalloc(q->tenants.count + 1, sizeof(*sorted));

	for (struct idmap_node *node = idmap_next(&q->tenants, NULL); node;
	     node = idmap_next(&q->tenants, node))
		sorted[n++] = named_of(node);
	qsort(sorted, n, sizeof(struct named *), by_id);
	for (size_t i = 0; i < n; i++)
		tenants_put_tenant(t, &(struct tenant_row){ .id = named_id(&sorted[i]->node),
		                                            .state = sorted[i]->state,
		                                            .block_until = sorted[i]->block_until,
		                                            .limits = sorted[i]->limits });
	pg_query_forget(q);
}

void pg_query_forget(struct pg_query *q)
{
	struct idmap_node *node = idmap_next(&q->tenants, NULL), *next;

	for (; node; node = next) {
		next = idmap_next(&q->tenants, node);
		idmap_remove(&q->tenants, node);
		free(named_of(node));
	}
	idmap_done(&q->tenants);
	idmap_init(&q->tenants, named_id);
	q->last = NULL;
	q->nameless = 0;
}

/* ---- rows ---- */

/* A column that the query does not have is NULL. */
static struct field column(const struct pg_query *q, const struct field *fields, enum column c)
{
	return q->has[c] ? fields[q->at[c]] : (struct field){ BYTES_NONE, true };
}

static bool take_state(struct field f, enum tenant_state *out)
{
	static const struct {
		enum tenant_state state;
		const char *word;
	} states[] = { { TENANT_ACTIVE, "active" },
		       { TENANT_SUSPENDED, "suspended" },
		       { TENANT_DELETING, "deleting" } };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		*out = states[i].state;
		if (bytes_eq(f.value, bytes_str(states[i].word)))
			return true;
	}
	return false;
}

struct query_row {
	struct tenant_row tenant;
	struct named_limits limits;
	struct token_row token;
	char default_id[2 * DEFAULT_ID_BYTES + 1];
};

static void take_token_id(struct query_row *row, struct field f)
{
	row->token.id = f.value;
	if (!f.null || row->token.hash.n < DEFAULT_ID_BYTES)
		return;
	hex_encode(row->token.hash.p, DEFAULT_ID_BYTES, row->default_id);
	row->token.id = bytes_str(row->default_id);
}

/* What every row must have the form of; *broken: it has not. */
static void take_fixed(const struct pg_query *q, const struct field *fields, struct query_row *row,
                       bool *broken)
{
	struct field kind = column(q, fields, COLUMN_KIND);
	struct field begin = column(q, fields, COLUMN_NOT_BEFORE);
	struct field end = column(q, fields, COLUMN_EXPIRES_AT);
	struct field block = column(q, fields, COLUMN_BLOCK_UNTIL);
	struct field iterations = column(q, fields, COLUMN_ITERATIONS);

	row->tenant.id = row->token.tenant = column(q, fields, COLUMN_TENANT_ID).value;
	row->token.hash = column(q, fields, COLUMN_HASH).value;
	take_token_id(row, column(q, fields, COLUMN_TOKEN_ID));
	row->token.kind = q->has[COLUMN_KIND] ? kind.value : BYTES("sha256");
	row->token.not_before = field_time(begin, INT64_MIN, broken);
	row->token.not_after = field_time(end, INT64_MAX, broken);
	row->token.iterations = field_count(iterations, broken);
	row->tenant.block_until = field_seconds(field_time(block, 0, broken));
	if (q->has[COLUMN_REVOKED_AT])
		row->token.revoked = field_bool(fields[q->at[COLUMN_REVOKED_AT]], broken);
	for (enum limit_name name = 0; name < LIMIT_NAMES; name++)
		row->limits.v[name] =
			field_limit(column(q, fields, COLUMN_LIMITS + (int)name), broken);
}

/* False: the row breaks a rule, *why says which. Others are the set's to look for. */
static bool take_checked(struct pg_query *q, const struct field *fields, struct query_row *row,
                         enum skip_reason *why)
{
	enum limit_name wrong;

	*why = SKIP_TENANT_ID;
	if (!tenant_id_ok(row->tenant.id))
		return false;
	*why = SKIP_SCOPE;
	row->token.scopes = SCOPE_ALL;
	if (q->has[COLUMN_SCOPES] &&
	    !field_scopes(column(q, fields, COLUMN_SCOPES), &row->token.scopes))
		return false;
	*why = SKIP_OTHER;
	row->tenant.state = TENANT_ACTIVE;
	if (q->has[COLUMN_STATE] &&
	    !take_state(column(q, fields, COLUMN_STATE), &row->tenant.state))
		return false;
	if (tenant_limits_of(&row->limits, &row->tenant.limits, &wrong))
		return false;
	row->token.cidrs = q->cidrs;
	return field_cidrs(column(q, fields, COLUMN_ALLOWED_CIDRS), q->cidrs,
	                   &row->token.cidr_count);
}

/* Without an id and a hash to make one of, a row has a name only to be counted by. */
static void put_nameless(struct pg_query *q, struct tenants *t, enum skip_reason why)
{
	char name[32];
	int n = snprintf(name, sizeof(name), "(no id, %u)", ++q->nameless);

	tenants_skip(t, why, bytes_of(name, (size_t)n));
}

bool pg_query_put(struct pg_query *q, struct tenants *t, const struct field *fields)
{
	struct query_row row = { .tenant = { .id = BYTES_NONE } };
	enum skip_reason why;
	bool broken = false;

	take_fixed(q, fields, &row, &broken);
	if (broken)
		return false;
	if (row.token.id.n == 0) {
		why = row.token.hash.n < DEFAULT_ID_BYTES ? SKIP_HASH : SKIP_TOKEN_ID;
		put_nameless(q, t, why);
	} else if (!take_checked(q, fields, &row, &why)) {
		tenants_skip(t, why, row.token.id);
	} else {
		name_tenant(q, &row.tenant);
		tenants_put_token(t, &row.token);
	}
	return true;
}
