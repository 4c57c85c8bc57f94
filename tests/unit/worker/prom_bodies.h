/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prom_bodies.h -- small remote_write messages by hand, their snappy block, and requests around
 * them.
 */
#pragma once
#include <snappy-c.h>

#include "tests/unit/worker/otlp_bodies.h"

/* 1.0: timeseries{labels{"__name__" "up"}, samples{value 1, timestamp 1}} */
static const uint8_t prom_v1[] = { 0x0a, 29,  0x0a, 14,   0x0a, 8,    '_',  '_',  'n', 'a',  'm',
	                           'e',  '_', '_',  0x12, 2,    'u',  'p',  0x12, 11,  0x09, 0,
	                           0,    0,   0,    0,    0,    0xf0, 0x3f, 0x10, 1 };
/* 2.0: symbols "", "__name__", "up", timeseries{labels_refs 1 2, samples{value 1, timestamp 1}} */
static const uint8_t prom_v2[] = { 0x22, 0, 0x22, 8,   '_',  '_', 'n',  'a',  'm',  'e',  '_',  '_',
	                           0x22, 2, 'u',  'p', 0x2a, 17,  0x0a, 2,    1,    2,    0x12, 11,
	                           0x09, 0, 0,    0,   0,    0,   0,    0xf0, 0x3f, 0x10, 1 };

#define SNAPPY "Content-Encoding: snappy\r\n"
#define PROM_V2 "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"

static inline struct request snappy_of(const void *p, size_t n)
{
	size_t cap = snappy_max_compressed_length(n);
	struct request out = { .p = malloc(cap), .n = cap };

	cr_assert_eq(snappy_compress(p, n, (char *)out.p, &out.n), SNAPPY_OK);
	return out;
}

/* Sends bytes as acme to a path, with fields beside the credential. */
static inline const char *send_bytes(struct fixture *f, const char *path, const char *fields,
                                     const void *body, size_t n)
{
	char all[512];
	struct request q;
	const char *reply;

	snprintf(all, sizeof(all), ACME "%s", fields);
	q = request_of(path, all, body, n);
	reply = fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);
	free(q.p);
	return reply;
}

/* The same of the message's snappy block. */
static inline const char *send_block(struct fixture *f, const char *path, const char *fields,
                                     const void *message, size_t n)
{
	struct request z = snappy_of(message, n);
	const char *reply = send_bytes(f, path, fields, z.p, z.n);

	free(z.p);
	return reply;
}
