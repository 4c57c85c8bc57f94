/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charge.h -- a request's body buffers and their bytes of the budget, always together: asked for,
 * then got; given back, then credited. For the stages between admit and produce, on
 * whichever thread they run.
 */
#pragma once
#include "worker/req.h"

/* No budget of this process can ever hold bytes more than the request holds now. */
bool charge_impossible(const struct req *r, uint64_t bytes);
/* NULL, and nothing taken: the worker's bytes or the tenant's share are spent. */
struct body *charge_get(struct req *r, size_t bytes) MUST_USE;
void charge_put(struct req *r, struct body *body); /* NULL is fine */
/* The request's body is this now; the old buffer goes back. mem may be the one it has. */
void charge_swap(struct req *r, struct body *mem, struct bytes body);
