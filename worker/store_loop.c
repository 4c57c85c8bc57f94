/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_loop.h"

#include <event2/event.h>

#include "common/loop.h"
#include "worker/worker.h"

enum {
	FILE_BYTES_MIN = 256 * KIB,
	FILE_BYTES_MAX = 64 * MIB,
	FILES_MIN = 4, /* of one worker, so that dropping the oldest does not drop all */
	CEILING_MIN = 64 * KIB,
	/* A record takes so much room at most: in the -wal, and again at the checkpoint. */
	CEILING_PART = 3,
};
static const msec_t FILE_AGE_MS = 3600 * 1000;

struct store_bounds store_loop_bounds(const struct conf *conf, uint64_t max_bytes,
                                      uint64_t min_free)
{
	unsigned workers = workers_count(conf);
	uint64_t file_bytes = max_bytes / workers / FILES_MIN / 2;

	return (struct store_bounds){
		.max_bytes = max_bytes,
		.min_free_percent = (unsigned)min_free,
		.sharers = workers * STORE_GENERATIONS,
		.file_bytes = min_size(max_size(file_bytes, FILE_BYTES_MIN), FILE_BYTES_MAX),
		.file_age = FILE_AGE_MS,
	};
}

uint64_t store_loop_ceiling(const struct store_loop *l)
{
	return max_size(l->bounds.max_bytes / l->bounds.sharers / CEILING_PART, CEILING_MIN);
}

/* ---- what the threads say ---- */

static const struct {
	enum log_level level;
	const char *msg; /* NULL: the owner's */
} events[STORE_EVENT_COUNT] = {
	[STORE_OPEN_FAILED] = { LOG_LEVEL_ERR, "no file of the store can be made, trying again: "
	                                       "503 until then" },
	[STORE_COMMIT_FAILED] = { LOG_LEVEL_ERR, "records could not be stored: 503; a new file "
	                                         "takes over" },
	[STORE_LOCK_LOST] = { LOG_LEVEL_ERR, "a file of the store is no longer ours: 503; a new "
	                                     "one takes over" },
	[STORE_CLOSE_FAILED] = { LOG_LEVEL_ERR, "a file of the store could not be closed: it stays "
	                                        "as it is" },
	[STORE_IS_FULL] = { LOG_LEVEL_ERR, NULL },
	[STORE_HAS_ROOM] = { LOG_LEVEL_INFO, "the store has room again" },
	[STORE_QUARANTINED] = { LOG_LEVEL_ERR, "a file of the store is damaged: it was put into "
	                                       "quarantine, rows that could be read were copied" },
	[STORE_ADOPTED] = { LOG_LEVEL_INFO,
	                    "took over a file of the store that a dead process left" },
	[STORE_DROPPED] = { LOG_LEVEL_INFO, NULL },
	[STORE_FOLDER_FAILED] = { LOG_LEVEL_ERR, "trouble with the store's folder" },
	[STORE_READ_FAILED] = { LOG_LEVEL_ERR, "a file of the store can't be read now, trying "
	                                       "again" },
	[STORE_DEAD_ROWS] = { LOG_LEVEL_ERR, "records were refused for good: they lie in dead/ of "
	                                     "the folder, headgatectl spool export --dead shows "
	                                     "them" },
};

static const char *text_of(const struct store_loop *l, enum store_event event)
{
	return event == STORE_IS_FULL   ? l->full
	       : event == STORE_DROPPED ? l->dropped
	                                : events[event].msg;
}

static void say(struct store_loop *l, const struct store_notice *n)
{
	struct kv kv[KV_MAX + 1] = { { .type = KV_END } }, *at = kv;
	uint32_t held;

	if (!log_enabled(events[n->event].level, l->module) ||
	    !log_limited(&l->limits[n->event], 1, loop_now(), &held))
		return;
	if (n->number) {
		*at++ = (struct kv)KV_U("file", n->number);
		*at++ = (struct kv)KV_I("rows", n->rows);
	}
	if (n->why.text[0])
		*at++ = (struct kv)KV_S("why", n->why.text);
	if (held)
		*at++ = (struct kv)KV_U("repeats", held);
	at->type = KV_END;
	log_write(events[n->event].level, l->module, text_of(l, n->event), kv);
}

static void hear(struct store_loop *l)
{
	struct store_notice notices[STORE_NOTICES_MAX];
	unsigned lost, n = store_hear(&l->state, notices, &lost);

	for (unsigned i = 0; i < n; i++)
		say(l, &notices[i]);
	if (lost)
		log_warn(l->module, "more happened to the store than could be told",
		         KV_U("events", lost));
}

static void finish_group(struct store_loop *l, struct store_group *g)
{
	int64_t seq = g->seq;
	struct record *next;

	if (g->verdict == V_ACCEPTED)
		stats_observe_us(l->w->stats, STAT_STORE_COMMIT, l->which, (uint64_t)g->took_us);
	for (struct record *rec = g->records; rec; rec = next) {
		next = rec->next;
		l->done(l->arg, rec, g, seq++);
	}
}

static void serve(struct store_loop *l)
{
	struct store_group *g = store_writer_take(l->writer), *next;

	for (; g; g = next) {
		next = g->next;
		finish_group(l, g);
		free(g);
	}
	hear(l);
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct store_loop *l = arg;
	uint64_t rung;

	(void)what;
	/* Read before it is served: what comes later rings again. */
	if (read(fd, &rung, sizeof(rung)) != sizeof(rung))
		return;
	serve(l);
	if (l->rung)
		l->rung(l->arg);
}

void store_loop_gauges(struct store_loop *l)
{
	struct stats *stats = l->w->stats;
	uint64_t quarantined = atomic_load(&l->state.quarantined);
	int64_t oldest = atomic_load(&l->state.oldest_s), now = loop_wall_ns() / 1000000000;

	stats_set(stats, STAT_STORE_BYTES, l->which, 0, atomic_load(&l->state.bytes));
	stats_set(stats, STAT_STORE_CAPACITY, l->which, 0, l->bounds.max_bytes);
	stats_set(stats, STAT_STORE_OLDEST, l->which, 0,
	          oldest && now > oldest ? (uint64_t)(now - oldest) : 0);
	stats_add(stats, STAT_STORE_QUARANTINED, l->which, 0,
	          (int64_t)(quarantined - l->quarantined));
	l->quarantined = quarantined;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct store_loop *l = arg;

	(void)fd, (void)what;
	store_loop_gauges(l);
	if (l->which == STORE_LOCAL) /* the master shows it to the service manager */
		stats_flags(l->w->stats, READY_STORE_FULL,
		            atomic_load(&l->state.full) ? READY_STORE_FULL : 0);
	sink_gauges(l->w);
}

/* ---- its life ---- */

int store_loop_open(struct store_loop *l, const char *dir, struct err *err)
{
	l->state.bell = -1;
	return store_dir_open(&l->dir, dir, err) < 0 ? -1 : store_state_open(&l->state, err);
}

int store_loop_start(struct store_loop *l, struct err *err)
{
	struct timeval second = { 1, 0 };

	l->keeper = store_keeper_open(&l->dir, &l->state, &l->bounds, l->heir, err);
	if (!l->keeper)
		return -1;
	l->writer = store_writer_open(&l->dir, &l->state, l->keeper, &l->bounds, err);
	if (!l->writer)
		return -1;
	event_assign(&l->bell, l->w->base, l->state.bell, EV_READ | EV_PERSIST, on_bell, l);
	event_assign(&l->tick, l->w->base, -1, EV_PERSIST, on_tick, l);
	event_add(&l->bell, NULL);
	event_add(&l->tick, &second);
	return 0;
}

void store_loop_stop(struct store_loop *l)
{
	if (l->writer) {
		store_writer_stop(l->writer);
		event_del(&l->bell);
		event_del(&l->tick);
	}
	if (l->keeper)
		store_keeper_close(l->keeper);
	l->keeper = NULL;
}

void store_loop_close(struct store_loop *l)
{
	if (l->writer) {
		serve(l);
		on_tick(-1, 0, l);
		store_writer_free(l->writer);
	}
	if (l->state.bell >= 0)
		store_state_close(&l->state);
	if (l->dir.path)
		store_dir_close(&l->dir);
}
