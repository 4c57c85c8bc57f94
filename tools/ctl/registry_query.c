/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_query.c -- tenants behind tenants.query (records.md 2.3): the operator's own tables,
 * read as the master reads them, never written. A row is a token; a tenant is what its rows say,
 * the strictest of them. Rows that the master leaves out for what they are, are told apart by its
 * rules; whether another row has the same id or hash, token_verify.c looks.
 */
#include <string.h>
#include "common/snapshot.h"
#include "common/token.h"
#include "conf/values.h"
#include "master/field.h"
#include "tools/ctl/pg.h"
#include "tools/ctl/registry.h"

enum {
	STATEMENT_BYTES = 64 * KIB,
	DEFAULT_ID_DIGITS = 16,
	CIDRS_MAX = 64,
	ITERATIONS_MAX = 100000,
};

struct query_registry {
	struct registry base;
	PGconn *conn;
	char *text; /* the query without its end */
	char *select; /* of one JSON object a row */
};

static struct query_registry *query_of(struct registry *s)
{
	return (struct query_registry *)s;
}

static void query_close(struct registry *s)
{
	struct query_registry *q = query_of(s);

	PQfinish(q->conn);
	free(q->text);
	free(q->select);
	free(q);
}

/* ---- the statement ---- */

/* clang-format off */
static const struct column {
	const char *name, *cast; /* how it becomes JSON: before and behind q.NAME */
	bool is_time;
} columns[] = {
	{ "kind",          "::text",        false },
	{ "iterations",    "::bigint",      false },
	{ "state",         "::text",        false },
	{ "scopes",        "::text[]",      false },
	{ "not_before",    "::timestamptz", true  },
	{ "expires_at",    "::timestamptz", true  },
	{ "revoked_at",    "::timestamptz", true  },
	{ "block_until",   "::timestamptz", true  },
	{ "allowed_cidrs", "::text[]",      false },
};
/* clang-format on */

static size_t length_without_end(const char *text)
{
	size_t n = strlen(text);

	while (n && strchr("; \t\r\n", text[n - 1]))
		n--;
	return n;
}

static bool has_column(const PGresult *described, const char *name)
{
	for (int i = 0; i < PQnfields(described); i++)
		if (strcmp(PQfname(described, i), name) == 0)
			return true;
	return false;
}

static void put_column(struct buf *sql, const char *name, const char *cast, bool is_time)
{
	if (is_time)
		buf_printf(sql,
		           ", '%s', CASE WHEN isfinite(q.%s%s) THEN to_char(q.%s%s AT TIME ZONE "
		           "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') ELSE q.%s::text END",
		           name, name, cast, name, cast, name);
	else
		buf_printf(sql, ", '%s', q.%s%s", name, name, cast);
}

static void put_limits(struct buf *sql, const PGresult *described)
{
	const char *separator = "";

	buf_str(sql, ", 'limits', json_strip_nulls(json_build_object(");
	for (const char *const *name = tenant_limits; *name; name++) {
		if (!has_column(described, *name))
			continue;
		buf_printf(sql, "%s'%s', q.%s::bigint", separator, *name, *name);
		separator = ", ";
	}
	buf_str(sql, "))");
}

/* Rows whose tenant, id and hash are $1, $2, $3, each if it is not NULL. */
static char *make_select(const struct query_registry *q, const PGresult *described)
{
	const char *id =
		has_column(described, "token_id")
			? "coalesce(q.token_id::text, left(encode(q.hash::bytea, 'hex'), 16))"
			: "left(encode(q.hash::bytea, 'hex'), 16)";
	struct buf sql;

	static_assert(DEFAULT_ID_DIGITS == 16, "as the texts above say");
	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql,
	           "SELECT json_build_object('id', %s, 'tenant', q.tenant_id::text, "
	           "'hash_bytes', octet_length(q.hash::bytea)",
	           id);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (has_column(described, columns[i].name))
			put_column(&sql, columns[i].name, columns[i].cast, columns[i].is_time);
	put_limits(&sql, described);
	buf_printf(&sql,
	           ") FROM (\n%s\n) q WHERE ($1::text IS NULL OR q.tenant_id::text = $1) AND "
	           "($2::text IS NULL OR %s = $2) AND ($3::text IS NULL OR "
	           "q.hash::bytea = decode($3, 'hex')) ORDER BY q.tenant_id::text COLLATE \"C\", "
	           "%s COLLATE \"C\"",
	           q->text, id, id);
	buf_char(&sql, '\0');
	assert(!sql.failed); /* the option is shorter */
	return sql.p;
}

static int describe(struct query_registry *q)
{
	struct buf sql;
	PGresult *r;
	int code = 0;

	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql, "SELECT * FROM (\n%s\n) q LIMIT 0", q->text);
	buf_char(&sql, '\0');
	r = pg_run(q->conn, sql.p, 0, NULL, &code);
	buf_done(&sql);
	if (!r)
		return code;
	if (!has_column(r, "tenant_id") || !has_column(r, "hash"))
		code = ctl_fail(EXIT_NEGATIVE,
		                "tenants.query gives no column tenant_id, or none called hash");
	else
		q->select = make_select(q, r);
	PQclear(r);
	return code;
}

/* ---- rows ---- */

/* ---- the master's rules (pg_query.c, tenants_set.c) ---- */

static bool is_scope(const char *text)
{
	return field_scope(bytes_str(text)) != 0;
}

static bool is_block(const char *text)
{
	struct cidr cidr;
	struct err err;

	return value_cidr(bytes_str(text), &cidr, &err) == 0;
}

static bool all_are(const json_t *list, bool (*is_good)(const char *))
{
	json_t *v;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, v)
		if (!json_is_string(v) || !is_good(json_string_value(v)))
			return false;
	return true;
}

static bool is_state(const char *text)
{
	return strcmp(text, "active") == 0 || strcmp(text, "suspended") == 0 ||
	       strcmp(text, "deleting") == 0;
}

/* The same; NULL is no kind. */
static const char *why_no_key(const json_t *row)
{
	const json_t *kind = json_object_get(row, "kind");
	const char *word = kind ? json_text_of(row, "kind") : "sha256";
	bool derived = strcmp(word, "pbkdf2") == 0;
	long long iterations = json_number_of(row, "iterations");

	if (!derived && strcmp(word, "sha256") != 0)
		return "there is no such kind";
	if (json_number_of(row, "hash_bytes") !=
	    (derived ? SNAPSHOT_PBKDF2_BYTES : TOKEN_DIGEST_BYTES))
		return "its hash has a wrong length";
	if (derived && (iterations < 1 || iterations > ITERATIONS_MAX))
		return "its iterations are missing or too many";
	return "";
}

/* A column that the query does not have is not in the row; NULL is null. "": the row is taken. */
static const char *why_left_out(const json_t *row)
{
	const json_t *state = json_object_get(row, "state");
	const json_t *scopes = json_object_get(row, "scopes");
	const json_t *blocks = json_object_get(row, "allowed_cidrs");

	if (!tenant_id_ok(bytes_str(json_text_of(row, "tenant"))))
		return "its tenant id breaks the rules";
	if (!token_id_ok(bytes_str(json_text_of(row, "id"))))
		return "its id breaks the rules";
	if (*why_no_key(row))
		return why_no_key(row);
	if (scopes && !all_are(scopes, is_scope))
		return "it has an unknown scope";
	if (state && !is_state(json_text_of(row, "state")))
		return "its state is none";
	if (blocks && !json_is_null(blocks) &&
	    (!all_are(blocks, is_block) || json_array_size(blocks) < 1 ||
	     json_array_size(blocks) > CIDRS_MAX))
		return "its address blocks cannot be read";
	return "";
}

/* ---- rows as every registry gives them ---- */

struct completed { /* rows on their way, with what the query does not give */
	row_taken each;
	void *arg;
};

static void complete(void *arg, json_t *row)
{
	static const char *const unknown[] = { "name",          "not_before", "expires_at",
		                               "revoked_at",    "revoked_by", "replaced_by",
		                               "allowed_cidrs", "created_at", "created_by",
		                               "last_used_at" };
	const struct completed *c = arg;

	json_object_set_new(row, "left_out", ctl_text_or_null(why_left_out(row)));
	json_object_del(row, "hash_bytes");
	json_object_del(row, "iterations");
	for (size_t k = 0; k < ARRAY_LEN(unknown); k++)
		if (!json_object_get(row, unknown[k]))
			json_object_set_new(row, unknown[k], json_null());
	if (!json_object_get(row, "kind"))
		json_object_set_new(row, "kind", json_string("sha256"));
	if (!json_object_get(row, "scopes"))
		json_object_set_new(row, "scopes", json_pack("[s]", "*"));
	c->each(c->arg, row);
}

static int query_tokens(struct registry *s, const struct token_filter *which, row_taken each,
                        void *arg)
{
	const char *const values[] = { which->tenant, which->id, which->sha256 };
	struct query_registry *q = query_of(s);
	struct completed c = { each, arg };

	return pg_each(q->conn, q->select, 3, values, complete, &c);
}

/* The stricter of two: the state that serves less, the block that lasts longer, the lower limit. */
static void merge(json_t *tenant, const json_t *row)
{
	static const char *const states[] = { "active", "suspended", "deleting" };
	const char *until = json_text_of(row, "block_until"), *state = states[0];
	json_t *limits = json_object_get(tenant, "limits"), *v;
	const char *key;

	for (size_t i = 0; i < ARRAY_LEN(states); i++) /* the last that either says */
		if (strcmp(json_text_of(tenant, "state"), states[i]) == 0 ||
		    strcmp(json_text_of(row, "state"), states[i]) == 0)
			state = states[i];
	json_object_set_new(tenant, "state", json_string(state));
	if (strcmp(until, json_text_of(tenant, "block_until")) > 0)
		json_object_set_new(tenant, "block_until", json_string(until));
	json_object_foreach(json_object_get(row, "limits"), key, v)
		if (!json_object_get(limits, key) ||
		    json_integer_value(v) < json_number_of(limits, key))
			json_object_set(limits, key, v);
}

/* Rows come in the order of their tenants. */
static void name_tenant(void *arg, json_t *row)
{
	json_t *out = arg, *last = json_array_get(out, json_array_size(out) - 1);
	const char *tenant = json_text_of(row, "tenant");

	if (*why_left_out(row))
		return; /* it names nobody */
	if (!last || strcmp(json_text_of(last, "id"), tenant) != 0) {
		last = json_pack("{s:s,s:s,s:{},s:n,s:n,s:n,s:n}", "id", tenant, "state", "active",
		                 "limits", "display_name", "block_until", "topic_prefix",
		                 "created_at");
		json_array_append_new(out, last);
	}
	merge(last, row);
}

static json_t *query_tenants(struct registry *s, const char *id, int *code)
{
	const char *const values[] = { id, NULL, NULL };
	struct query_registry *q = query_of(s);
	json_t *out = json_array();

	*code = pg_each(q->conn, q->select, 3, values, name_tenant, out);
	if (!*code)
		return out;
	json_decref(out);
	return NULL;
}

static const struct registry_kind query_kind = {
	.name = "query",
	.tenants = query_tenants,
	.tokens = query_tokens,
	.close = query_close,
};

struct registry *registry_query_open(struct ctl *c, const struct conf *conf, int *code)
{
	PGconn *conn = pg_open(c, conf, false, code);
	struct query_registry *q;

	if (!conn)
		return NULL;
	q = xcalloc(1, sizeof(*q));
	q->base.kind = &query_kind;
	q->base.c = c;
	q->conn = conn;
	q->text = xstrndup(conf->tenants.query, length_without_end(conf->tenants.query));
	*code = describe(q);
	if (!*code)
		return &q->base;
	query_close(&q->base);
	return NULL;
}
