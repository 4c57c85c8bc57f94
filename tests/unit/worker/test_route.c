/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/route.c"

#include "tests/unit/worker/fixture.h"

static const char *ask(struct fixture *f, const char *method, const char *path)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
	         method, path);
	return fixture_ask(f, text);
}

/* P22 */
Test(route, one_trailing_slash_equals_none_and_nothing_else_does)
{
	struct fixture *f = fixture_open();
	static const char *const good[] = {
		"/v1/traces",       "/v1/traces/",      "/otlp/v1/traces",
		"/otlp/v1/traces/", "/v1/traces?a=b",   "/v1/traces/?a=b",
		"/v1/metrics",      "/otlp/v1/metrics", "/api/v1/otlp/v1/metrics",
		"/v1/logs",         "/otlp/v1/logs"
	};
	static const char *const bad[] = { "/v1/tracesx",
		                           "/v1/trace",
		                           "/v1/traces//",
		                           "/V1/traces",
		                           "/v1/Traces",
		                           "//v1/traces",
		                           "/",
		                           "/v1",
		                           "/v1/%74races",
		                           "/v1/traces/x",
		                           "/v1development/profiles",
		                           "/metrics",
		                           "/status",
		                           "/status.json" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++) /* known: auth asks who it is */
		cr_assert_eq(fixture_status(ask(f, "POST", good[i])), 401, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(fixture_status(ask(f, "POST", bad[i])), 404, "%s", bad[i]);
	fixture_close(f);
}

Test(route, another_method_is_told_which_is_allowed)
{
	struct fixture *f = fixture_open();
	const char *reply = ask(f, "GET", "/v1/logs");

	cr_assert_eq(fixture_status(reply), 405);
	cr_assert(fixture_has(reply, "Allow: POST"));
	reply = ask(f, "OPTIONS", "/v1/logs");
	cr_assert_eq(fixture_status(reply), 405);
	cr_assert(fixture_has(reply, "Allow: POST"));
	reply = ask(f, "POST", "/health");
	cr_assert_eq(fixture_status(reply), 405);
	cr_assert(fixture_has(reply, "Allow: GET, HEAD"));
	cr_assert_eq(fixture_status(ask(f, "PUT", "/v1/logs")), 405);
	fixture_close(f);
}

/* O18 */
Test(route, admin_pages_are_on_the_admin_listener_alone)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(fixture_status(ask(f, "GET", "/metrics")), 404);
	cr_assert_eq(fixture_status(
			     fixture_admin(f, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")),
	             200);
	cr_assert_eq(
		fixture_status(fixture_admin(
			f,
			"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")),
		405);
	cr_assert_eq(
		fixture_status(fixture_admin(
			f,
			"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")),
		404);
	cr_assert_eq(fixture_status(ask(f, "GET", "/status")), 404);
	cr_assert_eq(
		fixture_status(fixture_admin(f, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")),
		200);
	cr_assert_eq(fixture_status(
			     fixture_admin(f, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")),
	             404);
	fixture_close(f);
}

/* P2 */
Test(route, an_unknown_path_is_refused_in_the_words_of_its_media_type)
{
	struct fixture *f = fixture_open();
	const char *reply =
		fixture_ask(f, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	                       "Content-Length: 0\r\n\r\n");

	cr_assert_eq(fixture_status(reply), 404);
	cr_assert(fixture_has(reply, "Content-Type: application/json"));
	cr_assert_eq(strncmp(fixture_body(reply), "{\"code\":12,", 11), 0, "%s", reply);
	reply = fixture_ask(
		f, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
		   "Content-Length: 0\r\n\r\n");
	cr_assert(fixture_has(reply, "Content-Type: application/x-protobuf"));
	reply = ask(f, "GET", "/x");
	cr_assert(fixture_has(reply, "Content-Type: text/plain; charset=utf-8"));
	cr_assert_eq(strncmp(fixture_body(reply), "hg-route: no such path", 22), 0, "%s", reply);
	fixture_close(f);
}

Test(route, the_table_says_topics_limits_and_text_rules)
{
	struct fixture *f = fixture_open();
	const struct route *logs = NULL;

	cr_assert_eq(routes_topics(f->w.routes), 3);
	cr_assert_str_eq(routes_topic_name(f->w.routes, 0), "otlp_spans");
	cr_assert_str_eq(routes_topic_name(f->w.routes, 2), "otlp_logs");
	for (unsigned i = 0; routes_get(f->w.routes, i); i++) {
		cr_assert_eq(routes_get(f->w.routes, i)->index, i);
		cr_assert_str_eq(routes_name(f->w.routes, i), routes_get(f->w.routes, i)->name);
		if (strcmp(routes_name(f->w.routes, i), "otlp_logs") == 0)
			logs = routes_get(f->w.routes, i);
	}
	cr_assert(logs);
	cr_assert_eq(logs->utf8, UTF8_REPAIR);
	cr_assert_eq(routes_get(f->w.routes, 0)->utf8, UTF8_STRICT);
	cr_assert_eq(logs->wire_limit, 64 * MIB);
	cr_assert_eq(logs->record_max, 960 * KIB);
	cr_assert_str_eq(route_topic_text(logs, logs->protocol->formats), "otlp_logs");
	cr_assert_str_eq(routes_name(f->w.routes, ROUTE_NONE), "none");
	cr_assert_null(routes_name(f->w.routes, ROUTE_NONE - 1));
	cr_assert_eq(routes_code(f->w.routes, 0, V_CREDENTIAL), 401);
	cr_assert_eq(routes_code(f->w.routes, ROUTE_NONE, V_HTTP), 400);
	fixture_close(f);
}

Test(route, a_disabled_family_has_no_paths_and_no_topics)
{
	struct fixture *f = fixture_new();

	f->conf.protocols.otlp.enabled = false;
	fixture_start(f, -1, -1);
	cr_assert_eq(routes_topics(f->w.routes), 0);
	cr_assert_eq(fixture_status(ask(f, "POST", "/v1/logs")), 404);
	cr_assert_eq(fixture_status(ask(f, "GET", "/health")), 200);
	fixture_close(f);
}

/* A1, A2: off unless asked for */
Test(route, the_paths_of_obstack_are_there_when_enabled_and_not_before)
{
	static const char *const paths[] = {
		"/ingest/otlp/v1/traces", "/ingest/otlp/v1/metrics", "/ingest/otlp/v1/logs/",
		"/ingest/otlp/v1",        "/ingest/otlp/v1/",        "/ingest/prometheus/v1/write"
	};
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		cr_assert_eq(fixture_status(ask(f, "POST", paths[i])), 404, "%s", paths[i]);
	fixture_close(f);
	f = fixture_open_all();
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		cr_assert_eq(fixture_status(ask(f, "POST", paths[i])), 401, "%s", paths[i]);
		cr_assert_eq(f->r.route->dialect, DIALECT_OBSTACK);
	}
	cr_assert_eq(fixture_status(ask(f, "POST", "/ingest/otlp/v1/profiles")), 404);
	cr_assert_eq(fixture_status(ask(f, "POST", "/ingest/otlp")), 404);
	fixture_close(f);
}

/* A10: not POST */
Test(route, another_method_of_obstack_is_told_in_its_own_words)
{
	struct fixture *f = fixture_open_all();
	const char *reply = ask(f, "GET", "/ingest/otlp/v1");

	cr_assert_eq(fixture_status(reply), 405);
	cr_assert(fixture_has(reply, "Allow: POST"));
	cr_assert(fixture_has(reply, "Content-Type: application/json"));
	cr_assert(strstr(fixture_body(reply), "\"type\":\"http_exception\"}"), "%s", reply);
	fixture_close(f);
}

/* A7, R1 */
Test(route, each_format_of_a_route_has_its_topic)
{
	static const struct {
		const char *route;
		unsigned format;
		const char *topic;
	} cases[] = {
		{ "otlp_metrics", 0, "otlp_metrics" },   { "remote_write", 0, "prom_write" },
		{ "remote_write", 1, "prom_write_v2" },  { "obstack_traces", 0, "telemetry-raw" },
		{ "obstack_otlp", 0, "telemetry-raw" },  { "obstack_write", 0, "telemetry-raw" },
		{ "obstack_write", 1, "telemetry-raw" }, { "loki", 0, "loki_push" },
		{ "loki", 1, "loki_push" },              { "loki_legacy", 1, "loki_push" },
	};
	struct fixture *f = fixture_open_all();
	unsigned found = 0;

	cr_assert_eq(routes_topics(f->w.routes), 7);
	for (unsigned i = 0; routes_get(f->w.routes, i); i++)
		for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
			const struct route *route = routes_get(f->w.routes, i);

			if (strcmp(route->name, cases[k].route) != 0)
				continue;
			cr_assert_str_eq(route_topic_text(
						 route, &route->protocol->formats[cases[k].format]),
			                 cases[k].topic, "%s", route->name);
			found++;
		}
	cr_assert_eq(found, ARRAY_LEN(cases));
	fixture_close(f);
}

Test(route, limits_and_text_rules_of_obstack_are_those_of_its_protocols)
{
	struct fixture *f = fixture_open_all();

	for (unsigned i = 0; routes_get(f->w.routes, i); i++) {
		const struct route *route = routes_get(f->w.routes, i);

		if (strcmp(route->name, "obstack_logs") == 0)
			cr_assert_eq(route->utf8, UTF8_REPAIR);
		if (strcmp(route->name, "obstack_traces") == 0)
			cr_assert_eq(route->wire_limit, 64 * MIB);
		if (strcmp(route->name, "obstack_write") == 0 ||
		    strcmp(route->name, "remote_write") == 0) {
			cr_assert_eq(route->wire_limit, 16 * MIB);
			cr_assert_eq(route->inflated_limit, 64 * MIB);
			cr_assert_eq(route->utf8, UTF8_STRICT);
		}
	}
	fixture_close(f);
}

/* protocols.loki.stamp chooses how a push is read, in both shapes. */
Test(route, where_the_stamp_of_loki_goes_is_configured)
{
	for (int stamp = LOKI_STAMP_LABEL; stamp <= LOKI_STAMP_ENTRIES; stamp++) {
		struct fixture *f = fixture_new();
		const struct protocol *found[2] = { NULL };

		f->conf.protocols.loki.enabled = true;
		f->conf.protocols.loki.stamp = (enum loki_stamp)stamp;
		fixture_start(f, -1, -1);
		for (unsigned i = 0; routes_get(f->w.routes, i); i++) {
			const struct route *route = routes_get(f->w.routes, i);

			if (strcmp(route->name, "loki") == 0)
				found[0] = route->protocol;
			if (strcmp(route->name, "loki_legacy") == 0)
				found[1] = route->protocol;
		}
		cr_assert_eq(found[0], stamp ? &protocol_loki_entries : &protocol_loki);
		cr_assert_eq(found[1],
		             stamp ? &protocol_loki_legacy_entries : &protocol_loki_legacy);
		fixture_close(f);
	}
}

/* The code of access log and metrics is the one that was sent. */
Test(route, a_code_is_that_of_the_dialect)
{
	struct fixture *f = fixture_open_all();

	for (unsigned i = 0; routes_get(f->w.routes, i); i++) {
		const char *name = routes_name(f->w.routes, i);
		bool obstack = strncmp(name, "obstack_", 8) == 0;
		bool loki = strncmp(name, "loki", 4) == 0;

		cr_assert_eq(routes_code(f->w.routes, i, V_ACCEPTED),
		             obstack                                     ? 202
		             : loki || strcmp(name, "remote_write") == 0 ? 204
		                                                         : 200);
		cr_assert_eq(routes_code(f->w.routes, i, V_TYPE), loki ? 400 : 415);
		cr_assert_eq(routes_code(f->w.routes, i, V_TENANT_SUSPENDED), obstack ? 401 : 403);
		cr_assert_eq(routes_code(f->w.routes, i, V_OVERLOAD), 503);
	}
	fixture_close(f);
}

Test(route, in_flight_goes_up_and_comes_down)
{
	struct fixture *f = fixture_open();
	unsigned index = routes_get(f->w.routes, 0)->index;

	fixture_run(
		f, &f->public,
		BYTES("POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-acme\r\n"
	              "Content-Type: application/x-protobuf\r\nContent-Length: 9\r\n\r\nabc"),
		SIZE_MAX);
	cr_assert_eq(f->step, STEP_BYTES);
	cr_assert_eq(stats_get(f->w.stats, STAT_REQUESTS_IN_FLIGHT, index, 0), 1);
	f->r.eof = true;
	cr_assert_eq(stages_run(&f->r), STEP_DONE);
	cr_assert_eq(f->r.verdict, V_GONE);
	req_finish(&f->r);
	cr_assert_eq(stats_get(f->w.stats, STAT_REQUESTS_IN_FLIGHT, index, 0), 0);
	fixture_close(f);
}
