/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce.h -- what others need of the produce stage.
 */
#pragma once
#include "worker/req.h"

/* A request that ends before all of its records were sent: those that were stay with the sink. */
void produce_abandon(struct req *r);
/* The partition word of `record.partition: spread` for the next record of a topic. */
uint32_t produce_spread(struct worker *w, unsigned topic, size_t bytes);
