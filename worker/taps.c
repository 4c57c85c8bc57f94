/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taps.c -- with no tap on, a request costs one comparison here. A line holds what the access log
 * holds of the outcome and never a byte of a body. The channel has tables to carry as well: lines
 * take at most half of its room.
 */
#include "worker/taps.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include "common/buf.h"
#include "common/channel.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/tap.h"
#include "worker/req.h"
#include "worker/route.h"
#include "worker/sink.h"
#include "worker/when.h"
#include "worker/worker.h"

struct tap {
	uint64_t id;
	struct tap_filter filter;
	msec_t until;
	int64_t second; /* the running one, */
	unsigned lines; /* and its lines */
	uint64_t lost; /* since the last line that went up */
};

struct taps {
	struct worker *w;
	struct tap v[TAPS_MAX];
	unsigned n;
};

struct taps *taps_new(struct worker *w)
{
	struct taps *t = xcalloc(1, sizeof(*t));

	t->w = w;
	return t;
}

void taps_free(struct taps *t)
{
	free(t);
}

static bool ends_within(const char *text, size_t cap)
{
	return memchr(text, '\0', cap) != NULL;
}

static void drop(struct taps *t, unsigned at)
{
	t->v[at] = t->v[--t->n];
}

int taps_set(struct taps *t, uint64_t id, struct bytes filter, struct err *err)
{
	struct tap fresh = { .id = id };
	unsigned at = 0;

	while (at < t->n && t->v[at].id != id)
		at++;
	if (!filter.n) {
		if (at < t->n)
			drop(t, at);
		return 0;
	}
	if (filter.n != sizeof(fresh.filter) || (at == t->n && at == TAPS_MAX))
		return err_set(err, "a tap's filter of %zu bytes, beside %u taps", filter.n, t->n);
	memcpy(&fresh.filter, filter.p, sizeof(fresh.filter));
	if (!ends_within(fresh.filter.request_id, sizeof(fresh.filter.request_id)) ||
	    !ends_within(fresh.filter.tenant, sizeof(fresh.filter.tenant)) ||
	    !ends_within(fresh.filter.route, sizeof(fresh.filter.route)))
		return err_set(err, "a tap's filter has a text without end");
	fresh.until = loop_now() + fresh.filter.duration;
	t->v[at] = fresh;
	t->n += at == t->n;
	if (channel_send(t->w->channel, MSG_TAP_OK, id, 0, -1, BYTES_NONE) < 0)
		log_warn("taps", "can't confirm a tap", KV_U("errno", (uint64_t)errno));
	return 0;
}

/* ---- does it match ---- */

static bool id_matches(const char *wanted, struct bytes id)
{
	size_t n = strlen(wanted);

	if (n && wanted[n - 1] == '*')
		return id.n >= n - 1 && memcmp(wanted, id.p, n - 1) == 0;
	return bytes_eq(bytes_of(wanted, n), id);
}

static bool has_signal(const struct req *r)
{
	return r->route && r->route->protocol;
}

static bool matches(const struct tap_filter *f, const struct req *r)
{
	if (f->request_id[0] && !id_matches(f->request_id, bytes_str(r->request_id)) &&
	    !(r->client_request_id.n && id_matches(f->request_id, r->client_request_id)))
		return false;
	if (f->tenant[0] &&
	    !bytes_eq(bytes_str(f->tenant), bytes_of(r->who.tenant, r->who.tenant_n)))
		return false;
	if (f->route[0] && (!r->route || strcmp(f->route, r->route->name) != 0))
		return false;
	return f->signal < 0 || (has_signal(r) && (int)r->signal == f->signal);
}

/* ---- the line ---- */

static void member(struct buf *b, const char *name, struct bytes value)
{
	buf_printf(b, ",\"%s\":", name);
	if (!value.n) {
		buf_str(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_json(b, value, TAP_TENANT_MAX + 100); /* a topic has 249 bytes at most */
	buf_char(b, '"');
}

static void number(struct buf *b, const char *name, bool known, int64_t value)
{
	buf_printf(b, ",\"%s\":", name);
	if (known)
		buf_i64(b, value);
	else
		buf_str(b, "null");
}

static void write_line(const struct worker *w, const struct req *r, int status, uint64_t lost,
                       struct buf *b)
{
	bool placed = r->produced && r->verdict == V_ACCEPTED && r->partition >= 0;
	char ts[WHEN_RFC3339_US_BYTES];

	when_rfc3339_us(loop_wall_ns(), ts);
	buf_printf(b, "{\"schema\":1,\"ts\":\"%s\",\"worker\":%d", ts, w->slot);
	member(b, "request_id", bytes_str(r->request_id));
	member(b, "client_request_id", r->client_request_id);
	member(b, "route", r->route ? bytes_str(r->route->name) : BYTES_NONE);
	member(b, "tenant", bytes_of(r->who.tenant, r->who.tenant_n));
	member(b, "signal", has_signal(r) ? bytes_str(signal_name(r->signal)) : BYTES_NONE);
	member(b, "verdict", bytes_str(verdict_get(r->verdict)->id));
	number(b, "code", status > 0, status);
	number(b, "items", r->refused_at >= STAGE_ENRICH, (int64_t)r->enriched.items);
	number(b, "bytes_in", true, (int64_t)r->wire_bytes);
	number(b, "duration_us", true, r->duration_ns / 1000);
	member(b, "sink", r->produced ? bytes_str(w->sink->ops->name) : BYTES_NONE);
	member(b, "topic", r->produced && r->topic ? bytes_str(r->topic) : BYTES_NONE);
	number(b, "partition", placed, r->partition);
	number(b, "offset", placed, r->offset);
	number(b, "lost", true, (int64_t)lost);
	buf_char(b, '}');
}

static bool channel_has_room(int channel)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t n = sizeof(info);

	return getsockopt(channel, SOL_SOCKET, SO_MEMINFO, info, &n) == 0 &&
	       n > SK_MEMINFO_SNDBUF * sizeof(info[0]) &&
	       info[SK_MEMINFO_WMEM_ALLOC] < info[SK_MEMINFO_SNDBUF] / 2;
}

static bool within_rate(struct tap *tap)
{
	int64_t second = loop_now() / 1000;

	if (tap->second != second) {
		tap->second = second;
		tap->lines = 0;
	}
	return tap->lines < tap->filter.rate;
}

static void send_line(const struct worker *w, struct tap *tap, const struct req *r, int status)
{
	char text[CHANNEL_BODY_MAX];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text));
	write_line(w, r, status, tap->lost, &b);
	if (b.failed || !within_rate(tap) || !channel_has_room(w->channel) ||
	    channel_send(w->channel, MSG_TAPPED, tap->id, 0, -1, buf_view(&b)) < 0) {
		tap->lost++;
		return;
	}
	tap->lines++;
	tap->lost = 0;
}

void taps_request(struct taps *t, const struct req *r, int status)
{
	for (unsigned i = 0; i < t->n;) {
		struct tap *tap = &t->v[i];

		if (loop_now() >= tap->until) {
			drop(t, i);
			continue;
		}
		if (matches(&tap->filter, r))
			send_line(t->w, tap, r, status);
		i++;
	}
}
