/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce.h -- what others need of the produce stage.
 */
#pragma once
#include "worker/req.h"
struct parcel;

/* What the records are, their sizes and their budget: all but the sending. Beside the loop too; then
 * STEP_NEXT or STEP_REPLY. */
enum step produce_settle(struct req *r);
/* A request that ends before all of its records were sent: those that were stay with the sink. */
void produce_abandon(struct req *r);
/* An empty parcel for that topic, with the tenant's key and the headers of this request. */
struct parcel *produce_parcel_of(struct req *r, unsigned topic);
/* A parcel that answers nobody: its slices of p->mem go out as records, whose budget p holds already,
 * and the maker's hand is off it. What the sink does not take is lost; how many is the answer. */
size_t produce_parcel(struct parcel *p, const struct slices *slices);
/* What its records cost beside their values: to be in p->charged. */
uint64_t produce_cost(const struct parcel *p, size_t records);
