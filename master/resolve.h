/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h -- names of hosts to addresses without holding the loop: libpq asks the resolver within
 * PQconnectPoll(), which may take half a minute when no name server answers. A thread asks it, and
 * libpq is then given the addresses. Lists are those of a connection string: parted by commas.
 */
#pragma once
#include "common/err.h"
struct event_base;

struct resolve_lists {
	char *hosts, *addrs,
		*ports; /* of equal length; an empty address: libpq takes the host itself */
};
void resolve_lists_free(struct resolve_lists *l);

/* Whether the resolver must be asked: a host that is a name and has no address. */
bool resolve_needed(const char *hosts, const char *addrs);

struct resolve;
/* done() is called from the loop, once, unless it was abandoned before. NULL with *err said. */
struct resolve *resolve_start(struct event_base *base, const char *hosts, const char *addrs,
                              const char *ports, void (*done)(void *arg), void *arg,
                              struct err *err) MUST_USE;
/* After done(): ends it. -1 with *err said if no host has an address. */
int resolve_take(struct resolve *r, struct resolve_lists *out, struct err *err) MUST_USE;
void resolve_abandon(struct resolve *r); /* the thread ends by itself; NULL is fine */
