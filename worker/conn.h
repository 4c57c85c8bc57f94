/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h -- connections: accepts, receives into and sends from the request that is theirs, and turns
 * a stage's answer into what to watch. Plain and TLS are two io tables under the same code. Owns the
 * request slots. Stages never include this.
 */
#pragma once
#include "common/err.h"
#include "worker/listener.h"
#include "worker/req.h"

enum io_result { IO_OK, IO_AGAIN_READ, IO_AGAIN_WRITE, IO_EOF, IO_ERROR };
struct io { /* state is SSL* for io_tls, the connection's fd for both */
	const char *name;
	enum io_result (*recv)(int fd, void *state, void *p, size_t cap, size_t *got);
	enum io_result (*send)(int fd, void *state, const void *p, size_t n, size_t *sent);
};
extern const struct io io_plain, io_tls;

struct conns *conns_open(struct worker *w, struct err *err) MUST_USE;
/* Takes a listening socket for conf->listeners[index]; adopted ones are released by slot. */
int conns_listen(struct conns *cs, unsigned index, uint64_t slot, int fd, struct err *err) MUST_USE;
void conns_release(struct conns *cs, uint64_t slot);
/* Stops accepting; idle connections are closed once the client could know (Connection: close, or no
 * request within a moment); true from conns_idle() when none is left. */
void conns_drain(struct conns *cs);
bool conns_idle(const struct conns *cs);
void conns_close(struct conns *cs);
