/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jwt_wait.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>

#include "common/loop.h"

enum {
	WAITING_MAX = 128, /* tokens: each is kept, and verified in one turn with the others */
	LOOK_MS = 250, /* for whom nobody answered */
};

struct awaited {
	struct jwt_try *try;
	msec_t before; /* its `at`, when the token came */
};

struct waiting {
	struct waiting *next; /* in q->first, until judged for good */
	msec_t until;
	uint8_t digest[TOKEN_DIGEST_BYTES];
	size_t n;
	unsigned count, seen; /* seen: of the tries, when it was judged last */
	struct awaited on[]; /* behind them the token, which is wiped */
};

struct jwt_wait {
	jwt_settle_fn settle;
	void *arg;
	unsigned count;
	struct waiting *first, **end;
	struct event look;
};

void jwt_tries_add(struct jwt_tries *t, struct jwt_try *one)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->v[i] == one)
			return;
	assert(t->n < JWT_TRIES_MAX);
	t->v[t->n++] = one;
}

/* ---- one token ---- */

static uint8_t *token_at(struct waiting *w)
{
	return (uint8_t *)&w->on[w->count];
}

static void waiting_free(struct waiting *w)
{
	explicit_bzero(token_at(w), w->n);
	free(w);
}

static unsigned tried(const struct waiting *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->count; i++)
		n += w->on[i].try->at != w->on[i].before;
	return n;
}

/* So that the next one who comes asks again. */
static void give_up(const struct waiting *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (w->on[i].try->at == w->on[i].before)
			w->on[i].try->asked = false;
}

/* ---- all ---- */

static void append(struct jwt_wait *q, struct waiting *w)
{
	w->next = NULL;
	*q->end = w;
	q->end = &w->next;
	q->count++;
}

/* Takes off the first one of which there are news; NULL: there is none. */
static struct waiting *take(struct jwt_wait *q, enum jwt_news *news)
{
	for (struct waiting **at = &q->first; *at; at = &(*at)->next) {
		struct waiting *w = *at;
		unsigned n = tried(w);

		if (n == w->seen && loop_now() < w->until)
			continue;
		*news = n == w->count            ? JWT_NEWS_ALL
		        : loop_now() >= w->until ? JWT_NEWS_LATE
		                                 : JWT_NEWS_SOME;
		w->seen = n;
		*at = w->next;
		if (!*at)
			q->end = at;
		q->count--;
		return w;
	}
	return NULL;
}

static void look_soon(struct jwt_wait *q)
{
	struct timeval soon = { 0, LOOK_MS * 1000 };

	if (event_add(&q->look, &soon) < 0)
		out_of_memory();
}

void jwt_wait_look(struct jwt_wait *q)
{
	enum jwt_news news;
	struct waiting *w;

	while ((w = take(q, &news))) {
		if (news == JWT_NEWS_LATE)
			give_up(w);
		if (q->settle(q->arg, w->digest, bytes_of(token_at(w), w->n), news)) {
			waiting_free(w);
		} else {
			assert(news == JWT_NEWS_SOME);
			append(q, w);
		}
	}
	if (q->count)
		look_soon(q);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	jwt_wait_look(arg);
}

struct jwt_wait *jwt_wait_new(struct event_base *base, jwt_settle_fn settle, void *arg)
{
	struct jwt_wait *q = xcalloc(1, sizeof(*q));

	q->settle = settle;
	q->arg = arg;
	q->end = &q->first;
	event_assign(&q->look, base, -1, 0, on_look, q);
	return q;
}

void jwt_wait_free(struct jwt_wait *q)
{
	struct waiting *next;

	if (!q)
		return;
	event_del(&q->look);
	for (struct waiting *w = q->first; w; w = next) {
		next = w->next;
		waiting_free(w);
	}
	free(q);
}

bool jwt_wait_full(const struct jwt_wait *q)
{
	return q->count == WAITING_MAX;
}

void jwt_wait_add(struct jwt_wait *q, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                  struct bytes token, const struct jwt_tries *tries, msec_t until)
{
	struct waiting *w = xcalloc(1, sizeof(*w) + tries->n * sizeof(*w->on) + token.n);

	assert(!jwt_wait_full(q) && tries->n);
	w->until = until;
	memcpy(w->digest, digest, sizeof(w->digest));
	w->count = tries->n;
	for (unsigned i = 0; i < tries->n; i++)
		w->on[i] = (struct awaited){ tries->v[i], tries->v[i]->at };
	w->n = token.n;
	memcpy(token_at(w), token.p, token.n);
	append(q, w);
	/* Set for the first alone: each later one would put off the end of those before. */
	if (q->count == 1)
		look_soon(q);
}
