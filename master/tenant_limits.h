/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenant_limits.h -- from the nine limits that a source of tenants names (records.md 2.1, 3) to what
 * the table holds: defaults, the checks of the schema, the share of one host. For tenants_yaml.c,
 * pg_rows.c, pg_query.c and tenants_table.c; knows no source.
 */
#pragma once
#include "common/limits.h"

enum limit_name {
	REQUESTS_PER_S,
	REQUESTS_BURST,
	BYTES_PER_S,
	BYTES_BURST,
	ITEMS_PER_S,
	ITEMS_BURST,
	MAX_BODY_BYTES,
	MAX_INFLIGHT_BYTES,
	MAX_INFLIGHT_REQUESTS,
	LIMIT_NAMES
};
const char *limit_name(enum limit_name name);
bool limit_name_is_size(enum limit_name name); /* in bytes: may be given as 5MB */
uint64_t limit_name_max(enum limit_name name); /* of the schema's column */

/* 0: not given. NULL, or what is wrong with them; then *wrong is the limit that it is about. */
struct named_limits {
	uint64_t v[LIMIT_NAMES];
};
const char *tenant_limits_of(const struct named_limits *in, struct tenant_limits *out,
                             enum limit_name *wrong) MUST_USE;
/* Of two the smaller of each, where 0 is none. */
void tenant_limits_least(struct tenant_limits *limits, const struct tenant_limits *other);
/* What one of so many hosts may let through; nothing becomes 0, which would be no limit. */
struct tenant_limits tenant_limits_share(const struct tenant_limits *limits, uint64_t hosts);
/* A body of max_body_bytes could never pass (a warning). */
bool tenant_limits_too_tight(const struct tenant_limits *limits);
