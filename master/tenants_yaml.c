/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_yaml.c -- the checks of the schema (tenants.sql), on a file: same names, same rules, each
 * error at its place and all at once. A plain-text token put there by mistake is refused without
 * being shown: no message quotes a value that could be one (and tenants_file.c shows no excerpts).
 */
#include "master/tenants_yaml.h"

#include "conf/values.h"
#include "conf/yaml_node.h"
#include "master/idmap.h"
#include "master/tenant_limits.h"

enum {
	NAME_MAX_BYTES = 255,
	CIDRS_MAX = 64,
	ITERATIONS_MAX = 100000,
	TOKEN_BYTES_MIN = 32, /* ours have 49; cut short it is a secret still */
};

static const char *const file_keys[] = { "tenants", "version", NULL };
static const char *const tenant_keys[] = { "block_until", "display_name", "id",           "limits",
	                                   "state",       "tokens",       "topic_prefix", NULL };
static const char *const token_keys[] = { "allowed_cidrs", "expires_at", "id",     "iterations",
	                                  "name",          "not_before", "pbkdf2", "replaced_by",
	                                  "revoked_at",    "scopes",     "sha256", NULL };

/* Something that must be there once: where it was. */
struct named {
	struct idmap_node node;
	struct bytes id;
	struct place at;
};

static struct bytes named_id(const struct idmap_node *node)
{
	return idmap_owner(node, struct named, node)->id;
}

struct parse {
	struct report *r;
	struct tenants_yaml *out;
	struct idmap tenants, tokens, hashes;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- values ---- */

/* So many bytes in hex digits of either case; NULL: it is not. */
static uint8_t *hex_hash(struct parse *p, const struct yaml_node *n, size_t bytes)
{
	size_t digits = strspn(n->text, "0123456789abcdefABCDEF");
	uint8_t *hash = pool_alloc(report_pool(p->r), bytes);

	if (n->kind != NODE_SCALAR || digits != 2 * bytes || n->text[digits] != '\0' ||
	    !hex_decode(bytes_str(n->text), hash, bytes))
		return NULL;
	return hash;
}

/* A plain-text token where a value belongs must not get into a message. */
static bool is_no_token(struct parse *p, const struct yaml_node *n)
{
	if (!strstr(n->text, "hgt_"))
		return true;
	report_error(p->r, n->at, "this looks like a token: it does not belong into this file");
	return false;
}

/* Where any words may stand an id may begin like a token, but is not as long. */
static bool is_token(const char *text)
{
	static const char word[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	const char *at = strstr(text, "hgt_");

	return at && strspn(at, word) >= TOKEN_BYTES_MIN;
}

static bool holds_no_token(struct parse *p, const struct yaml_node *n)
{
	if (is_token(n->text))
		report_error(p->r, n->at,
		             "this looks like a token: it does not belong into this file");
	return !is_token(n->text);
}

static void check_keys(struct parse *p, const struct yaml_node *map, const char *const *allowed)
{
	bool may_be_shown = true;

	for (const struct yaml_node *v = map->first; v; v = v->next)
		may_be_shown &= holds_no_token(p, v->key);
	if (may_be_shown)
		node_keys(p->r, map, allowed);
}

/* A text that must be there; NULL with the error said. */
static const char *required(struct parse *p, const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = node_get(map, key);

	if (n)
		return holds_no_token(p, n) ? node_string(p->r, n) : NULL;
	report_error(p->r, map->at, "'%s' is missing", key);
	return NULL;
}

/* It may stand once in the file; false: a second time. */
static bool claim(struct parse *p, struct idmap *m, struct bytes id, struct place at,
                  const char *what)
{
	struct idmap_node *old = idmap_find(m, id);
	struct named *named;

	if (old) {
		const struct place *first = &idmap_owner(old, struct named, node)->at;

		report_error(p->r, at, "%s stands twice: first in line %u", what, first->line);
		return false;
	}
	named = pool_zalloc(report_pool(p->r), sizeof(*named));
	named->id = id;
	named->at = at;
	idmap_add(m, &named->node);
	return true;
}

static void check_name(struct parse *p, const struct yaml_node *n)
{
	const char *text = n && holds_no_token(p, n) ? node_string(p->r, n) : NULL;

	if (text && strlen(text) > NAME_MAX_BYTES)
		report_error(p->r, n->at, "more than %d bytes", NAME_MAX_BYTES);
}

/* Unix seconds of a time, or if_none. */
static int64_t seconds(struct parse *p, const struct yaml_node *n, int64_t if_none)
{
	int64_t s = if_none;

	if (n && (!is_no_token(p, n) || !node_value(p->r, n, value_time, &s)))
		return if_none;
	return s;
}

static int64_t microseconds(struct parse *p, const struct yaml_node *n, int64_t if_none)
{
	int64_t us;

	if (!n)
		return if_none;
	return __builtin_mul_overflow(seconds(p, n, 0), 1000000, &us) ? if_none : us;
}

static unsigned scope_bits(const char *text)
{
	for (enum signal s = 0; s < SIGNAL_COUNT; s++) {
		size_t n = strlen(signal_name(s));

		if (strncmp(text, signal_name(s), n) == 0 && strcmp(text + n, ":write") == 0)
			return 1u << s;
	}
	return strcmp(text, "*") == 0 ? SCOPE_ALL : 0;
}

static unsigned scopes_of(struct parse *p, const struct yaml_node *list)
{
	unsigned scopes = 0;

	if (!list)
		return SCOPE_ALL;
	if (!node_is(p->r, list, NODE_LIST))
		return 0;
	for (const struct yaml_node *n = list->first; n; n = n->next) {
		const char *text = node_string(p->r, n);
		unsigned bits = text ? scope_bits(text) : 0;

		if (text && bits == 0) {
			report_error(p->r, n->at, "no such scope");
			report_help(p->r, "*, traces:write, metrics:write, logs:write, "
			                  "events:write, opaque:write");
		}
		scopes |= bits;
	}
	return scopes;
}

static void cidrs_of(struct parse *p, const struct yaml_node *list, struct token_row *row)
{
	struct snapshot_cidr *cidrs;

	if (!list || !node_is(p->r, list, NODE_LIST))
		return;
	if (list->count < 1 || list->count > CIDRS_MAX) {
		report_error(p->r, list->at,
		             "1 to %d address blocks; from anywhere: leave the key out", CIDRS_MAX);
		return;
	}
	cidrs = pool_zalloc(report_pool(p->r), list->count * sizeof(*cidrs));
	for (const struct yaml_node *n = list->first; n; n = n->next) {
		struct cidr cidr = { 0 };

		if (!is_no_token(p, n) || !node_value(p->r, n, value_cidr, &cidr))
			continue;
		memcpy(cidrs[row->cidr_count].addr, cidr.addr, sizeof(cidr.addr));
		cidrs[row->cidr_count++].prefix = cidr.prefix;
	}
	row->cidrs = cidrs;
}

/* ---- rows ---- */

static void sha256_of(struct parse *p, const struct yaml_node *n, struct token_row *row)
{
	uint8_t *hash = hex_hash(p, n, TOKEN_DIGEST_BYTES);

	if (!hash) {
		report_error(p->r, n->at, "not 64 hex digits");
		report_help(p->r, "the SHA-256 of the token, never the token itself");
		return;
	}
	row->hash = bytes_of(hash, TOKEN_DIGEST_BYTES);
	claim(p, &p->hashes, row->hash, n->at, "this sha256");
}

static void pbkdf2_of(struct parse *p, const struct yaml_node *map, struct token_row *row)
{
	const struct yaml_node *n = node_get(map, "pbkdf2"),
			       *iterations = node_get(map, "iterations");
	uint8_t *hash = hex_hash(p, n, SNAPSHOT_PBKDF2_BYTES);
	uint8_t *key = pool_alloc(report_pool(p->r), TOKEN_DIGEST_BYTES);

	row->kind = BYTES("pbkdf2");
	if (!hash) {
		report_error(p->r, n->at, "not 40 hex digits");
		report_help(p->r, "the hash that belongs to the bearer, never the bearer itself");
	}
	if (!iterations)
		report_error(p->r, n->at, "'iterations' is missing");
	else if (holds_no_token(p, iterations) &&
	         node_u64(p->r, iterations, 1, ITERATIONS_MAX, &row->iterations) && hash) {
		row->hash = bytes_of(hash, SNAPSHOT_PBKDF2_BYTES);
		snapshot_key(hash, (uint32_t)row->iterations, key);
		claim(p, &p->hashes, bytes_of(key, TOKEN_DIGEST_BYTES), n->at, "this pbkdf2 key");
	}
}

static void hash_of(struct parse *p, const struct yaml_node *map, struct token_row *row)
{
	const struct yaml_node *sha256 = node_get(map, "sha256"), *pbkdf2 = node_get(map, "pbkdf2"),
			       *iterations = node_get(map, "iterations");

	if (sha256 && pbkdf2)
		report_error(p->r, pbkdf2->at, "a token has a 'sha256' or a 'pbkdf2', not both");
	else if (!sha256 && !pbkdf2)
		report_error(p->r, map->at, "'sha256' is missing");
	else if (pbkdf2)
		pbkdf2_of(p, map, row);
	else
		sha256_of(p, sha256, row);
	if (iterations && !pbkdf2)
		report_error(p->r, iterations->at, "'iterations' goes with 'pbkdf2'");
}

static void parse_token(struct parse *p, const struct yaml_node *map, struct bytes tenant)
{
	struct tenants_yaml *out = p->out;
	struct token_row row = { .tenant = tenant, .kind = BYTES("sha256") };
	const struct yaml_node *expires = node_get(map, "expires_at"),
			       *replaced = node_get(map, "replaced_by");
	const char *id;

	if (!node_is(p->r, map, NODE_MAP))
		return;
	check_keys(p, map, token_keys);
	id = required(p, map, "id");
	if (id && !token_id_ok(bytes_str(id)))
		report_error(p->r, node_get(map, "id")->at,
		             "a token id is 1 to 64 of 0-9 A-Z a-z _ -");
	else if (id &&
	         claim(p, &p->tokens, bytes_str(id), node_get(map, "id")->at, "this token id"))
		row.id = bytes_str(id);
	hash_of(p, map, &row);
	check_name(p, node_get(map, "name"));
	row.scopes = scopes_of(p, node_get(map, "scopes"));
	row.not_before = microseconds(p, node_get(map, "not_before"), INT64_MIN);
	row.not_after = microseconds(p, expires, INT64_MAX);
	if (expires && row.not_after <= row.not_before)
		report_error(p->r, expires->at, "expires_at must be after not_before");
	/* Any time revokes at once, as in the database. */
	row.revoked = node_get(map, "revoked_at") != NULL;
	seconds(p, node_get(map, "revoked_at"), 0);
	row.replaced = replaced != NULL;
	cidrs_of(p, node_get(map, "allowed_cidrs"), &row);
	if (out->token_count == out->token_cap) {
		out->token_cap = max_size(64, 2 * out->token_cap);
		out->tokens = xrealloc(out->tokens, out->token_cap, sizeof(*out->tokens));
	}
	out->tokens[out->token_count++] = row;
}

/* After all tokens are known. */
static void check_replaced(struct parse *p, const struct yaml_node *token)
{
	const struct yaml_node *n = node_get(token, "replaced_by"), *id = node_get(token, "id");
	const char *by = n ? node_string(p->r, n) : NULL;

	if (!by)
		return;
	if (id && strcmp(id->text, by) == 0)
		report_error(p->r, n->at, "a token cannot replace itself");
	else if (!idmap_find(&p->tokens, bytes_str(by)))
		report_error(p->r, n->at, "no token of this file has this id");
}

/* As the database has it, a number; or a size with its unit. */
static int limit_value(struct bytes text, uint64_t *out, struct err *err)
{
	struct err ignored = { "" };

	return value_count(text, out, &ignored) == 0 ? 0 : value_size(text, out, err);
}

static uint64_t limit_of(struct parse *p, const struct yaml_node *n, enum limit_name name)
{
	uint64_t v = 0;

	if (!n || !is_no_token(p, n) ||
	    !(limit_name_is_size(name) ? node_value(p->r, n, limit_value, &v)
	                               : node_value(p->r, n, value_count, &v)))
		return 0;
	if (v == 0)
		report_error(p->r, n->at, "%s must be above 0; without a limit: leave the key out",
		             limit_name(name));
	return v;
}

static void limits_of(struct parse *p, const struct yaml_node *map, struct tenant_limits *out)
{
	const char *keys[LIMIT_NAMES + 1] = { NULL }, *why;
	struct named_limits in = { { 0 } };
	unsigned before = report_errors(p->r);
	enum limit_name wrong;

	if (!map || !node_is(p->r, map, NODE_MAP))
		return;
	for (enum limit_name name = 0; name < LIMIT_NAMES; name++) {
		keys[name] = limit_name(name);
		in.v[name] = limit_of(p, node_get(map, keys[name]), name);
	}
	qsort(keys, LIMIT_NAMES, sizeof(*keys), by_text);
	check_keys(p, map, keys);
	why = tenant_limits_of(&in, out, &wrong);
	if (report_errors(p->r) > before)
		return;
	if (why)
		report_error(p->r, node_get(map, limit_name(wrong))->at, "%s %s", limit_name(wrong),
		             why);
	else if (tenant_limits_too_tight(out))
		report_warning(p->r, map->at,
		               "a body of max_body_bytes exceeds bytes_burst and is refused");
}

static enum tenant_state state_of(struct parse *p, const struct yaml_node *n)
{
	static const char *const names[] = { [TENANT_ACTIVE] = "active",
		                             [TENANT_SUSPENDED] = "suspended",
		                             [TENANT_DELETING] = "deleting" };
	const char *text = n ? node_string(p->r, n) : "active";

	for (size_t i = 0; text && i < ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0)
			return (enum tenant_state)i;
	if (text)
		report_error(p->r, n->at, "a state is active, suspended or deleting");
	return TENANT_DELETING;
}

static struct bytes topic_prefix_of(struct parse *p, const struct yaml_node *n)
{
	const char *text = n && is_no_token(p, n) ? node_string(p->r, n) : NULL;

	if (!text)
		return BYTES_NONE;
	if (!tenant_prefix_ok(bytes_str(text)))
		report_error(p->r, n->at,
		             "a topic_prefix is 1 to %d of 0-9 A-Z a-z . _ -; for none: leave the "
		             "key out",
		             TENANT_PREFIX_MAX);
	return bytes_str(text);
}

static void parse_tenant(struct parse *p, const struct yaml_node *map)
{
	struct tenants_yaml *out = p->out;
	const struct yaml_node *tokens;
	struct tenant_row row = { .id = BYTES_NONE };
	const char *id;

	if (!node_is(p->r, map, NODE_MAP))
		return;
	check_keys(p, map, tenant_keys);
	id = required(p, map, "id");
	if (id && !tenant_id_ok(bytes_str(id)))
		report_error(
			p->r, node_get(map, "id")->at,
			"a tenant id is 1 to %d of 0-9 A-Z a-z ! - _ . * ' ( ), and not ., .., "
			"__mimir_cluster",
			TENANT_ID_MAX);
	else if (id &&
	         claim(p, &p->tenants, bytes_str(id), node_get(map, "id")->at, "this tenant id"))
		row.id = bytes_str(id);
	row.state = state_of(p, node_get(map, "state"));
	row.block_until = seconds(p, node_get(map, "block_until"), 0);
	limits_of(p, node_get(map, "limits"), &row.limits);
	check_name(p, node_get(map, "display_name"));
	row.topic_prefix = topic_prefix_of(p, node_get(map, "topic_prefix"));
	if (out->tenant_count == out->tenant_cap) {
		out->tenant_cap = max_size(64, 2 * out->tenant_cap);
		out->tenants = xrealloc(out->tenants, out->tenant_cap, sizeof(*out->tenants));
	}
	out->tenants[out->tenant_count++] = row;
	tokens = node_get(map, "tokens");
	if (!tokens || !node_is(p->r, tokens, NODE_LIST))
		return;
	for (const struct yaml_node *n = tokens->first; n; n = n->next)
		parse_token(p, n, row.id);
}

static void parse_file(struct parse *p, const struct yaml_node *root)
{
	const struct yaml_node *version = node_get(root, "version"),
			       *tenants = node_get(root, "tenants"), *tokens;
	uint64_t number;

	if (!node_is(p->r, root, NODE_MAP))
		return;
	check_keys(p, root, file_keys);
	if (!version)
		report_error(p->r, root->at, "'version' is missing (version: 1)");
	else if (holds_no_token(p, version))
		node_u64(p->r, version, 1, 1, &number);
	if (!tenants)
		report_error(p->r, root->at, "'tenants' is missing");
	if (!tenants || !node_is(p->r, tenants, NODE_LIST))
		return;
	for (const struct yaml_node *n = tenants->first; n; n = n->next)
		parse_tenant(p, n);
	for (const struct yaml_node *n = tenants->first; n; n = n->next) {
		tokens = node_get(n, "tokens");
		for (const struct yaml_node *k = tokens ? tokens->first : NULL; k; k = k->next)
			check_replaced(p, k);
	}
}

void tenants_yaml_parse(struct report *r, const char *path, struct bytes text,
                        struct tenants_yaml *out)
{
	struct parse p = { .r = r, .out = out };
	struct yaml_node *root = yaml_read_text(r, path, text);

	*out = (struct tenants_yaml){ .tenants = NULL };
	if (!root) {
		if (report_errors(r) == 0)
			report_error(r, (struct place){ .source = report_source(r, path, text) },
			             "an empty file: version and tenants are missing");
		return;
	}
	idmap_init(&p.tenants, named_id);
	idmap_init(&p.tokens, named_id);
	idmap_init(&p.hashes, named_id);
	parse_file(&p, root);
	idmap_done(&p.tenants);
	idmap_done(&p.tokens);
	idmap_done(&p.hashes);
}

void tenants_yaml_done(struct tenants_yaml *y)
{
	free(y->tenants);
	free(y->tokens);
	*y = (struct tenants_yaml){ .tenants = NULL };
}
