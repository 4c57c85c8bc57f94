/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taps.c -- the client is answered once every worker has said that it looks, so that a request sent
 * after that answer is seen for sure; a worker that says nothing (stopped, busy) is counted late.
 */
#include "master/taps.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "common/buf.h"
#include "common/loop.h"
#include "common/telemetry.h"
#include "master/talk.h"

enum { RATE_DEFAULT = 5, WHAT_BYTES = 200 };
static const msec_t DURATION_DEFAULT_MS = 60000, DURATION_MAX_MS = 600000, CONFIRM_MS = 500,
		    RATE_MS = 1000;

struct tap {
	struct taps *all;
	uint64_t id; /* 0: the place is free */
	struct control_client from;
	struct tap_filter filter;
	msec_t until;
	bool answered;
	unsigned told, confirmed; /* workers */
	uint64_t lines, lost; /* lost: came too fast; what a worker leaves out its lines tell */
	msec_t sent[TAP_RATE_MAX]; /* when the last `rate` lines passed, a ring */
	struct event timer; /* no worker is waited for any longer, then the end */
};

struct taps {
	struct workers *w;
	struct taps_hooks hooks;
	uint64_t last_id;
	struct tap v[TAPS_MAX];
};

/* ---- the filter ---- */

static bool take_text(const json_t *what, const char *key, char *out, size_t cap)
{
	const json_t *value = json_object_get(what, key);

	if (!value)
		return true;
	if (!json_is_string(value) || json_string_length(value) >= cap)
		return false;
	memcpy(out, json_string_value(value), json_string_length(value));
	return true;
}

static bool take_number(const json_t *what, const char *key, long long max, long long *out)
{
	const json_t *value = json_object_get(what, key);

	if (!value)
		return true;
	*out = json_integer_value(value);
	return json_is_integer(value) && *out >= 1 && *out <= max;
}

static bool take_signal(const json_t *what, int32_t *out)
{
	const json_t *value = json_object_get(what, "signal");
	const char *name = json_string_value(value);

	*out = -1;
	for (int s = 0; name && s < SIGNAL_COUNT; s++)
		if (strcmp(name, signal_name((enum signal)s)) == 0)
			*out = s;
	return !value || *out >= 0;
}

/* Of an id's own bytes, and one `*` at the end. */
static bool is_request_id(const char *id)
{
	static const char bytes[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strspn(id, bytes);

	return !id[n] || (n && id[n] == '*' && !id[n + 1]);
}

/* NULL, or what is wrong with it. */
static const char *take_filter(const json_t *what, struct tap_filter *f)
{
	long long rate = RATE_DEFAULT, duration = DURATION_DEFAULT_MS;

	memset(f, 0, sizeof(*f));
	if (!take_text(what, "request_id", f->request_id, sizeof(f->request_id)) ||
	    !is_request_id(f->request_id))
		return "tap: request_id is 1..64 of A-Z a-z 0-9 . _ - and may end with *";
	if (!take_text(what, "tenant", f->tenant, sizeof(f->tenant)))
		return "tap: tenant is a text of at most 150 bytes";
	if (!take_text(what, "route", f->route, sizeof(f->route)))
		return "tap: route is a text of at most 63 bytes";
	if (!take_signal(what, &f->signal))
		return "tap: signal is traces, metrics, logs, events or opaque";
	if (!take_number(what, "rate", TAP_RATE_MAX, &rate))
		return "tap: rate is 1..100 lines a second";
	if (!take_number(what, "duration_ms", DURATION_MAX_MS, &duration))
		return "tap: duration_ms is 1..600000";
	f->rate = (uint32_t)rate;
	f->duration = duration;
	return NULL;
}

/* ---- one tap ---- */

static struct tap *tap_find(struct taps *t, uint64_t id)
{
	for (unsigned i = 0; id && i < TAPS_MAX; i++)
		if (t->v[i].id == id)
			return &t->v[i];
	return NULL;
}

static void arm(struct tap *tap)
{
	msec_t wait = tap->until - loop_now();
	struct timeval tv;

	if (!tap->answered && wait > CONFIRM_MS)
		wait = CONFIRM_MS;
	if (wait < 1)
		wait = 1;
	tv = (struct timeval){ wait / 1000, wait % 1000 * 1000 };
	if (event_add(&tap->timer, &tv) < 0)
		out_of_memory();
}

static void say_on(struct tap *tap)
{
	struct taps *t = tap->all;

	tap->answered = true;
	arm(tap);
	t->hooks.answer(t->hooks.arg, tap->from.handle,
	                json_pack("{s:b,s:I,s:i,s:i}", "ok", 1, "tap", (json_int_t)tap->id,
	                          "workers", tap->confirmed, "late", tap->told - tap->confirmed));
}

static void end(struct tap *tap, const char *why)
{
	struct taps *t = tap->all;
	uint64_t id = tap->id;
	char what[WHAT_BYTES];

	event_del(&tap->timer);
	tap->id = 0; /* first: an answer may find that the client has gone, and come back here */
	talk_broadcast(t->w, MSG_TAP, id, -1, BYTES_NONE);
	snprintf(what, sizeof(what), "%llu lines", (unsigned long long)tap->lines);
	t->hooks.audit(t->hooks.arg, "tap.end", tap->from.uid, tap->filter.tenant, what);
	t->hooks.answer(t->hooks.arg, tap->from.handle,
	                json_pack("{s:b,s:s,s:I,s:I,s:I}", "ok", 1, "end", why, "tap",
	                          (json_int_t)id, "lines", (json_int_t)tap->lines, "lost",
	                          (json_int_t)tap->lost));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct tap *tap = arg;

	(void)fd, (void)what;
	if (loop_now() >= tap->until)
		end(tap, "duration");
	else if (!tap->answered)
		say_on(tap);
	else
		arm(tap);
}

static void tell(struct proc *p, const struct tap *tap)
{
	struct tap_filter filter = tap->filter;

	filter.duration = tap->until - loop_now();
	if (filter.duration > 0)
		proc_send(p, MSG_TAP, tap->id, 0, -1, bytes_of(&filter, sizeof(filter)));
}

static void tell_all(struct tap *tap)
{
	struct workers *w = tap->all->w;

	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		if (!proc_is_live(p) || !p->setup_done || p->channel < 0)
			continue;
		tell(p, tap);
		tap->told += p->state == PROC_READY;
	}
}

static void audit_start(const struct tap *tap)
{
	const struct tap_filter *f = &tap->filter;
	const struct taps *t = tap->all;
	char what[WHAT_BYTES];

	snprintf(what, sizeof(what), "request_id %s, signal %s, route %s, %lld ms",
	         f->request_id[0] ? f->request_id : "any",
	         f->signal >= 0 ? signal_name((enum signal)f->signal) : "any",
	         f->route[0] ? f->route : "any", (long long)f->duration);
	t->hooks.audit(t->hooks.arg, "tap.start", tap->from.uid, f->tenant, what);
}

static void refuse(struct taps *t, const struct control_client *from, const char *why)
{
	t->hooks.answer(t->hooks.arg, from->handle, json_pack("{s:b,s:s}", "ok", 0, "error", why));
}

void taps_start(struct taps *t, const struct control_client *from, const struct json_t *what)
{
	struct tap *tap = NULL;
	struct tap_filter filter;
	const char *wrong = take_filter(what, &filter);

	for (unsigned i = 0; i < TAPS_MAX && !tap; i++)
		if (!t->v[i].id)
			tap = &t->v[i];
	if (wrong || !tap) {
		refuse(t, from, wrong ? wrong : "tap: 8 are on already, try again later");
		return;
	}
	tap->id = ++t->last_id;
	tap->from = *from;
	tap->filter = filter;
	tap->until = loop_now() + filter.duration;
	tap->answered = false;
	tap->told = tap->confirmed = 0;
	tap->lines = tap->lost = 0;
	audit_start(tap);
	tell_all(tap);
	if (tap->told)
		arm(tap);
	else
		say_on(tap);
}

void taps_on(struct taps *t, uint64_t id)
{
	struct tap *tap = tap_find(t, id);

	/* One that drains confirms too, and so does one that started later. */
	if (tap && tap->confirmed < tap->told && ++tap->confirmed == tap->told && !tap->answered)
		say_on(tap);
}

/* In no second, wherever it begins, are there more. */
static bool within_rate(struct tap *tap)
{
	msec_t *oldest = &tap->sent[tap->lines % tap->filter.rate], now = loop_now();

	if (tap->lines >= tap->filter.rate && now - *oldest < RATE_MS)
		return false;
	*oldest = now;
	return true;
}

void taps_line(struct taps *t, uint64_t id, struct bytes line)
{
	struct tap *tap = tap_find(t, id);

	if (!tap)
		return; /* it ended while the line was on its way */
	if (!tap->answered || !within_rate(tap)) {
		tap->lost++;
		return;
	}
	tap->lines++;
	t->hooks.line(t->hooks.arg, tap->from.handle, line);
}

void taps_set_up(struct taps *t, struct proc *p)
{
	for (unsigned i = 0; i < TAPS_MAX; i++)
		if (t->v[i].id)
			tell(p, &t->v[i]);
}

void taps_gone(struct taps *t, uint64_t client)
{
	for (unsigned i = 0; i < TAPS_MAX; i++)
		if (t->v[i].id && t->v[i].from.handle == client)
			end(&t->v[i], "gone");
}

/* ---- life ---- */

struct taps *taps_open(struct event_base *base, struct workers *w, const struct taps_hooks *hooks)
{
	struct taps *t = xcalloc(1, sizeof(*t));

	t->w = w;
	t->hooks = *hooks;
	for (unsigned i = 0; i < TAPS_MAX; i++) {
		t->v[i].all = t;
		event_assign(&t->v[i].timer, base, -1, 0, on_timer, &t->v[i]);
	}
	return t;
}

void taps_close(struct taps *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < TAPS_MAX; i++)
		assert(!t->v[i].id);
	free(t);
}
