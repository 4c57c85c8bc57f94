/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.h -- the control command sync: reads the source of tenants anew now, trusting no bell, and
 * answers when every worker has confirmed the table that came of it or a newer one; at the time-out
 * it names those that have not. Called by master.c; changes nothing itself.
 */
#pragma once
#include "master/control.h"
#include "master/master.h"

struct syncs *syncs_open(struct master *m) MUST_USE;
void syncs_close(struct syncs *s); /* after control_close(): nobody is answered any more */
void sync_ask(struct syncs *s, const struct control_client *from, msec_t timeout);
void syncs_look(struct syncs *s); /* the source was read, or workers confirmed a table */
void syncs_gone(struct syncs *s, uint64_t client); /* nobody waits for its answer any more */
