/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poison.h -- tenants whose requests kill workers (faults.md 8): three deaths by a signal within 60
 * s while a request of the tenant was in a stage put it aside for 60 s. Called by workers.c.
 */
#pragma once
#include "common/base.h"

enum { POISON_DEATHS = 3, POISON_DEATHS_KEPT = 64, POISON_ASIDE_MAX = 16 };
static const msec_t POISON_WINDOW_MS = 60000;

struct poison {
	struct {
		uint32_t tenant;
		msec_t at;
	} deaths[POISON_DEATHS_KEPT]; /* a ring; the oldest is forgotten */
	unsigned next, count;
	struct {
		uint32_t tenant;
		msec_t until;
	} aside[POISON_ASIDE_MAX]; /* the one that ends first gives way */
};

/* True: this was one death too many, put the tenant aside now. */
bool poison_death(struct poison *p, uint32_t tenant, msec_t now) MUST_USE;
/* Those that are put aside now, for a worker that starts; their number. */
unsigned poison_aside(const struct poison *p, msec_t now,
                      uint32_t tenants[static POISON_ASIDE_MAX]);
