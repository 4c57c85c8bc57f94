/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_jwt.c -- a token from any bytes, its claims judged. Two lines of JSON become header and
 * payload, so that what is behind the base64url is reached; else the bytes are the token. Oracles:
 * it is read the same twice; what is taken keeps the promises of compatibility.md 3 that can be
 * checked from outside; what is decoded encodes to the same text. Make it: make MODE=fuzz
 * build/fuzz/tests/fuzz/fuzz_jwt
 */
#include <stdlib.h>
#include "common/base64.h"
#include "worker/jwt_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1764000000 };

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(struct bytes in, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		uint32_t v = (uint32_t)in.p[i] << 16 | (i + 1 < in.n ? in.p[i + 1] << 8 : 0) |
		             (i + 2 < in.n ? in.p[i + 2] : 0);

		for (size_t k = 0; k < (in.n - i > 2 ? 4 : in.n - i + 1); k++)
			out[n++] = (uint8_t)digits[v >> (18 - 6 * k) & 63];
	}
	return n;
}

static void one_form(struct bytes in)
{
	uint8_t *plain = malloc(in.n + 1), *again = malloc(2 * in.n + 8);
	size_t n;

	if (base64_decode(BASE64_URL, in, plain, &n))
		MUST(bytes_eq(bytes_of(again, encode(bytes_of(plain, n), again)), in));
	free(plain);
	free(again);
}

static void judge(const struct jwt *jwt)
{
	static const char *audiences[] = { "telemetry" }, *algorithms[] = { "RS256" },
			  *scopes[] = { "*" };
	const struct jwt_conf conf = { .name = "a",
		                       .issuer = "i",
		                       .audiences = { audiences, 1 },
		                       .algorithms = { algorithms, 1 },
		                       .public_key_file = { .path = "" },
		                       .tenant_claim = "a.b",
		                       .scopes = { scopes, 1 } };
	const struct jwt_rules rules = { .conf = &conf, .now_us = INT64_C(1000000) * NOW_S };
	enum auth_result result;
	int64_t not_after;
	struct jwt_room room;
	struct proof p;

	if (jwt_judge(jwt, &rules, &not_after, &result))
		return;
	MUST(strcmp(jwt->alg, "RS256") == 0);
	MUST(not_after > rules.now_us && not_after % 1000000 == 0);
	MUST(not_after / 1000000 == json_integer_value(json_object_get(jwt->payload, "exp")));
	jwt_proof(jwt, &conf, not_after, &room, &p);
	MUST(p.subject && *p.subject && p.tenant_count <= PROOF_TENANTS_MAX);
	free(room.claims);
}

static void token(struct bytes in)
{
	struct jwt jwt, again;
	bool parsed = jwt_parse(in, &jwt);

	MUST(jwt_parse(in, &again) == parsed);
	if (!parsed)
		return;
	MUST(jwt.issuer && strcmp(jwt.issuer, again.issuer) == 0 && !jwt.fault == !again.fault);
	MUST(json_equal(jwt.payload, again.payload));
	if (!jwt.fault)
		judge(&jwt);
	jwt_done(&jwt);
	jwt_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	const uint8_t *lf = size ? memchr(data, '\n', size) : NULL;
	uint8_t *text;
	size_t n;

	one_form(in);
	if (!lf) {
		token(in);
		return 0;
	}
	text = malloc(2 * size + 16);
	n = encode(bytes_of(data, (size_t)(lf - data)), text);
	text[n++] = '.';
	n += encode(bytes_from(in, (size_t)(lf - data) + 1), text + n);
	memcpy(text + n, ".AAAA", 5);
	token(bytes_of(text, n + 5));
	free(text);
	return 0;
}
