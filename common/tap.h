/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h -- which requests somebody watches: the filter as the master gives it to its workers in one
 * message of the channel. Both programs are of one build, so it travels as it lies in memory.
 */
#pragma once
#include "common/base.h"

enum {
	TAPS_MAX = 8, /* at a time */
	TAP_RATE_MAX = 100, /* lines a second */
	TAP_REQUEST_ID_MAX = 65, /* 64 bytes, and a `*` that means: whatever follows */
	TAP_TENANT_MAX = 150,
	TAP_ROUTE_MAX = 63,
};

struct tap_filter { /* "" or -1 matches everything; zeroed to the last byte before it is filled */
	char request_id[TAP_REQUEST_ID_MAX + 1]; /* ours, or the client's */
	char tenant[TAP_TENANT_MAX + 1];
	char route[TAP_ROUTE_MAX + 1];
	int32_t signal; /* enum signal */
	uint32_t rate; /* lines a second, 1..TAP_RATE_MAX */
	msec_t duration; /* from now; the master ends it too */
};
