/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_judge.h -- what the label text of a stream must be, in Loki's own words (protocols.md 6):
 * one judge for pushes in protobuf (loki.c) and for JSON that stays JSON (loki_json_keep.c).
 */
#pragma once
#include "proto/loki_labels.h"
#include "proto/protocol.h"

/* V_NONE: the text is good, `labels` are its pairs, *own is the client's own of the reserved name,
 * labels->n for none or if nothing is stamped. Else out says why not. */
enum verdict loki_judge(const struct enrich_in *in, bool into_entries, struct bytes text,
                        struct labels *labels, unsigned *own, struct enriched *out);
/* Of a stream with entries and no labels. */
enum verdict loki_unlabelled(struct enriched *out);
/* stream and entry count those that hold anything. */
enum verdict loki_untimely(struct enriched *out, uint64_t stream, uint64_t entry);
enum verdict loki_too_many(struct enriched *out, const char *what, uint64_t counted,
                           uint64_t limit);
