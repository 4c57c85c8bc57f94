/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h -- one built-in request of every protocol that this version takes, for `send --all` and
 * `snippet --test`: small, valid, with fresh times and ids. A protocol more is one line in
 * samples.c.
 */
#pragma once
#include "common/buf.h"
#include "common/telemetry.h"

struct sample_at { /* what makes one sample differ from another */
	unix_ns now;
	const char *id; /* the request's: shown in the record, to find it again */
	uint8_t random[24]; /* trace id and span id */
};

struct sample {
	const char *name, *path;
	enum signal signal;
	const char *type; /* Content-Type */
	const char *const *headers; /* more of them, "Name: value", ends with NULL; or NULL */
	void (*make)(const struct sample_at *at, struct buf *body);
};

extern const struct sample samples[]; /* ends with an empty one */
