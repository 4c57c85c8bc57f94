/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks.h -- the key sets of the issuers of auth.jwt: fetched at start, each auth.jwks.refresh, and
 * when a worker lacks a key, at most once in auth.jwks.refetch_floor for each issuer. They go to
 * all workers, and outlive an outage of the issuer and a reload that keeps it. Called by master.c;
 * judges no token.
 */
#pragma once
#include <jansson.h>
#include "common/err.h"
#include "common/stats.h"
#include "conf/conf.h"
struct event_base;
struct jwks;

struct jwks_hooks {
	void (*publish)(void *arg, int fd); /* to every worker: MSG_JWKS; the fd stays ours */
	void *arg;
};

/* Before the first thread of the process. stats: the master's page. NULL with *err said. */
struct jwks *jwks_open(struct event_base *base, struct stats *stats, const struct jwks_hooks *hooks,
                       struct err *err) MUST_USE;
void jwks_close(struct jwks *j); /* NULL is fine */
/* Another configuration serves: what it keeps keeps its keys. conf is not held. */
void jwks_configure(struct jwks *j, const struct conf *conf);
/* A worker lacks a key of this source: issuer, line feed, jwks_uri. */
void jwks_want(struct jwks *j, struct bytes source);
int jwks_fd(const struct jwks *j); /* what was published last, for a new worker; -1: nothing */
json_t *jwks_status(const struct jwks *j); /* an array, for `headgatectl status` */
