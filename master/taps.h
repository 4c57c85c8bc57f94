/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taps.h -- who watches requests: the control command `tap`, from its first answer (all workers
 * have the filter) to its last (the time is over, or the client went). Lines of workers pass
 * through as they came. Bounded in number, time and rate; start and end are audited. Called by
 * master.c.
 */
#pragma once
#include "common/bytes.h"
#include "common/tap.h"
#include "master/control.h"
struct event_base;
struct proc;
struct workers;

struct taps_hooks {
	void (*answer)(void *arg, uint64_t client, struct json_t *object); /* takes the object */
	void (*line)(void *arg, uint64_t client, struct bytes line);
	/* kind is tap.start or tap.end; what says which requests, or how many lines and why */
	void (*audit)(void *arg, const char *kind, int64_t uid, const char *tenant,
	              const char *what);
	void *arg;
};

struct taps *taps_open(struct event_base *base, struct workers *w,
                       const struct taps_hooks *hooks) MUST_USE;
void taps_close(struct taps *t); /* after control_close(): each tap is gone with its client */
/* The command: {"request_id","tenant","signal","route","rate","duration_ms"}, each optional. */
void taps_start(struct taps *t, const struct control_client *from, const struct json_t *what);
void taps_gone(struct taps *t, uint64_t client); /* nobody reads any more */
void taps_on(struct taps *t, uint64_t tap); /* one more worker has it on */
void taps_line(struct taps *t, uint64_t tap, struct bytes line);
void taps_set_up(struct taps *t, struct proc *p); /* a worker that started meanwhile */
