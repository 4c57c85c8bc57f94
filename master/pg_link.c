/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_link.c -- the connection of tenants_pg.c: who is asked for addresses, how it connects, sends
 * and is given up, and what of it the set is told. Decides nothing about what is read.
 */
#include "master/pg_private.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- what is told ---- */

void pg_give_up(struct pg *p, const char *fmt, ...)
{
	va_list ap;

	if (p->fault[0])
		return; /* the first cause tells more */
	va_start(ap, fmt);
	vsnprintf(p->fault, sizeof(p->fault), fmt, ap);
	va_end(ap);
	if (!p->fault[0])
		snprintf(p->fault, sizeof(p->fault), "unknown error");
	for (char *c = p->fault; *c; c++) /* libpq: several lines, one per host */
		if (*c == '\n')
			*c = c[1] ? ';' : '\0';
}

void pg_give_up_libpq(struct pg *p, const char *doing)
{
	pg_give_up(p, "%s: %s", doing, PQerrorMessage(p->conn));
}

void pg_freshen(struct pg *p)
{
	msec_t until = p->last_good + p->fresh_for; /* the last poll's; a long read sends no ping */

	if (p->last_good == 0)
		return;
	if (p->step > STEP_CONNECT && !p->deaf)
		until = later(until, loop_now() + LINK_FRESH_MS);
	tenants_fresh_until(p->tenants, until);
}

void pg_ring(struct pg *p)
{
	if (!p->dirty)
		p->rang_ns = loop_now_ns();
	p->dirty = true;
}

/* The payload is never looked at: any role may pg_ring, with any. */
void pg_hear_bells(struct pg *p)
{
	PGnotify *n;

	while ((n = PQnotifies(p->conn))) {
		if (strcmp(n->relname, p->channel) == 0)
			pg_ring(p);
		else if (strcmp(n->relname, p->probe) == 0)
			p->probe_heard = true;
		PQfreemem(n);
	}
}

uint64_t pg_random_word(void)
{
	uint64_t word = 0;

	if (getrandom(&word, sizeof(word), 0) != (ssize_t)sizeof(word))
		word = (uint64_t)loop_now_ns(); /* only for a name and a jitter */
	return word;
}

/* ---- the connection ---- */

void pg_on_io(evutil_socket_t fd, short what, void *arg);

static void watch(struct pg *p, short what)
{
	if (p->io_on)
		event_del(&p->io);
	event_assign(&p->io, p->base, PQsocket(p->conn), what | EV_PERSIST, pg_on_io, p);
	event_add(&p->io, NULL);
	p->io_on = true;
}

static void unwatch(struct pg *p)
{
	if (p->io_on)
		event_del(&p->io);
	p->io_on = false;
}

void pg_end_read(struct pg *p)
{
	copy_done(&p->reader);
	if (p->in_read)
		tenants_abort(p->tenants);
	if (p->query)
		pg_query_forget(p->query);
	p->in_read = p->copying = false;
	free(p->next);
	p->next = NULL;
}

void pg_hang_up(struct pg *p)
{
	unwatch(p);
	pg_end_read(p);
	resolve_abandon(p->resolving);
	p->resolving = NULL;
	resolve_lists_free(&p->servers);
	if (p->conn)
		PQfinish(p->conn);
	p->conn = NULL;
	free(p->prev); /* its transactions may be another server's after this */
	p->prev = NULL;
	p->dirty = false;
	p->step = STEP_OFF;
}

static msec_t retry_in(struct pg *p)
{
	msec_t most = RETRY_FIRST_MS;

	if (tenants_table(p->tenants) == 0)
		return RETRY_FIRST_MS;
	for (unsigned i = 0; i < p->attempts && most < RETRY_MAX_MS; i++)
		most *= 2;
	most = earlier(most, RETRY_MAX_MS);
	return RETRY_FIRST_MS + (msec_t)(pg_random_word() % (uint64_t)(most - RETRY_FIRST_MS + 1));
}

static void say_lost(struct pg *p, msec_t in_ms)
{
	uint32_t held;

	if (!log_limited(&p->log_limit, 6, loop_now(), &held))
		return;
	if (p->refused)
		log_err("tenants_pg", "tenants.query cannot be used, retrying",
		        KV_S("error", p->fault), KV_I("in_ms", in_ms), KV_U("held_back", held));
	else
		log_warn("tenants_pg", "no connection, retrying", KV_S("error", p->fault),
		         KV_I("in_ms", in_ms), KV_U("held_back", held));
}

/* After pg_give_up(): the last table goes on serving. */
void pg_disconnect(struct pg *p)
{
	msec_t in_ms = retry_in(p);

	pg_hang_up(p);
	p->attempts++;
	p->retry_at = loop_now() + in_ms;
	say_lost(p, in_ms);
	tenants_set_source(p->tenants, false, p->refused ? "refused" : "away", p->fault);
	tenants_set_probe(p->tenants, false);
	pg_freshen(p);
	p->fault[0] = '\0';
	p->refused = false;
}

static void no_notice(void *arg, const PGresult *result)
{
	(void)arg;
	log_debug("tenants_pg", "notice",
	          KV_S("text", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

static const char *option(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

void pg_on_resolved(void *arg);

/* Which hosts, after service file and environment, only libpq knows: it is asked with a setting
 * that it refuses before it would look for them. */
void pg_start_resolve(struct pg *p)
{
	static const char *const keys[] = { "dbname", "sslmode", NULL };
	const char *const values[] = { p->dsn, "only-parse", NULL };
	PGconn *conn = PQconnectStartParams(keys, values, 1);
	PQconninfoOption *options = conn ? PQconninfo(conn) : NULL;
	struct err err = { "" };

	if (!options)
		out_of_memory();
	if (resolve_needed(option(options, "host"), option(options, "hostaddr"))) {
		p->resolving =
			resolve_start(p->base, option(options, "host"), option(options, "hostaddr"),
		                      option(options, "port"), pg_on_resolved, p, &err);
		if (!p->resolving)
			pg_give_up(p, "%s", err.text);
	}
	PQconninfoFree(options);
	PQfinish(conn);
	if (!p->resolving && !p->fault[0])
		pg_begin_step(p, STEP_CONNECT);
}

struct settings { /* for libpq: ends with a NULL key */
	const char *keys[16], *values[16];
	unsigned count;
};

static void set(struct settings *s, const char *key, const char *value)
{
	assert(s->count < ARRAY_LEN(s->keys) - 1);
	s->keys[s->count] = key;
	s->values[s->count++] = value;
}

void pg_start_connect(struct pg *p)
{
	struct settings s = { .count = 0 };

	/* What stands before dbname the connection string may overrule, what follows not. */
	set(&s, "fallback_application_name", "headgate");
	set(&s, "dbname", p->dsn);
	set(&s, "client_encoding", "UTF8");
	set(&s, "target_session_attrs", "read-write");
	set(&s, "keepalives", "1");
	set(&s, "keepalives_idle", "10");
	set(&s, "keepalives_interval", "3");
	set(&s, "keepalives_count", "3");
	set(&s, "tcp_user_timeout", "10000");
	if (p->servers.hosts) {
		set(&s, "host", p->servers.hosts);
		set(&s, "hostaddr", p->servers.addrs);
		set(&s, "port", p->servers.ports);
	}
	if (tenants_table(p->tenants) == 0)
		p->deadline = loop_now() + CONNECT_FIRST_MS;
	p->deaf = p->cured = false;
	p->want_full = true;
	p->conn = PQconnectStartParams(s.keys, s.values, 1);
	if (!p->conn)
		out_of_memory();
	resolve_lists_free(&p->servers);
	if (PQstatus(p->conn) == CONNECTION_BAD) {
		pg_give_up_libpq(p, "can't connect");
		return;
	}
	PQsetNoticeReceiver(p->conn, no_notice, NULL);
	watch(p, EV_WRITE);
}

void pg_drive_connect(struct pg *p)
{
	/* Before the call: libpq may close this socket and open another of the same number. */
	unwatch(p);
	switch ((int)PQconnectPoll(p->conn)) {
	case PGRES_POLLING_READING:
		watch(p, EV_READ);
		return;
	case PGRES_POLLING_WRITING:
		watch(p, EV_WRITE);
		return;
	case PGRES_POLLING_OK:
		PQsetnonblocking(p->conn, 1);
		watch(p, EV_READ);
		pg_begin_step(p, STEP_HELLO);
		return;
	default:
		pg_give_up_libpq(p, "can't connect");
	}
}

void pg_flush(struct pg *p)
{
	int rc = PQflush(p->conn);

	if (rc < 0)
		pg_give_up_libpq(p, "can't send");
	else
		watch(p, rc > 0 ? EV_READ | EV_WRITE : EV_READ);
}

void pg_send_text(struct pg *p, const char *sql)
{
	if (!PQsendQuery(p->conn, sql))
		pg_give_up_libpq(p, "can't send");
	else
		pg_flush(p);
}

void pg_send_buf(struct pg *p, struct buf *sql)
{
	buf_char(sql, '\0');
	if (sql->failed)
		pg_give_up(p, "a statement too long: the server has very many open transactions");
	else
		pg_send_text(p, sql->p);
	buf_done(sql);
}

/* A result that must be there: one row. */
bool pg_one_row(struct pg *p, const PGresult *result, int columns)
{
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
	    PQnfields(result) == columns)
		return true;
	pg_give_up(p, "unexpected answer: %s", PQresultErrorMessage(result));
	return false;
}

bool pg_is_true(const PGresult *result, int column)
{
	return PQgetvalue(result, 0, column)[0] == 't';
}

void pg_check_skew(struct pg *p, const char *server_us)
{
	int64_t skew = strtoll(server_us, NULL, 10) - loop_wall_ns() / 1000;

	if (skew <= SKEW_US && skew >= -SKEW_US) {
		p->skew_said = false;
		return;
	}
	if (!p->skew_said)
		log_warn("tenants_pg",
		         "this clock and the database's differ: tokens begin and end by this one",
		         KV_I("database_ahead_ms", skew / 1000));
	p->skew_said = true;
}
