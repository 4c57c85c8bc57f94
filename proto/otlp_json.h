/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json.h -- OTLP/JSON as the protobuf of the same request (protocols.md 4.2): one pass over
 * the text by the scanner, driven by tables that are made once from protobuf-c's descriptors. What
 * comes out goes through the walker as if the client had sent it (proto/otlp.c): depth, UTF-8,
 * counts and the stamp are judged there, in one place for both encodings.
 */
#pragma once
#include "proto/protocol.h"

void otlp_json_open(void); /* builds the tables; see protocols_open() */

/* transcode_fn of the three signals, and of a route whose signal is that of its top-level member.
 */
enum transcode otlp_json_traces(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                struct enriched *e);
enum transcode otlp_json_metrics(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                 struct enriched *e);
enum transcode otlp_json_logs(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                              struct enriched *e);
enum transcode otlp_json_any(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                             struct enriched *e);

/* enrich_fn of the same bodies, which stay JSON (otlp_json_keep.c), and the stamp() of those. */
enum verdict otlp_json_keep_traces(const struct enrich_in *in, struct enriched *out);
enum verdict otlp_json_keep_metrics(const struct enrich_in *in, struct enriched *out);
enum verdict otlp_json_keep_logs(const struct enrich_in *in, struct enriched *out);
enum verdict otlp_json_keep_any(const struct enrich_in *in, struct enriched *out);
size_t otlp_json_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
/* The same of several attributes that all hold the id. */
size_t otlp_json_stamp_pairs(const struct bytes *names, size_t count, struct bytes tenant_id,
                             uint8_t *out, size_t cap);
