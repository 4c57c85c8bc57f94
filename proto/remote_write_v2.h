/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_v2.h -- what the files of 2.0 share: remote_write_v2.c reads symbols and judges
 * series, _v2_same.c finds equal ones, _v2_edit.c puts our refs among a series' own, _v2_fast.c
 * does both for the usual shape.
 */
#pragma once
#include "proto/remote_write_private.h"

struct rw_symbol {
	uint64_t key; /* name_key() */
	uint32_t at, n; /* in the body; limits.inflated is at most 1 GiB */
};

struct rw_v2 { /* of one body */
	struct rw *rw;
	struct rw_symbol *symbols; /* of rw->in->scratch, and behind them: */
	uint32_t *same; /* the least symbol with that text; NULL until it is needed */
	uint32_t *seen; /* 1 + the last series with a label of that text */
	size_t n, cap;
	const uint8_t *last; /* the last symbol's field */
	struct bytes tenant; /* the stamp's second text */
	uint32_t name_ref, tenant_ref; /* UINT32_MAX: not among the client's symbols */
	struct bytes added; /* what is to follow the last symbol */
	uint8_t pair[20]; /* refs to name and tenant, packed */
	size_t pair_n;
};

#define NO_REF (UINT64_MAX / 2) /* so that one more is no ref either */

struct rw_plan { /* for the refs of one series, by index */
	uint64_t refs; /* how many */
	uint64_t insert; /* ours come before this one */
	uint64_t drop; /* the client's own pair; NO_REF: none */
};

static inline struct bytes rw_text_of(const struct rw_v2 *v, uint32_t i)
{
	return bytes_of(v->rw->in->body.p + v->symbols[i].at, v->symbols[i].n);
}

/* remote_write_v2_edit.c: the edits of a series that was judged. */
void rw_v2_edit(struct rw_v2 *v, const struct pb_field *series, const struct rw_plan *plan);
/* remote_write_v2_same.c: makes same and seen. */
void rw_v2_same(struct rw_v2 *v);
/* remote_write_v2_fast.c: false: not the usual shape, good or bad; nothing was done. */
bool rw_v2_fast(struct rw_v2 *v, const struct pb_field *series);
