/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.h -- a value too large for one record becomes several (records.md 1.3): the split_fn of
 * each format, for the tables of the protocols. split.c cuts messages in messages, OTLP's and
 * Loki's; split_rw1.c and split_rw2.c cut requests of remote_write.
 *
 * Values are such as enrich() accepts, but strangers wrote them: fields in any order, repeated,
 * unknown, lengths padded. Other bytes give other parts, and no more harm.
 */
#pragma once
#include "proto/protocol.h"

/* By in->signal. */
enum split split_otlp(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                      struct slices *parts, uint64_t *rejected);
enum split split_loki(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                      struct slices *parts, uint64_t *rejected);
enum split split_rw1(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                     struct slices *parts, uint64_t *rejected);
enum split split_rw2(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                     struct slices *parts, uint64_t *rejected);
