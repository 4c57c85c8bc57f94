/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c -- what is written of a request, and where (operations.md 8). The access stream holds each
 * refused request and, by audit.accepted, the accepted ones (kind `request`); the audit stream holds
 * refused authentications (kind `auth`). Of 401s only so many: strangers must not fill a disk. Each
 * stream counts its own `seq`, dropped records included, so that a gap is a loss.
 *
 * A record is one line of at most 4096 bytes: each client's value is cut, then escaped.
 */
#include "worker/audit.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/audit_ring.h"
#include "worker/dialects.h"
#include "worker/listener.h"
#include "worker/route.h"
#include "worker/when.h"
#include "worker/worker.h"

static const enum stream streams[] = { STREAM_ACCESS, STREAM_AUDIT };

enum {
	STREAMS = ARRAY_LEN(streams),
	FLUSH_MS = 20,            /* how long a line may wait for company */
	FULL_WAKE = 256 * KIB,    /* so much of it does not wait */
	FIRST_MS = 60000,         /* audit.accepted: first */
	FIRST_PLACES = 4096,      /* by token ordinal; two tokens in one place cost lines, never hide any */
	REFUSED_TOTAL = 100,      /* 401s written a second, */
	REFUSED_SOURCE = 10,      /* of these by one source */
	SOURCE_PLACES = 256,      /* more than twice REFUSED_TOTAL: probing stays short */
	METHOD_BYTES = 32, CLAIMED_BYTES = 150, REASON_BYTES = 200, NAME_BYTES = 64,
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
static const char *const stream_names[STREAMS] = { [STREAM_ACCESS] = "access", [STREAM_AUDIT] = "audit" };

static bool is_open(const struct audit *a, enum stream s)
{
	return audit_ring_is_open(a->streams[s].ring);
}

/* ---- one line ---- */

#define LIT(b, text) buf_add((b), (text), sizeof(text) - 1)

static void put_text(struct buf *b, struct bytes text, size_t max)
{
	if (!text.n) {
		LIT(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_json(b, text, max);
	buf_char(b, '"');
}

/* Of an alphabet that needs no escapes: ids, and names of our own. */
static void put_plain(struct buf *b, struct bytes text)
{
	if (!text.n) {
		LIT(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_bytes(b, text);
	buf_char(b, '"');
}

static void put_flag(struct buf *b, bool value)
{
	if (value)
		LIT(b, "true");
	else
		LIT(b, "false");
}

static void put_number(struct buf *b, bool known, uint64_t value)
{
	if (known)
		buf_u64(b, value);
	else
		LIT(b, "null");
}

static void write_origin(const struct req *r, struct buf *b)
{
	const struct worker *w = r->w;
	const char *listener = r->listener ? worker_listener_name(w, r->listener->index) : NULL;
	const struct http_field *claimed = http_field_find(&r->head, "X-Scope-OrgID", 0);
	struct bytes trace = r->traceparent.n >= 35 ? bytes_of(r->traceparent.p + 3, 32) : BYTES_NONE;

	LIT(b, ",\"request_id\":");
	put_plain(b, bytes_str(r->request_id));
	LIT(b, ",\"client_request_id\":");
	put_plain(b, r->client_request_id);
	LIT(b, ",\"trace_id\":");
	put_plain(b, trace);
	LIT(b, ",\"listener\":");
	put_text(b, listener ? bytes_str(listener) : BYTES_NONE, NAME_BYTES);
	LIT(b, ",\"client\":");
	put_text(b, r->client_text ? bytes_str(r->client_text) : BYTES_NONE, NAME_BYTES);
	LIT(b, ",\"tls\":");
	put_flag(b, r->tls);
	LIT(b, ",\"route\":");
	put_plain(b, r->route ? bytes_str(r->route->name) : BYTES_NONE);
	LIT(b, ",\"method\":");
	put_text(b, r->head.method_text, METHOD_BYTES);
	LIT(b, ",\"tenant\":");
	put_text(b, bytes_of(r->who.tenant, r->who.tenant_n), TENANT_ID_MAX);
	LIT(b, ",\"claimed_tenant\":");
	put_text(b, claimed ? claimed->value : BYTES_NONE, CLAIMED_BYTES);
	LIT(b, ",\"token\":");
	put_text(b, bytes_str(r->who.token), NAME_BYTES);
}

/* A request that never came to auth has no method of it. */
static struct bytes auth_name(const struct req *r)
{
	static const char *const names[] = { "token", "basic", "obstack", "header",
		                             "pbkdf2", "jwt", "userinfo", "none" };
	bool judged = r->route && r->route->protocol && r->refused_at >= STAGE_AUTH;

	return judged && r->who.method < ARRAY_LEN(names) ? bytes_str(names[r->who.method]) : BYTES_NONE;
}

static void write_outcome(const struct req *r, int status, struct buf *b)
{
	bool success = verdict_is_success(r->verdict);
	const char *reason = success ? "" : r->why[0] ? r->why : dialect_text(r);

	LIT(b, ",\"subject\":null,\"email\":null,\"issuer\":null,\"admin\":null,\"auth\":");
	put_plain(b, auth_name(r));
	LIT(b, ",\"verdict\":");
	put_plain(b, bytes_str(verdict_get(r->verdict)->id));
	LIT(b, ",\"code\":");
	put_number(b, status > 0, (uint64_t)status);
	LIT(b, ",\"stage\":");
	put_plain(b, success ? BYTES_NONE : bytes_str(stage_name(r->refused_at)));
	LIT(b, ",\"reason\":");
	put_text(b, bytes_str(reason), REASON_BYTES);
	LIT(b, ",\"retry_after_s\":");
	put_number(b, r->retry_after > 0, r->retry_after);
}

static void write_amounts(const struct req *r, uint64_t bytes_out, struct buf *b)
{
	bool judged = r->format != NULL; /* the coding is known once the type is */

	LIT(b, ",\"encoding\":");
	put_plain(b, judged ? bytes_str(encoding_name(r->encoding)) : BYTES_NONE);
	LIT(b, ",\"bytes_in\":");
	buf_u64(b, r->wire_bytes);
	LIT(b, ",\"bytes_decoded\":");
	put_number(b, r->refused_at > STAGE_INFLATE, r->decoded_bytes);
	LIT(b, ",\"items\":");
	put_number(b, r->refused_at >= STAGE_ENRICH, r->enriched.items);
	LIT(b, ",\"bytes_out\":");
	buf_u64(b, bytes_out);
	LIT(b, ",\"duration_us\":");
	buf_u64(b, (uint64_t)(loop_now_ns() - r->started_ns) / 1000);
	LIT(b, ",\"topic\":");
	put_plain(b, r->produced && r->topic ? bytes_str(r->topic) : BYTES_NONE);
	LIT(b, ",\"partition\":");
	put_number(b, r->produced && r->verdict == V_ACCEPTED && r->partition >= 0, (uint64_t)r->partition);
	LIT(b, ",\"offset\":");
	put_number(b, r->produced && r->verdict == V_ACCEPTED && r->offset >= 0, (uint64_t)r->offset);
}

static void write_start(const struct audit *a, enum stream s, uint64_t seq, struct buf *b)
{
	char ts[WHEN_RFC3339_US_BYTES];

	when_rfc3339_us(loop_wall_ns(), ts);
	LIT(b, "{\"ts\":\"");
	buf_add(b, ts, sizeof(ts) - 1);
	LIT(b, "\",\"kind\":\"");
	buf_str(b, kinds[s]);
	LIT(b, "\",\"seq\":");
	buf_u64(b, seq);
	LIT(b, ",\"worker\":");
	buf_i64(b, a->w->slot);
	LIT(b, ",\"gen\":");
	buf_u64(b, a->w->generation);
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

	/* A line that was cut would be no JSON; the bounds of all fields add up to less. */
	if (!b->failed && audit_ring_put(st->ring, b->p, b->n)) {
		stats_add(a->w->stats, STAT_AUDIT_RECORDS, s, 0, 1);
		wake_soon(a, s, b->n);
	} else {
		stats_add(a->w->stats, STAT_AUDIT_DROPPED, s, 0, 1);
	}
}

static void write_request(struct audit *a, enum stream s, const struct req *r, int status,
                          uint64_t bytes_out)
{
	char line[AUDIT_LINE_MAX];
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line));
	write_start(a, s, a->streams[s].seq++, &b);
	write_origin(r, &b);
	write_outcome(r, status, &b);
	write_amounts(r, bytes_out, &b);
	LIT(&b, ",\"suppressed\":null}\n");
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
		char line[AUDIT_LINE_MAX];
		struct buf b;

		if (!is_open(a, s))
			continue;
		buf_init_fixed(&b, line, sizeof(line));
		write_start(a, s, a->streams[s].seq++, &b);
		LIT(&b, ",\"request_id\":null,\"client_request_id\":null,\"trace_id\":null,\"listener\":null,"
		        "\"client\":null,\"tls\":null,\"route\":null,\"method\":null,\"tenant\":null,"
		        "\"claimed_tenant\":null,\"token\":null,\"subject\":null,\"email\":null,\"issuer\":null,"
		        "\"admin\":null,\"auth\":null,\"verdict\":\"hg-credential\",\"code\":401,\"stage\":null,"
		        "\"reason\":null,\"retry_after_s\":null,\"encoding\":null,\"bytes_in\":null,"
		        "\"bytes_decoded\":null,\"items\":null,\"bytes_out\":null,\"duration_us\":null,"
		        "\"topic\":null,\"partition\":null,\"offset\":null,\"suppressed\":");
		buf_u64(&b, a->suppressed);
		LIT(&b, "}\n");
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

static bool wants_accepted(struct audit *a, const struct req *r)
{
	uint32_t token = r->who.known ? r->who.token_ordinal : UINT32_MAX;
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

	if ((!access && !audit) || r->verdict == V_NONE) /* V_NONE: a connection without a request */
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
	if (audit && (r->verdict == V_CREDENTIAL || r->refused_at == STAGE_AUTH))
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
			        KV_S("stream", stream_names[s]),
			        KV_S("err", strerror(error)));
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
	audit_ring_wake(a->streams[s].ring); /* lets go of the old file, which may be rotated away */
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	if (a->flush_armed)
		event_del(&a->flush);
	if (a->second_armed)
		event_del(&a->second);
	write_suppressed(a);
	for (unsigned s = 0; s < STREAMS; s++)
		audit_ring_free(a->streams[s].ring);
	free(a);
}
