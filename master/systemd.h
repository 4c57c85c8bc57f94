/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd.h -- the service manager, by its datagram protocol and without its library: readiness,
 * watchdog, sockets passed at start (LISTEN_FDS), the descriptor store. Without a manager each call
 * does nothing. Called by master.c and listeners.c; knows nothing of workers.
 */
#pragma once
#include "common/err.h"

struct systemd; /* private to systemd.c */

/* Reads and unsets NOTIFY_SOCKET, WATCHDOG_*, LISTEN_*, so that no child believes they are its own.
 */
struct systemd *systemd_open(struct err *err) MUST_USE;
void systemd_close(struct systemd *s);
bool systemd_is_there(const struct systemd *s);
msec_t systemd_watchdog(const struct systemd *s); /* the manager's patience; 0: no watchdog */

/* One datagram of NAME=value lines. A manager that does not listen is warned of, never waited for.
 */
void systemd_notify(struct systemd *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void systemd_reloading(struct systemd *s); /* RELOADING=1 and MONOTONIC_USEC= in one datagram */

/* The descriptor store: what was kept comes back at the next start as a passed socket of this name.
 */
void systemd_store(struct systemd *s, const char *name, int fd);
void systemd_unstore(struct systemd *s, const char *name);

/* Passed sockets in the order given; fd is -1 once taken. Names are the manager's FDNAME. */
struct systemd_socket {
	const char *name;
	int fd;
};
unsigned systemd_sockets(struct systemd *s, struct systemd_socket **out);
