/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c -- what is written of a request, and where (operations.md 8). The access stream holds
 * each refused request and, by audit.accepted, the accepted ones (kind `request`); the audit stream
 * holds refused authentications (kind `auth`). Of 401s only so many: strangers must not fill a
 * disk. Each stream counts its own `seq`, dropped records included, so that a gap is a loss.
 */
#include "worker/audit.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/audit_line.h"
#include "worker/audit_ring.h"
#include "worker/worker.h"

static const enum stream streams[] = { STREAM_ACCESS, STREAM_AUDIT };

enum {
	STREAMS = ARRAY_LEN(streams),
	FLUSH_MS = 20, /* how long a line may wait for company */
	FULL_WAKE = 256 * KIB, /* so much of it does not wait */
	FIRST_MS = 60000, /* audit.accepted: first */
	FIRST_PLACES = 4096, /* by token ordinal; two tokens in one place cost lines, hide none */
	REFUSED_TOTAL = 100, /* 401s written a second, */
	REFUSED_SOURCE = 10, /* of these by one source */
	SOURCE_PLACES = 256, /* more than twice REFUSED_TOTAL: probing stays short */
};

struct source {
	uint8_t client[16];
	unsigned lines; /* 0: a free place */
};

struct stream_state {
	struct audit_ring *ring;
	uint64_t seq;
	unsigned since_wake; /* bytes */
};

struct audit {
	struct worker *w;
	struct stream_state streams[STREAMS];
	struct event flush, second;
	bool flush_armed, second_armed;
	struct log_limit alarm;
	/* of the running second */
	int64_t now_s;
	unsigned refused;
	struct source sources[SOURCE_PLACES];
	uint64_t suppressed; /* 401s since the last line that told */
	struct {
		uint32_t token;
		msec_t until;
	} first[FIRST_PLACES];
};

static const char *const kinds[STREAMS] = { [STREAM_ACCESS] = "request", [STREAM_AUDIT] = "auth" };
static const char *const stream_names[STREAMS] = {
	[STREAM_ACCESS] = "access", [STREAM_AUDIT] = "audit"
};

static bool is_open(const struct audit *a, enum stream s)
{
	return audit_ring_is_open(a->streams[s].ring);
}

/* ---- to the ring ---- */

static void wake(struct audit *a)
{
	for (unsigned s = 0; s < STREAMS; s++) {
		if (a->streams[s].since_wake)
			audit_ring_wake(a->streams[s].ring);
		a->streams[s].since_wake = 0;
	}
}

/* Lines go together, so that a busy worker does not wake its writer for each. */
static void wake_soon(struct audit *a, enum stream s, size_t n)
{
	const struct timeval delay = { 0, FLUSH_MS * 1000 };

	a->streams[s].since_wake += (unsigned)n;
	if (!a->w->base || a->streams[s].since_wake >= FULL_WAKE)
		wake(a);
	else if (!a->flush_armed)
		a->flush_armed = event_add(&a->flush, &delay) == 0;
}

static void put_line(struct audit *a, enum stream s, struct buf *b)
{
	struct stream_state *st = &a->streams[s];

	/* A line that was cut would be no JSON. */
	if (!b->failed && audit_ring_put(st->ring, b->p, b->n)) {
		stats_add(a->w->stats, STAT_AUDIT_RECORDS, s, 0, 1);
		wake_soon(a, s, b->n);
	} else {
		stats_add(a->w->stats, STAT_AUDIT_DROPPED, s, 0, 1);
	}
}

static struct audit_line next_line(struct audit *a, enum stream s)
{
	return (struct audit_line){ kinds[s], a->streams[s].seq++, a->w->slot, a->w->generation };
}

static void write_request(struct audit *a, enum stream s, const struct req *r, int status,
                          uint64_t bytes_out)
{
	struct audit_line line = next_line(a, s);
	char text[AUDIT_LINE_MAX];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text));
	audit_line_request(&b, &line, r, status, bytes_out);
	put_line(a, s, &b);
}

/* ---- which 401s ---- */

static struct source *source_of(struct audit *a, const uint8_t client[static 16])
{
	uint64_t words[2];
	size_t at;

	memcpy(words, client, sizeof(words));
	at = (words[0] ^ words[1]) * 0x9e3779b97f4a7c15 >> 56;
	while (a->sources[at].lines && memcmp(a->sources[at].client, client, 16) != 0)
		at = (at + 1) % SOURCE_PLACES;
	return &a->sources[at];
}

static bool may_write_401(struct audit *a, const uint8_t client[static 16])
{
	int64_t now_s = loop_now() / 1000;
	struct source *source;

	if (now_s != a->now_s) {
		memset(a->sources, 0, sizeof(a->sources));
		a->refused = 0;
		a->now_s = now_s;
	}
	if (a->refused == REFUSED_TOTAL)
		return false;
	source = source_of(a, client);
	if (source->lines == REFUSED_SOURCE)
		return false;
	memcpy(source->client, client, 16);
	source->lines++;
	a->refused++;
	return true;
}

static void write_suppressed(struct audit *a)
{
	for (unsigned i = 0; i < STREAMS && a->suppressed; i++) {
		enum stream s = streams[i];
		struct audit_line line;
		char text[AUDIT_LINE_MAX];
		struct buf b;

		if (!is_open(a, s))
			continue;
		buf_init_fixed(&b, text, sizeof(text));
		line = next_line(a, s);
		audit_line_suppressed(&b, &line, a->suppressed);
		put_line(a, s, &b);
	}
	a->suppressed = 0;
}

static void suppress(struct audit *a)
{
	const struct timeval second = { 1, 0 };

	a->suppressed++;
	if (a->w->base && !a->second_armed)
		a->second_armed = event_add(&a->second, &second) == 0;
}

/* ---- which accepted ones ---- */

/* An identity that the table does not hold has no ordinal: it is told apart by its digest. */
static uint32_t token_number(const struct identity *who)
{
	if (!who->known)
		return UINT32_MAX;
	return who->issuer ? (uint32_t)strtoul(who->token, NULL, 16) | 1u << 31
	                   : who->token_ordinal;
}

static bool wants_accepted(struct audit *a, const struct req *r)
{
	uint32_t token = token_number(&r->who);
	size_t at = token % FIRST_PLACES;

	switch (a->w->conf->audit.accepted) {
	case AUDIT_ALL:
		return true;
	case AUDIT_NONE:
		return false;
	case AUDIT_FIRST:
		if (a->first[at].token == token && loop_now() < a->first[at].until)
			return false;
		a->first[at].token = token;
		a->first[at].until = loop_now() + FIRST_MS;
		return true;
	}
	assert(!"a value of audit.accepted");
	return true;
}

void audit_request(struct audit *a, const struct req *r, int status, uint64_t bytes_out)
{
	bool access = is_open(a, STREAM_ACCESS), audit = is_open(a, STREAM_AUDIT);

	if ((!access && !audit) ||
	    r->verdict == V_NONE) /* V_NONE: a connection without a request */
		return;
	if (verdict_is_success(r->verdict)) {
		if (access && wants_accepted(a, r))
			write_request(a, STREAM_ACCESS, r, status, bytes_out);
		return;
	}
	if (r->verdict == V_CREDENTIAL && !may_write_401(a, r->client)) {
		suppress(a);
		return;
	}
	if (access)
		write_request(a, STREAM_ACCESS, r, status, bytes_out);
	/* A scope may be judged as late as the body has told the signal. */
	if (audit &&
	    (r->verdict == V_CREDENTIAL || r->verdict == V_SCOPE || r->refused_at == STAGE_AUTH))
		write_request(a, STREAM_AUDIT, r, status, bytes_out);
}

bool audit_has_room(const struct audit *a)
{
	for (unsigned s = 0; s < STREAMS; s++)
		if (is_open(a, streams[s]) && audit_ring_room(a->streams[s].ring) < AUDIT_LINE_MAX)
			return false;
	return true;
}

/* ---- life ---- */

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct audit *a = arg;
	uint32_t held;

	(void)fd, (void)what;
	a->flush_armed = false;
	for (unsigned s = 0; s < STREAMS; s++) {
		int error = audit_ring_error(a->streams[s].ring);

		if (error && log_limited(&a->alarm, 1, loop_now(), &held))
			log_err("audit", "can't write records, they wait in memory",
			        KV_S("stream", stream_names[s]), KV_S("err", strerror(error)));
	}
	wake(a);
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct audit *a = arg;

	(void)fd, (void)what;
	a->second_armed = false;
	write_suppressed(a);
}

struct audit *audit_open(struct worker *w, int access_fd, int audit_fd, struct err *err)
{
	const int fds[STREAMS] = { [STREAM_ACCESS] = access_fd, [STREAM_AUDIT] = audit_fd };
	struct audit *a = xcalloc(1, sizeof(*a));

	a->w = w;
	for (unsigned s = 0; s < STREAMS; s++) {
		a->streams[s].ring = audit_ring_new(err);
		if (!a->streams[s].ring) {
			audit_close(a);
			return NULL;
		}
		if (fds[s] >= 0)
			audit_ring_set_fd(a->streams[s].ring, fds[s]);
	}
	if (w->base && (event_assign(&a->flush, w->base, -1, 0, on_flush, a) < 0 ||
	                event_assign(&a->second, w->base, -1, 0, on_second, a) < 0)) {
		err_set(err, "libevent refuses a timer");
		audit_close(a);
		return NULL;
	}
	return a;
}

void audit_reopen(struct audit *a, enum stream s, int fd)
{
	audit_ring_set_fd(a->streams[s].ring, fd);
	audit_ring_wake(
		a->streams[s].ring); /* lets go of the old file, which may be rotated away */
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	/* May arm the flush, so before the timers are taken off: their memory goes with us. */
	write_suppressed(a);
	if (a->flush_armed)
		event_del(&a->flush);
	if (a->second_armed)
		event_del(&a->second);
	for (unsigned s = 0; s < STREAMS; s++)
		audit_ring_free(a->streams[s].ring);
	free(a);
}
