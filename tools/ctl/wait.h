/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.h -- --wait: until every worker of this host serves tables read after the change
 * (operations.md 5; the control socket's sync).
 */
#pragma once
#include "tools/ctl/ctl.h"

/* A command that waits has these among its options. */
#define WAIT_OPTIONS                                                                               \
	{ "wait", NULL, "until every worker of this host knows", 0 },                              \
	{                                                                                          \
		"timeout", "T", "of the waiting (10s)", 0                                          \
	}

/* Before anything is changed: whether its options are right. 0, or EXIT_USAGE, said. */
int ctl_wait_check(const struct ctl *c) MUST_USE;
/* Asks, waits and says on `to` as ctl_wait() does; out gets the answer as "wait". */
int ctl_wait_for(struct ctl *c, FILE *to, const char *done, const char *verb,
                 json_t *out) MUST_USE;
/* done: "revoked 0123ABcd"; verb: "refused". With --wait asks, waits and says `DONE: VERB by 4/4
 * workers after 12 ms`, else only DONE. out: the object that --json prints; taken. */
int ctl_wait(struct ctl *c, const char *done, const char *verb, json_t *out) MUST_USE;
