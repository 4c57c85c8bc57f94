/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcode.h -- for the enrich stage: a body whose format has transcode() becomes the body that
 * its enrich() reads.
 */
#pragma once
#include "worker/req.h"

/* STEP_NEXT: r->body and in->body are the new one. Sets r->enriched.signal where only the body
 * tells. */
enum step transcode_body(struct req *r, struct enrich_in *in);
