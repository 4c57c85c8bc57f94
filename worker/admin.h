/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin.h -- what an operator asks a worker by HTTP (operations.md 7): /health and /ready on every
 * listener, /liveness where Moose's rules hold, /metrics, /status, /status.json and /ready?verbose
 * on the admin listener, by any worker from everybody's stats pages. Only worker/route.c knows the
 * pages, as lines of its table.
 */
#pragma once
#include "worker/req.h"

/* Before anything else on an admin listener: V_HOST for a foreign Host on loopback, V_CREDENTIAL
 * without the listener's token, where the page needs one. V_NONE: go on. */
enum verdict admin_gate(const struct req *r, bool needs_token);

enum step health_run(struct req *r);
enum step ready_run(struct req *r);
enum step metrics_run(struct req *r); /* worker/metrics.c */
enum step status_run(struct req *r); /* /status.json: worker/status.c */
enum step status_page_run(struct req *r); /* /status: worker/status_page.c */

/* The checks behind /ready; one that says fail takes this worker out of service. */
enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };
struct check {
	enum check_level level;
	const char *name; /* static */
	char detail[120];
};
enum { CHECKS_MAX = 12 };
unsigned admin_checks(const struct worker *w, struct check out[static CHECKS_MAX]);
const char *check_level_name(enum check_level level); /* ok, warn, fail */
