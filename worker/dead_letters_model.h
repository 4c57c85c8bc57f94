/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters_model.h -- the dead letters of a data model, in Moose's shape (compatibility.md 5): one
 * JSON object for each object of the refused body, the valid ones too.
 */
#pragma once
#include "common/buf.h"
#include "proto/slices.h"

struct model_letters {
	/* set by the caller */
	struct bytes body; /* valid as far as the refusal, BODY_SLACK readable bytes behind */
	unsigned depth;
	const char *error; /* what the client was told */
	const char *topic; /* that the objects were for */
	int64_t failed_at; /* ns since 1970 */
	size_t limit; /* bytes of one letter */
	/* by model_letters_count() */
	size_t objects, count; /* of the body; those that a letter can hold, at most LETTERS_MAX */
	size_t bytes; /* enough for all letters */
	size_t shown; /* bytes of the body that each shows */
};
enum { LETTERS_MAX = 10000, LETTERS_BODY_BYTES = 32 * MIB };

/* False: the body is no JSON, and gets no letters. */
bool model_letters_count(struct model_letters *m);
/* The letters one after the other, each a slice without items; out has m->bytes. */
void model_letters_write(const struct model_letters *m, struct buf *out, struct slices *slices);
