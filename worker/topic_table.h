/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_table.h -- the names of topics and their indices, by which sinks and records know them. It
 * only grows: with `{tenant}` in a prefix, or with a prefix of the tenant's own, a topic comes with
 * the first record of its tenant. Names come from the configuration and the table of tenants, never
 * from a payload.
 */
#pragma once
#include "common/bytes.h"

struct topic_table;
struct topic_table *topic_table_new(void);
void topic_table_free(struct topic_table *t); /* NULL is fine */
/* The index of the topic of that name, 1..249 bytes, which is added if it is new. */
unsigned topic_table_add(struct topic_table *t, struct bytes name);
unsigned topic_table_count(const struct topic_table *t);
const char *topic_table_name(const struct topic_table *t, unsigned topic); /* for the table's life */
