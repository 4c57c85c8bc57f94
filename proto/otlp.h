/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp.h -- what protocols.c and the tests need of OTLP beside its three protocols.
 */
#pragma once
#include "proto/pb.h"

void otlp_open(void); /* builds the schema; see protocols_open() */
const struct pb_schema *otlp_schema(void); /* after otlp_open() */
/* Resource.attributes with one string, as an element to be spliced in. */
size_t otlp_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
/* enrich() of a signal with a say in the walker, for tests and benches: exact = no fast path. */
enum verdict otlp_enrich(enum signal signal, bool exact, const struct enrich_in *in,
                         struct enriched *out);
