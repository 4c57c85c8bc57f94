/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_splice.h -- what the tenant's stamp does to a label text: where it goes, and what of the
 * client's own leaves (records.md 1.2). Pure; for loki.c, which makes edits of it.
 */
#pragma once
#include "proto/loki_labels.h"

struct cut { /* an edit of the text */
	const uint8_t *at;
	size_t del;
	struct bytes ins;
};
enum { SPLICE_MAX = 2 };

/* `, name="id", `: what of it is needed stands between two pairs, or at an end; a format's stamp().
 */
size_t splice_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
/* The index of the client's own pair of that name; labels->n: none. */
unsigned splice_own(const struct labels *labels, struct bytes name);
/* The stamp before the first greater name, else at the end; a client's own pair leaves. There is a
 * label. Gives the number of cuts, in the order of the text. */
unsigned splice(const struct labels *labels, unsigned own, struct bytes name, struct bytes stamp,
                struct cut cuts[static SPLICE_MAX]);
/* The client's own pair leaves, and nothing comes. */
unsigned splice_without(const struct labels *labels, unsigned own,
                        struct cut cuts[static SPLICE_MAX]);
