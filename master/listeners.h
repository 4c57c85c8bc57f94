/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners.h -- the listening sockets, which outlive every worker (faults.md 8). A TCP address is
 * one SO_REUSEPORT socket per worker slot; the first is bound without that option, so a second
 * instance can never join unseen. A unix socket and a socket passed by the manager (fd:NAME) are
 * shared by all slots. A configuration change is a plan: groups are kept by address or made anew;
 * then it is committed (what no longer is named gets closed) or rolled back (what was made gets
 * closed). Called by master.c, reload.c and check.c; accepts nothing itself.
 */
#pragma once
#include "conf/conf.h"
#include "conf/values.h"
#include "master/systemd.h"

struct listeners; /* every group there is */
struct listener_set; /* which group serves which element of one conf->listeners */

struct listeners *listeners_open(struct systemd *systemd); /* systemd outlives it */
void listeners_close(struct listeners *l); /* unix paths are unlinked */

/* Binds and listens on what is missing, so that each TCP group has at least `slots` sockets. On
 * failure all is as before. A set is freed before the next plan unless it was committed. */
struct listener_set *listeners_plan(struct listeners *l, const struct conf *conf, unsigned slots,
                                    struct err *err) MUST_USE;
void listeners_commit(struct listeners *l, const struct listener_set *set);
void listeners_rollback(struct listeners *l);
void listener_set_free(struct listener_set *set); /* NULL is fine; groups stay */

/* How many slots have sockets: more than workers after a reload that has fewer of these. */
unsigned listener_set_slots(const struct listener_set *set);
/* The socket of an element of conf->listeners for a slot; -1 if that slot has none. */
int listener_set_fd(const struct listener_set *set, size_t index, unsigned slot);
bool listener_set_is_shared(const struct listener_set *set, size_t index);
const struct addr *listener_set_addr(const struct listener_set *set, size_t index);

/* -t: binds as a start would, never listens, and lets go. BUSY: in use, *err says so. */
enum listener_probe { PROBE_FREE, PROBE_BUSY, PROBE_FAILED };
enum listener_probe listener_probe(const struct listener_conf *lc, struct err *err);
