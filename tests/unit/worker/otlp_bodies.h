/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_bodies.h -- small OTLP bodies by hand, their gzip, and requests around them.
 */
#pragma once
#include <libdeflate.h>

#include "tests/unit/worker/fixture.h"

/* resource_spans{scope_spans{spans{trace_id, span_id, name "x"}}} */
static const uint8_t one_span[] = { 0x0a, 35, 0x12, 33, 0x12, 31, 0x0a, 16, 1,    2,  3,  4,    5,
	                            6,    7,  8,    9,  10,   11, 12,   13, 14,   15, 16, 0x12, 8,
	                            1,    2,  3,    4,  5,    6,  7,    8,  0x2a, 1,  'x' };
/* the same with our stamp in a resource of its own, behind: resource_spans{...,
 * resource{attributes{ key "tenant_id", value{string_value "acme"}}}} (records.md 1.2) */
static const uint8_t one_span_stamped[] = {
	0x0a, 58,  0x12, 33,  0x12, 31,  0x0a, 16,   1,  2,    3,  4,    5,   6,   7,
	8,    9,   10,   11,  12,   13,  14,   15,   16, 0x12, 8,  1,    2,   3,   4,
	5,    6,   7,    8,   0x2a, 1,   'x',  0x0a, 21, 0x0a, 19, 0x0a, 9,   't', 'e',
	'n',  'a', 'n',  't', '_',  'i', 'd',  0x12, 6,  0x0a, 4,  'a',  'c', 'm', 'e'
};
/* resource_logs{resource{attributes{key "tenant_id" value{string_value "evil"}}},
 * scope_logs{log_records{ body{string_value "x\xff"}}}}: a forged tenant, and a line cut inside a
 * character */
static const uint8_t forged_log[] = { 0x0a, 33 + 2, 0x0a, 21,  0x0a, 19,   0x0a, 9,    't', 'e',
	                              'n',  'a',    'n',  't', '_',  'i',  'd',  0x12, 6,   0x0a,
	                              4,    'e',    'v',  'i', 'l',  0x12, 10,   0x12, 8,   0x2a,
	                              6,    0x0a,   4,    'x', 'y',  'z',  0xff };

struct request { /* malloc'ed text of a request */
	uint8_t *p;
	size_t n;
};

static inline struct bytes request_bytes(const struct request *q)
{
	return bytes_of(q->p, q->n);
}

/* fields end each with CRLF; Host and Content-Length are added. */
static inline struct request request_of(const char *path, const char *fields, const void *body,
                                        size_t n)
{
	struct request q = { .p = malloc(1024 + strlen(fields) + n) };

	q.n = (size_t)sprintf((char *)q.p,
	                      "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n", path,
	                      n, fields);
	if (n)
		memcpy(q.p + q.n, body, n);
	q.n += n;
	return q;
}

static inline struct request gzip_of(const void *p, size_t n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t cap = libdeflate_gzip_compress_bound(c, n);
	struct request out = { .p = malloc(cap) };

	out.n = libdeflate_gzip_compress(c, p, n, out.p, cap);
	cr_assert_gt(out.n, (size_t)0);
	libdeflate_free_compressor(c);
	return out;
}

#define ACME "Authorization: Bearer secret-acme\r\n"
#define PROTOBUF "Content-Type: application/x-protobuf\r\n"
#define GZIP "Content-Encoding: gzip\r\n"

/* Sends a body as acme to a path; fields beside credential and type. */
static inline const char *send_body(struct fixture *f, const char *path, const char *fields,
                                    const void *body, size_t n)
{
	char all[512];
	struct request q;
	const char *reply;

	snprintf(all, sizeof(all), ACME PROTOBUF "%s", fields);
	q = request_of(path, all, body, n);
	reply = fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);
	free(q.p);
	return reply;
}

static inline const char *send_gzip(struct fixture *f, const char *path, const void *body, size_t n)
{
	struct request z = gzip_of(body, n);
	const char *reply = send_body(f, path, GZIP, z.p, z.n);

	free(z.p);
	return reply;
}
