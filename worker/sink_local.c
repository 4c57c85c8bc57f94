/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_local.c -- records to SQLite files in local.dir (worker/store.h), the default without a
 * Kafka: the whole of a store (worker/store_loop.h) as a sink. A record is accepted when its
 * transaction is committed and synced, not before. Nothing here may touch a file.
 */
#include "worker/sink.h"

#include <stdio.h>

#include "worker/budget.h"
#include "worker/store_loop.h"
#include "worker/worker.h"

enum { READY_FREE_PART = 10 }; /* not ready over 90 % of the budget */

static void local_done(void *arg, struct record *rec, const struct store_group *g, int64_t seq)
{
	(void)arg;
	if (g->verdict == V_ACCEPTED)
		record_done(rec, DELIVERY_OK, V_ACCEPTED, (int32_t)g->number, seq);
	else
		record_done(rec, DELIVERY_STORE, g->verdict, -1, -1);
}

static void local_close(void *sink)
{
	struct store_loop *l = sink;

	store_loop_stop(l);
	store_loop_close(l);
	free(l);
}

static void *local_open(struct worker *w, struct err *err)
{
	struct store_loop *l = xcalloc(1, sizeof(*l));

	l->w = w;
	l->which = STORE_LOCAL;
	l->module = "sink_local";
	l->full = "the store is full: 503, and nothing is dropped; look at local.max_bytes, "
		  "local.min_free, local.max_age";
	l->dropped = "dropped a file of the store for its age";
	l->bounds = store_loop_bounds(w->conf, w->conf->local.max_bytes, w->conf->local.min_free);
	l->bounds.max_age = w->conf->local.max_age;
	l->done = local_done;
	if (store_loop_open(l, w->conf->local.dir, err) < 0 || store_loop_start(l, err) < 0) {
		local_close(l);
		return NULL;
	}
	return l;
}

static enum verdict local_send(void *sink, struct record *rec)
{
	struct store_loop *l = sink;

	if (atomic_load_explicit(&l->state.full, memory_order_relaxed))
		return V_STORE_FULL;
	store_writer_push(l->writer, rec);
	return V_NONE;
}

static uint64_t local_ceiling(void *sink, unsigned topic)
{
	(void)topic;
	return store_loop_ceiling(sink);
}

static bool local_idle(void *sink)
{
	return ((struct store_loop *)sink)->w->sink->in_flight == 0;
}

/* A worker has ended: what it left is closed by whoever comes first. */
static void local_gone(void *sink)
{
	store_keeper_adopt(((struct store_loop *)sink)->keeper);
}

static bool local_ready(void *sink, const char **check, char *detail, size_t cap)
{
	const struct store_loop *l = sink;
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
