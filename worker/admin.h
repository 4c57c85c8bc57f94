/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.h -- what an operator asks a worker by HTTP (operations.md 7): /health and /ready on every
 * listener, /metrics, /status.json and /ready?verbose on the admin listener, by any worker from
 * everybody's stats pages. Only worker/route.c knows these, as lines of its table.
 */
#pragma once
#include "worker/req.h"

/* Before anything else on an admin listener: V_HOST for a foreign Host on loopback, V_CREDENTIAL
 * without the listener's token. V_NONE: go on. Of a route without a gate only the Host is judged. */
enum verdict admin_gate(const struct req *r, bool needs_token);

enum step health_run(struct req *r);
enum step ready_run(struct req *r);
enum step metrics_run(struct req *r);
enum step status_run(struct req *r); /* /status.json */
