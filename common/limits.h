/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h -- the limits page: lock-free words that all workers write (design.md 2). One 64-byte
 * slot per tenant ordinal, and the metric slots, each claimed by compare-and-swap when its tenant is
 * first used, so that all workers agree. Nothing here needs undoing when a worker dies anywhere.
 */
#pragma once
#include "common/err.h"
#include "common/gcra.h"
#include "common/token.h"

/* What one tenant may do (records.md 3); 0 of anything: no limit of its own. */
enum limit_kind { LIMIT_REQUESTS, LIMIT_BYTES, LIMIT_ITEMS, LIMIT_KINDS };
struct tenant_limits {
	struct gcra_rate rates[LIMIT_KINDS]; /* per host: limits.hosts has divided them */
	uint64_t max_body_bytes; /* decoded */
	uint64_t max_inflight_bytes;
	uint32_t max_inflight_requests;
};

struct limits; /* a mapping */
/* Sparse; size fixed by limits.max_tenants and metrics.max_tenants. */
int limits_memfd(uint64_t max_tenants, unsigned metric_tenants, struct err *err) MUST_USE;
struct limits *limits_map(int fd, uint64_t max_tenants, unsigned metric_tenants, struct err *err) MUST_USE;
void limits_unmap(struct limits *l);

/* Slots 0..metric_tenants-1 are tenants, then METRIC_OTHER and METRIC_NONE: stats pages have
 * metric_tenants + 2 tenant slots. */
unsigned limits_metric_other(const struct limits *l);
unsigned limits_metric_none(const struct limits *l);
unsigned limits_metric_slot(struct limits *l, uint32_t tenant_ordinal, struct bytes tenant_id);
uint64_t limits_folded(const struct limits *l); /* how many tenants are METRIC_OTHER */
const char *limits_metric_name(const struct limits *l, unsigned slot); /* id, _other, _none; NULL: free */

/* The tenant's words, LIMIT_KINDS of them, that only gcra.h moves; NULL beyond limits.max_tenants. */
gcra_word *limits_words(struct limits *l, uint32_t tenant_ordinal);
/* How many tenants had this ordinal before: a request that began under another leaves the words
 * alone. */
uint32_t limits_life(const struct limits *l, uint32_t tenant_ordinal);

/* The master only, once every live worker has confirmed a table without this ordinal: frees its
 * words, so that no new tenant inherits them. Its metric slot keeps the name (the counters behind it
 * never fall) and is given only to a tenant of the same id again. */
void limits_clear(struct limits *l, uint32_t tenant_ordinal);
