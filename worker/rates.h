/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates.h -- what a request costs its tenant, and what it may cost (records.md 3). One mechanism, no
 * test beside it: each stage charges what it has learnt - one request and the length by the head,
 * the bytes of a chunked body when it ended, those that it became, its items - and a charge that
 * the tenant's rate does not allow is the refusal. What was charged stays, on any 4xx too: a broken
 * client spends its own rate. Only a 503 of ours gives it back. For the stages, also beside the loop.
 */
#pragma once
#include "worker/req.h"

/* Of these each says STEP_NEXT, or has refused. */
enum step rates_admit(struct req *r); /* one request, and its length; a chunked one: a byte */
enum step rates_wire(struct req *r); /* after a chunked body */
enum step rates_decoded(struct req *r); /* r->decoded_bytes are known, max_body_bytes is judged */
enum step rates_items(struct req *r); /* r->enriched.items are, and nothing is produced yet */
/* The caps on what a tenant has in flight on this host; admitted, the request counts as such. */
enum step rates_in_flight(struct req *r);
/* The bytes that its tenant lets a body have on the wire: max_body_bytes, where none is inflated. */
uint64_t rates_body_limit(const struct req *r, uint64_t limit);
/* By req_finish(), once. */
void rates_settle(struct req *r);
