/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_ring.h -- lines on their way to a file, a pipe or the journal: a ring of 1 MiB that the
 * loop's thread fills and a thread of its own writes out, since a write to a stuck disk blocks
 * whoever does it. Only worker/audit.c uses it. Loses nothing it took while the process lives.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"

struct audit_ring;
enum { AUDIT_RING_BYTES = MIB, AUDIT_LINE_MAX = 4096 };

struct audit_ring *audit_ring_new(struct err *err) MUST_USE;
/* Takes fd, the place for all lines not yet written: at first, and after a rotation. */
void audit_ring_set_fd(struct audit_ring *ring, int fd);
bool audit_ring_is_open(const struct audit_ring *ring); /* it was given an fd */
/* One line with its LF, n <= AUDIT_LINE_MAX. False, and nothing taken: there is no room. */
bool audit_ring_put(struct audit_ring *ring, const char *line, size_t n) MUST_USE;
size_t audit_ring_room(const struct audit_ring *ring);
void audit_ring_wake(struct audit_ring *ring); /* write now; starts the thread when first called */
int audit_ring_error(const struct audit_ring *ring); /* errno of the last write; 0: it worked */
void audit_ring_free(
	struct audit_ring *ring); /* writes what it can within a second; NULL is fine */
