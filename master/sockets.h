/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets.h -- one listening socket at a time: made, bound, opened to a SO_REUSEPORT group, put to
 * listen. Called by listeners.c and control.c, which own what comes out. All are CLOEXEC and
 * non-blocking; -1 with *err said (and errno kept: EADDRINUSE means that somebody else has it).
 */
#pragma once
#include "conf/values.h"

/* Alone: fails if anybody has the address, also a process of our own user. Port 0 becomes the
 * kernel's choice in *a. */
int socket_bind_first(struct addr *a, struct err *err) MUST_USE;
/* Opens the first one to others of the same user, after it was bound. So there is no moment at
 * which the address is free again: a probe that is closed before the group is bound would leave
 * one. */
int socket_join_group(int fd, struct err *err) MUST_USE;
int socket_bind_next(const struct addr *a, struct err *err) MUST_USE;
/* Mode 0660. A path that nobody answers at is taken over. */
int socket_bind_unix(const struct addr *a, struct err *err) MUST_USE;
int socket_listen(int fd, const struct addr *a, struct err *err) MUST_USE;
