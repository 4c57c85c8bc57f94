/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c -- the route stage, and what others may ask of the table (worker/route_table.c). A page is
 * one line in an array here. Nothing a client sends becomes a topic, a file or a route's name: paths
 * are compared, no more.
 */
#include "worker/route_table.h"

#include "common/buf.h"
#include "common/stats.h"
#include "worker/admin.h"
#include "worker/cors.h"
#include "worker/dialects.h"
#include "worker/listener.h"
#include "worker/models.h"
#include "worker/req.h"
#include "worker/worker.h"

/* clang-format off */
static const struct page pages[] = {
	/* name          path            admin  both   moose  open   run             */
	{ "health",      "/health",      false, true,  false, true,  health_run      },
	{ "ready",       "/ready",       false, true,  false, false, ready_run       },
	{ "liveness",    "/liveness",    false, false, true,  false, health_run      },
	{ "metrics",     "/metrics",     true,  false, false, false, metrics_run     },
	{ "status",      "/status.json", true,  false, false, false, status_run      },
	{ "status_page", "/status",      true,  false, false, false, status_page_run },
};
/* clang-format on */

struct routes *routes_open(struct worker *w, struct err *err)
{
	struct routes *rs = xcalloc(1, sizeof(*rs));

	protocols_open();
	rs->topics = topic_table_new();
	rs->models = w->models;
	if (route_table_fill(rs, w, err) < 0) {
		routes_close(rs);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		route_table_add_page(rs, &pages[i], w->conf);
	return rs;
}

void routes_close(struct routes *rs)
{
	if (!rs)
		return;
	for (struct route_topic *t = rs->route_topics, *next; t; t = next) {
		next = t->next;
		free(t->text);
		free(t);
	}
	topic_table_free(rs->topics);
	free(rs->topic_facts);
	free(rs->model_prefix);
	free(rs);
}

const char *routes_name(const struct routes *rs, unsigned index)
{
	if (index == ROUTE_NONE)
		return "none";
	return index < rs->count ? rs->v[index].name : NULL;
}

const struct route *routes_get(const struct routes *rs, unsigned index)
{
	return index < rs->count ? &rs->v[index] : NULL;
}

const char *route_topic_text(const struct route *route, const struct format *format)
{
	const struct route_topic *t = route->topics[format - route->protocol->formats];

	return t ? t->text : NULL;
}

/* With the tenant's own prefix in the place of the configured one, or with its id in the place of
 * {tenant} there: the master lets no tenant in whose prefix or id makes no topic's name of it
 * (records.md 1). */
static unsigned topic_of_tenant(struct routes *rs, const struct route_topic *t, const struct req *r)
{
	struct bytes tenant = bytes_of(r->who.tenant, r->who.tenant_n);
	char name[TOPIC_BYTES + TENANT_ID_MAX + 1];
	struct buf b;

	buf_init_fixed(&b, name, sizeof(name));
	buf_bytes(&b, r->who.topic_prefix);
	for (const char *p = t->text + (r->who.topic_prefix.n ? r->route->prefix_bytes : 0); *p;) {
		if (strncmp(p, TENANT_WORD, strlen(TENANT_WORD)) == 0) {
			buf_bytes(&b, tenant);
			p += strlen(TENANT_WORD);
		} else {
			buf_char(&b, *p++);
		}
	}
	return route_table_topic(rs, buf_view(&b), t);
}

unsigned routes_topic(struct routes *rs, const struct req *r)
{
	const struct route_topic *t =
		r->model ? r->model->route_topic
			 : r->route->topics[r->format - r->route->protocol->formats];

	if (!t->has_tenant && !r->who.topic_prefix.n)
		return t->index;
	return topic_of_tenant(rs, t, r);
}

unsigned routes_topic_named(struct routes *rs, struct bytes name, bool is_raw)
{
	static const struct route_topic raw = { .is_raw = true }, plain;

	return route_table_topic(rs, name, is_raw ? &raw : &plain);
}

static int topic_or_none(const struct route_topic *t)
{
	return t ? (int)t->index : -1;
}

int routes_dead_letters(const struct routes *rs)
{
	return topic_or_none(rs->dead_letters);
}

int routes_model_dead_letters(const struct req *r)
{
	return r->model ? topic_or_none(r->model->dead_letters) : -1;
}

int routes_usage(const struct routes *rs)
{
	return topic_or_none(rs->usage);
}

unsigned routes_topics(const struct routes *rs)
{
	return topic_table_count(rs->topics);
}

const char *routes_topic_name(const struct routes *rs, unsigned topic)
{
	return topic_table_name(rs->topics, topic);
}

bool routes_topic_is_raw(const struct routes *rs, unsigned topic)
{
	assert(topic < rs->topic_facts_count);
	return rs->topic_facts[topic]->is_raw;
}

static bool is_topic(const struct routes *rs, unsigned topic, const struct route_topic *t)
{
	return t == rs->topic_facts[topic];
}

bool routes_uses(const struct routes *rs, const struct route *route, unsigned topic)
{
	assert(topic < rs->topic_facts_count);
	for (unsigned i = 0; i < FORMATS_MAX && route->topics[i]; i++)
		if (is_topic(rs, topic, route->topics[i]))
			return true;
	for (size_t i = 0; route->is_prefix && i < models_count(rs->models); i++)
		if (is_topic(rs, topic, models_at(rs->models, i)->route_topic))
			return true;
	return false;
}

uint64_t routes_topic_record_max(const struct routes *rs, unsigned topic)
{
	assert(topic < rs->topic_facts_count);
	return rs->topic_facts[topic]->record_max;
}

int routes_code(const struct routes *rs, unsigned index, enum verdict v)
{
	enum dialect_id dialect = index < rs->count ? rs->v[index].dialect : DIALECT_PLAIN;

	return dialect_get(dialect)->status(index < rs->count ? &rs->v[index] : NULL, v);
}

const char *route_allow(const struct route *route)
{
	return route->post ? "POST" : "GET, HEAD";
}

/* ---- the stage ---- */

static bool begins_nocase(struct bytes path, struct bytes prefix)
{
	return path.n > prefix.n && bytes_eq_nocase(bytes_of(path.p, prefix.n), prefix);
}

static const struct route *find_route(const struct routes *rs, struct bytes path,
                                      unsigned listener)
{
	const struct route *found = NULL;

	/* `/v1/traces/` is `/v1/traces`: SDKs use a configured URL as it is. */
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	for (unsigned i = 0; i < rs->path_count; i++) {
		const struct route *route = rs->paths[i].route;

		if (!(route->listeners >> listener & 1))
			continue;
		if (!route->is_prefix && bytes_eq(rs->paths[i].text, path))
			return route;
		if (route->is_prefix && begins_nocase(path, rs->paths[i].text))
			found = route; /* a fixed path goes before it */
	}
	return found;
}

static bool method_fits(const struct route *route, enum http_method method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return route->get;
	case HTTP_POST:
		return route->post;
	case HTTP_OPTIONS: /* a preflight that cors.c did not take */
	case HTTP_OTHER:
		return false;
	}
	assert(!"a method");
	return false;
}

enum step route_run(struct req *r)
{
	const struct routes *rs = r->w->routes;
	bool admin = r->listener->admin;
	const struct route *route = find_route(rs, r->head.path, r->listener->index);

	if (route) {
		r->route = route;
		if (route->protocol)
			r->signal = route->protocol->signal;
		stats_add(r->w->stats, STAT_REQUESTS_IN_FLIGHT, route->index, 0, 1);
		r->counted_in_flight = true;
	}
	if (admin) {
		const struct page *page = route ? rs->page[route->index] : NULL;
		enum verdict v = admin_gate(r, !page || !page->open);

		if (v != V_NONE)
			return req_refuse(r, v);
	}
	if (cors_run(r))
		return req_say(r, V_PREFLIGHT);
	if (!route)
		return req_refuse(r, V_ROUTE);
	if (!method_fits(route, r->head.method))
		return req_refuse(r, V_METHOD, route_allow(route));
	return route->protocol ? STEP_NEXT : route->run(r);
}
