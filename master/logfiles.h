/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logfiles.h -- where access and audit records go (operations.md 8): files opened here, the
 * journal's socket, or stderr; workers get the descriptors. The master's own audit lines are
 * written here too: start, stop, reloads, changes of tenants and tokens. Called by master.c and
 * reload.c.
 */
#pragma once
#include "common/stats.h"
#include "conf/conf.h"

struct logfiles {
	int fd[2]; /* by enum stream; for the workers */
	bool journal[2];
	uint64_t seq; /* of the master's audit lines: gapless, so that loss shows */
};

/* On failure *out is as it was. What is opened anew replaces the old by logfiles_replace(). */
int logfiles_open(struct logfiles *out, const struct conf *conf, struct err *err) MUST_USE;
void logfiles_close(struct logfiles *l);
void logfiles_replace(struct logfiles *old, struct logfiles *new); /* closes the old ones */

/* One audit line. Members that are not set are left NULL or BYTES_NONE and written as null. */
struct audit_event {
	const char *kind; /* start, stop, reload, tenant.change, ... */
	const char *result; /* ok, config, not_ready, ... */
	const char *reason; /* cut at 200 bytes */
	struct bytes tenant, token;
	int64_t actor_uid; /* -1: nobody, the program itself */
	uint64_t generation;
};
void logfiles_audit(struct logfiles *l, const struct audit_event *e);
