/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.h -- the request head of HTTP/1.1, strictly (RFC 9112, faults.md 5). Written by hand: no
 * maintained server parser is packaged, and strictness is the point. Pure: bytes in, slices out.
 */
#pragma once
#include "common/bytes.h"
#include "common/verdict.h"

enum { HEAD_LINE_MAX = 8 * KIB, HEAD_FIELD_MAX = 8 * KIB, HEAD_MAX = 32 * KIB, HEAD_FIELDS_MAX = 64 };

enum http_method { HTTP_OTHER, HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS };

struct http_field {
	struct bytes name, value; /* value without the blanks around it */
};

struct http_head {
	enum http_method method;
	struct bytes method_text;
	struct bytes target;  /* as sent */
	struct bytes path;    /* undecoded, without query; of an absolute-form target too */
	struct bytes host;
	int minor;            /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;      /* what the client asked for, by version and Connection */
	bool has_length, chunked, expect_continue;
	uint64_t length;
	struct http_field fields[HEAD_FIELDS_MAX];
	unsigned field_count;
	/* Found while parsing; a second one of the same name is counted: the stages judge. */
	struct bytes content_type, content_encoding;
	unsigned content_type_count, content_encoding_count;
	size_t bytes;         /* of the whole head, the empty line included */
};

enum head_result { HEAD_MORE, HEAD_OK, HEAD_BAD };
/* in: all bytes of the head so far. HEAD_BAD: *verdict (V_HTTP, V_HTTP_CODING, V_HTTP_VERSION,
 * V_HEAD_SIZE), *why a static text and *limit for V_HEAD_SIZE. *scanned remembers how far an
 * incomplete head was looked at (start with 0), so that bytes that trickle cost linear time. */
enum head_result http_head_parse(struct bytes in, size_t *scanned, struct http_head *out,
                                 enum verdict *verdict, const char **why, uint64_t *limit);
/* The n-th field of that name (case-insensitive), n from 0; NULL if there is none. */
const struct http_field *http_field_find(const struct http_head *h, const char *name, unsigned n);
/* The value of a field that stands exactly once; BYTES_NONE for none and for two. */
struct bytes http_field_only(const struct http_head *h, const char *name);
unsigned http_field_count(const struct http_head *h, const char *name);
/* Equal but for case, and "_" where the other has "-": some servers fold the two, so a twin of a name
 * that we judge by is refused. */
bool http_field_is_twin(struct bytes name, struct bytes ours);
