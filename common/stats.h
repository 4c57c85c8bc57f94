/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h -- one page set per process, in a memfd: that process alone writes it, all processes read
 * it, and the master folds it into the base page after its death. Words are only ever added to by
 * their one writer: no locks, no lost counts. Families and dimensions are common/stats.def.
 */
#pragma once
#include <stdatomic.h>
#include "common/err.h"
#include "common/facts.h"
#include "common/last_errors.h"
#include "common/telemetry.h"
#include "common/verdict.h"

enum stat_type { COUNTER, COUNTER_US, GAUGE, GAUGE_MAX, GAUGE_MIN, HISTOGRAM };
enum stat_dim {
#define DIM(name, label, size) DIM_##name,
#include "common/stats.def"
#undef DIM
	DIM_COUNT
};
enum stat_id { /* not "stat": that tag is struct stat of <sys/stat.h> */
#define STAT(id, name, type, a, b, help) STAT_##id,
#include "common/stats.def"
#undef STAT
	STAT_COUNT
};
enum tenant_stat {
#define TENANT_STAT(id, name, type, reason, help) TS_##id,
#define TENANT_KIND(id, name, type, kind, help) TS_##id,
#include "common/stats.def"
#undef TENANT_STAT
#undef TENANT_KIND
	TS_COUNT
};
enum { HISTOGRAM_BOUNDS = 15, HISTOGRAM_WORDS = HISTOGRAM_BOUNDS + 3 }; /* buckets, +Inf, sum in us, count */
extern const double histogram_bounds[HISTOGRAM_BOUNDS];

/* Indexes into the dimensions whose texts are fixed. */
enum conn_state { CONN_HANDSHAKE, CONN_ACTIVE, CONN_IDLE };
enum conn_reason { CONN_LIMIT, CONN_SOURCE_LIMIT, CONN_HANDSHAKE_LIMIT, CONN_HANDSHAKE_TIMEOUT, CONN_IDLE_TIMEOUT, CONN_WRITE_TIMEOUT };
enum tls_result { TLS_OK, TLS_RESUMED, TLS_FAILED, TLS_TIMEOUT, TLS_CUT };
enum auth_method { METHOD_TOKEN, METHOD_BASIC, METHOD_OBSTACK, METHOD_HEADER, METHOD_PBKDF2, METHOD_JWT, METHOD_USERINFO, METHOD_NONE };
enum cache_result { CACHE_HIT, CACHE_MISS };
enum auth_result { AUTH_OK, AUTH_MISSING, AUTH_MALFORMED, AUTH_UNKNOWN, AUTH_REVOKED, AUTH_EXPIRED, AUTH_SUSPENDED, AUTH_ADDRESS, AUTH_SCOPE, AUTH_MISMATCH, AUTH_UNAVAILABLE };
enum restart_reason { RESTART_EXIT, RESTART_SIGNAL, RESTART_STUCK, RESTART_STARTUP };
enum reload_result { RELOAD_OK, RELOAD_CONFIG, RELOAD_NOT_READY };
enum snapshot_result { SNAPSHOT_OK, SNAPSHOT_FAILED };
enum skip_reason { SKIP_TENANT_ID, SKIP_TOKEN_ID, SKIP_HASH, SKIP_KIND, SKIP_SCOPE, SKIP_ITERATIONS, SKIP_TENANT_UNKNOWN, SKIP_HASH_TWICE, SKIP_TENANT_TOPIC, SKIP_OTHER };
enum row_kind { ROW_TENANT, ROW_TOKEN };
enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_DRAINING };
enum store { STORE_LOCAL, STORE_SPOOL };
enum replayed { REPLAYED_DELIVERED, REPLAYED_REFUSED };
enum letter { LETTER_SENT, LETTER_DROPPED };
enum stream { STREAM_ACCESS, STREAM_AUDIT };

/* The request whose stage is running, named before stages_run() and cleared after: whom to blame if
 * the process dies by a signal (faults.md 8). active is written last and cleared first. A worker's
 * two threads have one each; a signal does not say which of them it was, so both may be to blame. */
struct stats_current {
	_Atomic uint64_t active; /* 1 + tenant ordinal; 1 + UINT32_MAX: no tenant yet; 0: none */
	uint32_t route, encoding;
	uint64_t length;
	char request_id[33];
};

struct stats_head { /* at the start of each page set */
	/* constant */
	_Atomic uint32_t magic, tenant_slots;
	_Atomic uint64_t tokens; /* whose last-used words lie behind the page */
	_Atomic uint32_t fold_seq; /* base page: odd while the master folds a dead page into it */
	_Atomic int32_t pid, slot; /* slot -1: master */
	_Atomic uint64_t generation;        /* of the configuration */
	_Atomic uint64_t heartbeat_ms;      /* CLOCK_MONOTONIC, each second */
	_Atomic uint64_t table_generation;  /* tenant table served; 0: none */
	_Atomic int64_t fresh_until_ms;     /* master: until when the table is fresh (CLOCK_MONOTONIC) */
	_Atomic int64_t table_read_ms;      /* master: when the source was last read (for max_stale) */
	_Atomic uint64_t ready_flags;       /* master: not-ready causes that it knows, for /ready; worker: of its sink, for the master */
	struct stats_current current; /* of the loop's thread */
	struct stats_current beside;  /* of the one that works on large bodies */
	struct last_errors errors;    /* of all threads; of the base: those of the dead */
};
/* ready_flags: what only the master knows of health and degradation (operations.md 7) */
enum { READY_NO_TABLE = 1, READY_SOURCE_AWAY = 2, READY_SUBSCRIBED = 4, READY_OVER_LIMIT = 8, READY_CERT_SOON = 16, READY_JWKS_STALE = 32,
       READY_STORE_FULL = 64, READY_SINK_FAILS = 128, READY_SINK_WARNS = 256 /* of a worker, in its own page */ };

/* What a tenant has in flight in this process; by its ordinal, below STATS_TENANTS_MAX. Not words
 * that all share, which a death would leave behind: these vanish with their process. */
struct stats_in_flight {
	_Atomic uint64_t bytes;    /* of the budget */
	_Atomic uint64_t requests; /* admitted, and not answered yet */
};
enum { STATS_TENANTS_MAX = 1 << 20 }; /* the greatest limits.max_tenants */

struct stats; /* a mapping of one page set */
int stats_memfd(unsigned tenant_slots, struct err *err) MUST_USE; /* size fixed and sealed; zeroed */
/* With the last-used words of so many tokens behind it (common/uses.h), which stats_map() leaves alone. */
int stats_memfd_with_uses(unsigned tenant_slots, uint64_t tokens, struct err *err) MUST_USE;
struct stats *stats_map(int fd, bool writable, unsigned tenant_slots, struct err *err) MUST_USE;
void stats_unmap(struct stats *s);
struct stats_head *stats_head(struct stats *s);
/* Of `which` ready_flags those in `on`, and no other; the page has one writer. */
void stats_flags(struct stats *s, uint64_t which, uint64_t on);
struct stats_in_flight *stats_in_flight(struct stats *s); /* STATS_TENANTS_MAX of them, sparse */
struct facts *stats_facts(struct stats *s); /* the master's page alone has some */

/* By the page's one writer. Indexes beyond a dimension count in its last place. */
void stats_add(struct stats *s, enum stat_id id, unsigned a, unsigned b, int64_t n);
void stats_set(struct stats *s, enum stat_id id, unsigned a, unsigned b, uint64_t v);
void stats_observe_us(struct stats *s, enum stat_id id, unsigned a, uint64_t us); /* histograms */
uint64_t stats_get(const struct stats *s, enum stat_id id, unsigned a, unsigned b);
/* For counters and gauges: not 0; for levels (GAUGE_MAX, GAUGE_MIN): ever set. */
bool stats_is_set(const struct stats *s, enum stat_id id, unsigned a, unsigned b);
extern const unsigned stat_dim_size[DIM_COUNT];
void stats_tenant_add(struct stats *s, unsigned metric_slot, enum signal sig, enum tenant_stat id, int64_t n);
uint64_t stats_tenant_get(const struct stats *s, unsigned metric_slot, enum signal sig, enum tenant_stat id);

/* Usage records (records.md 1.5): sums of the words above, and how much of them was told. */
enum usage { USAGE_REQUESTS, USAGE_WIRE_BYTES, USAGE_DECODED_BYTES, USAGE_ACCEPTED, USAGE_DELIVERED,
	     USAGE_FAILED, USAGE_REFUSED, USAGE_BLOCKED, USAGE_SPOOFED, USAGE_COUNT };
enum usage_cursor {
	USAGE_TOLD,      /* of this page's own; of the base: by whomever */
	USAGE_BASE_TOLD, /* of the base's, by this process; a fold adds both to the base's USAGE_TOLD */
	USAGE_BASE_SENT, /* of the base's, on its way; lost with the process, and so not told */
	USAGE_CURSORS
};
uint64_t stats_usage(const struct stats *s, unsigned metric_slot, enum signal sig, enum usage what);
uint64_t stats_cursor_get(const struct stats *s, unsigned metric_slot, enum signal sig,
                          enum usage_cursor c, enum usage what);
void stats_cursor_add(struct stats *s, unsigned metric_slot, enum signal sig, enum usage_cursor c,
                      enum usage what, int64_t n);

/* The master, after the death of dead's process: counters and histograms are added to base, items in
 * flight become failed (worker_lost), usage that was told stays told, its last errors are kept, gauges
 * vanish, dead is zeroed for its next owner. Readers that sum base and pages use stats_read_begin() and read again while stats_read_retry(). */
void stats_fold(struct stats *base, struct stats *dead);
uint32_t stats_read_begin(const struct stats *base);
bool stats_read_retry(const struct stats *base, uint32_t seq);

/* A set of pages summed: one family as exposition text. names gives the texts of dimensions known
 * only at run time (routes, listeners, brokers) and of tenants; it returns NULL to leave a series out. */
struct stats_names {
	const char *(*dim)(void *arg, enum stat_dim dim, unsigned i);
	const char *(*tenant)(void *arg, unsigned metric_slot);
	int (*code)(void *arg, unsigned route, enum verdict v); /* HTTP status of a verdict on a route */
	void *arg;
};
struct buf;
enum exposition { EXPOSITION_PROMETHEUS, EXPOSITION_OPENMETRICS };
unsigned stats_families(void); /* STAT families, then one per distinct TENANT_STAT name */
void stats_render(struct buf *out, unsigned family, enum exposition form, struct stats *const *pages,
                  unsigned page_count, unsigned tenant_slots, const struct stats_names *names);
