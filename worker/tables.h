/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h -- the worker's side of the tenant tables: what the master sends is mapped, checked and
 * swapped in between two requests, and confirmed or refused, once for each table. A base whose delta
 * follows waits for it: alone it would let in whom the delta shuts out. Called by life.c alone.
 */
#pragma once
#include "worker/worker.h"

void tables_take_base(struct worker *w, uint64_t generation, bool delta_follows, int fd);
void tables_take_delta(struct worker *w, uint64_t generation, int fd);
void tables_close(struct worker *w);
