/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cors.c"

#include "tests/unit/worker/otlp_bodies.h"

#define ORIGIN "http://app.example.com"
#define ALLOW "Access-Control-Allow-Origin: "
#define PREFLIGHT "Access-Control-Request-Method: POST\r\n"

static struct fixture *open_with(const char **origins, size_t n)
{
	struct fixture *f = fixture_open_all();

	f->listener_confs[0].allowed_origins = (struct conf_list){ origins, n };
	return f;
}

static const char *ask(struct fixture *f, const char *method, const char *path, const char *fields)
{
	static char text[4096];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, fields);
	return fixture_ask(f, text);
}

/* A preflight of that origin is taken, and the origin echoed. */
static bool takes(struct fixture *f, const char *origin)
{
	char fields[1024], line[600];
	const char *reply;

	snprintf(fields, sizeof(fields), "Origin: %s\r\n" PREFLIGHT, origin);
	reply = ask(f, "OPTIONS", "/v1/traces", fields);
	snprintf(line, sizeof(line), ALLOW "%s", origin);
	cr_assert_eq(fixture_status(reply), fixture_has(reply, line) ? 204 : 405, "%s", reply);
	return fixture_has(reply, line);
}

/* P20, byte for byte but for the id: without a credential, whatever the dialect */
Test(cors, a_preflight_of_an_allowed_origin_is_answered_at_once)
{
	static const char *origins[] = { "https://other.example", ORIGIN };
	static const char *const paths[] = { "/v1/traces", "/v1/logs/", "/api/v1/write",
		                             "/loki/api/v1/push", "/ingest/otlp/v1" };
	struct fixture *f = open_with(origins, 2);

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *reply = ask(f, "OPTIONS", paths[i],
		                        "Origin: " ORIGIN "\r\n" PREFLIGHT "X-Request-Id: abc\r\n"
		                        "Access-Control-Request-Headers: authorization\r\n");

		cr_assert_str_eq(
			reply, "HTTP/1.1 204 No Content\r\nDate: Mon, 24 Nov 2025 16:00:00 GMT\r\n"
			       "X-Request-Id: abc\r\n"
			       "Access-Control-Allow-Origin: " ORIGIN "\r\nVary: Origin\r\n"
			       "Access-Control-Allow-Methods: POST\r\n"
			       "Access-Control-Allow-Headers: content-type, authorization, "
			       "x-requested-with, x-obstack-auth-token, x-api-key\r\n"
			       "Access-Control-Max-Age: 600\r\n\r\n");
		cr_assert_eq(f->r.verdict, V_PREFLIGHT);
		cr_assert(!f->r.close_after);
	}
	cr_assert_eq(stats_get(f->w.stats, STAT_REQUESTS, f->r.route->index, V_PREFLIGHT), 1);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_NONE, AUTH_MISSING), 0);
	fixture_close(f);
}

/* P20 */
Test(cors, without_origins_a_preflight_is_a_method_that_does_not_fit)
{
	struct fixture *f = open_with(NULL, 0);
	const char *reply;

	cr_assert(!takes(f, ORIGIN));
	reply = ask(f, "OPTIONS", "/v1/logs", "Origin: " ORIGIN "\r\n" PREFLIGHT);
	cr_assert(fixture_has(reply, "Allow: POST"));
	cr_assert_null(strstr(reply, "Access-Control"));
	cr_assert_null(strstr(reply, "Vary"));
	fixture_close(f);
}

Test(cors, an_origin_fits_whole_but_for_its_case)
{
	static const char *origins[] = { ORIGIN, "https://b.example:8443" };
	static const char *const bad[] = {
		"http://app.example.com:80",
		"https://app.example.com",
		"http://app.example.co",
		"http://app.example.comm",
		"http://x.app.example.com",
		"http://app.example.com/",
		"https://b.example",
		"https://b.example:844",
		"null",
		"*",
		"",
		ORIGIN " " ORIGIN,
	};
	struct fixture *f = open_with(origins, 2);

	cr_assert(takes(f, ORIGIN));
	cr_assert(takes(f, "HTTP://APP.example.com"));
	cr_assert(takes(f, "https://b.example:8443"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert(!takes(f, bad[i]), "%s", bad[i]);
	fixture_close(f);
}

Test(cors, a_star_before_the_host_is_one_label)
{
	static const char *origins[] = { "http://*.example.com", "https://*.b.example:1" };
	static const char *const good[] = { "http://a.example.com", "http://A-b_9.EXAMPLE.com",
		                            "https://x.b.example:1" };
	static const char *const bad[] = {
		"http://example.com",           "http://.example.com",     "http://a.b.example.com",
		"http://evil.com/.example.com", "http://a@b.example.com",  "http://a:1.example.com",
		"http://aexample.com",          "http://a.example.com:80", "https://a.example.com",
		"http://a.example.com.evil",    "https://x.b.example",     "http://*.example.com",
		"http://a.example.co",
	};
	struct fixture *f = open_with(origins, 2);
	char label[64], origin[128];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_assert(takes(f, good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert(!takes(f, bad[i]), "%s", bad[i]);
	memset(label, 'x', sizeof(label) - 1);
	label[63] = '\0';
	snprintf(origin, sizeof(origin), "http://%s.example.com", label);
	cr_assert(takes(f, origin));
	snprintf(origin, sizeof(origin), "http://x%s.example.com", label);
	cr_assert(!takes(f, origin));
	fixture_close(f);
}

Test(cors, a_star_alone_is_every_origin_of_decent_length)
{
	static const char *origins[] = { "*" };
	struct fixture *f = open_with(origins, 1);
	char origin[ORIGIN_MAX + 2];

	cr_assert(takes(f, ORIGIN));
	cr_assert(takes(f, "null"));
	cr_assert(!takes(f, ""));
	cr_assert(!takes(f, "http://a b"));
	cr_assert(!takes(f, "http://\xc3\xa4"));
	memset(origin, 'x', sizeof(origin));
	origin[ORIGIN_MAX] = '\0';
	cr_assert(takes(f, origin));
	origin[ORIGIN_MAX] = 'x';
	origin[ORIGIN_MAX + 1] = '\0';
	cr_assert(!takes(f, origin));
	fixture_close(f);
}

Test(cors, only_one_origin_that_asks_for_post_is_a_preflight)
{
	static const char *origins[] = { ORIGIN, "http://b.example" };
	static const char *const fields[] = {
		PREFLIGHT,
		"Origin: " ORIGIN "\r\n",
		"Origin: " ORIGIN "\r\nAccess-Control-Request-Method: PUT\r\n",
		"Origin: " ORIGIN "\r\nAccess-Control-Request-Method: post\r\n",
		"Origin: " ORIGIN "\r\n" PREFLIGHT PREFLIGHT,
		"Origin: " ORIGIN "\r\nOrigin: http://b.example\r\n" PREFLIGHT,
	};
	struct fixture *f = open_with(origins, 2);

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		cr_assert_eq(fixture_status(ask(f, "OPTIONS", "/v1/logs", fields[i])), 405, "%s",
		             fields[i]);
	cr_assert_null(strstr(f->sent, "Access-Control"), "two origins are none");
	cr_assert_eq(fixture_status(ask(f, "OPTIONS", "/v1/logs",
	                                "Origin: " ORIGIN
	                                "\r\nAccess_Control_Request_Method: POST\r\n")),
	             400);
	fixture_close(f);
}

Test(cors, pages_and_unknown_paths_have_none)
{
	static const char *origins[] = { "*" };
	struct fixture *f = open_with(origins, 1);

	cr_assert_eq(
		fixture_status(ask(f, "OPTIONS", "/health", "Origin: " ORIGIN "\r\n" PREFLIGHT)),
		405);
	cr_assert_null(strstr(f->sent, "Access-Control"));
	cr_assert_eq(fixture_status(ask(f, "OPTIONS", "/x", "Origin: " ORIGIN "\r\n" PREFLIGHT)),
	             404);
	cr_assert_null(strstr(f->sent, "Access-Control"));
	cr_assert_eq(fixture_status(ask(f, "OPTIONS", "*", "Origin: " ORIGIN "\r\n" PREFLIGHT)),
	             404);
	fixture_close(f);
}

/* A page reads the status of a refusal only if it is told of the origin there too. */
Test(cors, every_answer_of_the_route_tells_an_allowed_origin)
{
	static const char *origins[] = { "http://*.example.com" };
	struct fixture *f = open_with(origins, 1);
	static const char *const exposed =
		"Access-Control-Expose-Headers: X-Request-Id, Retry-After";
	const char *reply =
		send_body(f, "/v1/traces", "Origin: " ORIGIN "\r\n", one_span, sizeof(one_span));

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, ALLOW ORIGIN));
	cr_assert(fixture_has(reply, "Vary: Origin"));
	cr_assert(fixture_has(reply, exposed));
	cr_assert_null(strstr(reply, "Allow-Methods"));
	f->sink_says = V_OVERLOAD;
	reply = send_body(f, "/v1/traces", "Origin: " ORIGIN "\r\n", one_span, sizeof(one_span));
	cr_assert_eq(fixture_status(reply), 503);
	cr_assert(fixture_has(reply, ALLOW ORIGIN));
	reply = ask(f, "POST", "/v1/traces", "Origin: " ORIGIN "\r\nContent-Length: 0\r\n");
	cr_assert_eq(fixture_status(reply), 401);
	cr_assert(fixture_has(reply, ALLOW ORIGIN));
	reply = ask(f, "PUT", "/v1/traces", "Origin: " ORIGIN "\r\n");
	cr_assert_eq(fixture_status(reply), 405);
	cr_assert(fixture_has(reply, ALLOW ORIGIN));
	reply = send_body(f, "/v1/traces", "Origin: http://b.example\r\n", one_span,
	                  sizeof(one_span));
	cr_assert_null(strstr(reply, "Access-Control"));
	cr_assert_null(strstr(reply, "Vary"));
	reply = send_body(f, "/v1/traces", "", one_span, sizeof(one_span));
	cr_assert_null(strstr(reply, "Access-Control"));
	fixture_close(f);
}

/* The next request of the connection may come from elsewhere. */
Test(cors, nothing_of_it_is_left_for_the_next_request)
{
	static const char *origins[] = { ORIGIN };
	struct fixture *f = open_with(origins, 1);

	cr_assert(takes(f, ORIGIN));
	cr_assert_null(strstr(ask(f, "GET", "/health", ""), "Access-Control"));
	fixture_close(f);
}

/* auth.token_headers: eight names of 256 bytes do not fit the memory of every request */
Test(cors, a_long_list_of_token_headers_is_told_whole)
{
	static const char *origins[] = { ORIGIN };
	static const char *headers[8];
	static char name[257];
	struct fixture *f = open_with(origins, 1);
	const char *p;
	unsigned n = 0;

	memset(name, 'N', 256);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		headers[i] = name;
	f->conf.auth.token_headers = (struct conf_list){ headers, ARRAY_LEN(headers) };
	cr_assert(takes(f, ORIGIN));
	memset(name, 'n', 256);
	for (p = f->sent; (p = strstr(p, name)); p += 256)
		n++;
	cr_assert_eq(n, 8, "%s", f->sent);
	cr_assert_str_eq(f->sent + f->sent_n - 4, "\r\n\r\n");
	fixture_close(f);
}
