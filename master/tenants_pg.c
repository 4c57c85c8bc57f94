/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_pg.c -- tenants from PostgreSQL, kept live by LISTEN (faults.md 2, records.md 2.1). The
 * one door to libpq. One connection and one step at a time: `steps` below says what each sends,
 * what its results mean and what follows. NOTIFY is only a bell; what changed is read from the
 * change table against the snapshot of the read before; of tables that were there before us
 * (tenants.query), which have no such table, all is read again and compared. Never blocks the loop;
 * while the server is away the last table serves. Never idle within a transaction: that would hold
 * the server's notify queue.
 */
#include "master/tenants.h"

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif
#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/loop.h"
#include "master/pg_query.h"
#include "master/pg_rows.h"
#include "master/resolve.h"

enum {
	SCHEMA_VERSION_MIN = 1, /* the gateway runs with schema N and N-1 */
	SCHEMA_VERSION_MAX = 1,
	CHANNEL_MAX = 63, /* a name of PostgreSQL; longer ones it would cut */
	CONNECT_MS = 10000,
	CONNECT_FIRST_MS = 3000, /* while there is no table: a lost SYN is not waited for */
	ANSWER_MS = 5000, /* of any short statement; with PING_MS a dead link is known in 15 s */
	READ_MS = 30000, /* without a byte while rows are read: a lock may hold them */
	PROBE_MS = 2000,
	PING_MS = 10000,
	LINK_FRESH_MS = PING_MS + ANSWER_MS,
	PRUNE_MS = 10 * 60 * 1000,
	PRUNE_AGAIN_MS = 1000,
	PRUNE_ROWS = 5000, /* at a time, so that no bell waits for long */
	SUBSCRIBED_MS = 30000,
	FULL_GAP_MS = 500, /* full reads: two a second at most */
	IDLE_GAP_MIN_MS = 5, /* bells with nothing behind them: the gap doubles up to FULL_GAP_MS */
	BUILD_SHARE = 2, /* a read may begin after this many times what the last table took, */
	BUILD_GAP_MAX_MS = 200, /* at most: no revocation waits longer for it */
	LONGEST_MS = 3600 * 1000, /* of the timer: it fires for nothing then */
	OLD_READ_MS = 12 * 3600 * 1000,
	RETRY_FIRST_MS = 500, /* always, while there is no table yet */
	RETRY_MAX_MS = 30000,
	SLICE_ROWS = 2000, /* of a COPY, before other events get their turn */
	SKEW_US = 2 * 1000000,
	STATEMENT_BYTES = 256 * KIB, /* a pg_snapshot lists the transactions that were open */
};

enum step {
	STEP_OFF, /* no connection; waits until retry_at */
	STEP_RESOLVE, /* a thread asks for the addresses of the hosts */
	STEP_CONNECT, /* PQconnectPoll */
	STEP_HELLO,
	STEP_DESCRIBE, /* with tenants.query: which columns it has */
	STEP_LISTEN,
	STEP_CURE,
	STEP_PROBE_LISTEN,
	STEP_PROBE_RING,
	STEP_PROBE_WAIT, /* no statement: the probe's bell is on its way */
	STEP_PROBE_END,
	STEP_FULL,
	STEP_CHANGES,
	STEP_PING,
	STEP_PRUNE,
	STEP_IDLE,
	STEP_COUNT
};

struct pg {
	struct event_base *base;
	struct tenants *tenants;
	char *dsn, *channel;
	struct pg_query *query; /* NULL: the schema headgate */
	msec_t poll, full_compare, fresh_for;

	struct resolve *resolving; /* while STEP_RESOLVE */
	struct resolve_lists servers; /* what it found */
	PGconn *conn;
	struct event io, timer;
	bool io_on;
	enum step step;
	msec_t deadline; /* of the step */
	char fault[256]; /* why the connection is to be given up; "" while it is fine */
	bool refused; /* the fault is in tenants.query, not in the connection */
	bool deaf, cured; /* deaf: the bell cannot be heard, only polls are left */
	char deaf_why[256];
	bool subscribed; /* logical replication writes our tables: triggers do not fire */
	char probe[40]; /* random channel */
	bool probe_heard;

	bool dirty; /* the bell rang since the last read began */
	int64_t rang_ns; /* its first ring */
	bool want_full;
	msec_t next_read, next_full_allowed; /* not before */
	msec_t next_poll, next_full, next_ping, next_prune;
	msec_t idle_gap;
	msec_t retry_at;
	unsigned attempts; /* since the last read that worked */
	msec_t last_good; /* read that worked; 0: none of this process */

	bool in_read, everything, copying, cut; /* cut: a COPY ended without its trailer */
	unsigned copies; /* COPY results seen in this read */
	struct copy_reader reader;
	uint64_t read_rows;
	int64_t read_since_ns;
	msec_t read_began;
	char *prev, *next; /* pg_snapshot of the last read, of the one that runs */
	struct log_limit log_limit;
	bool skew_said, prune_said;
};

static void begin_step(struct pg *p, enum step step);

static msec_t earlier(msec_t a, msec_t b)
{
	return a < b ? a : b;
}

static msec_t later(msec_t a, msec_t b)
{
	return a > b ? a : b;
}

/* ---- what is told ---- */

PRINTF_LIKE(2, 3) static void give_up(struct pg *p, const char *fmt, ...)
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

static void give_up_libpq(struct pg *p, const char *doing)
{
	give_up(p, "%s: %s", doing, PQerrorMessage(p->conn));
}

static void freshen(struct pg *p)
{
	msec_t until = p->last_good + p->fresh_for; /* the last poll's; a long read sends no ping */

	if (p->last_good == 0)
		return;
	if (p->step > STEP_CONNECT && !p->deaf)
		until = later(until, loop_now() + LINK_FRESH_MS);
	tenants_fresh_until(p->tenants, until);
}

static void ring(struct pg *p)
{
	if (!p->dirty)
		p->rang_ns = loop_now_ns();
	p->dirty = true;
}

/* The payload is never looked at: any role may ring, with any. */
static void hear_bells(struct pg *p)
{
	PGnotify *n;

	while ((n = PQnotifies(p->conn))) {
		if (strcmp(n->relname, p->channel) == 0)
			ring(p);
		else if (strcmp(n->relname, p->probe) == 0)
			p->probe_heard = true;
		PQfreemem(n);
	}
}

static uint64_t random_word(void)
{
	uint64_t word = 0;

	if (getrandom(&word, sizeof(word), 0) != (ssize_t)sizeof(word))
		word = (uint64_t)loop_now_ns(); /* only for a name and a jitter */
	return word;
}

/* ---- the connection ---- */

static void on_io(evutil_socket_t fd, short what, void *arg);

static void watch(struct pg *p, short what)
{
	if (p->io_on)
		event_del(&p->io);
	event_assign(&p->io, p->base, PQsocket(p->conn), what | EV_PERSIST, on_io, p);
	event_add(&p->io, NULL);
	p->io_on = true;
}

static void unwatch(struct pg *p)
{
	if (p->io_on)
		event_del(&p->io);
	p->io_on = false;
}

static void end_read(struct pg *p)
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

static void hang_up(struct pg *p)
{
	unwatch(p);
	end_read(p);
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
	return RETRY_FIRST_MS + (msec_t)(random_word() % (uint64_t)(most - RETRY_FIRST_MS + 1));
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

/* After give_up(): the last table goes on serving. */
static void disconnect(struct pg *p)
{
	msec_t in_ms = retry_in(p);

	hang_up(p);
	p->attempts++;
	p->retry_at = loop_now() + in_ms;
	say_lost(p, in_ms);
	tenants_set_source(p->tenants, false, p->refused ? "refused" : "away", p->fault);
	tenants_set_probe(p->tenants, false);
	freshen(p);
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

static void on_resolved(void *arg);

/* Which hosts, after service file and environment, only libpq knows: it is asked with a setting
 * that it refuses before it would look for them. */
static void start_resolve(struct pg *p)
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
		                      option(options, "port"), on_resolved, p, &err);
		if (!p->resolving)
			give_up(p, "%s", err.text);
	}
	PQconninfoFree(options);
	PQfinish(conn);
	if (!p->resolving && !p->fault[0])
		begin_step(p, STEP_CONNECT);
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

static void start_connect(struct pg *p)
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
		give_up_libpq(p, "can't connect");
		return;
	}
	PQsetNoticeReceiver(p->conn, no_notice, NULL);
	watch(p, EV_WRITE);
}

static void drive_connect(struct pg *p)
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
		begin_step(p, STEP_HELLO);
		return;
	default:
		give_up_libpq(p, "can't connect");
	}
}

static void flush(struct pg *p)
{
	int rc = PQflush(p->conn);

	if (rc < 0)
		give_up_libpq(p, "can't send");
	else
		watch(p, rc > 0 ? EV_READ | EV_WRITE : EV_READ);
}

static void send_text(struct pg *p, const char *sql)
{
	if (!PQsendQuery(p->conn, sql))
		give_up_libpq(p, "can't send");
	else
		flush(p);
}

static void send_buf(struct pg *p, struct buf *sql)
{
	buf_char(sql, '\0');
	if (sql->failed)
		give_up(p, "a statement too long: the server has very many open transactions");
	else
		send_text(p, sql->p);
	buf_done(sql);
}

/* A result that must be there: one row. */
static bool one_row(struct pg *p, const PGresult *result, int columns)
{
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
	    PQnfields(result) == columns)
		return true;
	give_up(p, "unexpected answer: %s", PQresultErrorMessage(result));
	return false;
}

static bool is_true(const PGresult *result, int column)
{
	return PQgetvalue(result, 0, column)[0] == 't';
}

static void check_skew(struct pg *p, const char *server_us)
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

/* ---- steps before the first read ---- */

static void hello_start(struct pg *p)
{
	static const char others[] = "SELECT pg_backend_pid(),"
				     " (extract(epoch FROM now()) * 1000000)::bigint";
	static const char ours[] = "SELECT pg_backend_pid(),"
				   " (extract(epoch FROM now()) * 1000000)::bigint,"
				   " (SELECT max(version) FROM headgate.schema_version)";

	send_text(p, p->query ? others : ours);
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
	give_up(p, "schema headgate has version %d, this program knows %d to %d", version,
	        SCHEMA_VERSION_MIN, SCHEMA_VERSION_MAX);
	return false;
}

static void hello_result(struct pg *p, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK && !p->query) {
		give_up(p,
		        "no schema headgate that this role may read (conf/tenants.sql makes it): "
		        "%s",
		        PQresultErrorMessage(result));
		return;
	}
	if (!one_row(p, result, p->query ? 2 : 3) || (!p->query && !schema_is_known(p, result)))
		return;
	check_skew(p, PQgetvalue(result, 0, 1));
	/* A pooler invents its own process number. On a quiet one the probe would be answered all
	 * the same, by the one connection that it holds; bells from others would not come. */
	if (atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(p->conn))
		go_deaf(p, "a pooler answers for the server: connect to the server itself");
}

static void describe_done(struct pg *p)
{
	begin_step(p, p->deaf ? STEP_FULL : STEP_LISTEN);
}

static void hello_done(struct pg *p)
{
	if (p->query)
		begin_step(p, STEP_DESCRIBE);
	else
		describe_done(p);
}

/* One round trip prepares, describes and runs it, so that a pooler cannot come in between; it may
 * be one statement only. */
static void describe_start(struct pg *p)
{
	struct buf sql;

	buf_init(&sql, STATEMENT_BYTES);
	pg_query_probe(p->query, &sql);
	buf_char(&sql, '\0');
	if (!PQsendQueryParams(p->conn, sql.p, 0, NULL, NULL, NULL, NULL, 0))
		give_up_libpq(p, "can't send");
	else
		flush(p);
	buf_done(&sql);
}

/* Names and rights, values that cannot be converted, a write: the query's fault. */
static void blame_query(struct pg *p, const PGresult *result)
{
	static const char *const classes[] = { "42", "22", "25" };
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	for (size_t i = 0; p->query && state && i < ARRAY_LEN(classes); i++)
		p->refused |= strncmp(state, classes[i], 2) == 0;
}

static void describe_result(struct pg *p, PGresult *result)
{
	unsigned count = (unsigned)PQnfields(result);
	autofree const char **names = xcalloc(count + 1, sizeof(*names));
	struct err err = { "" };

	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		blame_query(p, result);
		give_up(p, "tenants.query: %s", PQresultErrorMessage(result));
		return;
	}
	for (unsigned i = 0; i < count; i++)
		names[i] = PQfname(result, (int)i);
	if (pg_query_describe(p->query, names, count, &err) < 0) {
		p->refused = true;
		give_up(p, "%s", err.text);
	}
}

static void send_with_channel(struct pg *p, const char *before, const char *channel,
                              const char *after)
{
	char *quoted = PQescapeIdentifier(p->conn, channel, strlen(channel));
	struct buf sql;

	if (!quoted) {
		give_up_libpq(p, "the channel has no name");
		return;
	}
	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql, "%s%s%s", before, quoted, after);
	PQfreemem(quoted);
	send_buf(p, &sql);
}

static void listen_start(struct pg *p)
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

static void listen_result(struct pg *p, PGresult *result)
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

static void listen_done(struct pg *p)
{
	begin_step(p, p->deaf ? STEP_FULL : p->cured ? STEP_CURE : STEP_PROBE_LISTEN);
}

static void cure_start(struct pg *p)
{
	send_text(p, "SELECT pg_notification_queue_usage()");
}

static void any_result(struct pg *p, PGresult *result)
{
	int status = (int)PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		give_up(p, "unexpected answer: %s", PQresultErrorMessage(result));
}

static void cure_done(struct pg *p)
{
	begin_step(p, STEP_LISTEN); /* cured stays set: not twice */
}

static void probe_listen_start(struct pg *p)
{
	snprintf(p->probe, sizeof(p->probe), "headgate_probe_%016" PRIx64, random_word());
	p->probe_heard = false;
	send_with_channel(p, "LISTEN ", p->probe, "");
}

static void probe_listen_done(struct pg *p)
{
	begin_step(p, STEP_PROBE_RING);
}

static void probe_ring_start(struct pg *p)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "SELECT pg_notify('%s', '')", p->probe); /* hex digits only */
	send_text(p, sql);
}

static void probe_ring_done(struct pg *p)
{
	begin_step(p, p->probe_heard ? STEP_PROBE_END : STEP_PROBE_WAIT);
}

static void probe_wait_start(struct pg *p)
{
	(void)p; /* on_io or the deadline ends it */
}

static void probe_end_start(struct pg *p)
{
	if (!p->probe_heard)
		go_deaf(p, "a notification of our own did not come back: a pooler, or a replica?");
	send_with_channel(p, "UNLISTEN ", p->probe, "");
}

static void probe_end_done(struct pg *p)
{
	p->probe[0] = '\0';
	begin_step(p, STEP_FULL);
}

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

static void full_start(struct pg *p)
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
	send_buf(p, &sql);
}

static void changes_start(struct pg *p)
{
	struct buf sql;

	begin_read(p, false);
	buf_init(&sql, STATEMENT_BYTES);
	pg_rows_changes(&sql, p->prev);
	send_buf(p, &sql);
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

static void read_result(struct pg *p, PGresult *result)
{
	const char *snapshot;

	switch ((int)PQresultStatus(result)) {
	case PGRES_COMMAND_OK: /* BEGIN, COPY's end, COMMIT */
		if (p->cut)
			give_up(p, "can't read tenants: a COPY without its end");
		return;
	case PGRES_TUPLES_OK:
		if (!one_row(p, result, 3))
			return;
		snapshot = PQgetvalue(result, 0, 0);
		if (!pg_snapshot_ok(snapshot)) {
			give_up(p, "no pg_snapshot");
			return;
		}
		free(p->next);
		p->next = xstrdup(snapshot);
		p->everything = is_true(result, 1);
		if (p->step == STEP_FULL)
			note_subscribed(p, is_true(result, 2));
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
		blame_query(p, result);
		give_up(p, "can't read tenants: %s", PQresultErrorMessage(result));
	}
}

/* Rows that are there now, but not all at once. True: the COPY has ended. */
static bool read_rows(struct pg *p)
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
				give_up(p, "can't read tenants: %s", err.text);
			if (rc < 0)
				return false;
			continue;
		}
		if (n == 0)
			return false;
		if (n < -1)
			give_up_libpq(p, "can't read tenants");
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
 * bells with nothing behind them (any role may ring) wait longer each time. */
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

static void read_done(struct pg *p)
{
	bool first = p->last_good == 0, full = p->step == STEP_FULL;
	struct err err = { "" };
	msec_t building, now;

	if (!is_whole(p)) {
		give_up(p, "can't read tenants: the answer is not whole");
		return;
	}
	if (p->everything) { /* a TRUNCATE, or more rows in one statement than are named */
		end_read(p);
		p->want_full = true;
		begin_step(p, STEP_IDLE);
		return;
	}
	if (p->query)
		pg_query_end(p->query, p->tenants);
	p->in_read = false;
	loop_tick();
	building = loop_now();
	if (tenants_commit(p->tenants, p->read_since_ns, &err) < 0)
		log_err("tenants_pg", "no new table, the last one serves", KV_S("error", err.text));
	free(p->prev);
	p->prev = take_ptr(&p->next);
	end_read(p);
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
	space_reads(p, now, now - building);
	tenants_set_probe(p->tenants, !p->deaf);
	tenants_set_source(p->tenants, true, p->deaf ? "polling" : "connected",
	                   p->deaf ? p->deaf_why : NULL);
	freshen(p);
	begin_step(p, STEP_IDLE);
}

/* ---- steps in between ---- */

static void ping_start(struct pg *p)
{
	char *channel = PQescapeLiteral(p->conn, p->channel, strlen(p->channel));
	struct buf sql;

	if (!channel) {
		give_up_libpq(p, "the channel has no name");
		return;
	}
	buf_init(&sql, STATEMENT_BYTES);
	buf_printf(&sql,
	           "SELECT (extract(epoch FROM now()) * 1000000)::bigint,"
	           " EXISTS (SELECT FROM pg_listening_channels() c WHERE c = %s)",
	           channel);
	PQfreemem(channel);
	send_buf(p, &sql);
}

static void ping_result(struct pg *p, PGresult *result)
{
	if (!one_row(p, result, 2))
		return;
	check_skew(p, PQgetvalue(result, 0, 0));
	if (!p->deaf && !is_true(result, 1))
		give_up(p, "the server does not listen for us any more");
}

static void ping_done(struct pg *p)
{
	p->next_ping = loop_now() + PING_MS;
	freshen(p);
	begin_step(p, STEP_IDLE);
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
	send_buf(p, &sql);
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
	begin_step(p, STEP_IDLE);
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
	return now >= p->next_prune ? STEP_PRUNE : STEP_IDLE;
}

/* When something will be; must agree with due_step(), or the timer would fire for nothing. */
static msec_t next_due(const struct pg *p)
{
	msec_t at = earlier(p->next_ping, p->next_prune);

	if (full_wanted(p))
		return earlier(at, full_allowed(p));
	at = earlier(at, later(p->next_full, full_allowed(p)));
	return earlier(
		at, later(p->dirty ? 0 : p->next_poll, p->query ? full_allowed(p) : p->next_read));
}

static void idle_start(struct pg *p)
{
	enum step step;

	hear_bells(p); /* one may have come with the last result: the socket would stay silent */
	step = due_step(p);
	if (step == STEP_HELLO) {
		p->deaf = p->cured = false;
		p->next_full = loop_now() + p->full_compare;
	}
	if (step != STEP_IDLE)
		begin_step(p, step);
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
	[STEP_RESOLVE]      = { "resolve",      0,          start_resolve,      NULL,          NULL },
	[STEP_CONNECT]      = { "connect",      CONNECT_MS, start_connect,      NULL,          NULL },
	[STEP_HELLO]        = { "hello",        ANSWER_MS,  hello_start,        hello_result,  hello_done },
	[STEP_DESCRIBE]     = { "describe",     ANSWER_MS,  describe_start,     describe_result, describe_done },
	[STEP_LISTEN]       = { "listen",       ANSWER_MS,  listen_start,       listen_result, listen_done },
	[STEP_CURE]         = { "cure",         ANSWER_MS,  cure_start,         any_result,    cure_done },
	[STEP_PROBE_LISTEN] = { "probe listen", ANSWER_MS,  probe_listen_start, any_result,    probe_listen_done },
	[STEP_PROBE_RING]   = { "probe ring",   ANSWER_MS,  probe_ring_start,   any_result,    probe_ring_done },
	[STEP_PROBE_WAIT]   = { "probe wait",   PROBE_MS,   probe_wait_start,   NULL,          NULL },
	[STEP_PROBE_END]    = { "probe end",    ANSWER_MS,  probe_end_start,    any_result,    probe_end_done },
	[STEP_FULL]         = { "full read",    READ_MS,    full_start,         read_result,   read_done },
	[STEP_CHANGES]      = { "read",         READ_MS,    changes_start,      read_result,   read_done },
	[STEP_PING]         = { "ping",         ANSWER_MS,  ping_start,         ping_result,   ping_done },
	[STEP_PRUNE]        = { "prune",        ANSWER_MS,  prune_start,        prune_result,  to_idle },
	[STEP_IDLE]         = { "idle",         0,          idle_start,         NULL,          NULL },
};
/* clang-format on */

static void begin_step(struct pg *p, enum step step)
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
			if (!read_rows(p))
				return;
			continue;
		}
		result = PQgetResult(p->conn);
		if (!result) {
			hear_bells(p);
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
		disconnect(p);
	arm(p);
}

static void on_resolved(void *arg)
{
	struct pg *p = arg;
	struct resolve *done = p->resolving;
	struct err err = { "" };

	p->resolving = NULL;
	if (resolve_take(done, &p->servers, &err) < 0)
		give_up(p, "%s", err.text);
	else
		begin_step(p, STEP_CONNECT);
	settle(p);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct pg *p = arg;

	(void)fd;
	(void)what;
	if (p->step == STEP_CONNECT) {
		drive_connect(p);
		settle(p);
		return;
	}
	if (!PQconsumeInput(p->conn)) {
		give_up_libpq(p, "connection lost");
		settle(p);
		return;
	}
	flush(p);
	hear_bells(p);
	drive(p);
	if (!p->fault[0] && p->step == STEP_PROBE_WAIT && p->probe_heard)
		begin_step(p, STEP_PROBE_END);
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
		begin_step(p, STEP_RESOLVE);
	} else if (p->step == STEP_IDLE) {
		idle_start(p);
	} else if (p->step == STEP_PROBE_WAIT && loop_now() >= p->deadline) {
		begin_step(p, STEP_PROBE_END);
	} else if (p->step != STEP_OFF && loop_now() >= p->deadline) {
		give_up(p, "no answer in time (%s)", steps[p->step].name);
	}
	settle(p);
}

/* ---- the source ---- */

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
	p->next_prune = query ? INT64_MAX : loop_now() + PRUNE_MS; /* a query has no change table */
	event_assign(&p->timer, base, -1, 0, on_timer, p);
	return p;
}

static void pg_close(void *source)
{
	struct pg *p = source;

	hang_up(p);
	event_del(&p->timer);
	tenants_set_flag(p->tenants, READY_SUBSCRIBED, false);
	pg_query_free(p->query);
	free(p->dsn);
	free(p->channel);
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
