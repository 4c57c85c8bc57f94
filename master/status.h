/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h -- what the control socket's `status` answers: the master's view, as a JSON object whose
 * members are only ever added to. Changes nothing.
 */
#pragma once
struct json_t;
struct master;

struct json_t *status_object(const struct master *m); /* the caller's */
