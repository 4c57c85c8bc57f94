/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_check.h -- a file of the store that nobody closed, since its process died or the machine
 * did: is it whole? And if not, which of its rows are? For the keeper's thread; blocks.
 */
#pragma once
#include "worker/store_file.h"

enum store_fate {
	STORE_GOOD, /* *file: to be finished */
	STORE_EMPTY, /* never held a record: to be removed */
	STORE_BAD, /* *why says; to be put aside */
	STORE_LATER, /* *why says what is in the way, and tells nothing of the file */
};
/* The lock is the file's afterwards if that is STORE_GOOD, else still the caller's. */
enum store_fate store_check(const struct store_dir *dir, struct store_lock *lock,
                            struct store_file **file, struct err *why) MUST_USE;

/* The rows of a bad file that can be read and match their checksum, as rows of `to`, which is new;
 * of the spool's only those behind its progress.
 * Says how many; a read error ends it. -1 with *err said: `to` can't be written. */
int64_t store_rescue(const struct store_dir *dir, uint32_t number, struct store_file *to,
                     struct err *err) MUST_USE;
