/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_topics.c -- one topic holds one kind of message (records.md 1): a consumer decodes all of
 * it alike, and drops for good what is another message. Who sends records says so here, by option;
 * then all are compared.
 */
#include "common/token.h"
#include "conf/load.h"

static const char tenant_word[] = "{tenant}";

/* ---- who sends where ---- */

/* Several routes say the same of one option. */
static bool is_said(const struct loader *l, const struct topic_use *use)
{
	for (size_t i = 0; i < l->use_count; i++)
		if (strcmp(l->uses[i].what, use->what) == 0 &&
		    strcmp(l->uses[i].topic, use->topic) == 0 &&
		    strcmp(l->uses[i].kind, use->kind) == 0)
			return true;
	return false;
}

void use_topic(struct loader *l, struct topic_use use)
{
	if (is_said(l, &use))
		return;
	if (l->use_count == l->use_cap) {
		struct topic_use *grown;

		l->use_cap = max_size(2 * l->use_cap, 32);
		grown = pool_alloc(report_pool(l->r), l->use_cap * sizeof(*grown));
		if (l->use_count)
			memcpy(grown, l->uses, l->use_count * sizeof(*grown));
		l->uses = grown;
	}
	l->uses[l->use_count++] = use;
}

void use_topic_option(struct loader *l, const char *path, const char *prefix, const char *topic,
                      const char *suffix, const char *kind)
{
	use_topic(l,
	          (struct topic_use){
			  .at = place_of_option(l, path),
			  .is_given = origin_find(l->origins, path),
			  .what = path_text(l, "'%s'%s%s", path, *suffix ? " with " : "", suffix),
			  .shown = written(l, path, topic),
			  .topic = path_text(l, "%s%s%s", prefix ? prefix : "", topic, suffix),
			  .kind = path_text(l, "%s%s", kind, suffix),
			  .name = prefix ? path_text(l, "%s%s", topic, suffix) : NULL,
		  });
}

/* Of protocols with a JSON form; elsewhere the words mean nothing. */
bool keeps_json(const struct loader *l, const char *kind, unsigned json)
{
	const __typeof__(l->conf->protocols) *p = &l->conf->protocols;
	enum conf_json ours;

	if (strncmp(kind, "otlp", 4) == 0)
		ours = p->otlp.json;
	else if (strncmp(kind, "loki", 4) == 0)
		ours = p->loki.json;
	else
		return false;
	return (json ? json - 1 : ours) == CONF_JSON_SEPARATE;
}

void use_topics_of_sections(struct loader *l)
{
	const struct conf *c = l->conf;

	use_topics_of_built_in(l);
	if (c->dead_letters.enabled)
		use_topic_option(l, "dead_letters.topic", NULL, c->dead_letters.topic, "",
		                 "dead letters");
	if (c->usage.enabled)
		use_topic_option(l, "usage.topic", NULL, c->usage.topic, "", "usage");
}

/* ---- a prefix ---- */

void check_topic_prefix(struct loader *l, const char *path, const char *prefix)
{
	const char *tenant = strstr(prefix, tenant_word);
	const char *rest = tenant ? tenant + strlen(tenant_word) : prefix;

	if (strcspn(prefix, "{}") == (size_t)((tenant ? tenant : rest + strlen(rest)) - prefix) &&
	    !strpbrk(rest, "{}"))
		return;
	ERROR_AT(l, path, "'%s' is no prefix of topics", written(l, path, prefix));
	report_help(l->r, "letters, digits, dots, _ and -, and {tenant} once");
}

/* ---- whether two may be one ---- */

struct template
{ /* a topic, cut where the tenant stands */
	struct bytes head, tail;
	bool has_tenant;
};

static struct template template_of(const char *topic)
{
	const char *tenant = strstr(topic, tenant_word);

	if (!tenant)
		return (struct template){ .head = bytes_str(topic) };
	return (struct template){ .head = bytes_of(topic, (size_t)(tenant - topic)),
		                  .tail = bytes_str(tenant + strlen(tenant_word)),
		                  .has_tenant = true };
}

/* The longer one begins with the shorter one, and what it has more can be of a tenant's id. */
static bool heads_meet(struct bytes a, struct bytes b)
{
	if (a.n < b.n)
		return heads_meet(b, a);
	return memcmp(a.p, b.p, b.n) == 0 && tenant_in_topic_ok(bytes_from(a, b.n));
}

static bool tails_meet(struct bytes a, struct bytes b)
{
	if (a.n < b.n)
		return tails_meet(b, a);
	return memcmp(a.p + a.n - b.n, b.p, b.n) == 0 &&
	       tenant_in_topic_ok(bytes_of(a.p, a.n - b.n));
}

/* A name without a tenant is one that the other gets with some tenant's id. */
static bool is_instance(struct bytes name, const struct template *t)
{
	size_t ends = t->head.n + t->tail.n;

	return name.n > ends && name.n - ends <= TENANT_ID_MAX &&
	       memcmp(name.p, t->head.p, t->head.n) == 0 &&
	       memcmp(name.p + name.n - t->tail.n, t->tail.p, t->tail.n) == 0 &&
	       tenant_in_topic_ok(bytes_of(name.p + t->head.n, name.n - ends));
}

static bool may_be_one(const struct template *a, const struct template *b)
{
	if (a->has_tenant && b->has_tenant)
		return heads_meet(a->head, b->head) && tails_meet(a->tail, b->tail);
	if (a->has_tenant || b->has_tenant)
		return a->has_tenant ? is_instance(b->head, a) : is_instance(a->head, b);
	return bytes_eq(a->head, b->head);
}

static void check_use(struct loader *l, const struct topic_use *use)
{
	size_t n = strlen(use->topic);

	if (strstr(use->topic, tenant_word))
		n -= strlen(tenant_word) - 1; /* of the shortest id */
	if (strcmp(use->topic, ".") == 0 || strcmp(use->topic, "..") == 0)
		report_error(l->r, use->at, "'%s' is no name of a topic", use->shown);
	else if (n > TOPIC_NAME_MAX)
		report_error(l->r, use->at, "%s is over %d bytes with what stands before it",
		             use->what, TOPIC_NAME_MAX);
}

static void say_one_topic(struct loader *l, const struct topic_use *a, const struct topic_use *b)
{
	report_error(l->r, b->is_given ? b->at : a->at,
	             "%s and %s are one topic: a topic holds one kind of message", a->what,
	             b->what);
	if (strcmp(a->topic, b->topic) != 0)
		report_help(l->r, "with some tenant's id in the prefix the one is the other");
}

/* The master lets in no tenant whose id would make no name of it (records.md 1). */
static void note_tenant(struct conf *conf, const struct template *t)
{
	size_t bytes = t->head.n + t->tail.n;

	if (t->has_tenant && conf->tenant_topic_bytes < bytes)
		conf->tenant_topic_bytes = bytes;
}

void check_topics(struct loader *l)
{
	struct template *templates =
		pool_alloc(report_pool(l->r), (l->use_count + 1) * sizeof(*templates));

	for (size_t i = 0; i < l->use_count; i++) {
		check_use(l, &l->uses[i]);
		templates[i] = template_of(l->uses[i].topic);
		note_tenant(l->conf, &templates[i]);
		for (size_t k = 0; k < i; k++)
			if (strcmp(l->uses[i].kind, l->uses[k].kind) != 0 &&
			    may_be_one(&templates[i], &templates[k]))
				say_one_topic(l, &l->uses[k], &l->uses[i]);
	}
	prefix_rules_make(l);
}
