/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/beside.h"

#include "common/loop.h"
#include "worker/route.h"

/*
 * Many that are small as they come and large when they are inflated can wait in a row of minutes.
 * Whoever asked this long ago has gone, or comes again: the work is for those behind.
 */
static const int64_t WAIT_MAX_NS = INT64_C(60) * 1000000000;

void kit_open(struct kit *kit)
{
	kit->inflater = inflater_open();
	edits_init(&kit->edits);
}

void kit_close(struct kit *kit)
{
	inflater_close(kit->inflater);
	edits_done(&kit->edits);
	slices_done(&kit->slices);
	free(kit->scratch.p);
	kit->scratch = (struct scratch){ 0 };
}

int beside_open(struct worker *w, struct err *err)
{
	w->beside = offload_open(w->base, "large bodies", err);
	if (!w->beside)
		return -1;
	kit_open(&w->beside_kit);
	return 0;
}

void beside_close(struct worker *w)
{
	if (!w->beside)
		return;
	offload_close(w->beside); /* until then what runs asks through it */
	w->beside = NULL;
	kit_close(&w->beside_kit);
}

/* What is asked may ask in its turn: it is on the loop's thread already. */
void beside_ask_loop(struct req *r, void (*fn)(void *arg), void *arg)
{
	if (r->asks) {
		fn(arg);
		return;
	}
	r->asks = true;
	offload_ask(r->w->beside, fn, arg);
	r->asks = false;
}

/* ---- stats ---- */

struct counted {
	struct req *r;
	enum tenant_stat id;
	uint64_t n;
};

static void count(void *arg)
{
	const struct counted *c = arg;

	stats_tenant_add(c->r->w->stats, c->r->who.metric_slot, c->r->signal, c->id, (int64_t)c->n);
}

void beside_count(struct req *r, enum tenant_stat id, uint64_t n)
{
	if (n)
		beside_ask(r, count, &(struct counted){ r, id, n });
}

static void gauge(struct worker *w)
{
	stats_set(w->stats, STAT_LARGE_WAITING, 0, 0, offload_count(w->beside));
}

/* ---- a request's way there and back ---- */

void beside_push(struct req *r, struct job *job)
{
	r->beside_since_ns = loop_read_ns();
	offload_push(r->w->beside, job);
	gauge(r->w);
}

void beside_run(struct req *r)
{
	int64_t began = loop_read_ns();

	r->is_beside = true;
	r->w->beside_kit.slices.n = 0; /* of the one before; not every request begins with enrich */
	req_current(r);
	if (began - r->beside_since_ns > WAIT_MAX_NS)
		req_expire(r, V_OVERLOAD);
	else
		stages_run_beside(r);
	if (r->parcel) /* the kit is the next request's */
		r->slices = slices_take(&r->w->beside_kit.slices);
	req_current_clear(r);
	r->is_beside = false;
	r->beside_ns = loop_read_ns() - began;
}

void beside_back(struct req *r)
{
	stats_observe_us(r->w->stats, STAT_LARGE_BODIES, r->route->index,
	                 (uint64_t)r->beside_ns / 1000);
	gauge(r->w);
}
