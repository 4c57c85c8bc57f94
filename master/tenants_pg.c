/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_pg.c -- tenants from PostgreSQL, kept live by LISTEN (faults.md 2, records.md 2.1). With
 * the other files of pg_private.h the door to libpq. One connection and one step at a time: `steps`
 * below says what each sends, what its results mean and what follows. NOTIFY is only a bell; what
 * changed is read from the change table against the snapshot of the read before; of tables that
 * were there before us (tenants.query), which have no such table, all is read again and compared.
 * Never blocks the loop; while the server is away the last table serves. Never idle within a
 * transaction: that would hold the server's notify queue.
 */
#include "master/tenants.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "master/pg_private.h"

/* ---- steps in between ---- */

static void ping_start(struct pg *p)
{
	char *channel = PQescapeLiteral(p->conn, p->channel, strlen(p->channel));
	struct buf sql;

	if (!channel) {
		pg_give_up_libpq(p, "the channel has no name");
		return;
	}
	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql,
	           "SELECT (extract(epoch FROM now()) * 1000000)::bigint,"
	           " EXISTS (SELECT FROM pg_listening_channels() c WHERE c = %s)",
	           channel);
	PQfreemem(channel);
	pg_send_buf(p, &sql);
}

static void ping_result(struct pg *p, PGresult *result)
{
	if (!pg_one_row(p, result, 2))
		return;
	pg_check_skew(p, PQgetvalue(result, 0, 0));
	if (!p->deaf && !pg_is_true(result, 1))
		pg_give_up(p, "the server does not listen for us any more");
}

static void ping_done(struct pg *p)
{
	p->next_ping = loop_now() + PING_MS;
	pg_freshen(p);
	pg_begin_step(p, STEP_IDLE);
}

/* One implicit transaction. Another master may prune the same rows: never wait for its locks, a
 * bell would wait too. */
static void prune_start(struct pg *p)
{
	struct buf sql;

	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql,
	           "SET LOCAL lock_timeout = '50ms';"
	           " DELETE FROM headgate.change WHERE ctid = ANY (ARRAY(SELECT ctid FROM "
	           "headgate.change"
	           " WHERE at < now() - interval '24 hours'"
	           " AND pg_visible_in_snapshot(xid, '%s'::pg_snapshot) LIMIT %d))",
	           p->prev, PRUNE_ROWS);
	p->next_prune = loop_now() + PRUNE_MS;
	pg_send_buf(p, &sql);
}

static void prune_result(struct pg *p, PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		if (atoi(PQcmdTuples(result)) == PRUNE_ROWS)
			p->next_prune = loop_now() + PRUNE_AGAIN_MS;
		return;
	}
	if (p->prune_said ||
	    (state && strcmp(state, "55P03") == 0)) /* lock_not_available: next time */
		return;
	p->prune_said = true;
	log_warn("tenants_pg", "can't prune the table change, it will grow",
	         KV_S("error", PQresultErrorMessage(result)));
}

static void to_idle(struct pg *p)
{
	pg_begin_step(p, STEP_IDLE);
}

static bool changes_wanted(const struct pg *p)
{
	return p->dirty || loop_now() >= p->next_poll;
}

static bool full_wanted(const struct pg *p)
{
	return p->want_full || loop_now() >= p->next_full ||
	       loop_now() - p->last_good > OLD_READ_MS || (p->query && changes_wanted(p));
}

/* Not before. */
static msec_t full_allowed(const struct pg *p)
{
	return p->query ? later(p->next_full_allowed, p->next_read) : p->next_full_allowed;
}

/* What is due; none: the timer knows when. */
static enum step due_step(const struct pg *p)
{
	msec_t now = loop_now();

	if (full_wanted(p)) {
		if (now >= full_allowed(p))
			return p->deaf && now >= p->next_full ? STEP_HELLO
			                                      : STEP_FULL; /* deaf: try again */
	} else if (changes_wanted(p) && now >= p->next_read) {
		return STEP_CHANGES;
	}
	if (now >= p->next_ping)
		return STEP_PING;
	if (now >= p->next_uses)
		return STEP_USES;
	return now >= p->next_prune ? STEP_PRUNE : STEP_IDLE;
}

/* When something will be; must agree with due_step(), or the timer would fire for nothing. */
static msec_t next_due(const struct pg *p)
{
	msec_t at = earlier(p->next_ping, earlier(p->next_prune, p->next_uses));

	if (full_wanted(p))
		return earlier(at, full_allowed(p));
	at = earlier(at, later(p->next_full, full_allowed(p)));
	return earlier(
		at, later(p->dirty ? 0 : p->next_poll, p->query ? full_allowed(p) : p->next_read));
}

static void idle_start(struct pg *p)
{
	enum step step;

	pg_hear_bells(p); /* one may have come with the last result: the socket would stay silent */
	step = due_step(p);
	if (step == STEP_HELLO) {
		p->deaf = p->cured = false;
		p->next_full = loop_now() + p->full_compare;
	}
	if (step != STEP_IDLE)
		pg_begin_step(p, step);
}

/* ---- the table ---- */

/* clang-format off */
static const struct {
	const char *name;
	msec_t limit;                               /* 0: none */
	void (*start)(struct pg *p);                /* sends the statement */
	void (*result)(struct pg *p, PGresult *r);  /* one of its results */
	void (*done)(struct pg *p);                 /* all were seen: the next step */
} steps[STEP_COUNT] = {
	[STEP_OFF]          = { "off",          0,          NULL,               NULL,          NULL },
	[STEP_RESOLVE]      = { "resolve",      0,          pg_start_resolve,      NULL,          NULL },
	[STEP_CONNECT]      = { "connect",      CONNECT_MS, pg_start_connect,      NULL,          NULL },
	[STEP_HELLO]        = { "hello",        ANSWER_MS,  pg_hello_start,        pg_hello_result,  pg_hello_done },
	[STEP_DESCRIBE]     = { "describe",     ANSWER_MS,  pg_describe_start,     pg_describe_result, pg_describe_done },
	[STEP_LISTEN]       = { "listen",       ANSWER_MS,  pg_listen_start,       pg_listen_result, pg_listen_done },
	[STEP_CURE]         = { "cure",         ANSWER_MS,  pg_cure_start,         pg_any_result,    pg_cure_done },
	[STEP_PROBE_LISTEN] = { "probe listen", ANSWER_MS,  pg_probe_listen_start, pg_any_result,    pg_probe_listen_done },
	[STEP_PROBE_RING]   = { "probe ring",   ANSWER_MS,  pg_probe_ring_start,   pg_any_result,    pg_probe_ring_done },
	[STEP_PROBE_WAIT]   = { "probe wait",   PROBE_MS,   pg_probe_wait_start,   NULL,          NULL },
	[STEP_PROBE_END]    = { "probe end",    ANSWER_MS,  pg_probe_end_start,    pg_any_result,    pg_probe_end_done },
	[STEP_FULL]         = { "full read",    READ_MS,    pg_full_start,         pg_read_result,   pg_read_done },
	[STEP_CHANGES]      = { "read",         READ_MS,    pg_changes_start,      pg_read_result,   pg_read_done },
	[STEP_PING]         = { "ping",         ANSWER_MS,  ping_start,         ping_result,   ping_done },
	[STEP_PRUNE]        = { "prune",        ANSWER_MS,  prune_start,        prune_result,  to_idle },
	[STEP_USES]         = { "uses",         ANSWER_MS,  pg_uses_start,      pg_uses_result, pg_uses_done },
	[STEP_IDLE]         = { "idle",         0,          idle_start,         NULL,          NULL },
};
/* clang-format on */

void pg_begin_step(struct pg *p, enum step step)
{
	p->step = step;
	p->deadline = steps[step].limit ? loop_now() + steps[step].limit : INT64_MAX;
	steps[step].start(p);
}

/* All results that are there. */
static void drive(struct pg *p)
{
	while (!p->fault[0] && steps[p->step].result && (p->copying || !PQisBusy(p->conn))) {
		PGresult *result;

		if (p->copying) {
			if (!pg_read_rows(p))
				return;
			continue;
		}
		result = PQgetResult(p->conn);
		if (!result) {
			pg_hear_bells(p);
			steps[p->step].done(p);
			continue;
		}
		steps[p->step].result(p, result);
		PQclear(result);
	}
}

static void arm(struct pg *p)
{
	msec_t at = p->step == STEP_OFF    ? p->retry_at
	            : p->step == STEP_IDLE ? next_due(p)
	                                   : p->deadline;
	msec_t in = at - loop_now();

	in = later(0, earlier(in, LONGEST_MS));
	event_add(&p->timer, &(struct timeval){ in / 1000, in % 1000 * 1000 });
}

/* After anything happened. */
static void settle(struct pg *p)
{
	if (p->fault[0])
		pg_disconnect(p);
	arm(p);
}

void pg_on_resolved(void *arg)
{
	struct pg *p = arg;
	struct resolve *done = p->resolving;
	struct err err = { "" };

	p->resolving = NULL;
	if (resolve_take(done, &p->servers, &err) < 0)
		pg_give_up(p, "%s", err.text);
	else
		pg_begin_step(p, STEP_CONNECT);
	settle(p);
}

void pg_on_io(evutil_socket_t fd, short what, void *arg)
{
	struct pg *p = arg;

	(void)fd;
	(void)what;
	if (p->step == STEP_CONNECT) {
		pg_drive_connect(p);
		settle(p);
		return;
	}
	if (!PQconsumeInput(p->conn)) {
		pg_give_up_libpq(p, "connection lost");
		settle(p);
		return;
	}
	pg_flush(p);
	pg_hear_bells(p);
	drive(p);
	if (!p->fault[0] && p->step == STEP_PROBE_WAIT && p->probe_heard)
		pg_begin_step(p, STEP_PROBE_END);
	else if (!p->fault[0] && p->step == STEP_IDLE)
		idle_start(p);
	settle(p);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pg *p = arg;

	(void)fd;
	(void)what;
	if (p->step == STEP_OFF && loop_now() >= p->retry_at) {
		tenants_set_source(p->tenants, false, "connecting", NULL);
		pg_begin_step(p, STEP_RESOLVE);
	} else if (p->step == STEP_IDLE) {
		idle_start(p);
	} else if (p->step == STEP_PROBE_WAIT && loop_now() >= p->deadline) {
		pg_begin_step(p, STEP_PROBE_END);
	} else if (p->step != STEP_OFF && loop_now() >= p->deadline) {
		pg_give_up(p, "no answer in time (%s)", steps[p->step].name);
	}
	settle(p);
}

/* ---- the source ---- */

/* Where libpq takes what is left of the password for a host or a port, which errors would quote. */
static bool cuts_password(const char *dsn)
{
	const char *p = strstr(dsn, "://"), *at = p ? strchr(p, '@') : NULL, *slash;

	if (!at || strncmp(dsn, "postgres", 8) != 0)
		return false;
	p += strlen("://");
	slash = memchr(p, '/', (size_t)(at - p));
	if (slash)
		return !memchr(slash, '?', (size_t)(at - slash));
	return memchr(at + 1, '@', strcspn(at + 1, "?")) != NULL;
}

/* What cannot be right, whatever the server says. */
static int check_settings(const struct conf *conf, const char *dsn, struct err *err)
{
	PQconninfoOption *options;

	if (strlen(conf->tenants.channel) > CHANNEL_MAX || !conf->tenants.channel[0])
		return err_set(err, "tenants.channel: a name of 1 to %d bytes", CHANNEL_MAX);
	if (!strchr(dsn, '=') && !strstr(dsn, "://"))
		return 0;
	/* libpq's own words would quote the string, and it may come from dsn_file with a password.
	 */
	options = PQconninfoParse(dsn, NULL);
	if (!options)
		return err_set(err, "tenants.dsn is no connection string of libpq");
	PQconninfoFree(options);
	if (cuts_password(dsn))
		return err_set(err, "tenants.dsn: in a URI an @ is written %%40 and a / %%2F but "
		                    "where they end a part of it");
	return 0;
}

static void *pg_open(struct event_base *base, const struct conf *conf, struct tenants *t,
                     struct err *err)
{
	const char *dsn = conf->tenants.dsn ? conf->tenants.dsn : "";
	bool has_query = conf->tenants.query && conf->tenants.query[0];
	struct pg_query *query = NULL;
	struct pg *p;

	if (check_settings(conf, dsn, err) < 0)
		return NULL;
	if (has_query && !(query = pg_query_new(conf->tenants.query, err)))
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->base = base;
	p->tenants = t;
	p->dsn = xstrdup(dsn);
	p->channel = xstrdup(conf->tenants.channel);
	p->query = query;
	p->poll = conf->tenants.poll;
	p->full_compare = conf->tenants.full_compare;
	p->fresh_for = conf->tenants.fresh_for;
	p->idle_gap = IDLE_GAP_MIN_MS;
	/* A query has no change table, and none of last uses. */
	p->next_prune = query ? INT64_MAX : loop_now() + PRUNE_MS;
	p->next_uses = query ? INT64_MAX : loop_now() + USES_MS;
	p->uses = xcalloc(USES_ROWS, sizeof(*p->uses));
	event_assign(&p->timer, base, -1, 0, on_timer, p);
	return p;
}

static void pg_close(void *source)
{
	struct pg *p = source;

	pg_hang_up(p);
	event_del(&p->timer);
	tenants_set_flag(p->tenants, READY_SUBSCRIBED, false);
	pg_query_free(p->query);
	free(p->dsn);
	free(p->channel);
	free(p->uses);
	free(p);
}

static void pg_poke(void *source)
{
	struct pg *p = source;

	p->want_full = true;
	p->retry_at = loop_now();
	if (p->step == STEP_OFF || p->step == STEP_IDLE)
		event_add(&p->timer, &(struct timeval){ 0, 0 });
}

const struct tenants_source tenants_pg = { "postgres", pg_open, pg_close, pg_poke };

int tenants_pg_library(void)
{
	return PQlibVersion();
}
