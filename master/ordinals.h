/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinals.h -- small numbers for tenants and tokens, which index the limits page and per-tenant
 * words. One that was given back waits until no worker serves a table that knows it, so that nobody
 * inherits another's words.
 */
#pragma once
#include "common/base.h"

static const uint32_t NO_ORDINAL = UINT32_MAX;

struct ordinals {
	uint64_t max, never_given;
	uint32_t *free;
	size_t free_count, free_cap;
	struct waiting_ordinal {
		uint32_t ordinal;
		uint64_t generation; /* the first table without it */
	} * waiting;
	size_t waiting_count, waiting_cap;
};

void ordinals_init(struct ordinals *o, uint64_t max);
void ordinals_done(struct ordinals *o);
uint32_t ordinals_take(struct ordinals *o); /* NO_ORDINAL: all are given */
/* Given back; NO_ORDINAL is fine. */
void ordinals_leave(struct ordinals *o, uint32_t ordinal, uint64_t generation);
/* All workers serve this generation or a newer one. How many are free again; retired (may be NULL)
 * hears of each. */
size_t ordinals_served(struct ordinals *o, uint64_t generation,
                       void (*retired)(void *arg, uint32_t ordinal), void *arg);
