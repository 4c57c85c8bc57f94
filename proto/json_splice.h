/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_splice.h -- members leave an object, or elements an array, and one may come behind the last,
 * with the commas that this needs and no others (records.md 1.2). Told of each in turn, it makes
 * edits of the body; for protocols that keep JSON as JSON.
 */
#pragma once
#include "proto/edits.h"

struct json_splice {
	struct edits *edits;
	const uint8_t *body; /* where its offsets begin */
	const uint8_t *start; /* the part at hand: a member from its name on, or an element */
	const uint8_t *end; /* of the part before; of none, behind the bracket */
	const uint8_t *gone; /* parts from here on leave, and none before them stays; or NULL */
	size_t edits_then; /* before the part at hand */
	bool stays; /* a part before stays */
};

/* `open`: behind the bracket. */
static inline struct json_splice json_splice_of(struct edits *edits, const uint8_t *body,
                                                const uint8_t *open)
{
	return (struct json_splice){ .edits = edits, .body = body, .end = open };
}
void json_splice_begin(struct json_splice *s, const uint8_t *start);
/* What was edited inside a part that leaves is forgotten. */
void json_splice_end(struct json_splice *s, const uint8_t *end, bool leaves);
/* All parts were told of; `last` comes behind them, if it is something. */
void json_splice_close(struct json_splice *s, struct bytes last);
