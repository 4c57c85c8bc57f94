/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_state.h -- between the store's two threads and the loop, which alone logs, counts and
 * answers: a bell (an eventfd), what the threads have to say, and a few words that all may read.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "worker/store_dir.h"

enum store_event {
	STORE_OPEN_FAILED, /* no file could be made: 503 until one can be */
	STORE_COMMIT_FAILED, /* 503 for its records; a new file takes over */
	STORE_LOCK_LOST, /* the same */
	STORE_CLOSE_FAILED, /* number stays as it is: its rows are in the -wal */
	STORE_IS_FULL,
	STORE_HAS_ROOM,
	STORE_QUARANTINED,
	STORE_ADOPTED,
	STORE_DROPPED, /* older than its max_age */
	STORE_FOLDER_FAILED,
	STORE_READ_FAILED, /* of the spool */
	STORE_DEAD_ROWS,
	STORE_EVENT_COUNT
};

struct store_notice {
	enum store_event event;
	uint32_t number; /* of the file */
	int64_t rows;
	struct err why;
};
enum { STORE_NOTICES_MAX = 32 };

struct store_state {
	int bell; /* readable: something is to be taken */
	pthread_mutex_t mutex;
	struct store_notice notices[STORE_NOTICES_MAX];
	unsigned notice_count, notices_lost;
	/* By the threads, for everybody. */
	_Atomic bool full, writable;
	_Atomic uint64_t bytes, quarantined;
	_Atomic int64_t oldest_s; /* wall clock; 0: no file */
};
int store_state_open(struct store_state *s, struct err *err) MUST_USE;
void store_state_close(struct store_state *s);
void store_ring(struct store_state *s);
/* Rings too. why may be NULL. */
void store_say(struct store_state *s, enum store_event event, uint32_t number, int64_t rows,
               const struct err *why);
/* Up to STORE_NOTICES_MAX; *lost: how many found no place. */
unsigned store_hear(struct store_state *s, struct store_notice *out, unsigned *lost);

/* What all files together may take (config.yaml, local). */
struct store_bounds {
	uint64_t max_bytes;
	unsigned min_free_percent;
	unsigned sharers; /* workers, those of two generations */
	uint64_t file_bytes; /* a file goes to the keeper at this size */
	msec_t file_age; /* or at this age */
	msec_t max_age; /* files older than this are dropped; 0: none */
	bool sent_on; /* the flags of rows tell what Kafka is to know */
};
/* What one worker may add before it looks again. */
uint64_t store_allowance(const struct store_bounds *b, const struct store_scan *scan);

msec_t store_now(void); /* monotonic, of this moment: the loop's clock is not for threads */
/* With all signals blocked: they are the loop's. */
int store_thread(pthread_t *out, void *(*main)(void *), void *arg, struct err *err) MUST_USE;
/* A condition whose waits are measured by the monotonic clock. */
void store_cond_init(pthread_cond_t *cond);
void store_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, msec_t most);
