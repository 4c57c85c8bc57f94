/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.h -- the one socket between the master and a worker. A worker starts with this descriptor
 * only (CHANNEL_FD); everything else arrives over it. EOF means the other side is gone: a worker
 * drains and exits. Messages and their limits are common/channel.def.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"

enum { CHANNEL_FD = 3, CHANNEL_BODY_MAX = 1000 };

enum message {
	MSG_NONE,
#define MESSAGE(name, fds, body, meaning) MSG_##name,
#include "common/channel.def"
#undef MESSAGE
	MSG_COUNT
};

struct channel_msg {
	enum message type;
	uint64_t arg;
	uint64_t slot; /* LISTENER: whose slot's socket it is; else 0 */
	int fd;        /* -1 if the type has none; the receiver owns it (autoclose) */
	size_t body_bytes;
	uint8_t body[CHANNEL_BODY_MAX];
};

const char *message_name(enum message m);
/* Both ends non-blocking, CLOEXEC. 0 or -1. */
int channel_pair(int fds[2], struct err *err) MUST_USE;
/* 0; -1 with errno EAGAIN if the peer does not read (a stuck worker), EPIPE if it is gone. fd stays
 * the caller's. */
int channel_send(int channel, enum message type, uint64_t arg, uint64_t slot, int fd,
                 struct bytes body) MUST_USE;
/* 1: *msg is filled; 0: nothing there now; -1: EOF or a malformed message (*err said, "" for EOF). */
int channel_recv(int channel, struct channel_msg *msg, struct err *err) MUST_USE;

/* A memfd with these bytes, sealed against every change; -1 with *err said. For CONF. */
int sealed_memfd(const char *name, struct bytes content, struct err *err) MUST_USE;
/* Maps a sealed memfd read-only; refuses one that is not fully sealed. Unmap by munmap(). */
int sealed_map(int fd, struct bytes *out, struct err *err) MUST_USE;
