/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prefixes.h -- which topic_prefix of its own a tenant may have (records.md 1): it stands before
 * the topics of all routes, in the place of what the configuration says, so each must still be a
 * topic's name, and no topic hold two kinds of message, whoever else has whichever prefix. What it
 * must not be is found out once, with the configuration; the master then asks of each tenant.
 */
#pragma once
#include "common/bytes.h"
struct loader;

struct prefix_rule { /* a prefix that must not be */
	enum prefix_rule_kind {
		PREFIX_IS, /* head */
		PREFIX_ENDS, /* what may be another tenant's, and tail */
		PREFIX_AROUND, /* head, a tenant's id, tail */
		PREFIX_BEGINS_ID, /* head, and what an id may begin with, or nothing */
	} kind;
	struct bytes head, tail;
};
struct prefix_rules {
	uint64_t name_bytes; /* of the longest name that a prefix may stand before */
	bool none; /* routes of two kinds have one name: only their prefixes keep them apart */
	struct prefix_rule *v;
	size_t n;
};

/* Of all who said where they send; check_topics.c has judged the rest. */
void prefix_rules_make(struct loader *l);
bool prefix_rules_allow(const struct prefix_rules *rules, struct bytes prefix);
/* Whether a tenant has a topic on each route, by its own prefix or, where it has none (n is 0), by
 * its id (records.md 1: dots and other signs would make one topic of two, or none).
 * tenant_topic_bytes: see struct conf. */
bool tenant_has_topics(const struct prefix_rules *rules, uint64_t tenant_topic_bytes,
                       struct bytes id, struct bytes prefix);
bool prefix_rules_same(const struct prefix_rules *a, const struct prefix_rules *b);
