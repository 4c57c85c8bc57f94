/* SPDX-License-Identifier: Apache-2.0 */
/*
 * taps.h -- somebody watches: of each finished request that a filter of the master's matches, one
 * line of JSON goes up the channel. Called by life.c for the filters and by req_finish() for the
 * requests. Never holds a request up: what has no room is left out and counted.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
struct req;
struct taps;
struct worker;

struct taps *taps_new(struct worker *w) MUST_USE;
void taps_free(struct taps *t);
/* A struct tap_filter, or no bytes: that tap has ended. */
int taps_set(struct taps *t, uint64_t id, struct bytes filter, struct err *err) MUST_USE;
/* The request has its verdict, and its memory still. */
void taps_request(struct taps *t, const struct req *r, int status);
