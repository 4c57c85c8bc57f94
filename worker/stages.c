/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages.c -- the way of a request, the whole of it: one array, one loop. A request's index in it
 * only grows. conn.c turns what stages_run() says into what to watch.
 */
#include "worker/charge.h"
#include "worker/produce.h"

static const struct stage {
	const char *name;
	enum step (*run)(struct req *r);
} stages[STAGE_COUNT] = {
	[STAGE_HEAD] = { "head", head_run }, /* needs bytes: the request head                */
	[STAGE_ROUTE] = { "route", route_run }, /* path, method -> protocol, dialect            */
	[STAGE_AUTH] = { "auth", auth_run }, /* credential -> tenant, from the head alone    */
	[STAGE_ADMIT] = { "admit", admit_run }, /* type, encoding, length; block, budgets       */
	[STAGE_BODY] = { "body", body_run }, /* needs bytes: length or chunks                */
	[STAGE_INFLATE] = { "inflate", inflate_run }, /* identity, gzip */
	[STAGE_ENRICH] = { "enrich", enrich_run }, /* protocol: validate, stamp the tenant */
	[STAGE_PRODUCE] = { "produce", produce_run }, /* needs a wake: delivery reports */
	[STAGE_REPLY] = { "reply", reply_run }, /* needs room in the socket                     */
};

const char *stage_name(enum stage_index at)
{
	return at < STAGE_COUNT ? stages[at].name : "done";
}

static void reply_next(struct req *r)
{
	assert(r->verdict != V_NONE);
	assert(r->at < STAGE_REPLY); /* only ever forward */
	r->refused_at = r->at;
	r->at = STAGE_REPLY;
}

enum step stages_run(struct req *r)
{
	while (r->at < STAGE_COUNT) {
		enum step step = stages[r->at].run(r);

		if (step == STEP_NEXT)
			r->at++;
		else if (step == STEP_REPLY) /* r->verdict is set */
			reply_next(r);
		else
			return step; /* STEP_BYTES, STEP_WAKE, STEP_ROOM, STEP_TURN, STEP_BESIDE */
	}
	return STEP_DONE;
}

void stages_run_beside(struct req *r)
{
	enum step step = STEP_NEXT;

	assert(r->at >= STAGE_INFLATE && r->at <= STAGE_PRODUCE);
	for (; r->at < STAGE_PRODUCE && step == STEP_NEXT; r->at += step == STEP_NEXT)
		step = stages[r->at].run(r);
	if (step == STEP_NEXT)
		step = produce_settle(r);
	assert(step == STEP_NEXT || step == STEP_REPLY); /* these stages wait for nobody */
	if (step == STEP_REPLY) {
		reply_next(r);
		charge_swap(r, NULL, BYTES_NONE); /* nobody reads it any more */
	}
}
