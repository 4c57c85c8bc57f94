/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opaque.h -- what protocols of bodies that nobody looks into share.
 */
#pragma once
#include "proto/protocol.h"

/* Any body but an empty one, as it is. */
enum verdict opaque_enrich(const struct enrich_in *in, struct enriched *out);
