/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants.h -- the set of tenants and tokens that the master knows, and the tables built from it.
 * Sources (tenants_pg.c, tenants_file.c) put rows in; each commit that changed something builds and
 * seals a delta, or a base where that will not do, and hands both to publish(). Rows that break a rule of records.md 2 are left out
 * and counted by reason; a hash under two tenants grants nothing to either.
 */
#pragma once
#include "common/snapshot.h"
#include "common/stats.h"
#include "common/uses.h"
#include "conf/conf.h"
#include "master/tables.h"
struct event_base;

struct tenants;

struct tenants_hooks {
	/* A new table: the fds stay the set's (dup or send them), valid until the next publish. */
	void (*publish)(void *arg, const struct tables *now);
	/* The audit's words: `what` is tenant.change, token.change and so on; never a hash. */
	void (*audit)(void *arg, const char *what, struct bytes tenant, struct bytes token);
	/* NULL is fine. No worker knows this tenant ordinal any more: limits_clear() it now, the next
	 * new tenant may get it. */
	void (*retired)(void *arg, uint32_t tenant_ordinal);
	/* NULL is fine: nothing of last uses is stored. When each token was last used (master/pages.h). */
	const struct last_uses *(*uses)(void *arg, bool anew);
	/* NULL is fine. The source was read to its end, or refused: look at tenants_synced(). */
	void (*read)(void *arg);
	void *arg;
};

/* Opens the configured source too. own: the master's stats page (fresh_until_ms, gauges). */
struct tenants *tenants_open(struct event_base *base, const struct conf *conf, struct stats *own,
                             const struct tenants_hooks *hooks, struct err *err) MUST_USE;
void tenants_close(struct tenants *t);
/* A reload: takes the new settings; closes and opens the source only if its own options changed.
 * conf must outlive the next tenants_reconfigure(). */
int tenants_reconfigure(struct tenants *t, const struct conf *conf, struct err *err) MUST_USE;
/* All live workers serve this generation or a newer one: closes the propagation timing. */
void tenants_served(struct tenants *t, uint64_t generation);
/* Whose ordinal it is, until the next read; n is 0: nobody's. */
struct bytes tenants_name(const struct tenants *t, uint32_t ordinal);
/* The generation of the newest table, 0 while none was loaded. */
uint64_t tenants_table(const struct tenants *t);
struct tenants_status {
	const char *source; /* file, postgres */
	const char *state;  /* connected, connecting, away, ... */
	uint64_t generation, tenants, tokens;
	int64_t age_ms; /* since the source was last read in full; -1: never */
	bool fresh;
	char last_error[256];
};
void tenants_status(const struct tenants *t, struct tenants_status *out);
/* Reads the source anew, in full, whether the bell rang or not: a ticket for tenants_synced(). */
uint64_t tenants_sync(struct tenants *t);
enum tenants_synced {
	SYNCED_NOT_YET,
	SYNCED_READ,    /* a read that began after the ticket is in the table */
	SYNCED_REFUSED, /* what such a read found can't be taken: tenants_status() has why */
};
enum tenants_synced tenants_synced(const struct tenants *t, uint64_t ticket);

/* ---- for the sources ---- */
struct tenant_row {
	struct bytes id;
	enum tenant_state state;
	int64_t block_until; /* Unix seconds, 0: none */
	struct tenant_limits limits; /* of all hosts together: limits.hosts divides them later */
	struct bytes topic_prefix; /* in the place of the configuration's; n is 0: none */
};
struct token_row {
	struct bytes id, tenant;
	struct bytes kind; /* sha256, pbkdf2; others are left out (SKIP_KIND) */
	struct bytes hash; /* 32 bytes; of pbkdf2: the 20 that the derivation gives */
	uint64_t iterations; /* of pbkdf2; else not looked at */
	unsigned scopes;
	int64_t not_before, not_after; /* Unix microseconds; INT64_MIN, INT64_MAX: open */
	bool revoked, replaced;
	const struct snapshot_cidr *cidrs;
	unsigned cidr_count;
};
struct token_use {
	struct bytes id;
	uint32_t ordinal, at_s; /* Unix seconds */
};
/* Some tokens, at most max, whose last use a source is to store, once a round; *over: that was all of
 * it, and the next call begins another. Ids are valid until rows are put. */
unsigned tenants_uses(struct tenants *t, struct token_use *out, unsigned max, bool *over);
void tenants_uses_stored(struct tenants *t, const struct token_use *uses, unsigned count);
/* full: rows not put until the commit are gone. Else: named rows are put or dropped. */
void tenants_begin(struct tenants *t, bool full);
/* Of this full read a token id may come twice: of rows that differ none grants. */
void tenants_expect_doubles(struct tenants *t);
void tenants_put_tenant(struct tenants *t, const struct tenant_row *row);
void tenants_put_token(struct tenants *t, const struct token_row *row);
void tenants_drop_tenant(struct tenants *t, struct bytes id);
void tenants_drop_token(struct tenants *t, struct bytes id);
void tenants_skip(struct tenants *t, enum skip_reason why, struct bytes what); /* a source's own check */
void tenants_abort(struct tenants *t);
/* since: loop_now_ns() of the bell or poll that led here. Publishes if anything changed. */
int tenants_commit(struct tenants *t, int64_t since_ns, struct err *err) MUST_USE;
/* The newest table lacks what the rows say, since none could be made: the next commit tries again.
 */
bool tenants_behind(const struct tenants *t);
void tenants_refused(struct tenants *t); /* read, but with errors: the last rows stay */
void tenants_set_source(struct tenants *t, bool connected, const char *state, const char *error);
void tenants_fresh_until(struct tenants *t, msec_t monotonic_ms); /* INT64_MAX: always */
void tenants_set_probe(struct tenants *t, bool works); /* whether the bell can be heard */
void tenants_set_flag(struct tenants *t, uint64_t ready_flag, bool on); /* READY_..., stats.h */

struct tenants_source {
	const char *name;
	/* Checks its settings and begins to watch, but reads nothing yet: poke() follows at once, after
	 * the source before it was closed. Keeps no pointer into conf. */
	void *(*open)(struct event_base *base, const struct conf *conf, struct tenants *t, struct err *err);
	void (*close)(void *source); /* in the middle of a read: tenants_abort() */
	void (*poke)(void *source); /* SIGHUP or sync: read the source again now */
};
extern const struct tenants_source tenants_pg, tenants_file;
void tenants_poke(struct tenants *t);
int tenants_pg_library(void); /* the running libpq: 150020 is 15.20; for -v */
