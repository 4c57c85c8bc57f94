/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h -- access and audit records (operations.md 8): JSON lines of at most 4096 bytes, one write
 * each, never blocking the worker: a 1 MiB buffer, then drop and count, or 503 (audit.on_full). Of
 * 401s 10 lines/s per source and 100/s in all, then one a second with `suppressed`.
 */
#pragma once
#include "worker/req.h"

struct audit *audit_open(struct worker *w, int access_fd, int audit_fd, struct err *err) MUST_USE;
void audit_reopen(struct audit *a, enum stream s, int fd); /* takes the fd; after SIGUSR1 */
void audit_close(struct audit *a);                         /* writes what it can */
bool audit_has_room(const struct audit *a);                /* audit.on_full: refuse asks it */
/* Called by req_finish() alone, once per request. */
void audit_request(struct audit *a, const struct req *r, int status, uint64_t bytes_out);
