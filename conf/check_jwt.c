/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_jwt.c -- `auth.jwt`: whether an entry is whole, and whether what it says can be done. The
 * key of a file is looked at here, so that a wrong one is told at its line; it is used by the
 * workers.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/telemetry.h"
#include "common/token.h"
#include "conf/load.h"

enum { RSA_BITS_LEAST = 2048, RSA_BITS_MOST = 8192 };

static const char *at_jwt(struct loader *l, size_t index, const char *key)
{
	return path_text(l, "auth.jwt[%zu]%s%s", index, *key ? "." : "", key);
}

static const char *shown(struct loader *l, size_t index, const char *key, const char *value)
{
	return written(l, at_jwt(l, index, key), value);
}

/* What was refused has been told, and offline a value that a file holds is not known. */
static bool is_missing(struct loader *l, size_t index, const char *key, const char *value)
{
	const struct origin *o = origin_find(l->origins, at_jwt(l, index, key));

	return !*value && !(o && o->written && *o->written);
}

/* ---- the key ---- */

static bool is_p256(const EVP_PKEY *key)
{
	char group[32];

	return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

static bool takes(const struct jwt_conf *jwt, const char *algorithm)
{
	for (size_t i = 0; i < jwt->algorithms.n; i++)
		if (strcmp(jwt->algorithms.v[i], algorithm) == 0)
			return true;
	return false;
}

static const char *fault_of(const struct jwt_conf *jwt, const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "RSA")) {
		if (bits < RSA_BITS_LEAST || bits > RSA_BITS_MOST)
			return "an RSA key has 2048 to 8192 bits";
		return takes(jwt, "RS256") ? NULL : "a key of RS256, which 'algorithms' lacks";
	}
	if (EVP_PKEY_is_a(key, "EC") && is_p256(key))
		return takes(jwt, "ES256") ? NULL : "a key of ES256, which 'algorithms' lacks";
	return "neither an RSA key nor one of the curve P-256";
}

static void check_key(struct loader *l, struct jwt_conf *jwt, size_t index)
{
	const char *at = at_jwt(l, index, "public_key_file");
	const struct option *o = option_find(&jwt_options, "public_key_file");
	struct bytes pem;
	EVP_PKEY *key;
	BIO *bio;

	if (!read_option_file(l, o, at, &jwt->public_key_file) || l->in->offline)
		return;
	pem = jwt->public_key_file.content;
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	if (!key)
		ERROR_AT(l, at, "'%s' holds no public key in PEM", at);
	else if (fault_of(jwt, key))
		ERROR_AT(l, at, "'%s': %s", at, fault_of(jwt, key));
	EVP_PKEY_free(key);
}

/* ---- where keys come from ---- */

bool is_http(const char *url)
{
	const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
	                   : strncmp(url, "http://", 7) == 0 ? url + 7
	                                                     : "";

	return *host && !strchr("/?#:@", *host) && !strchr(host, '@') && !strchr(host, '#');
}

bool is_clear(const char *url)
{
	const char *host = url + 7;
	size_t n;

	if (strncmp(url, "http://", 7) != 0)
		return false;
	n = strcspn(host, *host == '[' ? "/?" : ":/?");
	if (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= n)
		return false;
	return strncmp(host, "[::1]", 5) != 0 && !bytes_eq(bytes_of(host, n), BYTES("localhost"));
}

static void check_source(struct loader *l, struct jwt_conf *jwt, size_t index)
{
	bool has_file = !is_missing(l, index, "public_key_file", jwt->public_key_file.path);
	bool has_uri = !is_missing(l, index, "jwks_uri", jwt->jwks_uri);
	const char *key = has_uri ? "jwks_uri" : "issuer";
	const char *url = has_uri ? jwt->jwks_uri : jwt->issuer;

	if (has_file && has_uri)
		ERROR_AT(l, at_jwt(l, index, "public_key_file"),
		         "'jwks_uri' is given too: one of the two");
	if (has_file) {
		check_key(l, jwt, index);
		return;
	}
	if (!*url)
		return;
	if (!is_http(url)) {
		ERROR_AT(l, at_jwt(l, index, key), "'%s' is no http or https address",
		         shown(l, index, key, url));
		if (!has_uri)
			report_help(l->r, "else it needs 'jwks_uri' or 'public_key_file'");
	} else if (is_clear(url)) {
		WARN_AT(l, at_jwt(l, index, key),
		        "keys come unprotected over the network: https for '%s'", key);
	}
}

/* ---- what a token must say, and what it gives ---- */

static void check_audiences(struct loader *l, const struct jwt_conf *jwt, size_t index)
{
	const char *at = at_jwt(l, index, "audiences");

	if (!origin_find(l->origins, at))
		ERROR_AT(l, at_jwt(l, index, ""),
		         "an issuer needs 'audiences', or the word any for it");
	else if (!jwt->audiences.n)
		ERROR_AT(l, at, "'%s' names none", at);
	if (!jwt_any_audience(jwt))
		return;
	if (origin_find(l->origins, path_text(l, "%s[0]", at))) {
		ERROR_AT(l, at, "'any' is no item of a list: it stands alone");
		report_help(l->r, "audiences: any");
	} else {
		WARN_AT(l, at, "tokens of this issuer are taken for whomever they were meant");
	}
}

static void check_algorithms(struct loader *l, const struct jwt_conf *jwt, size_t index)
{
	const char *at = at_jwt(l, index, "algorithms");

	if (!jwt->algorithms.n)
		ERROR_AT(l, at, "'%s' names none", at);
	for (size_t i = 0; i < jwt->algorithms.n; i++) {
		const char *item = path_text(l, "%s[%zu]", at, i), *name = jwt->algorithms.v[i];

		if (strcmp(name, "RS256") != 0 && strcmp(name, "ES256") != 0) {
			ERROR_AT(l, item, "'%s' is no algorithm that is taken",
			         written(l, item, name));
			report_help(l->r, "allowed: RS256, ES256");
		}
	}
}

static bool is_scope(const char *text)
{
	size_t n;

	if (strcmp(text, "*") == 0)
		return true;
	for (unsigned s = 0; s < SIGNAL_COUNT; s++) {
		n = strlen(signal_name(s));
		if (strncmp(text, signal_name(s), n) == 0 && strcmp(text + n, ":write") == 0)
			return true;
	}
	return false;
}

static void check_scopes(struct loader *l, const struct jwt_conf *jwt, size_t index)
{
	const char *at = at_jwt(l, index, "scopes");

	if (!jwt->scopes.n)
		ERROR_AT(l, at, "'%s' names none", at);
	for (size_t i = 0; i < jwt->scopes.n; i++) {
		const char *item = path_text(l, "%s[%zu]", at, i);

		if (!is_scope(jwt->scopes.v[i]))
			ERROR_AT(l, item, "'%s' is no scope", written(l, item, jwt->scopes.v[i]));
	}
}

void check_tenant_map(struct loader *l, const char *at, const char *claim,
                      const struct conf_lists *map)
{
	if (map->n && !*claim)
		ERROR_AT(l, at, "'%s' needs 'tenant_claim', whose values it maps", at);
	for (size_t i = 0; i < map->n; i++) {
		const struct conf_list *tenants = &map->v[i].list;

		for (size_t k = 0; k < tenants->n; k++) {
			const char *item = path_text(l, "%s.%s[%zu]", at, map->v[i].key, k);

			if (!tenant_id_ok(bytes_str(tenants->v[k])))
				ERROR_AT(l, item, "'%s' is no tenant id",
				         written(l, item, tenants->v[k]));
		}
	}
}

static void check_name(struct loader *l, size_t index)
{
	const struct jwt_conf *v = l->conf->auth.jwt.v;

	if (is_missing(l, index, "name", v[index].name))
		ERROR_AT(l, at_jwt(l, index, ""), "an issuer needs a 'name'");
	if (is_missing(l, index, "issuer", v[index].issuer))
		ERROR_AT(l, at_jwt(l, index, ""),
		         "an issuer needs 'issuer', what its tokens have as iss");
	for (size_t i = 0; *v[index].name && i < index; i++) {
		struct place at = place_of_option(l, at_jwt(l, i, ""));

		if (strcmp(v[i].name, v[index].name) == 0)
			ERROR_AT(l, at_jwt(l, index, "name"),
			         "the issuer '%s' is there twice: first at %s:%u:%u",
			         shown(l, index, "name", v[i].name), source_path(at.source),
			         at.line, at.col);
	}
}

void check_jwt(struct loader *l)
{
	const struct conf *c = l->conf;

	for (size_t i = 0; i < c->auth.jwt.n; i++) {
		struct jwt_conf *jwt = &c->auth.jwt.v[i];

		check_name(l, i);
		check_audiences(l, jwt, i);
		check_algorithms(l, jwt, i);
		check_source(l, jwt, i);
		check_tenant_map(l, at_jwt(l, i, "tenant_map"), jwt->tenant_claim,
		                 &jwt->tenant_map);
		check_scopes(l, jwt, i);
	}
	if (c->auth.jwks.refresh < c->auth.jwks.refetch_floor)
		ERROR_AT(l, "auth.jwks.refresh",
		         "'auth.jwks.refresh' is below 'auth.jwks.refetch_floor'");
}
