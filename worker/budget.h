/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.h -- bytes in flight of this worker, in all and per tenant (records.md 4): asked before any
 * buffer that a client can make grow, freed at the delivery report or with the request. Capacity is
 * charged, not length. librdkafka's own cap counts values only, so it is no bound.
 */
#pragma once
#include "common/base.h"

struct budget;
enum { BUDGET_RECORD_OVERHEAD = 512 }; /* per record, beside buffer and headers (measured 190) */

/* share_percent of worker_bytes for one tenant; max_tenants sizes the table (sparse). */
struct budget *budget_new(uint64_t worker_bytes, unsigned share_percent, uint64_t max_tenants);
void budget_free(struct budget *b);
/* From now on what tenants hold stands where their ordinals say in that array (common/stats.h), for
 * other processes to read. Before anything is taken. */
struct stats_in_flight;
void budget_show(struct budget *b, struct stats_in_flight *tenants);
/* False, and nothing taken, if the worker's bytes or the tenant's share are spent. A tenant with
 * nothing in flight but held_by_request may go beyond its share, within the worker's bytes, so that one
 * large request can always pass. held_by_request: what this request already holds. */
bool budget_take(struct budget *b, uint32_t tenant, uint64_t held_by_request, uint64_t bytes) MUST_USE;
void budget_give(struct budget *b, uint32_t tenant, uint64_t bytes);
uint64_t budget_used(const struct budget *b);
uint64_t budget_capacity(const struct budget *b);
/* Can never pass, whatever else is in flight: 413 instead of 503. */
bool budget_impossible(const struct budget *b, uint64_t bytes);
