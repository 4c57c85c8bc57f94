/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_drain.h -- the spool's files on their way out: which rows come next, and what follows from
 * what became of them. A topic that takes nothing now is passed over, and its rows are come back
 * to: they hold up no other topic's. A file whose rows are all done with goes. For the thread of
 * spool_reader.c; blocks.
 */
#pragma once
#include "worker/spool_file.h"
#include "worker/store_state.h"

enum {
	SPOOL_BATCH_ROWS = 1000,
	SPOOL_BATCH_BYTES = MIB
}; /* of values; a single larger one passes */

struct spool_batch {
	struct spool_batch *next;
	struct spool_row rows[SPOOL_BATCH_ROWS];
	unsigned count;
	uint64_t bytes;
	uint32_t file; /* number of the one that they are of */
};

struct spool_topics { /* names; none twice */
	char **v;
	unsigned n, cap;
};
void spool_topics_add(struct spool_topics *t, const char *name); /* a copy */
bool spool_topics_has(const struct spool_topics *t, struct bytes name);
void spool_topics_done(struct spool_topics *t);

/* Of a file that this worker did not write. */
struct spool_found {
	struct spool_found *next;
	char *tenant, *topic;
	bool is_raw;
	uint64_t rows, bytes;
};

void spool_found_free(struct spool_found *found);

struct spool_drain;
struct spool_drain *spool_drain_open(const struct store_dir *dir, struct store_state *state,
                                     msec_t dead_age);
/* Leaves its files to the next worker. No batch is out. */
void spool_drain_close(struct spool_drain *d);
void spool_drain_add(struct spool_drain *d, struct store_file *f); /* its own from here on */
/* The rows that come next, `most` of them; NULL: none that can be sent now. One batch at a time. */
struct spool_batch *spool_drain_next(struct spool_drain *d, const struct spool_topics *held,
                                     unsigned most);
/* With the fates of its rows; it is freed. */
void spool_drain_settle(struct spool_drain *d, struct spool_batch *batch);
void spool_drain_tend(struct spool_drain *d); /* from time to time */
/* Since the last time: files that it has no more, and what it found in files of others. */
unsigned spool_drain_gone(struct spool_drain *d);
struct spool_found *spool_drain_found(struct spool_drain *d);
