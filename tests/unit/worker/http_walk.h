/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_walk.h -- walks bytes of a connection through head and body stage, cut as the caller likes,
 * and writes down what became of each request, in the words of http_corpus.def. For the unit tests
 * and fuzzers of both stages; it stands for conn.c, and for admit only in the limit that it sets.
 */
#pragma once
#include "common/loop.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/listener.h"
#include "worker/worker.h"

enum { WALK_BODY_LIMIT = 64 * KIB, WALK_BUFFER = 34 * KIB, WALK_OUT = 256 * KIB };

static const struct listener walk_listener; /* behind which there is no proxy */

struct walk {
	struct worker w;
	struct conf conf;
	struct stats *stats;
	struct req r;
	uint8_t *buf; /* WALK_BUFFER and the slack */
	bool busy; /* r is in the middle of a request */
	bool refused;
	unsigned continues; /* 100 Continue asked for */
	char *out;
	size_t out_n;
};

static inline void walk_say(struct walk *k, const char *text, struct bytes more)
{
	size_t n = strlen(text);

	if (k->out_n)
		k->out[k->out_n++] = ' ';
	assert(k->out_n + n + more.n < WALK_OUT);
	memcpy(k->out + k->out_n, text, n);
	k->out_n += n;
	if (more.n)
		memcpy(k->out + k->out_n, more.p, more.n);
	k->out_n += more.n;
	k->out[k->out_n] = '\0';
}

static inline void walk_open(struct walk *k)
{
	struct err err = { "" };
	int limits = limits_memfd(16, 2, &err), stats = stats_memfd(4, &err);

	memset(k, 0, sizeof(*k));
	loop_set_clock(1000000000, INT64_C(1700000000000000000));
	k->w.conf = &k->conf;
	k->w.limits = limits_map(limits, 16, 2, &err);
	k->w.stats = stats_map(stats, true, 4, &err);
	close(limits);
	close(stats);
	k->w.bodies = bodies_new();
	k->w.budget = budget_new(64 * MIB, 100, 16);
	k->buf = xcalloc(1, WALK_BUFFER + BODY_SLACK);
	k->out = xcalloc(1, WALK_OUT);
	assert(k->w.limits && k->w.stats);
}

static inline void walk_end(struct walk *k)
{
	if (!k->busy)
		return;
	if (k->r.charged)
		budget_give(k->w.budget, 0, k->r.charged);
	body_put(k->w.bodies, k->r.body_mem);
	pool_reset(k->r.pool);
	k->busy = false;
}

static inline void walk_close(struct walk *k)
{
	walk_end(k);
	assert(budget_used(k->w.budget) == 0);
	pool_free(k->r.pool);
	limits_unmap(k->w.limits);
	stats_unmap(k->w.stats);
	bodies_free(k->w.bodies);
	budget_free(k->w.budget);
	free(k->buf);
	free(k->out);
}

/* Bytes that lie at the start of buf begin a request, as in conn.c. */
static inline void walk_begin(struct walk *k, struct bytes unread)
{
	memmove(k->buf, unread.p, unread.n);
	req_start(&k->r, &k->w, &walk_listener);
	k->r.in = bytes_of(k->buf, unread.n);
	k->busy = true;
}

static inline enum step walk_stage(struct walk *k)
{
	struct req *r = &k->r;
	enum step step = r->at == STAGE_HEAD ? head_run(r) : body_run(r);

	if (r->out.n) {
		k->continues++;
		r->out.n = 0;
	}
	if (step == STEP_NEXT && r->at == STAGE_HEAD) {
		r->at = STAGE_BODY;
		r->body_limit = WALK_BODY_LIMIT;
		if (r->head.has_length && r->head.length > r->body_limit)
			return req_refuse(r, V_BODY_SIZE, (unsigned long long)r->head.length,
			                  (unsigned long long)r->body_limit);
	} else if (step == STEP_NEXT) {
		r->at = STAGE_INFLATE;
	}
	return step;
}

/* As far as the bytes go. */
static inline void walk_go(struct walk *k)
{
	while (k->busy && !k->refused) {
		enum step step = walk_stage(k);

		if (step == STEP_BYTES)
			return;
		if (step == STEP_REPLY) {
			walk_say(k, verdict_get(k->r.verdict)->name, BYTES_NONE);
			k->refused = true;
			walk_end(k);
		} else if (k->r.at == STAGE_INFLATE) {
			struct bytes unread = k->r.in;

			walk_say(k, "ok:", k->r.body);
			walk_end(k);
			if (unread.n)
				walk_begin(k, unread);
		}
	}
}

static inline size_t walk_take(struct walk *k, struct bytes piece)
{
	struct req *r = &k->r;
	size_t n;

	if (r->fill.room) {
		n = min_size(piece.n, r->fill.room);
		memcpy(r->fill.at, piece.p, n);
		r->fill.at += n;
		r->fill.room -= n;
		return n;
	}
	if (r->at != STAGE_HEAD) {
		if (r->in.n)
			memmove(k->buf + r->keep, r->in.p, r->in.n);
		r->in.p = k->buf + r->keep;
	}
	n = min_size(piece.n, WALK_BUFFER - (size_t)(r->in.p - k->buf) - r->in.n);
	assert(n > 0);
	memcpy((uint8_t *)r->in.p + r->in.n, piece.p, n);
	r->in.n += n;
	return n;
}

static inline void walk_feed(struct walk *k, struct bytes piece)
{
	while (piece.n && !k->refused) {
		size_t n = min_size(piece.n, 16 * KIB);

		if (k->busy)
			n = walk_take(k, piece);
		else
			walk_begin(k, bytes_of(piece.p, n));
		piece = bytes_from(piece, n);
		walk_go(k);
	}
}

/* The whole of it in pieces of `step` bytes, the first one of `first`. k->out is the answer. */
static inline const char *walk_run(struct walk *k, struct bytes input, size_t first, size_t step)
{
	k->out[0] = '\0';
	k->out_n = 0;
	k->refused = false;
	k->continues = 0;
	for (size_t n = min_size(first, input.n); input.n; n = min_size(step, input.n)) {
		walk_feed(k, bytes_of(input.p, n));
		input = bytes_from(input, n);
	}
	if (k->busy)
		walk_say(k, "more", BYTES_NONE);
	walk_end(k);
	return k->out;
}
