/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h -- what the control socket's `status` answers: the master's view, as a JSON object whose
 * members are only ever added to; and what of that the workers' status page needs.
 */
#pragma once
struct json_t;
struct master;

struct json_t *status_object(const struct master *m); /* the caller's */

/* What of it only the master knows, for the status page of the workers: into its stats page, where
 * it differs from what was said last. Each second. */
void status_publish(struct master *m);
/* The certificates that a configuration presents, for both of them; the caller's. */
struct conf;
struct json_t *status_certificates(const struct conf *conf);
