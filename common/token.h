/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h -- digests and the form of headgate's own tokens (records.md 2, faults.md 4): a table is
 * asked by SHA-256 of the presented token; `hgt_` tokens carry a checksum that refuses typos before
 * any hash. Never keeps, logs or prints a token.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"

enum { TOKEN_DIGEST_BYTES = 32, TOKEN_BYTES = 49, TOKEN_ID_BYTES = 8 };

struct hasher; /* one fetched EVP_MD and one reused context (115 ns against 476) */
struct hasher *hasher_open(struct err *err) MUST_USE;
void hasher_close(struct hasher *h);
void hasher_sha256(struct hasher *h, struct bytes in, uint8_t out[static TOKEN_DIGEST_BYTES]);

enum token_form {
	TOKEN_FOREIGN,   /* does not begin with hgt_: any bytes, matched by digest */
	TOKEN_WELL_FORMED,
	TOKEN_MALFORMED, /* hgt_ with a wrong length, alphabet or CRC: 401 before any hash */
};
enum token_form token_form(struct bytes token);

/* A fresh token from getrandom(2), NUL-terminated. -1 with *err said. */
int token_new(char out[static TOKEN_BYTES + 1], struct err *err) MUST_USE;

/* Tenant ids (records.md 2): 1..150 bytes of 0-9A-Za-z!-_.*'(), not ".", "..", "__mimir_cluster". */
enum { TENANT_ID_MAX = 150 };
bool tenant_id_ok(struct bytes id);
bool tenant_id_byte_ok(uint8_t c);
/* Where {tenant} stands in the names of topics, an id consists of these alone (records.md 1): a dot
 * could make one name of two. */
bool tenant_in_topic_ok(struct bytes id);
enum { TOPIC_NAME_MAX = 249 };
/* A tenant's own topic_prefix: ^[0-9A-Za-z._-]{1,100}$ */
enum { TENANT_PREFIX_MAX = 100 };
bool tenant_prefix_ok(struct bytes prefix);
bool token_id_ok(struct bytes id); /* ^[0-9A-Za-z_-]{1,64}$ */
