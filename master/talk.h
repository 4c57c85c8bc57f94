/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk.h -- the master's end of the channels: what is sent to workers and what they say, tables one
 * at a time. Turns messages into events of the supervisor's table. Called by workers.c and
 * reload.c.
 */
#pragma once
#include "master/workers.h"

void talk_open(struct proc *p); /* watches the channel; writes too until the set-up is done */
void talk_close(struct proc *p); /* closes it; no message after that */
void talk_read(struct proc *p); /* what lies in it now */
/* To every process that is set up; what comes before START is spawn.c's. */
void talk_broadcast(struct workers *w, enum message type, uint64_t arg, int fd, struct bytes body);
/* Tells the hook when all that serve have confirmed a newer table. */
void talk_note_served(struct workers *w);
