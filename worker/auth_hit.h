/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_hit.h -- from an entry of the tenant table to an identity; for providers and for what
 * verifiers found by a key.
 */
#pragma once
#include "worker/auth.h"

/* By its times, its addresses and its tenant's state, by the wall clock, on every request. NO: *who
 * still says whom it was about. */
enum auth_say auth_judge_hit(struct req *r, const struct snapshot_hit *hit, struct identity *who);
void auth_take_tenant(struct req *r, const struct snapshot_hit *hit, struct identity *who);
/* AUTH_NO, and why for log and audit. */
enum auth_say auth_no(struct req *r, struct identity *who, enum auth_result result, const char *why);
