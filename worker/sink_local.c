/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_local.c -- records to SQLite files in local.dir (worker/store.h), the default without a
 * Kafka. This is the loop's side: it hands records to the writer's thread, and answers, counts and
 * logs what the store's threads say. A record is accepted when its transaction is committed and
 * synced, not before. Nothing here may touch a file.
 */
#include "worker/sink.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>

#include "common/log.h"
#include "common/loop.h"
#include "worker/budget.h"
#include "worker/store_writer.h"
#include "worker/worker.h"

enum {
	GENERATIONS = 2, /* live at the same time, during a reload */
	FILE_BYTES_MIN = 256 * KIB,
	FILE_BYTES_MAX = 64 * MIB,
	FILES_MIN = 4, /* of one worker, so that dropping the oldest does not drop all */
	CEILING_MIN = 64 * KIB,
	/* A record takes so much room at most: in the -wal, and again at the checkpoint. */
	CEILING_PART = 3,
	READY_FREE_PART = 10, /* not ready over 90 % of the budget */
};
static const msec_t FILE_AGE_MS = 3600 * 1000;

struct local {
	struct worker *w;
	struct store_dir dir;
	struct store_state state;
	struct store_bounds bounds;
	struct store_keeper *keeper;
	struct store_writer *writer;
	struct event bell, tick;
	uint64_t quarantined; /* counted so far */
	struct log_limit limits[STORE_EVENT_COUNT];
};

/* ---- what the threads say ---- */

static const struct {
	enum log_level level;
	const char *msg;
} events[STORE_EVENT_COUNT] = {
	[STORE_OPEN_FAILED] = { LOG_LEVEL_ERR, "no file of the store can be made, trying again: "
	                                       "503 until then" },
	[STORE_COMMIT_FAILED] = { LOG_LEVEL_ERR, "records could not be stored: 503; a new file "
	                                         "takes over" },
	[STORE_LOCK_LOST] = { LOG_LEVEL_ERR, "a file of the store is no longer ours: 503; a new "
	                                     "one takes over" },
	[STORE_CLOSE_FAILED] = { LOG_LEVEL_ERR, "a file of the store could not be closed: it stays "
	                                        "as it is" },
	[STORE_IS_FULL] = { LOG_LEVEL_ERR, "the store is full: 503, and nothing is dropped; look "
	                                   "at local.max_bytes, local.min_free, local.max_age" },
	[STORE_HAS_ROOM] = { LOG_LEVEL_INFO, "the store has room again" },
	[STORE_QUARANTINED] = { LOG_LEVEL_ERR, "a file of the store is damaged: it was put into "
	                                       "quarantine, rows that could be read were copied" },
	[STORE_ADOPTED] = { LOG_LEVEL_INFO, "closed a file of the store that a dead process left" },
	[STORE_DROPPED] = { LOG_LEVEL_INFO, "dropped a file of the store for its age" },
	[STORE_FOLDER_FAILED] = { LOG_LEVEL_ERR, "trouble with the store's folder" },
};

static void say(struct local *l, const struct store_notice *n)
{
	struct kv kv[KV_MAX + 1] = { { .type = KV_END } }, *at = kv;
	uint32_t held;

	if (!log_enabled(events[n->event].level, "sink_local") ||
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
	log_write(events[n->event].level, "sink_local", events[n->event].msg, kv);
}

static void hear(struct local *l)
{
	struct store_notice notices[STORE_NOTICES_MAX];
	unsigned lost, n = store_hear(&l->state, notices, &lost);

	for (unsigned i = 0; i < n; i++)
		say(l, &notices[i]);
	if (lost)
		log_warn("sink_local", "more happened to the store than could be told",
		         KV_U("events", lost));
}

static void finish_group(struct local *l, struct store_group *g)
{
	bool stored = g->verdict == V_ACCEPTED;
	int64_t seq = g->seq;
	struct record *next;

	if (stored)
		stats_observe_us(l->w->stats, STAT_STORE_COMMIT, STORE_LOCAL, (uint64_t)g->took_us);
	for (struct record *rec = g->records; rec; rec = next) {
		next = rec->next;
		if (stored)
			record_done(rec, DELIVERY_OK, V_ACCEPTED, (int32_t)g->number, seq++);
		else
			record_done(rec, DELIVERY_STORE, g->verdict, -1, -1);
	}
}

static void serve(struct local *l)
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
	uint64_t rung;

	(void)what;
	/* Read before it is served: what comes later rings again. */
	if (read(fd, &rung, sizeof(rung)) == sizeof(rung))
		serve(arg);
}

static void gauges(struct local *l)
{
	struct stats *stats = l->w->stats;
	uint64_t quarantined = atomic_load(&l->state.quarantined);
	int64_t oldest = atomic_load(&l->state.oldest_s), now = loop_wall_ns() / 1000000000;

	stats_set(stats, STAT_STORE_BYTES, STORE_LOCAL, 0, atomic_load(&l->state.bytes));
	stats_set(stats, STAT_STORE_CAPACITY, STORE_LOCAL, 0, l->bounds.max_bytes);
	stats_set(stats, STAT_STORE_OLDEST, STORE_LOCAL, 0,
	          oldest && now > oldest ? (uint64_t)(now - oldest) : 0);
	stats_add(stats, STAT_STORE_QUARANTINED, STORE_LOCAL, 0,
	          (int64_t)(quarantined - l->quarantined));
	l->quarantined = quarantined;
	/* The master shows it to the service manager. */
	atomic_store(&stats_head(stats)->ready_flags,
	             atomic_load(&l->state.full) ? READY_STORE_FULL : 0);
	sink_gauges(l->w);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	gauges(arg);
}

/* ---- the sink ---- */

static struct store_bounds bounds_of(const struct conf *conf)
{
	unsigned workers = workers_count(conf);
	uint64_t file_bytes = conf->local.max_bytes / workers / FILES_MIN / 2;

	return (struct store_bounds){
		.max_bytes = conf->local.max_bytes,
		.min_free_percent = (unsigned)conf->local.min_free,
		.sharers = workers * GENERATIONS,
		.file_bytes = min_size(max_size(file_bytes, FILE_BYTES_MIN), FILE_BYTES_MAX),
		.file_age = FILE_AGE_MS,
		.max_age = conf->local.max_age,
	};
}

static void local_close(void *sink)
{
	struct local *l = sink;

	if (l->writer) {
		store_writer_stop(l->writer);
		store_keeper_close(l->keeper);
		serve(l);
		gauges(l);
		store_writer_free(l->writer);
		event_del(&l->bell);
		event_del(&l->tick);
	} else if (l->keeper) {
		store_keeper_close(l->keeper);
	}
	if (l->state.bell >= 0)
		store_state_close(&l->state);
	if (l->dir.path)
		store_dir_close(&l->dir);
	free(l);
}

static int open_threads(struct local *l, struct err *err)
{
	l->keeper = store_keeper_open(&l->dir, &l->state, &l->bounds, err);
	if (!l->keeper)
		return -1;
	l->writer = store_writer_open(&l->dir, &l->state, l->keeper, &l->bounds, err);
	return l->writer ? 0 : -1;
}

static void *local_open(struct worker *w, struct err *err)
{
	struct local *l = xcalloc(1, sizeof(*l));
	struct timeval second = { 1, 0 };

	l->w = w;
	l->state.bell = -1;
	l->bounds = bounds_of(w->conf);
	if (store_dir_open(&l->dir, w->conf->local.dir, err) < 0 ||
	    store_state_open(&l->state, err) < 0 || open_threads(l, err) < 0) {
		local_close(l);
		return NULL;
	}
	event_assign(&l->bell, w->base, l->state.bell, EV_READ | EV_PERSIST, on_bell, l);
	event_assign(&l->tick, w->base, -1, EV_PERSIST, on_tick, l);
	event_add(&l->bell, NULL);
	event_add(&l->tick, &second);
	return l;
}

static enum verdict local_send(void *sink, struct record *rec)
{
	struct local *l = sink;

	if (atomic_load_explicit(&l->state.full, memory_order_relaxed))
		return V_STORE_FULL;
	store_writer_push(l->writer, rec);
	return V_NONE;
}

static uint64_t local_ceiling(void *sink, unsigned topic)
{
	const struct store_bounds *b = &((struct local *)sink)->bounds;

	(void)topic;
	return max_size(b->max_bytes / b->sharers / CEILING_PART, CEILING_MIN);
}

static bool local_idle(void *sink)
{
	return ((struct local *)sink)->w->sink->in_flight == 0;
}

/* A worker has ended: what it left is closed by whoever comes first. */
static void local_gone(void *sink)
{
	store_keeper_adopt(((struct local *)sink)->keeper);
}

static bool local_ready(void *sink, const char **check, char *detail, size_t cap)
{
	const struct local *l = sink;
	const struct budget *b = l->w->budget;

	*check = "store";
	if (cap)
		detail[0] = '\0';
	if (budget_used(b) > budget_capacity(b) - budget_capacity(b) / READY_FREE_PART)
		snprintf(detail, cap, "queue over 90 %% of its budget");
	else if (atomic_load(&l->state.full))
		snprintf(detail, cap, "full");
	else if (!atomic_load(&l->state.writable))
		snprintf(detail, cap, "no file can be written");
	else
		return true;
	return false;
}

const struct sink sink_local = {
	.name = "local",
	.open = local_open,
	.send = local_send,
	.ceiling = local_ceiling,
	.idle = local_idle,
	.close = local_close,
	.ready = local_ready,
	.gone = local_gone,
};
