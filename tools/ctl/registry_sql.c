/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_sql.c -- tenants in the schema headgate of PostgreSQL (tenants.sql). The schema's own
 * checks decide what is right, its triggers ring the bell and write the audit; here are only the
 * statements. Reads work with the gateway's role too, which sees less.
 */
#include <string.h>
#include "tools/ctl/pg.h"
#include "tools/ctl/registry.h"

enum { SET_MAX = 24, STATEMENT_BYTES = 4096 };

struct sql_registry {
	struct registry base;
	PGconn *conn;
	bool sees_tables; /* else the gateway's views alone */
};

static struct sql_registry *sql_of(struct registry *s)
{
	return (struct sql_registry *)s;
}

static void sql_close(struct registry *s)
{
	PQfinish(sql_of(s)->conn);
	free(s);
}

/* ---- reading ---- */

/* to_char() of infinity is empty. */
#define AT(column)                                                                                 \
	"CASE WHEN isfinite(" column ") THEN to_char(" column                                      \
	" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') ELSE " column "::text END"

#define TENANT_COLUMNS                                                                             \
	"'id', tenant_id, 'state', state, 'limits', json_strip_nulls(json_build_object("           \
	"'requests_per_s', requests_per_s, 'requests_burst', requests_burst, "                     \
	"'bytes_per_s', bytes_per_s, 'bytes_burst', bytes_burst, 'items_per_s', items_per_s, "     \
	"'items_burst', items_burst, 'max_body_bytes', max_body_bytes, "                           \
	"'max_inflight_bytes', max_inflight_bytes, "                                               \
	"'max_inflight_requests', max_inflight_requests)), "                                       \
	"'block_until', " AT("block_until") ", 'topic_prefix', topic_prefix, "

#define TENANT_WHERE " WHERE $1::text IS NULL OR tenant_id = $1 ORDER BY tenant_id"

static const char tenants_sql[] = "SELECT json_build_object(" TENANT_COLUMNS
				  "'display_name', display_name, 'created_at', " AT(
					  "created_at") ") FROM headgate.tenant" TENANT_WHERE;
static const char tenants_view_sql[] =
	"SELECT json_build_object(" TENANT_COLUMNS "'display_name', NULL, 'created_at', NULL) "
	"FROM headgate.gateway_tenant" TENANT_WHERE;

#define TOKEN_COLUMNS                                                                              \
	"'id', t.token_id, 'tenant', tenant_id, 'kind', kind, 'scopes', scopes, "                  \
	"'not_before', " AT("not_before") ", 'expires_at', " AT(                                   \
		"expires_at") ", 'revoked_at', " AT("revoked_at") ", 'replaced_by', replaced_by, " \
								  "'allowed_cidrs', "              \
								  "allowed_cidrs::text[], "        \
								  "'last_used_at', " AT(           \
									  "last_used_at") ", "

#define TOKEN_WHERE                                                                                \
	" t LEFT JOIN headgate.token_use u ON u.token_id = t.token_id "                            \
	"WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR t.token_id = $2) "    \
	"AND ($3::text IS NULL OR hash = decode($3, 'hex')) ORDER BY tenant_id, t.token_id"

static const char tokens_sql[] = "SELECT json_build_object(" TOKEN_COLUMNS
				 "'name', name, 'revoked_by', revoked_by, 'created_at', " AT(
					 "created_at") ", 'created_by', created_by) "
						       "FROM headgate.token" TOKEN_WHERE;
static const char tokens_view_sql[] = "SELECT json_build_object(" TOKEN_COLUMNS
				      "'name', NULL, 'revoked_by', NULL, 'created_at', NULL, "
				      "'created_by', NULL) FROM headgate.gateway_token" TOKEN_WHERE;

static void append(void *arg, json_t *row)
{
	json_array_append(arg, row);
}

static json_t *sql_tenants(struct registry *s, const char *id, int *code)
{
	struct sql_registry *q = sql_of(s);
	json_t *out = json_array();

	*code = pg_each(q->conn, q->sees_tables ? tenants_sql : tenants_view_sql, 1, &id, append,
	                out);
	if (!*code)
		return out;
	json_decref(out);
	return NULL;
}

static int sql_tokens(struct registry *s, const struct token_filter *which, row_taken each,
                      void *arg)
{
	struct sql_registry *q = sql_of(s);
	const char *const values[] = { which->tenant, which->id, which->sha256 };

	return pg_each(q->conn, q->sees_tables ? tokens_sql : tokens_view_sql, 3, values, each,
	               arg);
}

/* ---- writing ---- */

/* Columns and values of an INSERT or an UPDATE; $1 is the caller's. */
struct settings {
	const char *columns[SET_MAX], *values[SET_MAX + 1];
	char numbers[SET_MAX][24];
	int count; /* of columns */
};

static void take_settings(struct settings *s, const char *first, const json_t *fields)
{
	const char *column;
	json_t *v;

	*s = (struct settings){ .values = { first } };
	json_object_foreach((json_t *)fields, column, v) {
		const char *text = json_string_value(v); /* NULL: null, or a number */

		assert(s->count < SET_MAX);
		if (json_is_integer(v)) {
			snprintf(s->numbers[s->count], sizeof(s->numbers[0]), "%lld",
			         (long long)json_integer_value(v));
			text = s->numbers[s->count];
		}
		s->columns[s->count++] = column;
		s->values[s->count] = text;
	}
}

static int change_one(struct sql_registry *q, const char *sql, const struct settings *s,
                      const char *what)
{
	long rows = 0;
	int code = pg_change(q->conn, sql, s->count + 1, s->values, &rows);

	if (!code && rows == 0)
		code = ctl_fail(EXIT_NEGATIVE, "no %s has the id '%s'", what, s->values[0]);
	return code;
}

static int sql_tenant_add(struct registry *s, const char *id, const json_t *fields)
{
	char text[STATEMENT_BYTES];
	struct settings set;
	struct buf sql;
	long rows = 0;
	int code;

	take_settings(&set, id, fields);
	buf_init_fixed(&sql, text, sizeof(text));
	buf_str(&sql, "INSERT INTO headgate.tenant(tenant_id");
	for (int i = 0; i < set.count; i++)
		buf_printf(&sql, ", %s", set.columns[i]);
	buf_str(&sql, ") VALUES ($1");
	for (int i = 0; i < set.count; i++)
		buf_printf(&sql, ", $%d", i + 2);
	buf_str(&sql, ") ON CONFLICT (tenant_id) DO NOTHING");
	buf_char(&sql, '\0');
	assert(!sql.failed);
	code = pg_change(sql_of(s)->conn, text, set.count + 1, set.values, &rows);
	if (!code && rows == 0)
		code = ctl_fail(EXIT_NEGATIVE, "tenant '%s' is there already", id);
	return code;
}

static int sql_tenant_set(struct registry *s, const char *id, const json_t *fields)
{
	char text[STATEMENT_BYTES];
	struct settings set;
	struct buf sql;

	take_settings(&set, id, fields);
	buf_init_fixed(&sql, text, sizeof(text));
	buf_str(&sql, "UPDATE headgate.tenant SET ");
	for (int i = 0; i < set.count; i++)
		buf_printf(&sql, "%s%s = $%d", i ? ", " : "", set.columns[i], i + 2);
	buf_str(&sql, " WHERE tenant_id = $1");
	buf_char(&sql, '\0');
	assert(!sql.failed);
	return change_one(sql_of(s), text, &set, "tenant");
}

static int sql_tenant_rm(struct registry *s, const char *id)
{
	const struct settings set = { .values = { id } };

	return change_one(sql_of(s), "DELETE FROM headgate.tenant WHERE tenant_id = $1", &set,
	                  "tenant");
}

/* A text[] or cidr[] as PostgreSQL reads it; NULL: null. The words hold no quote and no comma. */
static char *array_text(const json_t *list)
{
	struct buf out;
	json_t *v;
	size_t i;

	if (!json_is_array(list))
		return NULL;
	buf_init(&out, STATEMENT_BYTES);
	buf_char(&out, '{');
	json_array_foreach(list, i, v)
		buf_printf(&out, "%s\"%s\"", i ? "," : "", json_string_value(v));
	buf_char(&out, '}');
	buf_char(&out, '\0');
	assert(!out.failed);
	return out.p;
}

static const char *text_or_null(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static int sql_token_add(struct registry *s, const json_t *token)
{
	autofree char *scopes = array_text(json_object_get(token, "scopes"));
	autofree char *cidrs = array_text(json_object_get(token, "allowed_cidrs"));
	const char *const values[] = { text_or_null(token, "id"),
		                       json_text_of(token, "tenant"),
		                       text_or_null(token, "sha256"),
		                       json_text_of(token, "name"),
		                       scopes,
		                       text_or_null(token, "not_before"),
		                       text_or_null(token, "expires_at"),
		                       cidrs };
	long rows = 0;
	int code = pg_change(
		sql_of(s)->conn,
		"INSERT INTO headgate.token(token_id, tenant_id, hash, name, scopes, not_before, "
		"expires_at, allowed_cidrs) SELECT $1, tenant_id, decode($3, 'hex'), $4, "
		"coalesce($5::text[], '{*}'), $6::timestamptz, $7::timestamptz, $8::cidr[] "
		"FROM headgate.tenant WHERE tenant_id = $2",
		(int)ARRAY_LEN(values), values, &rows);

	if (!code && rows == 0)
		code = ctl_fail(EXIT_NEGATIVE, "no tenant has the id '%s'", values[1]);
	return code;
}

static int sql_token_revoke(struct registry *s, const char *id)
{
	const struct settings set = { .values = { id } };

	return change_one(sql_of(s),
	                  "UPDATE headgate.token SET revoked_at = coalesce(revoked_at, now()), "
	                  "revoked_by = coalesce(revoked_by, session_user) WHERE token_id = $1",
	                  &set, "token");
}

static int rotate(struct sql_registry *q, const char *old, const json_t *token, msec_t grace)
{
	char grace_ms[24];
	const char *const fresh[] = { old, text_or_null(token, "id"), text_or_null(token, "sha256"),
		                      text_or_null(token, "expires_at") };
	const char *const end[] = { old, text_or_null(token, "id"), grace_ms };
	long rows = 0;
	int code;

	snprintf(grace_ms, sizeof(grace_ms), "%lld", (long long)grace);
	code = pg_change(
		q->conn,
		"INSERT INTO headgate.token(token_id, tenant_id, hash, name, scopes, "
		"expires_at, allowed_cidrs) SELECT $2, tenant_id, decode($3, 'hex'), name, "
		"scopes, $4::timestamptz, allowed_cidrs FROM headgate.token "
		"WHERE token_id = $1 AND revoked_at IS NULL AND replaced_by IS NULL",
		(int)ARRAY_LEN(fresh), fresh, &rows);
	if (!code && rows == 0)
		return ctl_fail(EXIT_NEGATIVE, "token '%s' is gone, revoked or replaced already",
		                old);
	if (code)
		return code;
	code = pg_change(q->conn,
	                 "UPDATE headgate.token SET expires_at = least(expires_at, now() + "
	                 "$3::bigint * interval '1 millisecond'), replaced_by = $2 "
	                 "WHERE token_id = $1 AND revoked_at IS NULL AND replaced_by IS NULL",
	                 (int)ARRAY_LEN(end), end, &rows);
	if (!code && rows == 0)
		code = ctl_fail(EX_TEMPFAIL, "token '%s' was changed meanwhile; try again", old);
	return code;
}

static int sql_token_rotate(struct registry *s, const char *old, const json_t *token, msec_t grace)
{
	struct sql_registry *q = sql_of(s);
	int code = pg_script(q->conn, "BEGIN");

	if (code)
		return code;
	code = rotate(q, old, token, grace);
	if (!code)
		return pg_script(q->conn, "COMMIT");
	if (PQstatus(q->conn) == CONNECTION_OK && pg_script(q->conn, "ROLLBACK") != 0)
		ctl_error("the transaction ends with the connection: nothing was changed");
	return code;
}

static const struct registry_kind sql_kind = {
	.name = "postgres",
	.knows_use = true,
	.tenants = sql_tenants,
	.tokens = sql_tokens,
	.tenant_add = sql_tenant_add,
	.tenant_set = sql_tenant_set,
	.tenant_rm = sql_tenant_rm,
	.token_add = sql_token_add,
	.token_revoke = sql_token_revoke,
	.token_rotate = sql_token_rotate,
	.close = sql_close,
};

/* ---- opening ---- */

/* Before anything is tried: a role that may not is told which it is, and what it lacks. */
static int check_rights(struct sql_registry *q, bool to_write)
{
	int code = 0;
	PGresult *r =
		pg_run(q->conn,
	               "SELECT current_user, to_regclass('headgate.tenant') IS NOT NULL, "
	               "coalesce(has_table_privilege(to_regclass('headgate.token'), 'SELECT'), "
	               "false), coalesce(has_table_privilege(to_regclass('headgate.token'), "
	               "'UPDATE'), false)",
	               0, NULL, &code);

	if (!r)
		return code;
	q->sees_tables = PQgetvalue(r, 0, 2)[0] == 't';
	if (PQgetvalue(r, 0, 1)[0] != 't')
		code = ctl_fail(EXIT_NEGATIVE,
		                "database '%s' has no schema headgate, or '%s' may "
		                "not see it: headgatectl migrate makes it",
		                PQdb(q->conn), PQgetvalue(r, 0, 0));
	else if (to_write && PQgetvalue(r, 0, 3)[0] != 't')
		code = ctl_fail(EX_NOPERM,
		                "'%s' may not change tenants: GRANT headgate_writer TO %s, or "
		                "another role by --dsn or PGSERVICE",
		                PQgetvalue(r, 0, 0), PQgetvalue(r, 0, 0));
	PQclear(r);
	return code;
}

struct registry *registry_sql_open(struct ctl *c, const struct conf *conf, bool to_write, int *code)
{
	PGconn *conn = pg_open(c, conf, to_write, code);
	struct sql_registry *q;

	if (!conn)
		return NULL;
	q = xcalloc(1, sizeof(*q));
	q->base.kind = &sql_kind;
	q->base.c = c;
	q->conn = conn;
	*code = check_rights(q, to_write);
	if (!*code)
		return &q->base;
	sql_close(&q->base);
	return NULL;
}
