/* SPDX-License-Identifier: Apache-2.0 */
/*
 * adopt.h -- a slot without a READY worker for 1 s has its sockets served by a sibling until its
 * own worker is READY again (design.md 2): else its share of the clients would wait. Slots beyond
 * the number of workers are served so for good. Called by workers.c.
 */
#pragma once
#include "master/workers.h"

static const msec_t ADOPT_AFTER_MS = 1000;

/* Gives and takes back what time and changes of state ask for; when to come again, INT64_MAX: only
 * after a change. */
msec_t adopt_run(struct workers *w, msec_t now);
void adopt_reset(struct workers *w); /* another generation serves */
void adopt_forget(struct workers *w, const struct proc *p); /* this sibling is gone */
