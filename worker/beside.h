/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beside.h -- large bodies hold nobody up (performance.md, B20): where a stage would work on more
 * bytes than BESIDE_FROM, the request leaves the loop (STEP_BESIDE), and one thread of the worker's
 * runs inflate, enrich and the settling of its records, one request after the other, then gives it
 * back. For these stages, and for conn.c. What such a stage needs of the loop's - budget, buffers,
 * sink, stats - it asks for; on the loop itself asking is a call.
 */
#pragma once
#include "worker/offload.h"
#include "worker/worker.h"

/*
 * The dearest bodies cost 8 ms a MiB (B20), in all of these stages, and one in a turn is what the
 * loop can bear; to hand one over costs some 50 us, for which 1 MiB is enough work even of the
 * cheapest kind.
 */
enum { BESIDE_FROM = 1 * MIB };

void kit_open(struct kit *kit);
void kit_close(struct kit *kit);
static inline struct kit *kit_of(const struct req *r)
{
	return r->is_beside ? &r->w->beside_kit : &r->w->kit;
}

/* Behind sandbox_enter(). 0, or -1 with *err said. */
int beside_open(struct worker *w, struct err *err) MUST_USE;
/* Before conns_close(): the request that the thread works on is finished there, the others stay as
 * they are, and none is told. */
void beside_close(struct worker *w);
/* `return STEP_BESIDE;` before this much of work on the body. */
static inline bool beside_wanted(const struct req *r, size_t bytes)
{
	return bytes > BESIDE_FROM && !r->is_beside && r->w->beside;
}

void beside_ask_loop(struct req *r, void (*fn)(void *arg), void *arg);
/* fn(arg), on the loop's thread, whichever this is. */
static inline void beside_ask(struct req *r, void (*fn)(void *arg), void *arg)
{
	if (r->is_beside)
		beside_ask_loop(r, fn, arg);
	else
		fn(arg);
}
/* stats_tenant_add() for the request's tenant and signal. */
void beside_count(struct req *r, enum tenant_stat id, uint64_t n);

/* conn.c, after STEP_BESIDE: the request is the thread's until job->done(). */
void beside_push(struct req *r, struct job *job);
/* job->run(), on the thread. Who has waited for a minute is refused. */
void beside_run(struct req *r);
/* In job->done(): counts it. */
void beside_back(struct req *r);
