/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c -- the table of routes and its stage. A protocol or a page is one line in an array here.
 * Nothing a client sends becomes a topic, a file or a route's name: paths are compared, no more.
 */
#include "worker/route.h"

#include "common/stats.h"
#include "conf/conf.h"
#include "worker/admin.h"
#include "worker/dialects.h"
#include "worker/listener.h"
#include "worker/req.h"
#include "worker/worker.h"

enum { PATHS_MAX = 64 };

/* Pages: answered by the worker itself. */
/* clang-format off */
static const struct page {
	const char *name, *path;
	bool admin, both; /* as in struct route */
	bool open;        /* without the admin listener's token */
	enum step (*run)(struct req *r);
} pages[] = {
	/* name      path            admin  both   open   run         */
	{ "health",  "/health",      false, true,  true,  health_run  },
	{ "ready",   "/ready",       false, true,  false, ready_run   },
	{ "metrics", "/metrics",     true,  false, false, metrics_run },
	{ "status",  "/status.json", true,  false, false, status_run  },
};
/* clang-format on */

struct path {
	struct bytes text;
	const struct route *route;
};

struct routes {
	struct route v[ROUTES_MAX];
	const struct page *page[ROUTES_MAX]; /* NULL: a protocol's route */
	unsigned count;
	struct path paths[PATHS_MAX];
	unsigned path_count;
	const char *topics[ROUTES_MAX];
	unsigned topic_count;
	const char *page_paths[ARRAY_LEN(pages)][2]; /* what route.paths of a page points into */
};

/* ---- the table ---- */

static enum utf8_mode utf8_of(enum conf_utf8 mode)
{
	return mode == CONF_UTF8_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
}

static struct route *add_route(struct routes *rs, const char *name, const char *const *paths)
{
	struct route *route = &rs->v[rs->count];

	assert(rs->count < ROUTE_NONE);
	route->name = name;
	route->index = rs->count++;
	route->paths = paths;
	for (; *paths; paths++) {
		assert(rs->path_count < PATHS_MAX);
		rs->paths[rs->path_count++] = (struct path){ bytes_str(*paths), route };
	}
	return route;
}

static unsigned add_topic(struct routes *rs, const char *topic)
{
	for (unsigned i = 0; i < rs->topic_count; i++)
		if (strcmp(rs->topics[i], topic) == 0)
			return i;
	rs->topics[rs->topic_count] = topic;
	return rs->topic_count++;
}

static void add_protocol(struct routes *rs, const struct conf *conf, const struct protocol *p,
                         const char *topic, enum conf_utf8 utf8)
{
	struct route *route = add_route(rs, p->name, p->paths);

	route->post = true;
	route->protocol = p;
	route->dialect = p->dialect;
	route->topic = topic;
	route->topic_index = add_topic(rs, topic);
	route->utf8 = utf8_of(utf8);
	route->wire_limit = p->wire_limit ? p->wire_limit : conf->limits.body;
	route->inflated_limit = conf->limits.inflated;
	route->record_max = conf->record.max_bytes;
}

static void add_protocols(struct routes *rs, const struct conf *conf)
{
	const __typeof__(conf->protocols.otlp) *otlp = &conf->protocols.otlp;
	const struct {
		const struct protocol *protocol;
		bool enabled;
		const char *topic;
		enum conf_utf8 utf8;
	} lines[] = {
		{ &protocol_otlp_traces, otlp->enabled, otlp->traces_topic, otlp->utf8 },
		{ &protocol_otlp_metrics, otlp->enabled, otlp->metrics_topic, otlp->utf8 },
		{ &protocol_otlp_logs, otlp->enabled, otlp->logs_topic, otlp->utf8_logs },
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (lines[i].enabled)
			add_protocol(rs, conf, lines[i].protocol, lines[i].topic, lines[i].utf8);
}

static void add_pages(struct routes *rs)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct route *route;

		rs->page_paths[i][0] = pages[i].path;
		route = add_route(rs, pages[i].name, rs->page_paths[i]);
		route->get = true;
		route->admin = pages[i].admin;
		route->both = pages[i].both;
		route->run = pages[i].run;
		route->dialect = DIALECT_PLAIN;
		rs->page[route->index] = &pages[i];
	}
}

/* A consumer decodes a topic as one kind of message and drops the rest for good (records.md 1). */
static int check_topics(const struct routes *rs, struct err *err)
{
	for (unsigned i = 0; i < rs->count; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct route *a = &rs->v[j], *b = &rs->v[i];

			if (a->protocol && b->protocol && a->topic_index == b->topic_index &&
			    (a->protocol->signal != b->protocol->signal ||
			     strcmp(a->protocol->formats->record_format,
			            b->protocol->formats->record_format)))
				return err_set(
					err,
					"routes %s and %s send different messages to one topic, %s",
					a->name, b->name, a->topic);
		}
	return 0;
}

struct routes *routes_open(struct worker *w, struct err *err)
{
	struct routes *rs = xcalloc(1, sizeof(*rs));

	protocols_open();
	add_protocols(rs, w->conf);
	add_pages(rs);
	if (check_topics(rs, err) < 0) {
		routes_close(rs);
		return NULL;
	}
	return rs;
}

void routes_close(struct routes *rs)
{
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

unsigned routes_topics(const struct routes *rs, const char **names)
{
	for (unsigned i = 0; i < rs->topic_count; i++)
		names[i] = rs->topics[i];
	return rs->topic_count;
}

int routes_code(const struct routes *rs, unsigned index, enum verdict v)
{
	enum dialect_id dialect = index < rs->count ? rs->v[index].dialect : DIALECT_PLAIN;

	return dialect_get(dialect)->status(v);
}

const char *route_allow(const struct route *route)
{
	return route->post ? "POST" : "GET, HEAD";
}

/* ---- the stage ---- */

static const struct route *find_route(const struct routes *rs, struct bytes path, bool admin)
{
	/* `/v1/traces/` is `/v1/traces`: SDKs use a configured URL as it is. */
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	for (unsigned i = 0; i < rs->path_count; i++) {
		const struct route *route = rs->paths[i].route;

		if (bytes_eq(rs->paths[i].text, path) && (route->both || route->admin == admin))
			return route;
	}
	return NULL;
}

static bool method_fits(const struct route *route, enum http_method method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return route->get;
	case HTTP_POST:
		return route->post;
	case HTTP_OPTIONS: /* a preflight too: there is no CORS in this version */
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
	const struct route *route = find_route(rs, r->head.path, admin);

	if (route) {
		r->route = route;
		stats_add(r->w->stats, STAT_REQUESTS_IN_FLIGHT, route->index, 0, 1);
		r->counted_in_flight = true;
	}
	if (admin) {
		const struct page *page = route ? rs->page[route->index] : NULL;
		enum verdict v = admin_gate(r, !page || !page->open);

		if (v != V_NONE)
			return req_refuse(r, v);
	}
	if (!route)
		return req_refuse(r, V_ROUTE);
	if (!method_fits(route, r->head.method))
		return req_refuse(r, V_METHOD, route_allow(route));
	return route->protocol ? STEP_NEXT : route->run(r);
}
