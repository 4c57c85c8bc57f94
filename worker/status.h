/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h -- what /status and /status.json show: gathered once, into one JSON document, from
 * everybody's stats pages, the master's facts and this worker's own state; status.c prints it,
 * status_page.c makes a page of it, so the two cannot disagree. Gathering takes several turns of
 * the loop where there are many processes. Only reads.
 */
#pragma once
#include "common/base.h"
struct json_t;
struct req;
struct status;

struct status *status_new(struct req *r); /* of the request's pool */
/* Does the next part: false once status_document() is whole. */
bool status_gather(struct status *s);
/* Until the request is finished. Every text in it is valid UTF-8. */
const struct json_t *status_document(const struct status *s);
