/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c -- which registry it is: what the configuration says, or, without one, the database of
 * --dsn or PGSERVICE.
 */
#include "tools/ctl/registry.h"

#include <string.h>
#include "common/token.h"

enum { SECRET_BYTES_MIN = 32 }; /* a token has 49; cut short it is a secret still */

const char *const tenant_limits[] = { "requests_per_s",        "requests_burst",
	                              "bytes_per_s",           "bytes_burst",
	                              "items_per_s",           "items_burst",
	                              "max_body_bytes",        "max_inflight_bytes",
	                              "max_inflight_requests", NULL };

bool is_tenant_limit(const char *column)
{
	for (const char *const *p = tenant_limits; *p; p++)
		if (strcmp(*p, column) == 0)
			return true;
	return false;
}

const struct conf *registry_conf(struct ctl *c, int *code)
{
	bool elsewhere = ctl_given(c, "dsn") || getenv("PGSERVICE");

	*code = 0;
	if (!c->conf_file && access(ctl_conf_path(c), F_OK) < 0 && elsewhere)
		return NULL;
	return ctl_conf(c, code);
}

int registry_is_foreign(const struct ctl *c)
{
	return ctl_fail(EXIT_NEGATIVE,
	                "%s has tenants.query: tenants and tokens are kept in a table of your own, "
	                "and headgatectl changes nothing there",
	                ctl_conf_path(c));
}

struct registry *registry_open(struct ctl *c, enum registry_use use, int *code)
{
	const struct conf *conf = registry_conf(c, code);
	bool to_write = use != REGISTRY_READ;

	if (!conf && *code)
		return NULL;
	if (conf && conf->tenants.source == TENANTS_FILE) {
		if (!ctl_given(c, "dsn"))
			return registry_file_open(c, conf->tenants.file.path, to_write, code);
		*code = ctl_usage(c, "--dsn is for PostgreSQL, but %s has tenants.source: file",
		                  ctl_conf_path(c));
		return NULL;
	}
	if (!conf || !conf->tenants.query[0])
		return registry_sql_open(c, conf, to_write, code);
	if (use != REGISTRY_WRITE)
		return registry_query_open(c, conf, code);
	*code = registry_is_foreign(c);
	return NULL;
}

void registry_close(struct registry *s)
{
	if (s)
		s->kind->close(s);
}

int registry_check_token_id(const struct ctl *c, const char *id)
{
	static const char prefix[] = "hgt_";

	if (strncmp(id, prefix, strlen(prefix)) == 0 && strlen(id) >= SECRET_BYTES_MIN)
		return ctl_usage(c, "this looks like a whole token, and everybody sees a command "
		                    "line: take it for known and revoke it by its id, the 8 "
		                    "characters behind hgt_");
	if (!token_id_ok(bytes_str(id)))
		return ctl_usage(c, "a token is named by its id, the 8 characters behind hgt_");
	return 0;
}

static json_t *take_one(json_t *rows, const char *what, const char *id, int *code)
{
	json_t *row = rows ? json_incref(json_array_get(rows, 0)) : NULL;

	if (rows && !row)
		*code = ctl_fail(EXIT_NEGATIVE, "no %s has the id '%s'", what, id);
	json_decref(rows);
	return row;
}

json_t *registry_tenant(struct registry *s, const char *id, int *code)
{
	return take_one(s->kind->tenants(s, id, code), "tenant", id, code);
}

json_t *registry_token(struct registry *s, const char *id, int *code)
{
	return take_one(registry_tokens(s, &(struct token_filter){ .id = id }, code), "token", id,
	                code);
}

static void keep(void *arg, json_t *row)
{
	json_array_append(arg, row);
}

json_t *registry_tokens(struct registry *s, const struct token_filter *which, int *code)
{
	json_t *rows = json_array();

	*code = s->kind->tokens(s, which, keep, rows);
	if (!*code)
		return rows;
	json_decref(rows);
	return NULL;
}
