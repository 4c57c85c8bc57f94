/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_moose.h -- the models that an infrastructure map of Moose holds, as model files of ours
 * (compatibility.md 5). Pure: a map in, files out; import_moose.c writes them.
 */
#pragma once
#include <jansson.h>
#include "common/err.h"

/* {"file": "UserEvent_1_0.json", "model": {...}} for each ingest endpoint, by file. Each model has
 * been read by the gateway's own reader. One that can't be mapped is an entry {"file": its name in
 * the map, "error": why}. NULL with *err: it is no such map. */
json_t *import_moose_map(const json_t *map, struct err *err) MUST_USE;
