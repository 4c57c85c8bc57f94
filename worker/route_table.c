/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_table.c -- the table of routes, made from the configuration. A protocol on its path is one
 * line of the array below, a page one line in route.c; `routes` adds to them and changes them.
 */
#include "worker/route_table.h"

#include <stdio.h>
#include "worker/models.h"
#include "worker/worker.h"

enum {
	ON_NATIVE = 1 << LISTENER_NATIVE,
	ON_MOOSE = 1 << LISTENER_MOOSE,
	ON_GATEWAY = 1 << LISTENER_GATEWAY,
	ON_SHARED = ON_NATIVE | ON_MOOSE, /* the gateway dialect has rules of its own for these */
	ON_ALL = ON_SHARED | ON_GATEWAY, /* paths that are a dialect's own */
};

struct line { /* a protocol on a route */
	bool enabled;
	unsigned on;
	const struct protocol *protocol;
	const char *topics[FORMATS_MAX]; /* by format; the last one given serves the rest */
	enum conf_utf8 utf8;
	/* where a dialect has the protocol on paths of its own */
	const char *name;
	enum dialect_id dialect;
	const char *const *paths;
};

/* ---- topics ---- */

unsigned route_table_topic(struct routes *rs, struct bytes name, const struct route_topic *t)
{
	unsigned topic = topic_table_add(rs->topics, name);

	if (topic == rs->topic_facts_count) {
		rs->topic_facts =
			xrealloc(rs->topic_facts, topic + 1, sizeof(*rs->topic_facts));
		rs->topic_facts[rs->topic_facts_count++] = t;
	}
	return topic;
}

static int refuse_formats(struct err *err, const struct route_topic *t, const char *other)
{
	return err_set(err, "topic %s would hold two formats, %s and %s: a topic has one", t->text,
	               t->record_format ? t->record_format : "those of Obstack", other);
}

/* The topic of that name behind `prefix`; NULL with *err: it has another format already. A format
 * of NULL is Obstack's: its topic may hold any, but no other route's. */
static struct route_topic *use_topic(struct routes *rs, const char *prefix, const char *name,
                                     const char *record_format, uint64_t record_max,
                                     bool is_raw, struct err *err)
{
	char text[2 * TOPIC_BYTES + 16];
	struct route_topic *t;

	snprintf(text, sizeof(text), "%s%s", prefix, name);
	for (t = rs->route_topics; t; t = t->next)
		if (strcmp(t->text, text) == 0)
			break;
	if (t && (!t->record_format != !record_format ||
	          (record_format && strcmp(t->record_format, record_format) != 0))) {
		refuse_formats(err, t, record_format ? record_format : "those of Obstack");
		return NULL;
	}
	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->text = xstrndup(text, strlen(text));
		t->record_format = record_format;
		t->has_tenant = strstr(text, TENANT_WORD) != NULL;
		t->is_raw = is_raw;
		if (!t->has_tenant)
			t->index = route_table_topic(rs, bytes_str(t->text), t);
		t->next = rs->route_topics;
		rs->route_topics = t;
	}
	if (t->record_max < record_max)
		t->record_max = record_max;
	return t;
}

/* The topic of a format: its own, or the last one named, with what tells them apart. In Obstack's all
 * formats lie in one. */
static int use_topics(struct routes *rs, struct route *route, struct err *err)
{
	const struct wish *wish = &rs->wishes[route->index];
	const struct format *formats = route->protocol->formats;
	const bool mixed = route->dialect == DIALECT_OBSTACK;
	const char *topic = NULL;

	for (unsigned i = 0; formats[i].type; i++) {
		const char *suffix = formats[i].topic_suffix;
		char name[TOPIC_BYTES + 8];

		assert(i < FORMATS_MAX);
		topic = wish->topics[i] ? wish->topics[i] : topic;
		if ((i > 0 && wish->topics[i]) || mixed || !suffix)
			suffix = "";
		snprintf(name, sizeof(name), "%s%s", topic, suffix);
		route->topics[i] = use_topic(rs, wish->prefix, name,
		                             mixed ? NULL : formats[i].record_format,
		                             route->record_max,
		                             route->protocol->signal == SIGNAL_OPAQUE, err);
		if (!route->topics[i])
			return -1;
	}
	return 0;
}

/* ---- routes ---- */

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

static uint32_t listeners_on(const struct conf *conf, unsigned dialects)
{
	uint32_t on = 0;

	for (size_t i = 0; i < conf->listeners.n; i++)
		if (!conf->listeners.v[i].admin &&
		    dialects & (1u << conf->listeners.v[i].dialect))
			on |= UINT32_C(1) << i;
	return on;
}

/* The same protocol, but JSON bodies stay JSON, or do not; itself where it knows no such thing. */
static const struct protocol *with_json(const struct protocol *p, enum conf_json json)
{
	static const struct protocol *const kept[][2] = {
		{ &protocol_otlp_traces, &protocol_otlp_traces_kept },
		{ &protocol_otlp_metrics, &protocol_otlp_metrics_kept },
		{ &protocol_otlp_logs, &protocol_otlp_logs_kept },
		{ &protocol_otlp_any, &protocol_otlp_any_kept },
		{ &protocol_loki, &protocol_loki_kept },
		{ &protocol_loki_legacy, &protocol_loki_legacy_kept },
		{ &protocol_loki_entries, &protocol_loki_entries_kept },
		{ &protocol_loki_legacy_entries, &protocol_loki_legacy_entries_kept },
		{ &protocol_micromegas_traces, &protocol_micromegas_traces_kept },
		{ &protocol_micromegas_metrics, &protocol_micromegas_metrics_kept },
		{ &protocol_micromegas_logs, &protocol_micromegas_logs_kept },
	};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (kept[i][0] == p || kept[i][1] == p)
			return kept[i][json == CONF_JSON_SEPARATE];
	return p;
}

static enum conf_json json_of(const struct conf *conf, const struct protocol *p)
{
	return p->dialect == DIALECT_LOKI ? conf->protocols.loki.json : conf->protocols.otlp.json;
}

static struct route *add_protocol(struct routes *rs, const struct conf *conf,
                                  const struct protocol *p, const char *name,
                                  const char *const *paths, enum dialect_id dialect)
{
	struct route *route = add_route(rs, name, paths);

	route->post = true;
	route->protocol = with_json(p, json_of(conf, p));
	route->dialect = dialect;
	route->wire_limit = p->wire_limit ? p->wire_limit : conf->limits.body;
	route->inflated_limit = p->inflated_limit ? p->inflated_limit : conf->limits.inflated;
	route->record_max = p->signal == SIGNAL_OPAQUE ? conf->protocols.opaque.record_max_bytes
	                                               : conf->record.max_bytes;
	route->enrich = conf->record.enrich;
	route->stamp_name = bytes_str(conf->record.stamp_name);
	route->headers = conf->record.headers;
	route->partition = conf->record.partition;
	route->scope = SIGNAL_COUNT;
	route->org_missing_status =
		conf->compat.gateway_missing_tenant_status == MISSING_TENANT_400 ? 400 : 401;
	route->rate_status = conf->compat.micromegas_quota_status == QUOTA_429 ? 429 : 503;
	rs->wishes[route->index].prefix = conf->record.topic_prefix;
	return route;
}

static void add_line(struct routes *rs, const struct conf *conf, const struct line *line)
{
	const struct protocol *p = line->protocol;
	uint32_t listeners = listeners_on(conf, line->on);
	struct route *route;

	if (!line->enabled || !listeners)
		return;
	route = add_protocol(rs, conf, p, line->name ? line->name : p->name,
	                     line->paths ? line->paths : p->paths,
	                     line->name ? line->dialect : p->dialect);
	route->listeners = listeners;
	route->utf8 = line->utf8 == CONF_UTF8_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
	memcpy(rs->wishes[route->index].topics, line->topics, sizeof(line->topics));
}

/* The paths of Obstack (compatibility.md 2). */
static const char *const obstack_paths[][2] = {
	{ "/ingest/otlp/v1/traces" }, { "/ingest/otlp/v1/metrics" },     { "/ingest/otlp/v1/logs" },
	{ "/ingest/otlp/v1" },        { "/ingest/prometheus/v1/write" },
};
/* Those of a listener with the gateway's dialect, its own and the shared ones (compatibility.md 6). */
static const char *const gateway_paths[][5] = {
	{ "/v1/traces", "/otlp/v1/traces", "/tempo/v1/traces" },
	{ "/v1/metrics", "/otlp/v1/metrics", "/api/v1/otlp/v1/metrics" },
	{ "/v1/logs", "/otlp/v1/logs" },
	{ "/api/v1/write", "/api/v1/push", "/prometheus/api/v1/push" },
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
	const bool otlp = c->otlp.enabled, write = c->remote_write.enabled, loki = c->loki.enabled,
		   obstack = c->obstack.enabled, micromegas = c->micromegas.enabled;
	const enum conf_utf8 strict = CONF_UTF8_STRICT;
	/* clang-format off */
#define GATEWAY(name, paths) "gateway_" name, DIALECT_GATEWAY, paths
#define OBSTACK(name, paths) "obstack_" name, DIALECT_OBSTACK, paths
#define OWN NULL, DIALECT_PLAIN, NULL
	const struct line lines[] = {
		{ otlp, ON_SHARED, &protocol_otlp_traces, { c->otlp.traces_topic }, c->otlp.utf8, OWN },
		{ otlp, ON_SHARED, &protocol_otlp_metrics, { c->otlp.metrics_topic }, c->otlp.utf8, OWN },
		{ otlp, ON_SHARED, &protocol_otlp_logs, { c->otlp.logs_topic }, c->otlp.utf8_logs, OWN },
		{ write, ON_SHARED, &protocol_remote_write,
		  { c->remote_write.topic, c->remote_write.topic_v2 }, strict, OWN },
		{ loki, ON_SHARED, loki_of(conf, false), { c->loki.topic }, c->loki.utf8, OWN },
		{ loki, ON_SHARED, loki_of(conf, true), { c->loki.topic }, c->loki.utf8, OWN },

		{ otlp, ON_GATEWAY, &protocol_otlp_traces, { c->otlp.traces_topic }, c->otlp.utf8,
		  GATEWAY("traces", gateway_paths[0]) },
		{ otlp, ON_GATEWAY, &protocol_otlp_metrics, { c->otlp.metrics_topic }, c->otlp.utf8,
		  GATEWAY("metrics", gateway_paths[1]) },
		{ otlp, ON_GATEWAY, &protocol_otlp_logs, { c->otlp.logs_topic }, c->otlp.utf8_logs,
		  GATEWAY("logs", gateway_paths[2]) },
		{ write, ON_GATEWAY, &protocol_remote_write,
		  { c->remote_write.topic, c->remote_write.topic_v2 }, strict,
		  GATEWAY("write", gateway_paths[3]) },
		{ loki, ON_GATEWAY, loki_of(conf, false), { c->loki.topic }, c->loki.utf8,
		  GATEWAY("loki", NULL) },
		{ loki, ON_GATEWAY, loki_of(conf, true), { c->loki.topic }, c->loki.utf8,
		  GATEWAY("loki_legacy", NULL) },

		{ obstack, ON_ALL, &protocol_otlp_traces, { c->obstack.topic }, c->otlp.utf8,
		  OBSTACK("traces", obstack_paths[0]) },
		{ obstack, ON_ALL, &protocol_otlp_metrics, { c->obstack.topic }, c->otlp.utf8,
		  OBSTACK("metrics", obstack_paths[1]) },
		{ obstack, ON_ALL, &protocol_otlp_logs, { c->obstack.topic }, c->otlp.utf8_logs,
		  OBSTACK("logs", obstack_paths[2]) },
		{ obstack, ON_ALL, &protocol_otlp_any, { c->obstack.topic }, c->otlp.utf8,
		  OBSTACK("otlp", obstack_paths[3]) },
		{ obstack, ON_ALL, &protocol_remote_write, { c->obstack.topic }, strict,
		  OBSTACK("write", obstack_paths[4]) },

		{ micromegas, ON_ALL, &protocol_micromegas_process, { c->opaque.topic }, strict, OWN },
		{ micromegas, ON_ALL, &protocol_micromegas_stream, { c->opaque.topic }, strict, OWN },
		{ micromegas, ON_ALL, &protocol_micromegas_block, { c->opaque.topic }, strict, OWN },
		{ micromegas, ON_ALL, &protocol_micromegas_traces, { c->otlp.traces_topic },
		  c->otlp.utf8, OWN },
		{ micromegas, ON_ALL, &protocol_micromegas_metrics, { c->otlp.metrics_topic },
		  c->otlp.utf8, OWN },
		{ micromegas, ON_ALL, &protocol_micromegas_logs, { c->otlp.logs_topic },
		  c->otlp.utf8_logs, OWN },
		{ micromegas, ON_ALL, &protocol_micromegas_webhook, { c->otlp.logs_topic },
		  CONF_UTF8_REPAIR, OWN },
	};
#undef GATEWAY
#undef OBSTACK
#undef OWN
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		add_line(rs, conf, &lines[i]);
}

/* ---- data models: one route for all, a prefix; each model has a topic of its own ---- */

static void add_models_route(struct routes *rs, const struct conf *conf, const struct protocol *p,
                             unsigned on)
{
	uint32_t listeners = listeners_on(conf, on);
	struct route *route;

	if (!conf->protocols.models.enabled || !listeners)
		return;
	route = add_protocol(rs, conf, p, p->name, rs->model_paths, p->dialect);
	route->is_prefix = true;
	route->listeners = listeners;
	route->headers = conf->protocols.models.headers;
	route->wire_limit = conf->protocols.models.max_body;
	if (p->dialect == DIALECT_MOOSE)
		route->inflated_limit = conf->protocols.models.max_body;
}

static void add_models(struct routes *rs, const struct conf *conf)
{
	size_t n = strlen(conf->protocols.models.path_prefix) + sizeof("/ingest/");

	rs->model_paths[0] = "/ingest/";
	if (n > sizeof("/ingest/")) {
		rs->model_prefix = xcalloc(1, n);
		snprintf(rs->model_prefix, n, "%s/ingest/", conf->protocols.models.path_prefix);
		rs->model_paths[1] = rs->model_prefix;
	}
	add_models_route(rs, conf, &protocol_models, ON_NATIVE | ON_GATEWAY);
	add_models_route(rs, conf, &protocol_moose, ON_MOOSE);
}

/* Each model on the route of models. */
static int use_model_topics(struct routes *rs, struct worker *w, const struct route *route,
                            struct err *err)
{
	const char *prefix = rs->wishes[route->index].prefix;

	for (size_t i = 0; i < models_count(w->models); i++) {
		struct model_entry *m = models_at(w->models, i);

		struct route_topic *t = use_topic(rs, prefix, m->topic, "json", route->record_max,
		                                  false, err);

		if (!t)
			return -1;
		if (m->route_topic && m->route_topic != t)
			return err_set(err, "routes models and moose have two topic_prefix: a data "
			                    "model has one topic");
		m->route_topic = t;
		if (m->dead_letter_topic &&
		    !(m->dead_letters = use_topic(rs, "", m->dead_letter_topic,
		                                  "dead letters of models", route->record_max,
		                                  false, err)))
			return -1;
	}
	return 0;
}

/* ---- `routes` of the configuration ---- */

static const struct protocol *protocol_named(const char *name)
{
	static const struct {
		const char *name;
		const struct protocol *protocol;
	} protocols[] = {
#define PROTOCOL(name_, protocol_) { name_, &protocol_ },
#include "common/protocols.def"
#undef PROTOCOL
	};

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0)
			return protocols[i].protocol;
	return NULL;
}

static struct route *route_named(struct routes *rs, const char *name)
{
	for (unsigned i = 0; i < rs->count; i++)
		if (rs->v[i].protocol && strcmp(rs->v[i].name, name) == 0)
			return &rs->v[i];
	return NULL;
}

static enum utf8_mode utf8_of(const struct conf *conf, const struct protocol *p)
{
	enum conf_utf8 mode = CONF_UTF8_STRICT;

	if (p->dialect == DIALECT_LOKI)
		mode = conf->protocols.loki.utf8;
	else if (p->dialect == DIALECT_OTLP)
		mode = p->signal == SIGNAL_LOGS ? conf->protocols.otlp.utf8_logs
		                                : conf->protocols.otlp.utf8;
	return mode == CONF_UTF8_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
}

/* What the configuration says of a route, over what the sections say of all. */
static void apply(struct routes *rs, const struct conf *conf, const struct route_conf *c,
                  struct route *route)
{
	struct wish *wish = &rs->wishes[route->index];

	if (c->json)
		route->protocol = with_json(route->protocol, (enum conf_json)(c->json - 1));
	if (c->topic[0])
		memset(wish->topics, 0, sizeof(wish->topics));
	if (c->topic[0])
		wish->topics[0] = c->topic;
	if (c->topic_prefix[0])
		wish->prefix = c->topic_prefix;
	if (c->max_body) {
		route->wire_limit = c->max_body;
		/* Of a body that is not compressed they are one; to Moose they always are. */
		if (route->inflated_limit < c->max_body || route->dialect == DIALECT_MOOSE)
			route->inflated_limit = c->max_body;
	}
	if (c->record_max_bytes)
		route->record_max = c->record_max_bytes;
	if (c->enrich)
		route->enrich = (enum record_enrich)(c->enrich - 1);
	if (c->headers)
		route->headers = (enum record_headers)(c->headers - 1);
	if (c->partition)
		route->partition = (enum record_partition)(c->partition - 1);
	if (c->utf8)
		route->utf8 = c->utf8 - 1 == CONF_UTF8_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
	if (c->stamp_name[0])
		route->stamp_name = bytes_str(c->stamp_name);
	for (unsigned s = 0; s < SIGNAL_COUNT; s++)
		if (strcmp(c->scope, signal_name((enum signal)s)) == 0)
			route->scope = s;
	if (c->listeners.n)
		route->listeners = 0;
	for (size_t i = 0; i < c->listeners.n; i++)
		for (size_t k = 0; k < conf->listeners.n; k++)
			if (!conf->listeners.v[k].admin &&
			    strcmp(c->listeners.v[i], conf->listeners.v[k].name) == 0)
				route->listeners |= UINT32_C(1) << k;
}

static int add_configured(struct routes *rs, const struct conf *conf, const struct route_conf *c,
                          struct err *err)
{
	struct route *route;

	if (c->path[0]) {
		const struct protocol *p = protocol_named(c->protocol);
		const char **paths = rs->own_paths[rs->count];

		if (!p)
			return err_set(err, "route %s: no protocol %s", c->name, c->protocol);
		paths[0] = c->path;
		route = add_protocol(rs, conf, p, c->name, paths, p->dialect);
		route->listeners = listeners_on(conf, ON_ALL);
		route->utf8 = utf8_of(conf, p);
	} else {
		route = route_named(rs, c->name);
		if (!route)
			return err_set(err, "route %s: without a path it must name a route that is there",
			               c->name);
	}
	apply(rs, conf, c, route);
	return 0;
}

static int refuse_twins(const struct routes *rs, struct err *err)
{
	for (unsigned i = 0; i < rs->path_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (rs->paths[i].route->listeners & rs->paths[k].route->listeners &&
			    bytes_eq(rs->paths[i].text, rs->paths[k].text))
				return err_set(err, "routes %s and %s have one path",
				               rs->paths[k].route->name, rs->paths[i].route->name);
	return 0;
}

/* Topics of no route. */
static int use_own_topics(struct routes *rs, const struct conf *conf, struct err *err)
{
	if (conf->dead_letters.enabled) {
		rs->dead_letters = use_topic(rs, "", conf->dead_letters.topic, "dead letters",
		                             conf->record.max_bytes, false, err);
		if (!rs->dead_letters)
			return -1;
	}
	if (conf->usage.enabled) {
		rs->usage = use_topic(rs, "", conf->usage.topic, "usage", conf->record.max_bytes,
		                      false, err);
		if (!rs->usage)
			return -1;
	}
	return 0;
}

int route_table_fill(struct routes *rs, struct worker *w, struct err *err)
{
	const struct conf *conf = w->conf;

	add_protocols(rs, conf);
	add_models(rs, conf);
	for (size_t i = 0; i < conf->routes.n; i++)
		if (add_configured(rs, conf, &conf->routes.v[i], err) < 0)
			return -1;
	for (unsigned i = 0; i < rs->count; i++) {
		struct route *route = &rs->v[i];

		route->prefix_bytes = strlen(rs->wishes[i].prefix);
		if ((route->is_prefix ? use_model_topics(rs, w, route, err)
		                      : use_topics(rs, route, err)) < 0)
			return -1;
	}
	return use_own_topics(rs, conf, err) < 0 ? -1 : refuse_twins(rs, err);
}

static uint32_t listeners_of_page(const struct page *page, const struct conf *conf)
{
	uint32_t on = page->moose ? listeners_on(conf, ON_MOOSE) : 0;

	for (size_t i = 0; i < conf->listeners.n && !page->moose; i++)
		if (page->both || page->admin == conf->listeners.v[i].admin)
			on |= UINT32_C(1) << i;
	return on;
}

void route_table_add_page(struct routes *rs, const struct page *page, const struct conf *conf)
{
	const char **paths = rs->own_paths[rs->count];
	uint32_t listeners = listeners_of_page(page, conf);
	struct route *route;

	if (page->moose && !listeners)
		return;
	paths[0] = page->path;
	route = add_route(rs, page->name, paths);
	route->get = true;
	route->run = page->run;
	route->dialect = DIALECT_PLAIN;
	route->listeners = listeners;
	rs->page[route->index] = page;
}
