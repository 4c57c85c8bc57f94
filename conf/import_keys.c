/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_keys.c -- keys that the environment holds. The configuration keeps their hashes alone, and
 * conf_hide_environment() leaves nothing else in the process: the variable then has `sha256` where
 * `key` stood, which is read as well. What the parser had in its hands is wiped. Where the kernel
 * put the environment at exec, which is what /proc/PID/environ shows, no value is left at all.
 */
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>

#include "common/snapshot.h"
#include "conf/import.h"
#include "conf/values.h"

enum { KEYS_MAX = 4096, CIDRS_MAX = 64, MOOSE_ITERATIONS = 1000, SHOWN_ID_BYTES = 8 };

extern char **environ;

static const char *const key_variables[] = { "MICROMEGAS_INGESTION_API_KEYS",
	                                     "MICROMEGAS_API_KEYS" };

/* ---- JSON with secrets ---- */

static void wiping_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

struct memory {
	json_malloc_t malloc;
	json_free_t free;
};

/* Until json_ends() all that jansson frees is wiped; its values must be gone by then. */
static struct memory json_begins(void)
{
	struct memory before;

	json_get_alloc_funcs(&before.malloc, &before.free);
	json_set_alloc_funcs(malloc, wiping_free);
	return before;
}

static void json_ends(struct memory before)
{
	json_set_alloc_funcs(before.malloc, before.free);
}

static json_t *read_keys(const char *text, json_error_t *why)
{
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, why);

	if (root && !json_is_array(root)) {
		json_decref(root);
		*why = (json_error_t){ .line = 1, .column = 1 };
		return NULL;
	}
	return root;
}

/* The hash of an entry, by its key or as it stands there; false: it has neither. */
static bool hash_of(struct hasher *h, const json_t *entry, uint8_t out[static TOKEN_DIGEST_BYTES])
{
	const json_t *key = json_object_get(entry, "key");
	const char *hex = json_string_value(json_object_get(entry, "sha256"));

	if (json_is_string(key) && json_string_length(key) > 0) {
		hasher_sha256(h, bytes_of(json_string_value(key), json_string_length(key)), out);
		return !hex;
	}
	return !key && hex && hex_decode(bytes_str(hex), out, TOKEN_DIGEST_BYTES);
}

/* ---- one key ---- */

static struct imported_key *find_hash(const struct imported_keys *keys, const uint8_t *hash)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->v[i].hash.n == TOKEN_DIGEST_BYTES &&
		    memcmp(keys->v[i].hash.p, hash, TOKEN_DIGEST_BYTES) == 0)
			return &keys->v[i];
	return NULL;
}

static bool has_id(const struct imported_keys *keys, const char *id)
{
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->v[i].id, id) == 0)
			return true;
	return false;
}

/* The key's name says whose it is; one that is no id, or another key's too, gives way to the hash.
 */
static const char *id_of(struct loader *l, const char *name, const uint8_t *hash)
{
	const char *id = path_text(l, "env-%s", name);
	char hex[2 * SHOWN_ID_BYTES + 1];

	if (!token_id_ok(bytes_str(id)) || has_id(&l->conf->imported, id)) {
		hex_encode(hash, SHOWN_ID_BYTES, hex);
		id = path_text(l, "env-%s", hex);
	}
	return pool_text(l->pool, bytes_str(id));
}

static struct imported_key *add_key(struct loader *l)
{
	struct imported_keys *keys = &l->conf->imported;
	struct imported_key *grown = pool_zalloc(l->pool, (keys->n + 1) * sizeof(*grown));

	if (keys->n)
		memcpy(grown, keys->v, keys->n * sizeof(*grown));
	keys->v = grown;
	return &grown[keys->n++];
}

/* False with the error said. */
static bool read_cidrs(struct loader *l, struct variable v, size_t number, const json_t *list,
                       struct imported_key *key)
{
	struct snapshot_cidr *cidrs = pool_zalloc(l->pool, CIDRS_MAX * sizeof(*cidrs));
	const json_t *item;
	size_t i;

	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list) || json_array_size(list) > CIDRS_MAX) {
		BAD_VARIABLE(l, v, "[%zu]: 'allowed_cidrs' is no list of up to %d blocks", number,
		             CIDRS_MAX);
		return false;
	}
	json_array_foreach(list, i, item) {
		struct cidr cidr;
		struct err why = { "it is no text" };

		if (!json_is_string(item) ||
		    value_cidr(bytes_str(json_string_value(item)), &cidr, &why) < 0) {
			BAD_VARIABLE(l, v, "[%zu]: 'allowed_cidrs': %s", number, why.text);
			return false;
		}
		memcpy(cidrs[i].addr, cidr.addr, sizeof(cidr.addr));
		cidrs[i].prefix = cidr.prefix;
	}
	key->cidrs = cidrs;
	key->cidr_count = (unsigned)json_array_size(list);
	return true;
}

/* False with the error said. */
static bool read_tenant(struct loader *l, struct variable v, size_t number, const json_t *tenant,
                        struct imported_key *key)
{
	const char *text = json_string_value(tenant);

	key->tenant = "";
	if (!tenant || json_is_null(tenant))
		return true;
	if (!text || !tenant_id_ok(bytes_str(text))) {
		BAD_VARIABLE(l, v, "[%zu]: 'tenant' is no tenant id", number);
		return false;
	}
	key->tenant = pool_text(l->pool, bytes_str(text));
	return true;
}

static void import_entry(struct loader *l, struct hasher *h, struct variable v, size_t number,
                         const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	uint8_t hash[TOKEN_DIGEST_BYTES];
	struct imported_key read = { .kind = "sha256" }, *key;

	if (!name || !hash_of(h, entry, hash)) {
		BAD_VARIABLE(l, v, "[%zu]: 'name' or 'key' is no text", number);
		return;
	}
	if (!read_tenant(l, v, number, json_object_get(entry, "tenant"), &read) ||
	    !read_cidrs(l, v, number, json_object_get(entry, "allowed_cidrs"), &read))
		return;
	key = find_hash(&l->conf->imported, hash);
	if (key)
		report_warning(l->r, place_of_variable(l, v),
		               "[%zu]: an entry before it has this key: the last one counts",
		               number);
	else
		key = add_key(l);
	read.hash = pool_dup(l->pool, bytes_of(hash, sizeof(hash)));
	key->id = "";
	read.id = id_of(l, name, hash);
	*key = read;
}

void import_api_keys(struct loader *l, struct variable v)
{
	struct memory before = json_begins();
	json_error_t why;
	json_t *root = read_keys(v.text, &why);
	struct err err = { "" };
	struct hasher *h = hasher_open(&err);

	if (!root)
		BAD_VARIABLE(l, v, "it is no JSON array: line %d, column %d", why.line, why.column);
	else if (json_array_size(root) > KEYS_MAX)
		BAD_VARIABLE(l, v, "it has more than %d keys", KEYS_MAX);
	else if (!h)
		BAD_VARIABLE(l, v, "%s", err.text);
	else
		for (size_t i = 0; i < json_array_size(root); i++)
			import_entry(l, h, v, i, json_array_get(root, i));
	hasher_close(h);
	json_decref(root);
	json_ends(before);
}

void import_moose_key(struct loader *l, struct variable v)
{
	uint8_t hash[SNAPSHOT_PBKDF2_BYTES];
	struct imported_key *key;

	if (!hex_decode(bytes_str(v.text), hash, sizeof(hash))) {
		BAD_VARIABLE(l, v, "it is no hash of %zu hex digits", 2 * sizeof(hash));
		report_help(l->r, "headgatectl generate hash-token makes one");
		return;
	}
	key = add_key(l);
	*key = (struct imported_key){ .id = "env-moose",
		                      .tenant = "",
		                      .kind = "pbkdf2",
		                      .hash = pool_dup(l->pool, bytes_of(hash, sizeof(hash))),
		                      .iterations = MOOSE_ITERATIONS };
}

/* ---- out of sight ---- */

/* The JSON with hashes in the place of keys, malloc'd; NULL: it is none that would be taken. */
static char *hashed(const char *text)
{
	struct memory before = json_begins();
	struct hasher *h = hasher_open(NULL);
	json_error_t why;
	json_t *root = h ? read_keys(text, &why) : NULL, *entry;
	uint8_t hash[TOKEN_DIGEST_BYTES];
	char hex[2 * TOKEN_DIGEST_BYTES + 1], *out = NULL, *dumped = NULL;
	bool ok = root != NULL;
	size_t i;

	json_array_foreach(root, i, entry) {
		ok = ok && hash_of(h, entry, hash);
		if (!ok)
			break;
		hex_encode(hash, sizeof(hash), hex);
		json_object_del(entry, "key");
		ok = json_object_set_new(entry, "sha256", json_string(hex)) == 0;
	}
	if (ok)
		dumped = json_dumps(root, JSON_COMPACT);
	if (dumped)
		out = xstrdup(dumped);
	wiping_free(dumped);
	hasher_close(h);
	json_decref(root);
	json_ends(before);
	return out;
}

static bool holds_keys(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(key_variables); i++)
		if (strcmp(name, key_variables[i]) == 0)
			return true;
	return false;
}

/* The process's own memory holds it from now on. A text that is no list of keys stays as it is: it
 * stops the start if it is imported, and nobody reads it else. */
static void move(const char *name, char *old)
{
	autofree char *text = holds_keys(name) ? hashed(old) : NULL;

	if (!text)
		text = xstrdup(old);
	if (setenv(name, text, true) < 0)
		out_of_memory();
	if (getenv(name) != old) /* glibc keeps texts that it had before */
		explicit_bzero(old, strlen(old));
	explicit_bzero(text, strlen(text));
}

/* All of them: what a ${NAME} of the configuration holds, PGPASSWORD, what is an upstream's and
 * has no effect here - which ones are secret nobody could list. */
void conf_hide_environment(void)
{
	for (char **e = environ; *e; e++) {
		char *value = strchr(*e, '=');
		autofree char *name = value ? strndup(*e, (size_t)(value - *e)) : NULL;

		if (!value)
			continue;
		if (!name)
			out_of_memory();
		if (*name && getenv(name) == value + 1)
			move(name, value + 1);
		else /* nobody sees it but /proc: another one of its name is before it */
			explicit_bzero(value + 1, strlen(value + 1));
	}
}
