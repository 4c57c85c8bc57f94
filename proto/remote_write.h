/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write.h -- what protocols.c and the tests need of remote_write beside its protocol.
 */
#pragma once
#include "proto/pb.h"

void remote_write_open(void); /* builds the schemas; see protocols_open() */
/* enrich() of 1.0 and 2.0 with a say in the walker, for tests and benches: exact = no fast path. */
enum verdict remote_write_enrich(unsigned version, bool exact, const struct enrich_in *in,
                                 struct enriched *out);
