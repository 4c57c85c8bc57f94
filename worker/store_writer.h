/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_writer.h -- the thread that writes records: all that came while the last COMMIT ran is the
 * next group, and one COMMIT answers for all of it. Records come and go in whole lists under one
 * mutex; the loop's thread never waits for a disk.
 */
#pragma once
#include "worker/sink.h"
#include "worker/store_keeper.h"

struct store_group { /* records of one fate, in the order of their rows */
	struct store_group *next;
	struct record *records;
	enum verdict verdict; /* V_ACCEPTED: committed */
	uint32_t number; /* of the file */
	int64_t seq; /* of the first one */
	int64_t took_us; /* from its first record's send() to the end of its COMMIT */
};

struct store_writer;
struct store_writer *store_writer_open(const struct store_dir *dir, struct store_state *state,
                                       struct store_keeper *keeper,
                                       const struct store_bounds *bounds, struct err *err) MUST_USE;
/* rec is the writer's until its group is taken. */
void store_writer_push(struct store_writer *w, struct record *rec);
/* The file that takes records is to go to the keeper, if it has any. */
void store_writer_rotate(struct store_writer *w);
/* Groups that are done, oldest first; free() each. Their records are the caller's again. */
struct store_group *store_writer_take(struct store_writer *w);
/* Ends when all that was pushed is done; then take() once more. */
void store_writer_stop(struct store_writer *w);
void store_writer_free(struct store_writer *w);
