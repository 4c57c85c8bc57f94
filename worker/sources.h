/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources.h -- budgets by client address (auth.pbkdf2.per_source, auth.unknown_per_source): how
 * often a second one source may have a credential judged that costs something. A source is an IPv4
 * address or an IPv6 /64. Of one worker, and of a bounded number of sources: the one that has been
 * quiet the longest gives way, so that what a flood from many addresses is held by is the worker's
 * own budget, not this.
 */
#pragma once
#include "common/err.h"
#include "common/gcra.h"

struct sources;
struct sources *sources_new(struct err *err) MUST_USE;
void sources_free(struct sources *s); /* NULL is fine */
/* True: taken, one of `rate`. client: v4-mapped. per_s 0: without limit. */
bool sources_take(struct sources *s, const uint8_t client[static 16], const struct gcra_rate *rate,
                  int64_t now_ns);
