/* SPDX-License-Identifier: Apache-2.0 */
/*
 * candidate.h -- phase one of a new generation: everything that its workers need is made, or
 * nothing is. Called by reload.c alone; starts no process before candidate_start().
 */
#pragma once
#include "master/listeners.h"
#include "master/logfiles.h"
struct master;

struct candidate { /* a configuration with all that its generation needs, not yet alive */
	struct conf *conf;
	struct listener_set *set;
	int conf_fd;
	struct logfiles logs;
	unsigned slots;
};

/* Takes conf, also on failure; then all is as before. */
int candidate_make(struct master *m, struct conf *conf, struct candidate *out,
                   struct err *err) MUST_USE;
/* Phase two begins: the generation takes all but the logs, which are the caller's until the commit.
 */
void candidate_start(struct master *m, const struct candidate *c, uint64_t number);
