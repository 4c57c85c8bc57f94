/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_private.h -- private to spool.c, which takes records in, and spool_replay.c, which sends
 * them on.
 */
#pragma once
#include "worker/spool.h"
#include "worker/spool_reader.h"
#include "worker/spool_share.h"
#include "worker/store_loop.h"

struct spool_topic {
	/* Records that are not in Kafka yet: on their way to a row; in the file that takes rows now
	 * (of that number); in files that are drained. */
	uint64_t queued, current, waiting; /* waiting: of all three together */
	uint32_t file;
	/* Its records failed: new ones come here at once, until one of them is stored. */
	bool tripped;
	msec_t backoff, held_until; /* no row of it is tried before */
	/* Records whose order counts, while the last rows before them are on their way; in no file.
	 */
	struct record *behind, **behind_end;
	msec_t behind_since;
};

struct spool {
	struct worker *w;
	struct store_loop store;
	struct store_heir heir;
	struct spool_reader *reader;
	struct spool_topic *topics; /* by worker/route.h's index */
	unsigned topic_count;
	struct spool_shares *shares;
	uint32_t file, rotated; /* the last that took rows; that was asked to be drained */
	struct event tick;
	bool was_down, gave_up, closing;

	/* The replay. */
	bool asked, careful; /* careful: the last rows failed, so a few are tried */
	struct spool_batch *batch; /* NULL: none is out */
	unsigned open; /* rows of it without a fate, and one for the hand that sends */
	unsigned suspects; /* of these */
	msec_t ask_at; /* not before */
};

enum { SPOOL_ROW_BYTES = 512 }; /* what counts of a row beside its value */

struct spool_topic *spool_topic(struct spool *s, unsigned topic);
bool spool_is_down(struct spool *s);
/* A row is done with: it counts no more. */
void spool_forgets(struct spool *s, unsigned topic, struct bytes tenant, uint64_t value_bytes);
void spool_topic_failed(struct spool *s, struct spool_topic *t);
void spool_topic_works(struct spool *s, struct spool_topic *t);

/* spool_replay.c: as far as it goes now. */
void spool_replay(struct spool *s);
void spool_replay_end(struct spool *s); /* gives the batch back */
