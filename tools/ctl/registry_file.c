/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_file.c -- tenants in a tenants.yaml (tenants_doc.h): its rows as every registry
 * gives them, and each change as one of the document. What the file form lacks is null.
 */
#include <string.h>
#include <strings.h>
#include <time.h>
#include "conf/values.h"
#include "tools/ctl/registry.h"
#include "tools/ctl/tenants_doc.h"

struct file_registry {
	struct registry base;
	struct tenants_doc doc;
};

static struct file_registry *file_of(struct registry *s)
{
	return (struct file_registry *)s;
}

static void file_close(struct registry *s)
{
	struct file_registry *f = file_of(s);

	tenants_doc_close(&f->doc);
	free(f);
}

static json_t *tenants_of(const struct file_registry *f)
{
	json_t *list = json_object_get(f->doc.root, "tenants");

	if (!list) {
		list = json_array();
		json_object_set_new(f->doc.root, "tenants", list);
	}
	return list;
}

static json_t *find_tenant(const struct file_registry *f, const char *id)
{
	json_t *tenant;
	size_t i;

	json_array_foreach(tenants_of(f), i, tenant)
		if (strcmp(json_text_of(tenant, "id"), id) == 0)
			return tenant;
	return NULL;
}

static json_t *find_token(const struct file_registry *f, const char *id, json_t **of)
{
	json_t *tenant, *token;
	size_t i, k;

	json_array_foreach(tenants_of(f), i, tenant) {
		json_array_foreach(json_object_get(tenant, "tokens"), k, token) {
			if (strcmp(json_text_of(token, "id"), id) != 0)
				continue;
			*of = tenant;
			return token;
		}
	}
	return NULL;
}

/* ---- rows as every registry gives them ---- */

static void copy(json_t *out, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	json_object_set_new(out, key, v ? json_incref(v) : json_null());
}

static json_t *tenant_row(const json_t *t)
{
	static const char *const keys[] = { "display_name", "block_until", "topic_prefix",
		                            "created_at" };
	const char *state = json_text_of(t, "state");
	json_t *row = json_object(), *limits = json_object_get(t, "limits");

	copy(row, t, "id");
	json_object_set_new(row, "state", json_string(*state ? state : "active"));
	json_object_set_new(row, "limits", limits ? json_incref(limits) : json_object());
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		copy(row, t, keys[i]);
	return row;
}

static json_t *token_row(const json_t *tenant, const json_t *t)
{
	static const char *const keys[] = { "name",          "not_before", "expires_at",
		                            "revoked_at",    "revoked_by", "replaced_by",
		                            "allowed_cidrs", "created_at", "created_by",
		                            "last_used_at" };
	json_t *row = json_object(), *scopes = json_object_get(t, "scopes");

	copy(row, t, "id");
	json_object_set(row, "tenant", json_object_get(tenant, "id"));
	json_object_set_new(row, "kind",
	                    json_string(json_object_get(t, "pbkdf2") ? "pbkdf2" : "sha256"));
	json_object_set_new(row, "scopes", scopes ? json_incref(scopes) : json_pack("[s]", "*"));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		copy(row, t, keys[i]);
	return row;
}

static json_t *file_tenants(struct registry *s, const char *id, int *code)
{
	json_t *out = json_array(), *tenant;
	size_t i;

	(void)code;
	json_array_foreach(tenants_of(file_of(s)), i, tenant)
		if (!id || strcmp(json_text_of(tenant, "id"), id) == 0)
			json_array_append_new(out, tenant_row(tenant));
	return out;
}

static bool is_wanted(const json_t *tenant, const json_t *token, const struct token_filter *which)
{
	return (!which->tenant || strcmp(json_text_of(tenant, "id"), which->tenant) == 0) &&
	       (!which->id || strcmp(json_text_of(token, "id"), which->id) == 0) &&
	       (!which->sha256 || strcasecmp(json_text_of(token, "sha256"), which->sha256) == 0);
}

static int file_tokens(struct registry *s, const struct token_filter *which, row_taken each,
                       void *arg)
{
	json_t *tenant, *token, *row;
	size_t i, k;

	json_array_foreach(tenants_of(file_of(s)), i, tenant) {
		json_array_foreach(json_object_get(tenant, "tokens"), k, token) {
			if (!is_wanted(tenant, token, which))
				continue;
			row = token_row(tenant, token);
			each(arg, row);
			json_decref(row);
		}
	}
	return 0;
}

/* ---- writing ---- */

static void set_or_take(json_t *map, const char *key, const json_t *v)
{
	char number[32];

	if (json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0)) {
		json_object_del(map, key);
	} else if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		json_object_set_new(map, key, json_string(number));
	} else {
		json_object_set(map, key, (json_t *)v);
	}
}

static void apply(json_t *tenant, const json_t *fields)
{
	json_t *limits = json_object_get(tenant, "limits");
	const char *key;
	json_t *v;

	if (!limits) {
		limits = json_object();
		json_object_set_new(tenant, "limits", limits);
	}
	json_object_foreach((json_t *)fields, key, v)
		set_or_take(is_tenant_limit(key) ? limits : tenant, key, v);
	if (json_object_size(limits) == 0)
		json_object_del(tenant, "limits");
}

static int no_such(const char *what, const char *id)
{
	return ctl_fail(EXIT_NEGATIVE, "no %s has the id '%s'", what, id);
}

static int file_tenant_add(struct registry *s, const char *id, const json_t *fields)
{
	struct file_registry *f = file_of(s);
	json_t *tenant;

	if (find_tenant(f, id))
		return ctl_fail(EXIT_NEGATIVE, "tenant '%s' is there already", id);
	tenant = json_pack("{s:o}", "id", ctl_text(bytes_str(id)));
	apply(tenant, fields);
	json_array_append_new(tenants_of(f), tenant);
	return tenants_doc_replace(s->c, &f->doc);
}

static int file_tenant_set(struct registry *s, const char *id, const json_t *fields)
{
	struct file_registry *f = file_of(s);
	json_t *tenant = find_tenant(f, id);

	if (!tenant)
		return no_such("tenant", id);
	apply(tenant, fields);
	return tenants_doc_replace(s->c, &f->doc);
}

static int file_tenant_rm(struct registry *s, const char *id)
{
	struct file_registry *f = file_of(s);
	json_t *tenant;
	size_t i;

	json_array_foreach(tenants_of(f), i, tenant) {
		if (strcmp(json_text_of(tenant, "id"), id) != 0)
			continue;
		json_array_remove(tenants_of(f), i);
		return tenants_doc_replace(s->c, &f->doc);
	}
	return no_such("tenant", id);
}

static void add_token(json_t *tenant, const json_t *token)
{
	json_t *tokens = json_object_get(tenant, "tokens"), *v, *row = json_object();
	const char *key;

	if (!tokens) {
		tokens = json_array();
		json_object_set_new(tenant, "tokens", tokens);
	}
	json_object_foreach((json_t *)token, key, v)
		if (strcmp(key, "tenant") != 0)
			set_or_take(row, key, v);
	json_array_append_new(tokens, row);
}

static int file_token_add(struct registry *s, const json_t *token)
{
	struct file_registry *f = file_of(s);
	const char *id = json_text_of(token, "tenant");
	json_t *tenant = find_tenant(f, id);

	if (!tenant)
		return no_such("tenant", id);
	add_token(tenant, token);
	return tenants_doc_replace(s->c, &f->doc);
}

static int file_token_revoke(struct registry *s, const char *id)
{
	struct file_registry *f = file_of(s);
	json_t *tenant, *token = find_token(f, id, &tenant);
	char now[TIME_TEXT_BYTES];

	if (!token)
		return no_such("token", id);
	ctl_time_text((int64_t)time(NULL), now, sizeof(now));
	json_object_set_new(token, "revoked_at", json_string(now));
	return tenants_doc_replace(s->c, &f->doc);
}

static void end_by(json_t *token, int64_t at)
{
	char text[TIME_TEXT_BYTES];
	struct err err;
	int64_t old;

	/* The reader took the file: what cannot be read here is not there. */
	if (value_time(bytes_str(json_text_of(token, "expires_at")), &old, &err) == 0 && old <= at)
		return;
	ctl_time_text(at, text, sizeof(text));
	json_object_set_new(token, "expires_at", json_string(text));
}

static int file_token_rotate(struct registry *s, const char *old, const json_t *token, msec_t grace)
{
	static const char *const kept[] = { "name", "scopes", "allowed_cidrs" };
	struct file_registry *f = file_of(s);
	json_t *tenant, *before = find_token(f, old, &tenant), *fresh;

	if (!before)
		return no_such("token", old);
	fresh = json_deep_copy(token);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (json_object_get(before, kept[i]))
			json_object_set(fresh, kept[i], json_object_get(before, kept[i]));
	end_by(before, (int64_t)time(NULL) + grace / 1000);
	json_object_set(before, "replaced_by", json_object_get(token, "id"));
	add_token(tenant, fresh);
	json_decref(fresh);
	return tenants_doc_replace(s->c, &f->doc);
}

static const struct registry_kind file_kind = {
	.name = "file",
	.tenants = file_tenants,
	.tokens = file_tokens,
	.tenant_add = file_tenant_add,
	.tenant_set = file_tenant_set,
	.tenant_rm = file_tenant_rm,
	.token_add = file_token_add,
	.token_revoke = file_token_revoke,
	.token_rotate = file_token_rotate,
	.close = file_close,
};

struct registry *registry_file_open(struct ctl *c, const char *path, bool to_write, int *code)
{
	struct file_registry *f = xcalloc(1, sizeof(*f));

	f->base.kind = &file_kind;
	f->base.c = c;
	*code = tenants_doc_open(&f->doc, path, to_write);
	if (!*code)
		return &f->base;
	file_close(&f->base);
	return NULL;
}
