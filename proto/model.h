/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h -- JSON events judged by a data model (compatibility.md 5) and stamped with their tenant:
 * an object, or an array of objects, all or nothing. Each object becomes one record of compact
 * JSON, its members in the client's order, numbers as they were written.
 */
#pragma once
#include "common/model.h"
#include "proto/protocol.h"

/* A transcode_fn over in->model: the objects one after the other in out, each a slice, behind its
 * schema id if the model has one. in->stamp is the ready-made member `"tenant_id":"acme"`.
 * TRANSCODE_INVALID: e->reason is `Invalid JSON: TEXT at line L column C`; e->is_syntax tells a
 * body that is no JSON, which makes no dead letters, from one that the model alone refuses; a body
 * may be both, and then the reason is what came first. e->is_tenant: the reason is none of the
 * client's doing, the model has a column for the tenant that cannot hold its id. */
enum transcode model_transcode(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                               struct enriched *e);
