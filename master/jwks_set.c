/* SPDX-License-Identifier: Apache-2.0 */
#include "master/jwks_set.h"

enum {
	KID_MAX = 256,
	RSA_LEAST = 342,
	RSA_MOST = 1366, /* base64url digits of 2048 and of 8192 bits */
	EXPONENT_MOST = 6, /* of 32 bits */
	P256_DIGITS = 43, /* of 32 bytes */
};

static bool is_base64url(const json_t *value, size_t least, size_t most)
{
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n < least || n > most)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'A' && text[i] <= 'Z') &&
		    !(text[i] >= 'a' && text[i] <= 'z') && text[i] != '-' && text[i] != '_')
			return false;
	return true;
}

/* Absent, or that text. */
static bool may_be(const json_t *key, const char *member, const char *text)
{
	const json_t *value = json_object_get(key, member);

	return !value || (json_is_string(value) && strcmp(json_string_value(value), text) == 0);
}

static bool may_verify(const json_t *key)
{
	const json_t *ops = json_object_get(key, "key_ops"), *kid = json_object_get(key, "kid");
	bool found = !ops;

	for (size_t i = 0; i < json_array_size(ops); i++) {
		const char *op = json_string_value(json_array_get(ops, i));

		found |= op && strcmp(op, "verify") == 0;
	}
	return found && may_be(key, "use", "sig") &&
	       (!kid || (json_is_string(kid) && json_string_length(kid) <= KID_MAX));
}

static const char *text_of(const json_t *key, const char *member)
{
	const char *text = json_string_value(json_object_get(key, member));

	return text ? text : "";
}

/* Only the members named: never a private part, should one have been published. */
static json_t *only(const json_t *key, const char *const *members)
{
	json_t *out = json_object();

	for (size_t i = 0; members[i]; i++) {
		json_t *value = json_object_get(key, members[i]);

		if (value && json_object_set(out, members[i], value) < 0)
			out_of_memory();
	}
	return out;
}

/* NULL: of another kind. Whether RS256 or ES256 follows from what it is. */
static json_t *usable(const json_t *key)
{
	static const char *const rsa[] = { "kty", "kid", "n", "e", NULL };
	static const char *const ec[] = { "kty", "kid", "crv", "x", "y", NULL };

	if (!may_verify(key))
		return NULL;
	if (strcmp(text_of(key, "kty"), "RSA") == 0 && may_be(key, "alg", "RS256") &&
	    is_base64url(json_object_get(key, "n"), RSA_LEAST, RSA_MOST) &&
	    is_base64url(json_object_get(key, "e"), 1, EXPONENT_MOST))
		return only(key, rsa);
	if (strcmp(text_of(key, "kty"), "EC") == 0 && may_be(key, "alg", "ES256") &&
	    strcmp(text_of(key, "crv"), "P-256") == 0 &&
	    is_base64url(json_object_get(key, "x"), P256_DIGITS, P256_DIGITS) &&
	    is_base64url(json_object_get(key, "y"), P256_DIGITS, P256_DIGITS))
		return only(key, ec);
	return NULL;
}

json_t *jwks_set_read(struct bytes body, const char **why)
{
	json_t *set = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *keys = json_object_get(set, "keys");
	json_t *out = json_array();

	*why = json_is_array(keys) ? NULL : "its answer is no key set";
	for (size_t i = 0; i < json_array_size(keys) && !*why; i++) {
		json_t *key = usable(json_array_get(keys, i));

		if (key && json_array_size(out) == JWKS_KEYS_MAX) {
			json_decref(key);
			*why = "its set has more than 32 keys";
		} else if (key && json_array_append_new(out, key) < 0) {
			out_of_memory();
		}
	}
	json_decref(set);
	if (!*why && !json_array_size(out))
		*why = "its set has no key for RS256 or ES256";
	if (!*why)
		return out;
	json_decref(out);
	return NULL;
}

const char *jwks_discovered(struct bytes body, const char *issuer, bool secure,
                            char uri[static JWKS_URI_MAX + 1])
{
	json_t *found = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	const char *who = text_of(found, "issuer"), *where = text_of(found, "jwks_uri"),
		   *why = NULL;

	if (!json_is_object(found))
		why = "its discovery is no JSON object";
	else if (strcmp(who, issuer) != 0) /* OpenID Connect Discovery 4.3 */
		why = "its discovery names another issuer";
	else if (!*where || strlen(where) > JWKS_URI_MAX)
		why = "its discovery has no jwks_uri";
	else if (secure && strncmp(where, "https://", 8) != 0)
		why = "its discovery leads from https to clear text";
	else
		memcpy(uri, where, strlen(where) + 1);
	json_decref(found);
	return why;
}
