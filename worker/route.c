/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route.c -- the table of routes and its stage. A protocol or a page is one line in an array here.
 * Nothing a client sends becomes a topic, a file or a route's name: paths are compared, no more.
 */
#include "worker/route.h"

#include "common/stats.h"
#include "conf/conf.h"
#include "worker/admin.h"
#include "worker/cors.h"
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
	assert(rs->topic_count < ROUTES_MAX);
	rs->topics[rs->topic_count] = topic;
	return rs->topic_count++;
}

struct line { /* a protocol on a route */
	bool enabled;
	const struct protocol *protocol;
	const char *topics[FORMATS_MAX]; /* by format; the last one given serves the rest */
	enum conf_utf8 utf8;
	/* where a dialect has the protocol on paths of its own */
	const char *name;
	enum dialect_id dialect;
	const char *const *paths;
};

static void add_line(struct routes *rs, const struct conf *conf, const struct line *line)
{
	const struct protocol *p = line->protocol;
	struct route *route = add_route(rs, line->name ? line->name : p->name,
	                                line->name ? line->paths : p->paths);
	const char *topic = NULL;

	route->post = true;
	route->protocol = p;
	route->dialect = line->name ? line->dialect : p->dialect;
	for (unsigned i = 0; p->formats[i].type; i++) {
		assert(i < FORMATS_MAX);
		topic = line->topics[i] ? line->topics[i] : topic;
		route->topics[i] = add_topic(rs, topic);
	}
	route->utf8 = utf8_of(line->utf8);
	route->wire_limit = p->wire_limit ? p->wire_limit : conf->limits.body;
	route->inflated_limit = conf->limits.inflated;
	route->record_max = conf->record.max_bytes;
}

/* The paths of Obstack (compatibility.md 2). */
static const char *const obstack_paths[][2] = {
	{ "/ingest/otlp/v1/traces" }, { "/ingest/otlp/v1/metrics" },     { "/ingest/otlp/v1/logs" },
	{ "/ingest/otlp/v1" },        { "/ingest/prometheus/v1/write" },
};

/* Where the stamp goes decides how a push is read. */
static const struct protocol *loki_of(const struct conf *conf, bool legacy)
{
	if (conf->protocols.loki.stamp == LOKI_STAMP_LABEL)
		return legacy ? &protocol_loki_legacy : &protocol_loki;
	return legacy ? &protocol_loki_legacy_entries : &protocol_loki_entries;
}

static void add_protocols(struct routes *rs, const struct conf *conf)
{
	const __typeof__(conf->protocols) *c = &conf->protocols;
	const bool obstack = c->obstack.enabled;
	/* clang-format off */
	const struct line lines[] = {
		{ c->otlp.enabled, &protocol_otlp_traces, { c->otlp.traces_topic }, c->otlp.utf8,
		  .name = NULL },
		{ c->otlp.enabled, &protocol_otlp_metrics, { c->otlp.metrics_topic }, c->otlp.utf8,
		  .name = NULL },
		{ c->otlp.enabled, &protocol_otlp_logs, { c->otlp.logs_topic }, c->otlp.utf8_logs,
		  .name = NULL },
		{ c->remote_write.enabled, &protocol_remote_write,
		  { c->remote_write.topic, c->remote_write.topic_v2 }, CONF_UTF8_STRICT,
		  .name = NULL },
		{ c->loki.enabled, loki_of(conf, false), { c->loki.topic }, c->loki.utf8,
		  .name = NULL },
		{ c->loki.enabled, loki_of(conf, true), { c->loki.topic }, c->loki.utf8,
		  .name = NULL },
		{ obstack, &protocol_otlp_traces, { c->obstack.topic }, c->otlp.utf8,
		  "obstack_traces", DIALECT_OBSTACK, obstack_paths[0] },
		{ obstack, &protocol_otlp_metrics, { c->obstack.topic }, c->otlp.utf8,
		  "obstack_metrics", DIALECT_OBSTACK, obstack_paths[1] },
		{ obstack, &protocol_otlp_logs, { c->obstack.topic }, c->otlp.utf8_logs,
		  "obstack_logs", DIALECT_OBSTACK, obstack_paths[2] },
		{ obstack, &protocol_otlp_any, { c->obstack.topic }, c->otlp.utf8,
		  "obstack_otlp", DIALECT_OBSTACK, obstack_paths[3] },
		{ obstack, &protocol_remote_write, { c->obstack.topic }, CONF_UTF8_STRICT,
		  "obstack_write", DIALECT_OBSTACK, obstack_paths[4] },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (lines[i].enabled)
			add_line(rs, conf, &lines[i]);
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

struct routes *routes_open(const struct worker *w)
{
	struct routes *rs = xcalloc(1, sizeof(*rs));

	protocols_open();
	add_protocols(rs, w->conf);
	add_pages(rs);
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

unsigned route_topic(const struct route *route, const struct format *format)
{
	return route->topics[format - route->protocol->formats];
}

const char *routes_topic_name(const struct routes *rs, unsigned topic)
{
	assert(topic < rs->topic_count);
	return rs->topics[topic];
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
	const struct route *route = find_route(rs, r->head.path, admin);

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
	if (!route)
		return req_refuse(r, V_ROUTE);
	if (route->post && cors_run(r))
		return req_say(r, V_PREFLIGHT);
	if (!method_fits(route, r->head.method))
		return req_refuse(r, V_METHOD, route_allow(route));
	return route->protocol ? STEP_NEXT : route->run(r);
}
