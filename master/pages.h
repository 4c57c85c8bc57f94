/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h -- the stats pages of all processes (design.md 2): page 0 the master's, 1 the base that
 * dead ones are folded into, then two per slot, so that two generations fit. A page is made when
 * its slot first exists (start, or a reload with more workers) and never moves or goes; all workers
 * get read-only descriptors of all pages. Called by master.c and workers.c.
 */
#pragma once
#include "common/stats.h"
#include "common/uses.h"

enum { PAGE_MASTER, PAGE_BASE, PAGE_SLOTS, PAGES_PER_SLOT = 2 };

struct pages; /* private to pages.c */

struct pages *pages_open(unsigned tenant_slots, struct err *err) MUST_USE;
void pages_close(struct pages *p);
/* The pages of workers that are made from now on hold last-used words of so many tokens. */
void pages_keep_uses(struct pages *p, uint64_t tokens);
/* Makes pages until there are two for each of `slots` slots. Those that were made stay on failure.
 */
int pages_grow(struct pages *p, unsigned slots, struct err *err) MUST_USE;
unsigned pages_count(const struct pages *p);

/* A page of the slot that no process writes; its index. There is one as long as two processes at
 * most hold the slot. The head says who: slot, generation; the pid is added once known. */
unsigned pages_take(struct pages *p, unsigned slot, uint64_t generation);
/* Its process is dead: counters are added to the base, the page is zeroed for its next owner. */
void pages_fold(struct pages *p, unsigned index);

/* When each token was last used, as far as any worker says or said; anew: what they say now. Valid
 * until the next call, and until a page is folded. */
const struct last_uses *pages_uses(struct pages *p, bool anew);

struct stats *pages_stats(const struct pages *p, unsigned index);
int pages_fd(const struct pages *p, unsigned index); /* read-write: its owner's */
int pages_fd_reader(const struct pages *p, unsigned index); /* read-only: everybody's */
