/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master.h -- the one struct of the master process, and its life: start, signals, drain. main.c
 * runs it; reload.c changes its generation, status.c shows it.
 */
#pragma once
#include <event2/event_struct.h>
#include "common/limits.h"
#include "master/check.h"
#include "master/control.h"
#include "master/listeners.h"
#include "master/logfiles.h"
#include "master/pages.h"
#include "master/reload.h"
#include "master/systemd.h"
#include "master/tenants.h"
#include "master/workers.h"

struct syncs;
struct taps;
struct jwks;
struct json_t;

struct master {
	const struct master_args *args;
	struct event_base *base;
	struct systemd *systemd;
	struct listeners *listeners;
	struct logfiles logs;
	struct pages *pages;
	struct limits *limits;
	struct tenants *tenants;
	struct control *control;
	struct taps *taps;
	struct jwks *jwks;
	struct syncs *syncs;
	struct workers workers;
	struct reload reload;
	const struct conf *conf; /* of the current generation, which owns it */
	msec_t started_at;
	unix_ns started_wall;
	msec_t rotation; /* of the ticket keys, as the timer has it; 0: not yet */
	bool store_full; /* a worker says so */
	int64_t cert_first_end; /* Unix seconds; INT64_MAX: no certificate */
	struct json_t *certificates; /* of conf, as the status pages show them */
	char *facts; /* as the stats page has them; NULL: not yet */
	uint64_t log_counts[4]; /* of log_count(), as far as the stats page has them */
	bool serving; /* READY=1 was said */
	bool stopping;
	int exit_code;
	struct event beat, watchdog, rotate, hup, usr1, term, interrupt;
};

/* Until SIGTERM, or until nothing can be served: the exit code. */
int master_run(const struct master_args *args);

/* A new configuration serves: the log, the clocks, what is shown. */
void master_apply(struct master *m, const struct conf *conf, uint64_t generation);
void master_say_status(struct master *m); /* STATUS= and READY=1 */
struct stats *master_stats(const struct master *m);
