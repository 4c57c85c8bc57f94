/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_hello.c -- what tenants_pg.c asks of a new connection before it reads: schema or columns of
 * the query, LISTEN, and whether a bell can be heard at all (faults.md 2).
 */
#include "master/pg_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- steps before the first read ---- */

void pg_hello_start(struct pg *p)
{
	static const char others[] = "SELECT pg_backend_pid(),"
				     " (extract(epoch FROM now()) * 1000000)::bigint";
	static const char ours[] = "SELECT pg_backend_pid(),"
				   " (extract(epoch FROM now()) * 1000000)::bigint,"
				   " (SELECT max(version) FROM headgate.schema_version)";

	pg_send_text(p, p->query ? others : ours);
}

static void go_deaf(struct pg *p, const char *why)
{
	p->deaf = true;
	snprintf(p->deaf_why, sizeof(p->deaf_why), "%s", why);
	log_err("tenants_pg", "the bell cannot be heard, changes are found by polling",
	        KV_S("why", why), KV_I("poll_ms", p->poll));
}

static bool schema_is_known(struct pg *p, const PGresult *result)
{
	int version = atoi(PQgetvalue(result, 0, 2));

	if (version >= SCHEMA_VERSION_MIN && version <= SCHEMA_VERSION_MAX)
		return true;
	pg_give_up(p, "schema headgate has version %d, this program knows %d to %d", version,
	           SCHEMA_VERSION_MIN, SCHEMA_VERSION_MAX);
	return false;
}

void pg_hello_result(struct pg *p, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK && !p->query) {
		pg_give_up(
			p,
			"no schema headgate that this role may read (conf/tenants.sql makes it): "
			"%s",
			PQresultErrorMessage(result));
		return;
	}
	if (!pg_one_row(p, result, p->query ? 2 : 3) || (!p->query && !schema_is_known(p, result)))
		return;
	pg_check_skew(p, PQgetvalue(result, 0, 1));
	/* A pooler invents its own process number. On a quiet one the probe would be answered all
	 * the same, by the one connection that it holds; bells from others would not come. */
	if (atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(p->conn))
		go_deaf(p, "a pooler answers for the server: connect to the server itself");
}

void pg_describe_done(struct pg *p)
{
	pg_begin_step(p, p->deaf ? STEP_FULL : STEP_LISTEN);
}

void pg_hello_done(struct pg *p)
{
	if (p->query)
		pg_begin_step(p, STEP_DESCRIBE);
	else
		pg_describe_done(p);
}

/* One round trip prepares, describes and runs it, so that a pooler cannot come in between; it may
 * be one statement only. */
void pg_describe_start(struct pg *p)
{
	struct buf sql;

	buf_init(&sql, STATEMENT_BYTES);
	pg_query_probe(p->query, &sql);
	buf_char(&sql, '\0');
	if (!PQsendQueryParams(p->conn, sql.p, 0, NULL, NULL, NULL, NULL, 0))
		pg_give_up_libpq(p, "can't send");
	else
		pg_flush(p);
	buf_done(&sql);
}

/* Names and rights, values that cannot be converted, a write: the query's fault. */
void pg_blame_query(struct pg *p, const PGresult *result)
{
	static const char *const classes[] = { "42", "22", "25" };
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	for (size_t i = 0; p->query && state && i < ARRAY_LEN(classes); i++)
		p->refused |= strncmp(state, classes[i], 2) == 0;
}

void pg_describe_result(struct pg *p, PGresult *result)
{
	unsigned count = (unsigned)PQnfields(result);
	autofree const char **names = xcalloc(count + 1, sizeof(*names));
	struct err err = { "" };

	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		pg_blame_query(p, result);
		pg_give_up(p, "tenants.query: %s", PQresultErrorMessage(result));
		return;
	}
	for (unsigned i = 0; i < count; i++)
		names[i] = PQfname(result, (int)i);
	if (pg_query_describe(p->query, names, count, &err) < 0) {
		p->refused = true;
		pg_give_up(p, "%s", err.text);
	}
}

static void send_with_channel(struct pg *p, const char *before, const char *channel,
                              const char *after)
{
	char *quoted = PQescapeIdentifier(p->conn, channel, strlen(channel));
	struct buf sql;

	if (!quoted) {
		pg_give_up_libpq(p, "the channel has no name");
		return;
	}
	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql, "%s%s%s", before, quoted, after);
	PQfreemem(quoted);
	pg_send_buf(p, &sql);
}

void pg_listen_start(struct pg *p)
{
	send_with_channel(p, "LISTEN ", p->channel, "");
}

/* After a freeze of its old transactions LISTEN can fail for days; asking for the queue's usage
 * moves the tail on (PostgREST#3147). The words may be of any language, the state is that of a lost
 * file. */
static bool is_curable(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return (state && strcmp(state, "58P01") == 0) ||
	       strstr(PQresultErrorMessage(result), "could not access status of transaction");
}

void pg_listen_result(struct pg *p, PGresult *result)
{
	char why[200];

	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		p->cured = false;
		return;
	}
	if (!p->cured && is_curable(result)) {
		p->cured = true;
		return;
	}
	snprintf(why, sizeof(why), "LISTEN failed: %s", PQresultErrorMessage(result));
	p->cured = false;
	go_deaf(p, why);
}

void pg_listen_done(struct pg *p)
{
	pg_begin_step(p, p->deaf ? STEP_FULL : p->cured ? STEP_CURE : STEP_PROBE_LISTEN);
}

void pg_cure_start(struct pg *p)
{
	pg_send_text(p, "SELECT pg_notification_queue_usage()");
}

void pg_any_result(struct pg *p, PGresult *result)
{
	int status = (int)PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		pg_give_up(p, "unexpected answer: %s", PQresultErrorMessage(result));
}

void pg_cure_done(struct pg *p)
{
	pg_begin_step(p, STEP_LISTEN); /* cured stays set: not twice */
}

void pg_probe_listen_start(struct pg *p)
{
	snprintf(p->probe, sizeof(p->probe), "headgate_probe_%016" PRIx64, pg_random_word());
	p->probe_heard = false;
	send_with_channel(p, "LISTEN ", p->probe, "");
}

void pg_probe_listen_done(struct pg *p)
{
	pg_begin_step(p, STEP_PROBE_RING);
}

void pg_probe_ring_start(struct pg *p)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "SELECT pg_notify('%s', '')", p->probe); /* hex digits only */
	pg_send_text(p, sql);
}

void pg_probe_ring_done(struct pg *p)
{
	pg_begin_step(p, p->probe_heard ? STEP_PROBE_END : STEP_PROBE_WAIT);
}

void pg_probe_wait_start(struct pg *p)
{
	(void)p; /* on_io or the deadline ends it */
}

void pg_probe_end_start(struct pg *p)
{
	if (!p->probe_heard)
		go_deaf(p, "a notification of our own did not come back: a pooler, or a replica?");
	send_with_channel(p, "UNLISTEN ", p->probe, "");
}

void pg_probe_end_done(struct pg *p)
{
	p->probe[0] = '\0';
	pg_begin_step(p, STEP_FULL);
}
