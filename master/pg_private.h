/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_private.h -- one connection to PostgreSQL, between the five files that know libpq and nobody
 * else: pg_link.c (connecting, sending, giving up), pg_hello.c (what is asked before the first
 * read), pg_read.c (reads), pg_uses.c (last uses) and tenants_pg.c (the table of steps, what is due,
 * the source).
 */
#pragma once
#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif
#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "master/pg_query.h"
#include "master/pg_rows.h"
#include "master/resolve.h"
#include "master/tenants.h"

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
	USES_MS = 60000, /* last uses of tokens: a round each */
	USES_AGAIN_MS = 50, /* between its parts, */
	USES_ROWS = 1000, /* so that no bell waits for long */
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
	STEP_USES,
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
	msec_t next_poll, next_full, next_ping, next_prune, next_uses;
	msec_t uses_round; /* when it began */
	struct token_use *uses; /* those that are being stored: USES_ROWS at most */
	unsigned uses_count;
	bool uses_failed, uses_said;
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

static inline msec_t earlier(msec_t a, msec_t b)
{
	return a < b ? a : b;
}

static inline msec_t later(msec_t a, msec_t b)
{
	return a > b ? a : b;
}

/* ---- tenants_pg.c ---- */
void pg_begin_step(struct pg *p, enum step step);
void pg_on_io(evutil_socket_t fd, short what, void *arg);
void pg_on_resolved(void *arg);

/* ---- pg_uses.c ---- */
void pg_uses_start(struct pg *p);
void pg_uses_result(struct pg *p, PGresult *result);
void pg_uses_done(struct pg *p);

/* ---- pg_link.c ---- */
void pg_check_skew(struct pg *p, const char *server_us);
void pg_disconnect(struct pg *p);
void pg_drive_connect(struct pg *p);
void pg_end_read(struct pg *p);
void pg_flush(struct pg *p);
void pg_freshen(struct pg *p);
void pg_give_up(struct pg *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void pg_give_up_libpq(struct pg *p, const char *doing);
void pg_hang_up(struct pg *p);
void pg_hear_bells(struct pg *p);
bool pg_is_true(const PGresult *result, int column);
bool pg_one_row(struct pg *p, const PGresult *result, int columns);
uint64_t pg_random_word(void);
void pg_ring(struct pg *p);
void pg_send_buf(struct pg *p, struct buf *sql);
void pg_send_text(struct pg *p, const char *sql);
void pg_start_connect(struct pg *p);
void pg_start_resolve(struct pg *p);

/* ---- pg_hello.c ---- */
void pg_any_result(struct pg *p, PGresult *result);
void pg_blame_query(struct pg *p, const PGresult *result);
void pg_cure_done(struct pg *p);
void pg_cure_start(struct pg *p);
void pg_describe_done(struct pg *p);
void pg_describe_result(struct pg *p, PGresult *result);
void pg_describe_start(struct pg *p);
void pg_hello_done(struct pg *p);
void pg_hello_result(struct pg *p, PGresult *result);
void pg_hello_start(struct pg *p);
void pg_listen_done(struct pg *p);
void pg_listen_result(struct pg *p, PGresult *result);
void pg_listen_start(struct pg *p);
void pg_probe_end_done(struct pg *p);
void pg_probe_end_start(struct pg *p);
void pg_probe_listen_done(struct pg *p);
void pg_probe_listen_start(struct pg *p);
void pg_probe_ring_done(struct pg *p);
void pg_probe_ring_start(struct pg *p);
void pg_probe_wait_start(struct pg *p);

/* ---- pg_read.c ---- */
void pg_changes_start(struct pg *p);
void pg_full_start(struct pg *p);
void pg_read_done(struct pg *p);
void pg_read_result(struct pg *p, PGresult *result);
bool pg_read_rows(struct pg *p);
