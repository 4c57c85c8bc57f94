/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_read.c -- the reads of tenants_pg.c: all rows, or what became visible since the read before,
 * by COPY, a slice at a time; then the commit, and when the next read may begin.
 */
#include "master/pg_private.h"

/* ---- reads ---- */

static void begin_read(struct pg *p, bool full)
{
	p->read_began = loop_now();
	p->read_since_ns = p->dirty ? p->rang_ns : loop_now_ns();
	p->dirty = false; /* from here on a bell means one more read after this one */
	p->everything = p->copying = p->cut = false;
	p->copies = 0;
	p->read_rows = 0;
	p->in_read = true;
	tenants_begin(p->tenants, full);
	if (p->query)
		tenants_expect_doubles(p->tenants);
}

void pg_full_start(struct pg *p)
{
	struct buf sql;

	p->want_full = false;
	p->next_full_allowed = loop_now() + FULL_GAP_MS;
	begin_read(p, true);
	buf_init(&sql, STATEMENT_BYTES);
	if (p->query)
		pg_query_read(p->query, &sql);
	else
		pg_rows_full(&sql);
	pg_send_buf(p, &sql);
}

void pg_changes_start(struct pg *p)
{
	struct buf sql;

	begin_read(p, false);
	buf_init(&sql, STATEMENT_BYTES);
	pg_rows_changes(&sql, p->prev);
	pg_send_buf(p, &sql);
}

static void note_subscribed(struct pg *p, bool subscribed)
{
	if (subscribed && !p->subscribed)
		log_warn("tenants_pg",
		         "logical replication writes tenant or token: triggers do not fire there, "
		         "so all is read again each 30 s");
	p->subscribed = subscribed;
	tenants_set_flag(p->tenants, READY_SUBSCRIBED, subscribed);
}

void pg_read_result(struct pg *p, PGresult *result)
{
	const char *snapshot;

	switch ((int)PQresultStatus(result)) {
	case PGRES_COMMAND_OK: /* BEGIN, COPY's end, COMMIT */
		if (p->cut)
			pg_give_up(p, "can't read tenants: a COPY without its end");
		return;
	case PGRES_TUPLES_OK:
		if (!pg_one_row(p, result, 3))
			return;
		snapshot = PQgetvalue(result, 0, 0);
		if (!pg_snapshot_ok(snapshot)) {
			pg_give_up(p, "no pg_snapshot");
			return;
		}
		free(p->next);
		p->next = xstrdup(snapshot);
		p->everything = pg_is_true(result, 1);
		if (p->step == STEP_FULL)
			note_subscribed(p, pg_is_true(result, 2));
		return;
	case PGRES_COPY_OUT:
		copy_done(&p->reader);
		if (p->query)
			copy_start_query(&p->reader, p->query, p->tenants);
		else
			copy_start(&p->reader, p->copies == 0 ? COPY_TENANTS : COPY_TOKENS,
			           p->tenants);
		p->copying = true;
		p->copies++;
		return;
	default:
		pg_blame_query(p, result);
		pg_give_up(p, "can't read tenants: %s", PQresultErrorMessage(result));
	}
}

/* Rows that are there now, but not all at once. True: the COPY has ended. */
bool pg_read_rows(struct pg *p)
{
	struct err err = { "" };

	p->deadline = loop_now() + READ_MS;
	for (unsigned rows = 0; rows < SLICE_ROWS; rows++) {
		char *row = NULL;
		int n = PQgetCopyData(p->conn, &row, 1);
		int rc = 0;

		if (n > 0) {
			if (!p->everything)
				rc = copy_feed(&p->reader, bytes_of(row, (size_t)n), &err);
			PQfreemem(row);
			if (rc < 0)
				pg_give_up(p, "can't read tenants: %s", err.text);
			if (rc < 0)
				return false;
			continue;
		}
		if (n == 0)
			return false;
		if (n < -1)
			pg_give_up_libpq(p, "can't read tenants");
		else if (!p->everything && !copy_is_whole(&p->reader))
			p->cut = true; /* the result that follows says why */
		p->read_rows += p->reader.rows;
		p->copying = false;
		return true;
	}
	/* libpq may hold the rest already, then the socket stays silent: come back by a timeout. */
	event_add(&p->io, &(struct timeval){ 0, 0 });
	return false;
}

/* Bells that change something are answered at once, but building may take a share of the time only;
 * bells with nothing behind them (any role may pg_ring) wait longer each time. */
static void space_reads(struct pg *p, msec_t now, msec_t built_ms)
{
	if (p->read_rows > 0)
		p->idle_gap = IDLE_GAP_MIN_MS;
	else
		p->idle_gap = earlier(p->idle_gap * 2, FULL_GAP_MS);
	p->next_read = now + (p->read_rows > 0 ? earlier(built_ms * BUILD_SHARE, BUILD_GAP_MAX_MS)
	                                       : p->idle_gap);
}

/* Both COPYs and the snapshot that they show; of tenants.query one COPY. */
static bool is_whole(const struct pg *p)
{
	return p->query ? p->copies == 1 : p->copies == 2 && p->next;
}

void pg_read_done(struct pg *p)
{
	bool first = p->last_good == 0, full = p->step == STEP_FULL;
	struct err err = { "" };
	int64_t built_ns;
	msec_t now;

	if (!is_whole(p)) {
		pg_give_up(p, "can't read tenants: the answer is not whole");
		return;
	}
	if (p->everything) { /* a TRUNCATE, or more rows in one statement than are named */
		pg_end_read(p);
		p->want_full = true;
		pg_begin_step(p, STEP_IDLE);
		return;
	}
	if (p->query)
		pg_query_end(p->query, p->tenants);
	p->in_read = false;
	loop_tick();
	built_ns = -loop_cpu_ns(); /* who is interrupted has not built */
	if (tenants_commit(p->tenants, p->read_since_ns, &err) < 0)
		log_err("tenants_pg", "no new table, the last one serves", KV_S("error", err.text));
	free(p->prev);
	p->prev = take_ptr(&p->next);
	pg_end_read(p);
	built_ns += loop_cpu_ns();
	loop_tick();
	now = loop_now();
	if (first)
		log_info("tenants_pg", "tenants loaded", KV_U("rows", p->read_rows),
		         KV_I("took_ms", now - p->read_began));
	p->last_good = now > 0 ? now : 1;
	p->attempts = 0;
	p->next_poll = now + p->poll;
	if (full)
		p->next_full = now + (p->subscribed ? SUBSCRIBED_MS : p->full_compare);
	space_reads(p, now, built_ns / 1000000);
	tenants_set_probe(p->tenants, !p->deaf);
	tenants_set_source(p->tenants, true, p->deaf ? "polling" : "connected",
	                   p->deaf ? p->deaf_why : NULL);
	pg_freshen(p);
	pg_begin_step(p, STEP_IDLE);
}
