/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_micromegas.c -- the variables of micromegas' ingestion service (compatibility.md 3).
 * MICROMEGAS_INGESTION_X wins over MICROMEGAS_X. JSON that is broken stops the start, where
 * upstream would go on without the provider that it describes.
 */
#include <jansson.h>
#include <stdio.h>

#include "common/token.h"
#include "conf/import.h"

static const char prefix[] = "MICROMEGAS_", own_prefix[] = "MICROMEGAS_INGESTION_";

/* Its table of keys, as compatibility.md 3 has it: a row for each key, revoked ones for 30 days. */
static const char keys_query[] = "SELECT key_id::text AS token_id, audience AS tenant_id, 'sha256' "
				 "AS kind, key_hash AS hash,\n"
				 "  revoked_at, nullif(allowed_cidrs, '{}') AS allowed_cidrs\n"
				 "FROM ingestion_api_keys WHERE revoked_at IS NULL OR revoked_at > "
				 "now() - interval '30 days'";

static struct variable own_or_common(struct loader *l, const char *x)
{
	struct variable v = variable_of(path_text(l, "%s%s", own_prefix, x));

	return is_given(v) ? v : variable_of(path_text(l, "%s%s", prefix, x));
}

/* Digits alone, as seconds; NULL with the error said. */
static const char *seconds(struct loader *l, struct variable v, uint64_t max)
{
	uint64_t s;

	if (bytes_to_u64(bytes_str(v.text), max, &s))
		return path_text(l, "%llus", (unsigned long long)s);
	BAD_VARIABLE(l, v, "it is no number of seconds up to %llu", (unsigned long long)max);
	return NULL;
}

/* jansson's own words would quote the text. */
static json_t *read_json(struct loader *l, struct variable v)
{
	json_error_t why;
	json_t *root = json_loads(v.text, JSON_REJECT_DUPLICATES, &why);

	if (!root)
		BAD_VARIABLE(l, v, "it is no JSON: line %d, column %d", why.line, why.column);
	return root;
}

/* ---- OIDC ---- */

static void import_issuer(struct loader *l, struct variable v, const json_t *o, size_t number)
{
	const char *issuer = json_string_value(json_object_get(o, "issuer"));
	const char *audience = json_string_value(json_object_get(o, "audience"));
	const char *name = path_text(l, "micromegas-%zu", number + 1);
	void *map;
	size_t index;

	if (!issuer || !*issuer || !audience || !*audience) {
		BAD_VARIABLE(l, v, "issuers[%zu]: 'issuer' or 'audience' is no text", number);
		return;
	}
	if (import_find_jwt(l, name, &index)) /* a file's own, as -T prints it */
		return;
	map = import_map(l, "auth.jwt", v, &index);
	if (!map)
		return;
	import_key(l, "auth.jwt", index, map, "name", IMPLIED, name);
	import_key(l, "auth.jwt", index, map, "issuer", v, issuer);
	import_key(l, "auth.jwt", index, map, "audiences", v, audience);
}

static void import_number(struct loader *l, struct variable v, const json_t *root,
                          const char *member, const char *path, const char *unit)
{
	const json_t *n = json_object_get(root, member);

	if (!n)
		return;
	if (json_is_integer(n) && json_integer_value(n) >= 0)
		import_option(l, path, v,
		              path_text(l, "%lld%s", (long long)json_integer_value(n), unit));
	else
		BAD_VARIABLE(l, v, "'%s' is no number", member);
}

static void import_oidc(struct loader *l)
{
	struct variable v = own_or_common(l, "OIDC_CONFIG");
	json_t *root = is_given(v) ? read_json(l, v) : NULL, *issuers;

	if (!root)
		return;
	issuers = json_object_get(root, "issuers");
	if (!json_array_size(issuers))
		BAD_VARIABLE(l, v, "'issuers' is no list with an issuer");
	for (size_t i = 0; i < json_array_size(issuers); i++)
		import_issuer(l, v, json_array_get(issuers, i), i);
	import_number(l, v, root, "jwks_refresh_interval_secs", "auth.jwks.refresh", "s");
	import_number(l, v, root, "token_cache_size", "auth.cache_entries", "");
	import_number(l, v, root, "token_cache_ttl_secs", "auth.cache_ttl", "s");
	json_decref(root);
}

/* ---- the rest ---- */

static void import_admins(struct loader *l)
{
	struct variable v = own_or_common(l, "ADMINS");
	json_t *root = is_given(v) ? read_json(l, v) : NULL, *admin;
	size_t i;

	if (!root)
		return;
	if (!json_is_array(root))
		BAD_VARIABLE(l, v, "it is no JSON array");
	json_array_foreach(root, i, admin) {
		if (json_is_string(admin))
			import_item(l, "auth.admins", v, json_string_value(admin));
		else
			BAD_VARIABLE(l, v, "[%zu] is no text", i);
	}
	json_decref(root);
}

/* Where a file says by what tenants are known, that stands. */
static void import_database(struct loader *l)
{
	struct variable v = own_or_common(l, "SQL_CONNECTION_STRING");
	const struct conf *c = l->conf;

	if (!is_given(v) || origin_find(l->origins, "tenants.dsn") ||
	    origin_find(l->origins, "tenants.dsn_file") ||
	    (origin_find(l->origins, "tenants.source") && c->tenants.source != TENANTS_POSTGRES))
		return;
	import_option(l, "tenants.source", v, "postgres");
	import_option(l, "tenants.dsn", v, v.text);
	/* Shown as the reference that it is, never as what it holds. */
	origin_set(l, "tenants.dsn", place_of_variable(l, v), path_text(l, "${%s}", v.name));
	origin_written(l, "tenants.dsn", path_text(l, "${%s}", v.name));
	import_option(l, "tenants.query", IMPLIED, keys_query);
	l->conf->imported_table = strcmp(c->tenants.query, keys_query) == 0;
}

static void import_default_tenant(struct loader *l)
{
	struct variable v = own_or_common(l, "DEFAULT_KEY_AUDIENCE");
	struct bytes text;

	if (!is_given(v))
		v = own_or_common(l, "DEFAULT_AUDIENCE");
	if (!is_given(v))
		return;
	text = bytes_trim(bytes_str(v.text));
	if (!tenant_id_ok(text))
		BAD_VARIABLE(l, v, "it is no tenant id");
	else
		import_option(l, "auth.default_tenant", v, pool_text(report_pool(l->r), text));
}

static void import_times(struct loader *l)
{
	enum { GRACE_MAX_S = 30, YEAR_S = 31536000 };
	struct variable v = own_or_common(l, "AUTH_CACHE_TTL_SECONDS");
	const char *text = is_given(v) ? seconds(l, v, YEAR_S) : NULL;

	if (text)
		import_option(l, "auth.cache_ttl", v, text);
	v = own_or_common(l, "SHUTDOWN_GRACE_PERIOD_SECONDS");
	text = is_given(v) ? seconds(l, v, GRACE_MAX_S) : "25s";
	if (text)
		import_option(l, "http.drain_timeout", is_given(v) ? v : IMPLIED, text);
}

static void import(struct loader *l)
{
	struct variable listen = variable_of("MICROMEGAS_INGESTION_LISTEN_ADDR");
	struct variable keys = own_or_common(l, "API_KEYS");

	import_option(l, "protocols.micromegas.enabled", IMPLIED, "true");
	import_listener(l, "micromegas", is_given(listen) ? listen : IMPLIED,
	                is_given(listen) ? listen.text : "127.0.0.1:8081", "native");
	import_default_tenant(l);
	import_times(l); /* before the token_cache_ttl_secs of OIDC_CONFIG, which they win over */
	import_oidc(l);
	import_admins(l);
	import_database(l);
	if (is_given(keys))
		import_api_keys(l, keys);
}

/* MICROMEGAS_API_KEY_CACHE_*, _API_KEY_UNKNOWN_CACHE_* and _OBJECT_STORE_URI have no effect here,
 * so nobody need be told of them. */
static bool knows(const char *variable)
{
	static const char *const names[] = { "API_KEYS",
		                             "OIDC_CONFIG",
		                             "ADMINS",
		                             "SQL_CONNECTION_STRING",
		                             "DEFAULT_KEY_AUDIENCE",
		                             "DEFAULT_AUDIENCE",
		                             "SHUTDOWN_GRACE_PERIOD_SECONDS",
		                             "AUTH_CACHE_TTL_SECONDS" };
	const char *x;

	if (strcmp(variable, "MICROMEGAS_INGESTION_LISTEN_ADDR") == 0)
		return true;
	if (strncmp(variable, own_prefix, sizeof(own_prefix) - 1) == 0)
		x = variable + sizeof(own_prefix) - 1;
	else if (strncmp(variable, prefix, sizeof(prefix) - 1) == 0)
		x = variable + sizeof(prefix) - 1;
	else
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(x, names[i]) == 0)
			return true;
	return false;
}

const struct upstream import_micromegas = { "micromegas", import, knows };
