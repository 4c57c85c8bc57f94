/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_loop.h -- the loop's side of a store: hears its threads, logs and shows what they say, and
 * gives each record back to whoever pushed it. Of the local store (sink_local.c) and of the spool
 * (spool.c). Nothing here touches a file.
 */
#pragma once
#include <event2/event_struct.h>

#include "common/log.h"
#include "worker/store_writer.h"

struct store_loop {
	/* The owner's, before store_loop_open(). */
	struct worker *w;
	enum store which;
	const char *module; /* in the log */
	const char *full; /* what the log says when it is */
	const char *dropped; /* and when a file went for its age */
	struct store_bounds bounds;
	const struct store_heir *heir; /* NULL: files are closed for readers */
	/* What became of a record: it is the owner's again. seq: its row, if that is stored. */
	void (*done)(void *arg, struct record *rec, const struct store_group *g, int64_t seq);
	void (*rung)(void *arg); /* behind all of these; NULL: nobody */
	void *arg;

	/* Its own. */
	struct store_dir dir;
	struct store_state state;
	struct store_keeper *keeper;
	struct store_writer *writer;
	struct event bell, tick;
	uint64_t quarantined; /* counted so far */
	struct log_limit limits[STORE_EVENT_COUNT];
};

enum { STORE_GENERATIONS = 2 }; /* live at the same time, during a reload */
/* Of all workers together; dir's max_age and more are the caller's to add. */
struct store_bounds store_loop_bounds(const struct conf *conf, uint64_t max_bytes,
                                      uint64_t min_free);
/* The largest record that such a store takes. */
uint64_t store_loop_ceiling(const struct store_loop *l);

/* The folder and the bell, which the heir may need; then the threads. -1 with *err said: close it.
 */
int store_loop_open(struct store_loop *l, const char *dir, struct err *err) MUST_USE;
int store_loop_start(struct store_loop *l, struct err *err) MUST_USE;
void store_loop_gauges(struct store_loop *l);
/* What was pushed is written, the threads have ended, the heir has the files. The last groups are
 * given back by store_loop_close(). Both take a half-open one. */
void store_loop_stop(struct store_loop *l);
void store_loop_close(struct store_loop *l);
