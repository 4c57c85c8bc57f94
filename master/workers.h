/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.h -- the supervisor: a table of state x event for each (slot, generation), back-off after
 * crashes, heartbeats, the tenant tables on their way, slots whose socket a sibling serves. Called
 * by master.c and reload.c; spawn.c starts the processes, adopt.c finds the siblings. Decides
 * nothing about configurations: which generation lives is reload.c's.
 */
#pragma once
#include <event2/event_struct.h>
#include "common/channel.h"
#include "common/stats.h"
#include "master/listeners.h"
#include "master/logfiles.h"
#include "master/pages.h"
#include "master/poison.h"
#include "master/tables.h"

enum { WORKERS_MAX = 256, TICKETS_BYTES = 240 };

enum proc_state { PROC_EMPTY, PROC_STARTING, PROC_READY, PROC_DRAINING, PROC_STATES };
enum proc_event { PROC_SPAWN, PROC_SAYS_READY, PROC_EXIT, PROC_RETIRE, PROC_LATE, PROC_EVENTS };

struct workers;
struct generation;

struct proc { /* one place for a worker process */
	struct workers *all;
	struct generation *gen;
	unsigned slot;
	enum proc_state state;
	msec_t since, spawned_at; /* when the state began; when the process did */

	/* while a process is there (not EMPTY) */
	pid_t pid;
	int channel; /* -1: it closed its end */
	struct event on_channel;
	unsigned page, pages_sent; /* its own; how many of all were announced to it */
	unsigned setup_sent; /* messages of spawn_setup() that it has been sent */
	bool setup_done; /* START was sent: the rest comes as it happens */
	bool killed; /* by us */
	int status; /* of wait(); valid in the EXIT event */
	msec_t late_at; /* when LATE comes, INT64_MAX: not */
	uint64_t beat; /* the heartbeat last seen, */
	msec_t beat_at; /* and when it last changed */
	uint64_t table_sent, table_ok;
	uint64_t base_sent, base_ok; /* that table's base; 0: it has none, or none that we know of */
	bool table_waits; /* one is unconfirmed */

	/* while there is none */
	msec_t spawn_at; /* when SPAWN comes */

	/* across processes of the place */
	msec_t backoff; /* of the next crash */
	msec_t early_since; /* the first of an unbroken row of deaths soon after start; 0: none */
	bool could_not; /* its last process to say so could not set up, and none was READY since */
};

struct generation { /* a configuration and its workers */
	uint64_t number;
	struct conf *conf;
	struct listener_set *set;
	int conf_fd; /* packed and sealed: respawns get what their siblings have */
	bool retiring;
	char failed[512]; /* a worker said FAILED, and why; "" else */
	int failed_code; /* then: EX_CONFIG if it was its configuration, else EX_SOFTWARE */
	unsigned slots;
	struct proc procs[];
};

struct adopt { /* who serves the socket of a slot that has no READY worker */
	struct proc *by[WORKERS_MAX];
	msec_t alone_since[WORKERS_MAX]; /* 0: not alone */
};

struct workers_hooks {
	void (*changed)(
		void *arg); /* from the loop, never from inside a call: look at the generations */
	void (*gone)(
		void *arg,
		struct generation *gen); /* a retired one has ended; it is the hook's to free */
	void (*served)(void *arg, uint64_t table); /* all READY workers serve this table */
	void (*crash_loop)(void *arg);
	void (*set_up)(void *arg, struct proc *p); /* START was sent: what else it is to know */
	void (*tap_on)(void *arg, uint64_t tap); /* a worker has this tap on */
	void (*tapped)(void *arg, uint64_t tap, struct bytes line); /* of a worker, JSON */
	/* NULL is fine. Of a tenant ordinal, for the log; n is 0: nobody has it. */
	struct bytes (*tenant_name)(void *arg, uint32_t ordinal);
	/* A worker lacks a key: issuer, line feed, jwks_uri. */
	void (*jwks_wanted)(void *arg, struct bytes source);
	void *arg;
};

struct workers {
	struct event_base *base;
	struct pages *pages;
	const struct logfiles *logs;
	int exe_fd, null_fd, limits_fd;
	uint8_t tickets[TICKETS_BYTES];
	struct generation *current; /* the one that serves */
	struct generation *next; /* starting; NULL: none */
	struct generation *old; /* draining; never beside next */
	struct tables tables; /* the fds are the set's */
	uint64_t table_served;
	struct event tick, child;
	msec_t ticked; /* the last tick; 0: none yet */
	bool changed;
	struct adopt adopt;
	struct poison poison;
	struct workers_hooks hooks;
};

int workers_open(struct workers *w, struct event_base *base, int exe_fd, struct err *err) MUST_USE;
void workers_close(struct workers *w); /* whatever lives still gets SIGKILL */

struct generation *generation_new(uint64_t number, struct conf *conf, struct listener_set *set,
                                  int conf_fd, unsigned slots) MUST_USE;
void generation_free(struct generation *gen);
unsigned generation_count(const struct generation *gen, enum proc_state state);
bool generation_could_not(const struct generation *gen); /* set up, none of its workers */

/* Starts its workers: as the current one if there is none, else as the next. */
void workers_start(struct workers *w, struct generation *gen);
void workers_commit(struct workers *w); /* next becomes current, current becomes old and drains */
void workers_abandon(struct workers *w); /* next is killed; it comes back by the hook gone */
void workers_drain(struct workers *w); /* all: the end */
void workers_kill(struct workers *w); /* all, at once */
bool workers_none(const struct workers *w);

/* To every worker that is set up; those that start get it in turn. */
void workers_tables(struct workers *w, const struct tables *now);
void workers_send_logs(struct workers *w);
void workers_send_tickets(struct workers *w);
void workers_send_pages(struct workers *w); /* there are more of them now */

/* Every place of every generation: `for (struct proc *p = NULL; (p = workers_each(w, p));)`. */
struct proc *workers_each(const struct workers *w, struct proc *p);
static inline bool proc_is_live(const struct proc *p)
{
	return p->state != PROC_EMPTY;
}

/* For spawn.c, talk.c and adopt.c. A channel that is full means a worker that does not read: LATE.
 */
void proc_send(struct proc *p, enum message type, uint64_t arg, uint64_t slot, int fd,
               struct bytes body);
void proc_event(struct proc *p, enum proc_event event);
void workers_poke(struct workers *w); /* run the tick soon */
void workers_tick(struct workers *w); /* what time has brought; from the timer, and from tests */
