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
