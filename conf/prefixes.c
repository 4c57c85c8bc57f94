/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prefixes.c -- each two kinds of message, and by which prefix of a tenant's the topic of the one
 * would be the other's. Nearly always by none: then there is no rule, and a prefix only has to
 * leave room for the name.
 */
#include "conf/prefixes.h"

#include "common/token.h"
#include "conf/load.h"

static const char tenant_word[] = "{tenant}";

static void add(struct loader *l, enum prefix_rule_kind kind, struct bytes head, struct bytes tail)
{
	struct prefix_rules *rules = &l->conf->prefixes;
	struct prefix_rule *grown = pool_alloc(l->pool, (rules->n + 1) * sizeof(*grown));

	if (rules->n)
		memcpy(grown, rules->v, rules->n * sizeof(*grown));
	grown[rules->n++] =
		(struct prefix_rule){ kind, pool_dup(l->pool, head), pool_dup(l->pool, tail) };
	rules->v = grown;
}

static bool ends_with(struct bytes all, struct bytes end)
{
	return all.n >= end.n && bytes_eq(bytes_from(all, all.n - end.n), end);
}

/* The prefix is a part of what stands before the id, the name begins with the rest of it. */
static void keep_from_head(struct loader *l, struct bytes name, struct bytes head,
                           struct bytes tail)
{
	for (size_t n = 1; n < head.n && n + tail.n < name.n; n++) {
		struct bytes id = bytes_of(name.p + n, name.n - n - tail.n);

		if (ends_with(head, bytes_cut(name, n)) && ends_with(name, tail) &&
		    tenant_in_topic_ok(id))
			add(l, PREFIX_IS, bytes_of(head.p, head.n - n), BYTES_NONE);
	}
}

/* A tenant's prefix before `name` must not be `topic`, which the configuration says. */
static void keep_from_topic(struct loader *l, struct bytes name, const char *topic)
{
	const char *tenant = strstr(topic, tenant_word);
	struct bytes head = bytes_str(topic), tail;

	if (!tenant) {
		if (head.n > name.n && ends_with(head, name))
			add(l, PREFIX_IS, bytes_of(head.p, head.n - name.n), BYTES_NONE);
		return;
	}
	head = bytes_of(topic, (size_t)(tenant - topic));
	tail = bytes_str(tenant + strlen(tenant_word));
	keep_from_head(l, name, head, tail);
	if (ends_with(tail, name)) /* the id ends before the name begins */
		add(l, PREFIX_AROUND, head, bytes_of(tail.p, tail.n - name.n));
	else if (ends_with(name, tail) &&
	         tenant_in_topic_ok(bytes_of(name.p, name.n - tail.n))) /* or within it */
		add(l, PREFIX_BEGINS_ID, head, BYTES_NONE);
}

/* Nor what another tenant's prefix makes of `other`. */
static void keep_from_name(struct loader *l, struct bytes name, struct bytes other)
{
	if (bytes_eq(name, other))
		l->conf->prefixes.none = true;
	else if (ends_with(other, name))
		add(l, PREFIX_ENDS, BYTES_NONE, bytes_of(other.p, other.n - name.n));
}

static void keep_apart(struct loader *l, const struct topic_use *a, const struct topic_use *b)
{
	if (!a->name || strcmp(a->kind, b->kind) == 0)
		return;
	keep_from_topic(l, bytes_str(a->name), b->topic);
	if (b->name)
		keep_from_name(l, bytes_str(a->name), bytes_str(b->name));
}

void prefix_rules_make(struct loader *l)
{
	struct prefix_rules *rules = &l->conf->prefixes;

	for (size_t i = 0; i < l->use_count; i++) {
		const struct topic_use *use = &l->uses[i];

		if (!use->name)
			continue;
		rules->name_bytes = max_size(rules->name_bytes, strlen(use->name));
		if (strcmp(use->name, ".") == 0) /* ".." is no topic */
			add(l, PREFIX_IS, BYTES("."), BYTES_NONE);
		for (size_t k = 0; k < l->use_count; k++)
			keep_apart(l, use, &l->uses[k]);
	}
}

static bool is_id_part(struct bytes id)
{
	return id.n <= TENANT_ID_MAX && tenant_in_topic_ok(id);
}

static bool meets(const struct prefix_rule *rule, struct bytes prefix)
{
	size_t ends = rule->head.n + rule->tail.n;
	struct bytes id;

	if (prefix.n < ends || !bytes_eq(bytes_of(prefix.p, rule->head.n), rule->head) ||
	    !ends_with(prefix, rule->tail))
		return false;
	id = bytes_of(prefix.p + rule->head.n, prefix.n - ends);
	switch (rule->kind) {
	case PREFIX_IS:
		return id.n == 0;
	case PREFIX_ENDS:
		return id.n > 0;
	case PREFIX_AROUND:
		return id.n > 0 && is_id_part(id);
	case PREFIX_BEGINS_ID:
		return is_id_part(id);
	}
	assert(!"a kind of rule");
	return true;
}

bool prefix_rules_allow(const struct prefix_rules *rules, struct bytes prefix)
{
	if (!tenant_prefix_ok(prefix) || rules->none ||
	    prefix.n + rules->name_bytes > TOPIC_NAME_MAX)
		return false;
	for (size_t i = 0; i < rules->n; i++)
		if (meets(&rules->v[i], prefix))
			return false;
	return true;
}

bool tenant_has_topics(const struct prefix_rules *rules, uint64_t tenant_topic_bytes,
                       struct bytes id, struct bytes prefix)
{
	if (prefix.n)
		return prefix_rules_allow(rules, prefix);
	if (tenant_topic_bytes == 0)
		return true;
	return id.n + tenant_topic_bytes <= TOPIC_NAME_MAX && tenant_in_topic_ok(id);
}

bool prefix_rules_same(const struct prefix_rules *a, const struct prefix_rules *b)
{
	if (a->name_bytes != b->name_bytes || a->none != b->none || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].kind != b->v[i].kind || !bytes_eq(a->v[i].head, b->v[i].head) ||
		    !bytes_eq(a->v[i].tail, b->v[i].tail))
			return false;
	return true;
}
