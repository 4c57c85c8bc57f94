/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.h -- a new generation in two phases (operations.md 4): everything is checked and made
 * first, and a fault leaves all as it was; then the workers start, and when all are READY one
 * assignment commits. Requests that come meanwhile fold into one more reload. Also makes the first
 * generation.
 */
#pragma once
#include <event2/event_struct.h>
#include "common/buf.h"
#include "common/stats.h"
#include "conf/yaml.h"
#include "master/control.h"
#include "master/logfiles.h"
#include "master/workers.h"
struct master;

enum { RELOAD_CALLERS_MAX = 64 };
enum reload_state { RELOAD_IDLE, RELOAD_STARTING };

struct reload_caller {
	struct control_client client; /* handle 0: SIGHUP */
	msec_t until;
	bool later; /* waits for the reload after this one: its change may have come too late */
};

struct reload {
	enum reload_state state;
	struct reload_caller callers[RELOAD_CALLERS_MAX];
	unsigned caller_count;
	msec_t began_at, late_at;
	struct logfiles logs; /* of the generation that starts */
	struct buf changes; /* a line per option */
	struct buf notes; /* the warnings, as -t prints them */
	struct event timer; /* READY is late, or a caller's patience ends */

	/* the last one, for status */
	enum reload_result last;
	unix_ns last_at;
	char last_why[512];
};

void reload_init(struct master *m);
void reload_done(struct master *m);
/* Generation 1 from a checked configuration, which it takes. */
int reload_first(struct master *m, struct conf *conf, struct err *err) MUST_USE;
void reload_ask(struct master *m, const struct control_client *from,
                const struct control_reload *what);
void reload_look(struct master *m); /* workers have changed: commit, give up, or begin the next */
/* The line of the first error of what -t prints, or its first line. */
struct bytes reload_first_error(struct bytes text);
void reload_stop(struct master *m); /* the master stops: callers are told */
