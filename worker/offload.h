/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offload.h -- work that would hold the loop for long, done on one thread beside it: jobs in the
 * order they came, each a whole piece of work on memory that is its own meanwhile. The thread
 * touches no event, no connection and nothing that the loop may touch; what it needs of the loop's
 * it asks for, and waits. Everything here but offload_ask() is called on the loop's thread.
 */
#pragma once
#include "common/err.h"
struct event_base;
struct offload;

struct job { /* embedded in what it works on; of its pusher again when done() is called */
	struct job *next; /* in the queue, or among those that are done */
	void (*run)(struct job *job); /* on the thread */
	void (*done)(struct job *job); /* on the loop's thread, in a turn of its own */
};

/* The thread is there at once; its name is for ps and debuggers, at most 15 bytes. Behind
 * sandbox_enter(), which binds the threads that come after it. NULL with *err said. */
struct offload *offload_open(struct event_base *base, const char *name, struct err *err) MUST_USE;
/* Waits for the job that runs and answers what it still asks. The others are never run, and none is
 * told done any more: they are their pushers'. NULL is fine. */
void offload_close(struct offload *o);
void offload_push(struct offload *o, struct job *job);
unsigned offload_count(const struct offload *o); /* jobs pushed and not yet told done */
/* How long the job that runs now has been running; 0: none does. */
msec_t offload_busy(struct offload *o);

/* From run(): calls fn(arg) on the loop's thread, and returns when that has returned. */
void offload_ask(struct offload *o, void (*fn)(void *arg), void *arg);
