/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_token.c -- reads header and payload strictly: a member that comes twice, bytes behind the
 * object or a second way to write the same base64url would let two readers see two tokens. What a
 * header says about keys (jwk, jku, x5u, x5c) is never looked at: keys come from the configuration
 * alone.
 */
#include "worker/jwt_token.h"

#include "common/base64.h"

static json_t *object_of(struct bytes part)
{
	uint8_t text[JWT_BYTES_MAX];
	json_t *object = NULL;
	size_t n;

	/* NUL bytes, numbers beyond 64 bits and broken UTF-8 are refused by jansson itself. */
	if (part.n && base64_decode(BASE64_URL, part, text, &n))
		object = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

static bool split(struct bytes token, struct bytes parts[static 3])
{
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *dot = token.n ? memchr(token.p, '.', token.n) : NULL;

		if (!dot != (i == 2))
			return false;
		parts[i] = bytes_of(token.p, dot ? (size_t)(dot - token.p) : token.n);
		token = bytes_from(token, parts[i].n + 1);
	}
	return true;
}

static const char *read_header(struct jwt *jwt, struct bytes signature)
{
	const json_t *alg = json_object_get(jwt->header, "alg");
	const json_t *kid = json_object_get(jwt->header, "kid");
	uint8_t raw[JWT_BYTES_MAX];
	size_t n;

	if (!json_is_string(alg))
		return "JWT without an algorithm";
	if (json_object_get(jwt->header, "crit")) /* RFC 7515 4.1.11: what it names must be known */
		return "JWT with critical extensions";
	if (json_object_get(jwt->header, "b64"))
		return "JWT with an unencoded payload";
	if (kid && (!json_is_string(kid) || json_string_length(kid) > JWT_KID_MAX))
		return "JWT with a strange kid";
	if (!base64_decode(BASE64_URL, signature, raw, &n))
		return "JWT with a broken signature";
	jwt->alg = json_string_value(alg);
	jwt->kid = json_string_value(kid);
	return NULL;
}

bool jwt_parse(struct bytes token, struct jwt *out)
{
	struct jwt jwt = { .header = NULL };
	struct bytes parts[3];

	if (token.n > JWT_BYTES_MAX || !split(token, parts))
		return false;
	jwt.header = object_of(parts[0]);
	jwt.payload = jwt.header ? object_of(parts[1]) : NULL;
	jwt.issuer = json_string_value(json_object_get(jwt.payload, "iss"));
	if (!jwt.issuer) {
		jwt_done(&jwt);
		return false;
	}
	jwt.fault = read_header(&jwt, parts[2]);
	*out = jwt;
	return true;
}

void jwt_done(struct jwt *jwt)
{
	json_decref(jwt->header);
	json_decref(jwt->payload);
	*jwt = (struct jwt){ .header = NULL };
}
