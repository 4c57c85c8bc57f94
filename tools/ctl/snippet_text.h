/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snippet_text.h -- the blocks that `snippet` prints: for each client what it needs to send to this
 * gateway and what its defaults get wrong (operations.md 5). Texts only; which token, which URL is
 * the caller's.
 */
#pragma once
#include "common/buf.h"

struct snippet {
	const char *endpoint; /* without a final '/' */
	const char *tenant;
	const char *token_file; /* absolute */
	const char *token; /* --inline; else NULL: the text names the file, or a variable */
	const char *ca; /* NULL: the system's */
	bool loki; /* this version takes Loki pushes */
};

struct snippet_client {
	const char *name;
	const char *const *samples; /* what --test sends, by name; ends with NULL */
	bool needs_loki;
	void (*put)(const struct snippet *s, struct buf *out);
};

extern const struct snippet_client snippet_clients[]; /* ends with an empty one */
