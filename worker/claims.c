/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/claims.h"

enum { NAME_MAX_BYTES = 256 }; /* of a claim, as options.def has it */

const char *claims_email(const json_t *claims)
{
	static const char *const members[] = {
		"verified_primary_email", "email", "https://micromegas.io/email",
		"preferred_username",     "upn",   "unique_name",
	};

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *text = json_string_value(json_object_get(claims, members[i]));

		if (text && *text)
			return text;
	}
	return NULL;
}

/* a.b.c: a member of that name, as URLs are, else c in b in a. */
static const json_t *find(const json_t *claims, const char *name)
{
	const json_t *at = json_object_get(claims, name);
	char part[NAME_MAX_BYTES + 1];

	if (at)
		return at;
	for (at = claims; *name;) {
		size_t n = strcspn(name, ".");

		if (n >= sizeof(part))
			return NULL;
		memcpy(part, name, n);
		part[n] = '\0';
		at = json_object_get(at, part); /* NULL of what is no object */
		name += n + (name[n] == '.');
	}
	return at;
}

static void add(struct claims_tenants *out, const char *tenant)
{
	for (unsigned i = 0; i < out->n; i++)
		if (strcmp(out->v[i], tenant) == 0)
			return;
	if (out->n == PROOF_TENANTS_MAX)
		out->too_many = true;
	else
		out->v[out->n++] = tenant;
}

/* What the map does not have gives nothing: a group that happens to be called like a tenant. */
static void add_value(struct claims_tenants *out, const char *value, const struct conf_lists *map)
{
	if (!map->n && *value)
		add(out, value);
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->v[i].key, value) != 0)
			continue;
		for (size_t k = 0; k < map->v[i].list.n; k++)
			add(out, map->v[i].list.v[k]);
	}
}

void claims_tenants(const json_t *claims, const char *claim, const struct conf_lists *map,
                    struct claims_tenants *out)
{
	const json_t *value = *claim ? find(claims, claim) : NULL;

	out->n = 0;
	out->too_many = false;
	if (json_is_string(value))
		add_value(out, json_string_value(value), map);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);

		if (json_is_string(item))
			add_value(out, json_string_value(item), map);
	}
}

unsigned claims_scopes(const struct conf_list *scopes)
{
	unsigned bits = 0;

	for (size_t i = 0; i < scopes->n; i++) {
		if (strcmp(scopes->v[i], "*") == 0)
			bits = SCOPE_ALL;
		for (unsigned s = 0; s < SIGNAL_COUNT; s++)
			if (strncmp(scopes->v[i], signal_name(s), strcspn(scopes->v[i], ":")) ==
			            0 &&
			    strlen(signal_name(s)) == strcspn(scopes->v[i], ":"))
				bits |= 1u << s;
	}
	return bits;
}
