/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki.h -- Loki pushes: what protocols.c calls and tests drive by hand. The routes are in
 * protocol.h.
 */
#pragma once
#include "proto/protocol.h"

void loki_open(void); /* builds the tables; see protocols_open() */

/* enrich_fn of a push whose stamp goes into the streams' labels, or into each entry. `exact`:
 * without the walker's fast path, for tests. */
enum verdict loki_enrich(bool into_entries, bool exact, const struct enrich_in *in,
                         struct enriched *out);

/* transcode_fn of the two shapes of Loki JSON. */
enum transcode loki_json(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                         struct enriched *e);
enum transcode loki_json_legacy(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                struct enriched *e);

/* enrich_fn of both shapes where they stay JSON (loki_json_keep.c): the stamp is a label, or goes
 * into each entry; an entry of the legacy shape has no place for it. */
enum verdict loki_json_keep(const struct enrich_in *in, struct enriched *out);
enum verdict loki_json_keep_entries(const struct enrich_in *in, struct enriched *out);
enum verdict loki_json_keep_legacy(const struct enrich_in *in, struct enriched *out);
/* Their stamps: a member of an object, and a pair inside a label text. */
size_t loki_json_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
size_t loki_json_legacy_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap);
