/* SPDX-License-Identifier: Apache-2.0 */
/*
 * last_errors.h -- the last lines that a process logged at level err, in its stats page, for the
 * status page (operations.md 7, 8). common/log.c writes them, from any thread, without a lock; all
 * processes read them. A line that is torn, since its writer is at it or died over it, is not
 * there.
 */
#pragma once
#include "common/words.h"

enum { LAST_ERRORS = 20, ERROR_MODULE_BYTES = 24, ERROR_TEXT_BYTES = 976 };

struct last_error {
	unix_ns at;
	uint64_t generation; /* of the configuration; 0 in the master */
	int32_t worker; /* slot; -1: the master */
	uint32_t unused;
	char module[ERROR_MODULE_BYTES];
	char text[ERROR_TEXT_BYTES]; /* message and pairs, escaped as in the log */
};

struct error_slot {
	_Atomic uint64_t seq; /* 0: empty; odd: being written; each line adds 2 */
	shared_word words[sizeof(struct last_error) / sizeof(uint64_t)];
};
struct last_errors { /* zeroed: empty */
	_Atomic uint64_t next; /* lines so far: the next one's place, round and round */
	struct error_slot v[LAST_ERRORS];
};

/* By the ring's own process. Of two threads that meet in one slot the later one gives way: its line
 * is in the log all the same. */
void last_errors_add(struct last_errors *ring, const struct last_error *line);

/* What is newer than the oldest of `to` takes its place: a dead process's lines, which the master
 * keeps in the base page, whose one writer it is. */
void last_errors_keep(struct last_errors *to, const struct last_errors *from);

/* Adds the ring's lines to list, the newest first, LAST_ERRORS of them at most: the new count.
 * Texts end in NUL whatever the ring's owner wrote. */
unsigned last_errors_merge(struct last_error list[static LAST_ERRORS], unsigned n,
                           const struct last_errors *ring);
