/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp.h -- what protocols.c and the tests need of OTLP beside its three protocols.
 */
#pragma once
#include "proto/pb.h"

void otlp_open(void); /* builds the schema; see protocols_open() */
/* enrich() of a signal with a say in the walker, for tests and benches: exact = no fast path. */
enum verdict otlp_enrich(enum signal signal, bool exact, const struct enrich_in *in,
                         struct enriched *out);
