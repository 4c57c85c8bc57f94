/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_line.h -- one access or audit record as a line of JSON: every field of operations.md 8, in
 * its order, unknown ones null. Only worker/audit.c writes such lines; which and where is its
 * business.
 */
#pragma once
#include "common/buf.h"
#include "worker/req.h"

struct audit_line { /* what is the record's rather than the request's */
	const char *kind;
	uint64_t seq;
	int worker;
	uint64_t generation;
};
/* Appends the line with its LF. Fails (buf.h) only beyond 4096 bytes: the bounds of all fields add
 * up to less. */
void audit_line_request(struct buf *b, const struct audit_line *line, const struct req *r,
                        int status, uint64_t bytes_out);
/* Of 401s that got no line of their own. */
void audit_line_suppressed(struct buf *b, const struct audit_line *line, uint64_t suppressed);
