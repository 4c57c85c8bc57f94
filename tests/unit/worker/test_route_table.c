/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/route_table.c"

#include "tests/unit/worker/otlp_bodies.h"

#define JSON "Content-Type: application/json\r\n"
static const char json_logs[] = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
                                "\"stringValue\":\"x\"}}]}]}]}";

/* What `routes` of a configuration says. */
static struct route_conf own(const char *name, const char *path, const char *protocol,
                             const char *topic)
{
	return (struct route_conf){ .name = name,
		                    .path = path,
		                    .protocol = protocol,
		                    .topic = topic,
		                    .stamp_name = "",
		                    .topic_prefix = "",
		                    .scope = "" };
}

static struct route_conf changed(const char *name)
{
	return own(name, "", "", "");
}

static struct fixture *opened(struct route_conf *routes, size_t n)
{
	struct fixture *f = fixture_new();

	f->conf.protocols.remote_write.enabled = true;
	f->conf.protocols.loki.enabled = true;
	f->conf.protocols.micromegas.enabled = true;
	f->conf.routes.v = routes;
	f->conf.routes.n = n;
	return f;
}

static struct fixture *started(struct route_conf *routes, size_t n)
{
	struct fixture *f = opened(routes, n);

	fixture_start(f, -1, -1);
	return f;
}

static const char *ask(struct fixture *f, const char *path, const char *fields, const void *body,
                       size_t n)
{
	struct request q = request_of(path, fields, body, n);
	const char *reply = fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);

	free(q.p);
	return reply;
}

static const struct route *named(struct fixture *f, const char *name)
{
	struct route *route = route_named(f->w.routes, name);

	cr_assert(route, "%s", name);
	return route;
}

static struct fixture_record *last(struct fixture *f)
{
	cr_assert_gt(f->record_count, 0u);
	return &f->records[f->record_count - 1];
}

static void refused(struct route_conf *routes, size_t n, const char *text)
{
	struct fixture *f = opened(routes, n);
	struct err err = { "" };

	f->w.models = models_open(&f->conf, &err);
	cr_assert_null(routes_open(&f->w, &err));
	cr_expect_str_eq(err.text, text);
	models_close(f->w.models);
	free(f->buffer);
	free(f->sent);
	free(f);
}

/* ---- the built-in ones ---- */

/* conf/ looks names up there, and cannot ask this table. */
Test(route_table, the_names_of_built_in_routes_are_those_of_routes_def)
{
	static const char *const names[] = {
#define ROUTE(name, on, section, kind, topic, suffix) name,
#define MODELS(name, on) name,
#define PAGE(name) name,
#include "common/routes.def"
#undef ROUTE
#undef MODELS
#undef PAGE
	};
	struct fixture *f = opened(NULL, 0);
	struct listener_conf listeners[4] = { f->listener_confs[0], f->listener_confs[0],
		                              f->listener_confs[0], f->listener_confs[1] };
	unsigned known = 0;

	listeners[1].dialect = LISTENER_MOOSE;
	listeners[2].dialect = LISTENER_GATEWAY;
	f->conf.listeners.v = listeners;
	f->conf.listeners.n = 4;
	f->conf.protocols.obstack.enabled = true;
	f->conf.protocols.models.enabled = true;
	fixture_start(f, -1, -1);
	for (unsigned i = 0; routes_get(f->w.routes, i); i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(names) && strcmp(names[k], routes_get(f->w.routes, i)->name))
			k++;
		cr_expect_lt(k, ARRAY_LEN(names), "routes.def lacks %s",
		             routes_get(f->w.routes, i)->name);
	}
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		bool found = strcmp(names[k], routes_name(f->w.routes, ROUTE_NONE)) == 0;

		if (k > 0 && strcmp(names[k], names[k - 1]) == 0)
			continue; /* a second kind */
		for (unsigned i = 0; !found && routes_get(f->w.routes, i); i++)
			found = strcmp(names[k], routes_get(f->w.routes, i)->name) == 0;
		cr_expect(found, "there is no route %s", names[k]);
		known += found;
	}
	cr_assert_eq(known, f->w.routes->count + 1);
	/* and as many more as options.def allows `routes` to have */
	cr_assert_leq(f->w.routes->count + 24, (unsigned)ROUTE_NONE);
	cr_assert_leq(f->w.routes->path_count + 24, (unsigned)PATHS_MAX);
	fixture_close(f);
}

/* conf/ refuses paths by that table, and cannot ask this one. */
Test(route_table, the_paths_of_built_in_routes_are_those_of_paths_def)
{
	static const char *const paths[][2] = {
#define PATH(route, text) { route, text },
#include "common/paths.def"
#undef PATH
	};
	struct fixture *f = opened(NULL, 0);
	struct listener_conf listeners[3] = { f->listener_confs[0], f->listener_confs[0],
		                              f->listener_confs[0] };
	unsigned found = 0;

	listeners[1].dialect = LISTENER_MOOSE;
	listeners[2].dialect = LISTENER_GATEWAY;
	f->conf.listeners.v = listeners;
	f->conf.listeners.n = 3;
	f->conf.protocols.obstack.enabled = true;
	fixture_start(f, -1, -1);
	for (unsigned i = 0; i < f->w.routes->path_count; i++) {
		const struct path *p = &f->w.routes->paths[i];
		size_t k = 0;

		if (!p->route->protocol || p->route->is_prefix)
			continue;
		while (k < ARRAY_LEN(paths) && (strcmp(paths[k][0], p->route->name) != 0 ||
		                                !bytes_eq(p->text, bytes_str(paths[k][1]))))
			k++;
		cr_expect_lt(k, ARRAY_LEN(paths), "paths.def lacks %.*s of %s", (int)p->text.n,
		             (const char *)p->text.p, p->route->name);
		found++;
	}
	cr_assert_eq(found, ARRAY_LEN(paths));
	fixture_close(f);
}

/* ---- paths more ---- */

Test(route_table, an_opaque_route_keeps_bytes_and_tells_their_type)
{
	static const uint8_t bytes[] = { 0, 0xff, 'x' };
	struct route_conf r[] = { own("app-blobs", "/blobs/app", "opaque", "app") };
	struct fixture *f = started(r, 1);
	const char *reply = ask(f, "/blobs/app", ACME "Content-Type: image/png; a=b\r\n", bytes, 3);

	cr_assert_eq(fixture_status(reply), 202);
	cr_assert(fixture_has(reply, "Content-Length: 0"));
	cr_assert_eq(last(f)->value_n, 3);
	cr_assert_arr_eq(last(f)->value, bytes, 3);
	cr_assert_str_eq(last(f)->topic, "app");
	cr_assert(strstr(last(f)->headers, "\nsignal=opaque\nformat=raw\ncontent-type=image/png\n"
	                                   "headgate-route=app-blobs\n"));
	cr_assert_eq(fixture_status(ask(f, "/blobs/app/", ACME, bytes, 3)), 202);
	cr_assert(strstr(last(f)->headers, "\ncontent-type=application/octet-stream\n"));
	reply = ask(f, "/blobs/app", ACME, "", 0);
	cr_assert_eq(fixture_status(reply), 400);
	cr_assert_eq(strncmp(fixture_body(reply), "hg-invalid: empty body", 22), 0);
	cr_assert_eq(
		fixture_status(ask(f, "/blobs/app", ACME "Content-Encoding: snappy\r\n", "x", 1)),
		415);
	cr_assert_eq(f->record_count, 2);
	cr_assert(routes_topic_is_raw(f->w.routes, named(f, "app-blobs")->topics[0]->index));
	cr_assert_not(routes_topic_is_raw(f->w.routes, named(f, "otlp_logs")->topics[0]->index));
	fixture_close(f);
}

Test(route_table, each_protocol_may_have_a_path_more)
{
	static const struct {
		const char *protocol, *path;
		enum signal signal;
	} cases[] = {
		{ "otlp", "/a", SIGNAL_TRACES },          { "otlp_traces", "/b", SIGNAL_TRACES },
		{ "otlp_metrics", "/c", SIGNAL_METRICS }, { "otlp_logs", "/d", SIGNAL_LOGS },
		{ "remote_write", "/e", SIGNAL_METRICS }, { "loki", "/f", SIGNAL_LOGS },
		{ "opaque", "/g", SIGNAL_OPAQUE }
	};
	struct route_conf r[ARRAY_LEN(cases)];
	struct fixture *f;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		r[i] = own(cases[i].protocol + 1, cases[i].path, cases[i].protocol,
		           cases[i].path + 1);
	f = started(r, ARRAY_LEN(r));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct route *route = named(f, cases[i].protocol + 1);

		cr_expect_eq(route->protocol->signal, cases[i].signal);
		cr_expect_str_eq(route->topics[0]->text, cases[i].path + 1);
		cr_expect_eq(fixture_status(ask(f, cases[i].path, "", "x", 1)), 401);
	}
	cr_assert_str_eq(named(f, "emote_write")->topics[1]->text, "e_v2");
	fixture_close(f);
}

/* ---- what a route does otherwise; all of it on a built-in one, or on one with a path ---- */

static struct route_conf full(struct route_conf r)
{
	static const char *listener = "public";

	r.topic = "mine";
	r.listeners.v = &listener;
	r.listeners.n = 1;
	r.max_body = 100 * MIB;
	r.record_max_bytes = 2 * MIB;
	r.enrich = 1 + ENRICH_HEADER;
	r.headers = 1 + HEADERS_ALL;
	r.partition = 1 + PARTITION_SOURCE;
	r.utf8 = 1 + CONF_UTF8_STRICT;
	r.json = 1 + CONF_JSON_SEPARATE;
	r.stamp_name = "who";
	r.topic_prefix = "p.";
	r.scope = "opaque";
	return r;
}

Test(route_table, a_route_does_what_is_said_of_it_and_the_rest_as_ever)
{
	struct route_conf r[] = { full(changed("otlp_logs")),
		                  full(own("x", "/x", "otlp_logs", "")) };
	struct fixture *f = started(r, 2);
	const struct route *native = named(f, "micromegas_logs");

	for (size_t i = 0; i < 2; i++) {
		const struct route *route = named(f, i ? "x" : "otlp_logs");

		cr_expect_str_eq(route->topics[0]->text, "p.mine");
		cr_expect_str_eq(route->topics[1]->text, "p.mine_json");
		cr_expect_eq(route->listeners, 1u);
		cr_expect_eq(route->wire_limit, 100 * MIB);
		cr_expect_eq(route->inflated_limit,
		             100 * MIB); /* or such a body would be refused */
		cr_expect_eq(route->record_max, 2 * MIB);
		cr_expect_eq(route->enrich, ENRICH_HEADER);
		cr_expect_eq(route->headers, HEADERS_ALL);
		cr_expect_eq(route->partition, PARTITION_SOURCE);
		cr_expect_eq(route->utf8, UTF8_STRICT);
		cr_expect(route->protocol == &protocol_otlp_logs_kept);
		cr_expect(bytes_eq(route->stamp_name, BYTES("who")));
		cr_expect_eq(route->scope, SIGNAL_OPAQUE);
	}
	cr_assert_str_eq(native->topics[0]->text, "otlp_logs");
	cr_assert_eq(native->record_max, f->conf.record.max_bytes);
	cr_assert_eq(native->scope, SIGNAL_COUNT);
	cr_assert_eq(native->utf8, UTF8_REPAIR);
	cr_assert(bytes_eq(native->stamp_name, BYTES("tenant_id")));
	fixture_close(f);
}

Test(route_table, what_a_route_does_otherwise_shows_in_its_records)
{
	struct route_conf r[] = { changed("otlp_logs") };
	struct fixture *f;

	r[0].enrich = 1 + ENRICH_HEADER;
	r[0].headers = 1 + HEADERS_TENANT;
	r[0].json = 1 + CONF_JSON_SEPARATE;
	f = started(r, 1);
	cr_assert_eq(
		fixture_status(ask(f, "/v1/logs", ACME JSON, json_logs, sizeof(json_logs) - 1)),
		200);
	cr_assert_eq(last(f)->value_n, sizeof(json_logs) - 1); /* byte for byte */
	cr_assert_arr_eq(last(f)->value, json_logs, sizeof(json_logs) - 1);
	cr_assert_str_eq(last(f)->topic, "otlp_logs_json");
	cr_assert_str_eq(last(f)->headers, "X-Scope-OrgID=acme\ntenant_id=acme\n");
	fixture_close(f);
}

Test(route_table, the_stamp_of_a_route_has_its_name)
{
	struct route_conf r[] = { changed("otlp_traces") };
	struct fixture *f;

	r[0].stamp_name = "who.is";
	f = started(r, 1);
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", one_span, sizeof(one_span))),
	             200);
	cr_assert(memmem(last(f)->value, last(f)->value_n,
	                 "who.is\x12\x06\x0a\x04"
	                 "acme",
	                 14));
	cr_assert_null(memmem(last(f)->value, last(f)->value_n, "tenant_id", 9));
	fixture_close(f);
}

Test(route_table, a_route_repairs_or_refuses_broken_utf8_as_it_is_told)
{
	struct route_conf r[] = { changed("otlp_logs") };
	struct fixture *f;

	r[0].utf8 = 1 + CONF_UTF8_STRICT;
	f = started(r, 1);
	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", forged_log, sizeof(forged_log))),
	             400);
	fixture_close(f);
	r[0] = own("x", "/x", "otlp_traces", "x");
	f = started(r, 1);
	cr_assert_eq(named(f, "x")->utf8, UTF8_STRICT);
	fixture_close(f);
	r[0].utf8 = 1 + CONF_UTF8_REPAIR;
	f = started(r, 1);
	cr_assert_eq(named(f, "x")->utf8, UTF8_REPAIR);
	fixture_close(f);
}

Test(route_table, a_route_wants_the_scope_that_it_names)
{
	struct route_conf r[] = { changed("otlp_traces"), changed("otlp_logs") };
	static const char logs[] = "Authorization: Bearer secret-logs\r\n" JSON;
	struct fixture *f;

	r[0].scope = "logs";
	r[1].scope = "events";
	f = started(r, 2);
	cr_assert_eq(fixture_status(ask(f, "/v1/traces", logs, "{}", 2)), 200);
	cr_assert_eq(fixture_status(ask(f, "/v1/logs", logs, "{}", 2)), 403);
	cr_assert_eq(fixture_status(ask(f, "/v1/metrics", logs, "{}", 2)), 403);
	fixture_close(f);
}

/* json: transcode on a route, where the section says separate, was not heard */
Test(route_table, a_route_may_transcode_where_the_others_keep)
{
	struct route_conf r[] = { changed("otlp_logs"), own("x", "/x", "otlp_logs", "x"),
		                  own("y", "/y", "otlp_logs", "y") };
	struct fixture *f;

	r[0].json = r[1].json = 1 + CONF_JSON_TRANSCODE;
	f = opened(r, 3);
	f->conf.protocols.otlp.json = CONF_JSON_SEPARATE;
	fixture_start(f, -1, -1);
	cr_assert(named(f, "otlp_logs")->protocol == &protocol_otlp_logs);
	cr_assert(named(f, "x")->protocol == &protocol_otlp_logs);
	cr_assert(named(f, "y")->protocol == &protocol_otlp_logs_kept);
	cr_assert(named(f, "otlp_traces")->protocol == &protocol_otlp_traces_kept);
	cr_assert(named(f, "micromegas_logs")->protocol == &protocol_micromegas_logs_kept);
	fixture_close(f);
}

/* The wire limit alone was raised: a body above limits.inflated was 413 all the same. */
Test(route_table, a_body_as_large_as_a_route_allows_is_not_too_large_inflated)
{
	struct route_conf r[] = { own("x", "/x", "opaque", "x") };
	char body[4000];
	struct fixture *f;

	memset(body, 'a', sizeof(body));
	r[0].max_body = 4000;
	f = opened(r, 1);
	f->conf.limits.inflated = 2 * KIB;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(ask(f, "/x", ACME, body, sizeof(body))), 202);
	cr_assert_eq(fixture_status(ask(f, "/x", ACME, body, sizeof(body) - 1)), 202);
	fixture_close(f);
}

Test(route_table, a_route_is_on_the_listeners_that_it_names)
{
	static const char *second = "second", *admin = "admin";
	struct route_conf r[] = { own("x", "/x", "opaque", "x"), own("y", "/y", "opaque", "y"),
		                  changed("otlp_logs"), own("z", "/z", "opaque", "z") };
	struct fixture *f;
	struct listener_conf listeners[3];

	r[0].listeners.v = r[2].listeners.v = &second;
	r[0].listeners.n = r[2].listeners.n = 1;
	r[3].listeners.v = &admin; /* serves no records, whatever its section is called */
	r[3].listeners.n = 1;
	f = opened(r, 4);
	listeners[0] = f->listener_confs[0];
	listeners[1] = f->listener_confs[0];
	listeners[1].name = second;
	listeners[2] = f->listener_confs[1];
	f->conf.listeners.v = listeners;
	f->conf.listeners.n = 3;
	fixture_start(f, -1, -1);
	cr_assert_eq(named(f, "x")->listeners, 2u);
	cr_assert_eq(named(f, "y")->listeners, 3u);
	cr_assert_eq(named(f, "otlp_logs")->listeners, 2u);
	cr_assert_eq(named(f, "z")->listeners, 0u);
	cr_assert_eq(fixture_status(ask(f, "/x", ACME, "x", 1)), 404);
	cr_assert_eq(fixture_status(ask(f, "/v1/logs", ACME, "x", 1)), 404);
	cr_assert_eq(fixture_status(ask(f, "/y", ACME, "x", 1)), 202);
	f->public.index = 1;
	cr_assert_eq(fixture_status(ask(f, "/x", ACME, "x", 1)), 202);
	fixture_close(f);
}

/* ---- topics ---- */

Test(route_table, each_tenant_has_its_topic_where_the_prefix_says_so)
{
	struct route_conf r[] = { own("x", "/x", "opaque", "x") };
	struct fixture *f;
	unsigned before;

	r[0].topic_prefix = "{tenant}.";
	f = started(r, 1);
	before = routes_topics(f->w.routes);
	cr_assert_str_eq(route_topic_text(named(f, "x"), named(f, "x")->protocol->formats),
	                 "{tenant}.x");
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(fixture_status(ask(f, "/x", ACME, "x", 1)), 202);
		cr_assert_str_eq(last(f)->topic, "acme.x");
		cr_assert_eq(fixture_status(ask(f, "/x", "Authorization: Bearer secret-other\r\n",
		                                "x", 1)),
		             202);
		cr_assert_str_eq(last(f)->topic, "other.x");
		cr_assert_eq(routes_topics(f->w.routes), before + 2);
	}
	for (unsigned i = before; i < before + 2; i++) {
		cr_assert(routes_topic_is_raw(f->w.routes, i));
		cr_assert(routes_uses(f->w.routes, named(f, "x"), i));
		cr_assert_not(routes_uses(f->w.routes, named(f, "insert_block"), i));
		cr_assert_eq(routes_topic_record_max(f->w.routes, i),
		             f->conf.protocols.opaque.record_max_bytes);
	}
	fixture_close(f);
}

/* In the place of the route's, of record's, and of none; live, by whatever the table says. */
Test(route_table, a_tenant_s_own_prefix_stands_in_the_place_of_each_that_is_configured)
{
	static const struct {
		const char *own, *x, *y;
	} rounds[] = {
		{ "own-", "own-x", "own-y" },
		{ "other.", "other.x", "other.y" },
		{ "", "acme.x", "p.acme-y" },
	};
	struct route_conf r[] = { own("x", "/x", "opaque", "x"), own("y", "/y", "opaque", "y") };
	struct fixture *f;
	unsigned before;

	r[0].topic_prefix = "{tenant}.";
	f = opened(r, 2);
	f->conf.record.topic_prefix = "p.{tenant}-";
	fixture_start(f, -1, -1);
	before = routes_topics(f->w.routes);
	for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
		f->topic_prefix = bytes_str(rounds[i].own);
		snapshot_unmap(f->w.table);
		f->w.table = fixture_table(f);
		cr_expect_eq(fixture_status(ask(f, "/x", ACME, "x", 1)), 202);
		cr_expect_str_eq(last(f)->topic, rounds[i].x);
		cr_expect_eq(fixture_status(ask(f, "/y", ACME, "x", 1)), 202);
		cr_expect_str_eq(last(f)->topic, rounds[i].y);
	}
	/* Another one has what was one of its topics. */
	cr_expect_eq(fixture_status(ask(f, "/x", "Authorization: Bearer secret-other\r\n", "x", 1)),
	             202);
	cr_expect_str_eq(last(f)->topic, "other.x");
	cr_expect_eq(routes_topics(f->w.routes), before + 6);
	for (unsigned i = before; i < before + 6; i++)
		cr_expect(routes_topic_is_raw(f->w.routes, i));
	fixture_close(f);
}

Test(route_table, a_tenant_s_own_prefix_stands_before_topics_that_have_none_and_all_formats)
{
	struct fixture *f = opened(NULL, 0);

	f->topic_prefix = BYTES("own.");
	fixture_start(f, -1, -1);
	cr_expect_eq(fixture_status(ask(f, "/v1/logs", ACME JSON, json_logs, strlen(json_logs))),
	             200);
	cr_expect_str_eq(last(f)->topic, "own.otlp_logs");
	cr_expect_eq(fixture_status(ask(f, "/ingestion/insert_block", ACME, "x", 1)), 200);
	cr_expect_str_eq(last(f)->topic, "own.blobs");
	cr_expect_eq(routes_topic_record_max(f->w.routes, routes_topics(f->w.routes) - 1),
	             f->conf.protocols.opaque.record_max_bytes);
	fixture_close(f);
}

Test(route_table, the_longest_prefix_before_the_longest_name_fits)
{
	char prefix[TENANT_PREFIX_MAX + 1], topic[TOPIC_BYTES - TENANT_PREFIX_MAX + 1];
	struct route_conf r[] = { own("x", "/x", "opaque", topic) };
	struct fixture *f;

	memset(prefix, 'p', sizeof(prefix));
	prefix[TENANT_PREFIX_MAX] = '\0';
	memset(topic, 't', sizeof(topic));
	topic[sizeof(topic) - 1] = '\0';
	f = opened(r, 1);
	f->topic_prefix = bytes_str(prefix);
	fixture_start(f, -1, -1);
	cr_expect_eq(fixture_status(ask(f, "/x", ACME, "x", 1)), 202);
	cr_expect_eq(strlen(routes_topic_name(f->w.routes, routes_topics(f->w.routes) - 1)),
	             TOPIC_BYTES);
	fixture_close(f);
}

Test(route_table, a_prefix_stands_before_topics_but_those_of_dead_letters_and_usage)
{
	struct route_conf r[] = { changed("loki") };
	struct fixture *f;

	r[0].topic_prefix = "q.";
	f = opened(r, 1);
	f->conf.record.topic_prefix = "p.";
	f->conf.dead_letters.enabled = f->conf.usage.enabled = true;
	f->conf.dead_letters.topic = "dead";
	f->conf.usage.topic = "usage";
	fixture_start(f, -1, -1);
	cr_assert_str_eq(named(f, "otlp_logs")->topics[0]->text, "p.otlp_logs");
	cr_assert_str_eq(named(f, "remote_write")->topics[1]->text, "p.prom_write_v2");
	cr_assert_str_eq(named(f, "loki")->topics[0]->text, "q.loki_push");
	cr_assert_str_eq(named(f, "loki_legacy")->topics[0]->text, "p.loki_push");
	cr_assert_str_eq(routes_topic_name(f->w.routes, (unsigned)routes_dead_letters(f->w.routes)),
	                 "dead");
	cr_assert_str_eq(routes_topic_name(f->w.routes, (unsigned)routes_usage(f->w.routes)),
	                 "usage");
	fixture_close(f);
}

/* librdkafka has one limit for all: the largest of any route (records.md 1.3) */
Test(route_table, a_topic_of_two_routes_takes_the_larger_record)
{
	struct route_conf r[] = { own("x", "/x", "otlp_logs", "otlp_logs") };
	struct fixture *f;

	r[0].record_max_bytes = 5 * MIB;
	f = started(r, 1);
	cr_assert_eq(named(f, "otlp_logs")->record_max, f->conf.record.max_bytes);
	cr_assert_eq(routes_topic_record_max(f->w.routes, named(f, "otlp_logs")->topics[0]->index),
	             5 * MIB);
	fixture_close(f);
}

/* ---- what cannot be ---- */

/* R2 */
Test(route_table, two_formats_on_one_topic_are_refused)
{
	struct route_conf r[] = { own("x", "/x", "opaque", "otlp_logs"), changed("loki") };
	struct route_conf kept[] = { own("x", "/x", "loki", "x"),
		                     own("y", "/y", "opaque", "x_json") };

	refused(r, 1,
	        "topic otlp_logs would hold two formats, otlp_proto and raw: a topic has one");
	r[1].topic = "prom_write";
	refused(r + 1, 1,
	        "topic prom_write would hold two formats, prom_rw1 and loki_proto: a topic has "
	        "one");
	kept[0].json = 1 + CONF_JSON_SEPARATE;
	refused(kept, 2, "topic x_json would hold two formats, loki_json and raw: a topic has one");
}

Test(route_table, a_route_that_is_not_there_cannot_be_changed)
{
	struct route_conf r[] = { changed("otlp_log") };

	refused(r, 1, "route otlp_log: without a path it must name a route that is there");
	r[0] = changed("obstack_logs"); /* off */
	refused(r, 1, "route obstack_logs: without a path it must name a route that is there");
	r[0] = changed("health");
	refused(r, 1, "route health: without a path it must name a route that is there");
}

Test(route_table, a_path_of_a_built_in_route_is_taken)
{
	struct route_conf r[] = { own("x", "/v1/logs", "opaque", "x") };

	refused(r, 1, "routes otlp_logs and x have one path");
	r[0] = own("x", "/x", "opaqu", "x");
	refused(r, 1, "route x: no protocol opaqu");
}

/* ... unless the two are not on one listener */
Test(route_table, a_path_may_be_a_built_in_route_s_of_another_listener)
{
	static const char *listener = "public";
	struct route_conf r[] = { own("x", "/prometheus/api/v1/push", "opaque", "x") };
	struct fixture *f;

	r[0].listeners.v = &listener;
	r[0].listeners.n = 1;
	f = started(r, 1);
	cr_assert_eq(fixture_status(ask(f, "/prometheus/api/v1/push", ACME, "x", 1)), 202);
	fixture_close(f);
}
