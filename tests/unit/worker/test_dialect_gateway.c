/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dialect_gateway.c"

#include "tests/unit/worker/loki_bodies.h"

#define ORG "X-Scope-OrgID: acme\r\n"
#define ECHO "X-Scope-OrgID: acme"
#define OTLP_JSON "Content-Type: application/json\r\n"

/* Options may be changed before fixture_start(). */
static struct fixture *new_gateway(void)
{
	struct fixture *f = fixture_new();

	f->listener_confs[0].dialect = LISTENER_GATEWAY;
	f->conf.protocols.remote_write.enabled = true;
	f->conf.protocols.loki.enabled = true;
	return f;
}

static struct fixture *open_gateway(void)
{
	struct fixture *f = new_gateway();

	fixture_start(f, -1, -1);
	return f;
}

static int status_of(struct fixture *f, const char *path, const char *fields, const void *body,
                     size_t n)
{
	return fixture_status(send_bytes(f, path, fields, body, n));
}

/* A Loki push with these fields; the reply. */
static const char *push(struct fixture *f, const char *fields)
{
	char all[400];

	snprintf(all, sizeof(all), LOKI_JSON_TYPE "%s", fields);
	return send_bytes(f, LOKI_PUSH, all, loki_text, strlen(loki_text));
}

/* D1, D3, D6: both encodings, on the paths of the page and on the shared ones */
Test(dialect_gateway, a_push_is_204_and_has_its_tenant_on_the_reply)
{
	static const char *const loki[] = { LOKI_PUSH, "/api/prom/push", LOKI_PUSH "/" };
	static const char *const write[] = { "/prometheus/api/v1/push", "/api/v1/push",
		                             "/api/v1/write" };
	struct fixture *f = open_gateway();

	for (size_t i = 0; i < 3; i++) {
		const char *reply =
			send_block(f, loki[i], ORG LOKI_TYPE, loki_push, sizeof(loki_push));

		cr_assert_eq(fixture_status(reply), 204, "%s: %s", loki[i], reply);
		cr_assert(fixture_has(reply, ECHO), "%s", reply);
		reply = send_block(f, write[i], ORG PROTOBUF SNAPPY, prom_v1, sizeof(prom_v1));
		cr_assert_eq(fixture_status(reply), 204, "%s: %s", write[i], reply);
		cr_assert(fixture_has(reply, ECHO), "%s", reply);
	}
	cr_assert(fixture_has(push(f, ORG), ECHO));
	cr_assert_eq(f->record_count, 7);
	cr_assert_str_eq(f->records[1].topic, "prom_write");
	cr_assert_str_eq(f->records[6].topic, "loki_push");
	fixture_close(f);
}

/* D2, D6 */
Test(dialect_gateway, otlp_is_200_with_a_body_that_parses)
{
	static const struct {
		const char *path, *body;
	} cases[] = {
		{ "/v1/traces", "{\"resourceSpans\":[]}" },
		{ "/tempo/v1/traces", "{\"resourceSpans\":[]}" },
		{ "/otlp/v1/traces", "{\"resourceSpans\":[]}" },
		{ "/otlp/v1/metrics", "{\"resourceMetrics\":[]}" },
		{ "/v1/metrics", "{\"resourceMetrics\":[]}" },
		{ "/api/v1/otlp/v1/metrics", "{}" },
		{ "/otlp/v1/logs", "{\"resourceLogs\":[]}" },
		{ "/v1/logs", "{}" },
	};
	struct fixture *f = open_gateway();
	const char *reply;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		reply = send_bytes(f, cases[i].path, ORG OTLP_JSON, cases[i].body,
		                   strlen(cases[i].body));
		cr_assert_eq(fixture_status(reply), 200, "%s: %s", cases[i].path, reply);
		cr_assert_str_eq(fixture_body(reply), "{}");
		cr_assert(fixture_has(reply, "Content-Type: application/json"));
		cr_assert(fixture_has(reply, ECHO));
	}
	reply = send_gzip(f, "/tempo/v1/traces", one_span, sizeof(one_span));
	cr_assert_eq(fixture_status(reply), 401);
	reply = send_bytes(f, "/tempo/v1/traces", ORG PROTOBUF, one_span, sizeof(one_span));
	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, ECHO));
	cr_assert_eq(f->record_count, 1);
	cr_assert_arr_eq(f->records[0].value, one_span_stamped, sizeof(one_span_stamped));
	cr_assert_str_eq(f->records[0].topic, "otlp_spans");
	fixture_close(f);
}

/* D4 */
Test(dialect_gateway, without_the_header_it_is_401_bad_request_whatever_the_protocol)
{
	static const char *const names[] = { "", "X-Scope-OrgID:\r\n", "x-scope-orgid: \r\n" };
	static const char *const paths[] = { LOKI_PUSH, "/v1/traces", "/prometheus/api/v1/push" };
	struct fixture *f = open_gateway();

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
			const char *reply = send_bytes(f, paths[p], names[i], "x", 1);

			cr_assert_eq(fixture_status(reply), 401, "%s", reply);
			cr_assert_str_eq(fixture_body(reply), "Bad Request");
			cr_assert(fixture_has(reply, "Content-Type: text/plain; charset=utf-8"));
			cr_assert(fixture_has(reply, "WWW-Authenticate: Bearer"));
			cr_assert_null(strstr(reply, "X-Scope-OrgID"));
			cr_assert_eq(f->r.verdict, V_ORG_MISSING);
		}
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(fixture_status(push(f, i ? "X-Scope-OrgId: acme\r\n"
		                                      : "x-scope-orgid: acme\r\n")),
		             204);
	fixture_close(f);
}

/* D4; the code of metrics and logs was 401 all the same */
Test(dialect_gateway, a_missing_header_is_400_by_switch_in_reply_and_metrics)
{
	struct fixture *f = new_gateway();
	const char *reply;

	f->conf.compat.gateway_missing_tenant_status = MISSING_TENANT_400;
	fixture_start(f, -1, -1);
	reply = push(f, "");
	cr_assert_eq(fixture_status(reply), 400);
	cr_assert_str_eq(fixture_body(reply), "Bad Request");
	cr_assert_null(strstr(reply, "WWW-Authenticate"));
	cr_assert_eq(routes_code(f->w.routes, f->r.route->index, V_ORG_MISSING), 400);
	cr_assert_eq(routes_code(f->w.routes, f->r.route->index, V_CREDENTIAL), 401);
	cr_assert_eq(fixture_status(push(f, ORG)), 204);
	fixture_close(f);
}

/* compatibility.md 7 */
Test(dialect_gateway, an_optional_header_leaves_the_credential_s_tenant)
{
	struct fixture *f = new_gateway();
	const char *reply;

	f->conf.compat.gateway_tenant_header = TENANT_HEADER_OPTIONAL;
	fixture_start(f, -1, -1);
	reply = push(f, "");
	cr_assert_eq(fixture_status(reply), 204);
	cr_assert(fixture_has(reply, ECHO));
	cr_assert_str_eq(f->records[0].key, "acme");
	cr_assert_eq(fixture_status(push(f, "X-Scope-OrgID: other\r\n")), 403);
	fixture_close(f);
}

/* D5: a stranger hears of no header */
Test(dialect_gateway, the_credential_is_judged_before_the_header)
{
	static const char *const fields[] = { "",
		                              "Authorization: Bearer nobody\r\n",
		                              "Authorization: Bearer nobody\r\n" ORG,
		                              "Authorization: Bearer secret-expired\r\n" ORG,
		                              ORG,
		                              "X-Scope-OrgID: a|b\r\n" };
	struct fixture *f = open_gateway();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct request q = request_of(LOKI_PUSH, fields[i], "x", 1);
		const char *reply = fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);

		cr_assert_eq(fixture_status(reply), 401, "%s", fields[i]);
		cr_assert_eq(f->r.verdict, V_CREDENTIAL);
		cr_assert(fixture_has(reply, "WWW-Authenticate: Bearer"));
		cr_assert_null(strstr(reply, "X-Scope-OrgID"));
		free(q.p);
	}
	fixture_close(f);
}

/* D12 */
Test(dialect_gateway, a_malformed_id_is_400_in_the_words_of_the_page)
{
	char longest[200] = "X-Scope-OrgID: ", *end = longest + strlen(longest);
	const struct {
		const char *fields, *text;
	} cases[] = {
		{ "X-Scope-OrgID: a/b\r\n", "tenant ID 'a/b' contains unsupported character '/'" },
		{ "X-Scope-OrgID: a|b\r\n", "tenant ID 'a|b' contains unsupported character '|'" },
		{ "X-Scope-OrgID: a:b\r\n", "tenant ID 'a:b' contains unsupported character ':'" },
		{ "X-Scope-OrgID: ..\r\n", "tenant ID is '.' or '..'" },
		{ "X-Scope-OrgID: .\r\n", "tenant ID is '.' or '..'" },
		{ ORG ORG, "multiple org IDs present" },
		{ longest, "tenant ID is too long: max 150 characters" },
	};
	struct fixture *f = open_gateway();

	memset(end, 'a', 151);
	strcpy(end + 151, "\r\n");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *reply = push(f, cases[i].fields);
		char text[200];

		cr_assert_eq(fixture_status(reply), 400, "%s", reply);
		snprintf(text, sizeof(text), "hg-org: X-Scope-OrgID: %s (request ", cases[i].text);
		cr_assert_eq(strncmp(fixture_body(reply), text, strlen(text)), 0, "%s", reply);
		cr_assert_null(strstr(reply, "\nX-Scope-OrgID: "));
	}
	fixture_close(f);
}

/* D10, D11: a tenant that is not there and one that is another's cannot be told apart */
Test(dialect_gateway, another_tenant_and_none_get_the_same_403)
{
	static const char *const names[] = { "X-Scope-OrgID: other\r\n", "X-Scope-OrgID: ACME\r\n",
		                             "X-Scope-OrgID: nobody\r\n",
		                             "X-Scope-OrgID: __mimir_cluster\r\n" };
	struct fixture *f = open_gateway();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *reply = push(f, names[i]);
		const char *body = fixture_body(reply), *text = verdict_get(V_ORG_MISMATCH)->text;

		cr_assert_eq(fixture_status(reply), 403, "%s", reply);
		cr_assert_eq(strncmp(body, "hg-org-mismatch: ", 17), 0, "%s", body);
		cr_assert_eq(strncmp(body + 17, text, strlen(text)), 0, "%s", body);
		cr_assert_null(strstr(reply, "\nX-Scope-OrgID: "));
	}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* compatibility.md 6: not served */
Test(dialect_gateway, reads_and_raw_are_404)
{
	static const char *const paths[] = {
		"/loki/api/v1/raw",  "/loki/api/v1/query",       "/loki/api/v1/query_range",
		"/tempo/api/search", "/prometheus/api/v1/query", "/prometheus/api/v1/write",
		"/loki/v1/push",     "/tempo/v1/logs",           "/liveness",
	};
	struct fixture *f = open_gateway();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char text[128];

		snprintf(text, sizeof(text), "GET %s?query=x HTTP/1.1\r\nHost: x\r\n\r\n",
		         paths[i]);
		cr_assert_eq(fixture_status(fixture_ask(f, text)), 404, "%s", paths[i]);
		cr_assert_eq(status_of(f, paths[i], ORG LOKI_JSON_TYPE, "x", 1), 404, "%s",
		             paths[i]);
	}
	cr_assert_eq(
		fixture_status(fixture_ask(f, "GET " LOKI_PUSH " HTTP/1.1\r\nHost: x\r\n\r\n")),
		405);
	fixture_close(f);
}

/* D15, D17 */
Test(dialect_gateway, types_and_codings_are_those_of_the_protocols)
{
	struct fixture *f = open_gateway();
	struct request z = gzip_of(loki_text, strlen(loki_text));
	const char *reply;

	reply = send_bytes(f, LOKI_PUSH, ORG, loki_text, strlen(loki_text));
	cr_assert_eq(fixture_status(reply), 400);
	cr_assert_eq(f->r.verdict, V_TYPE);
	cr_assert_eq(strncmp(fixture_body(reply), "hg-type: ", 9), 0);
	cr_assert_eq(fixture_status(push(f, ORG "Content-Encoding: br\r\n")), 400);
	cr_assert_eq(status_of(f, LOKI_PUSH,
	                       ORG "Content-Type: application/json; charset=utf-8\r\n", loki_text,
	                       strlen(loki_text)),
	             204);
	cr_assert_eq(status_of(f, LOKI_PUSH, ORG LOKI_JSON_TYPE GZIP, z.p, z.n), 204);
	free(z.p);
	z = gzip_of(one_span, sizeof(one_span));
	cr_assert_eq(status_of(f, "/tempo/v1/traces", ORG PROTOBUF GZIP, z.p, z.n), 200);
	cr_assert_eq(status_of(f, "/prometheus/api/v1/push", ORG PROTOBUF GZIP, z.p, z.n), 415);
	free(z.p);
	cr_assert_eq(status_of(f, "/prometheus/api/v1/push", ORG PROTOBUF SNAPPY, "", 0), 400);
	cr_assert_eq(status_of(f, "/prometheus/api/v1/push", ORG PROTOBUF, "", 0), 400);
	cr_assert_eq(status_of(f, "/prometheus/api/v1/push", ORG OTLP_JSON, "{}", 2), 415);
	reply = send_bytes(f, "/v1/traces", ORG OTLP_JSON, "nonsense", 8);
	cr_assert_eq(fixture_status(reply), 400);
	cr_assert_eq(strncmp(fixture_body(reply), "{\"code\":3,", 10), 0, "%s", reply);
	f->sink_says = V_KAFKA_TIMEOUT;
	reply = push(f, ORG);
	cr_assert_eq(fixture_status(reply), 503);
	cr_assert(strstr(reply, "\r\nRetry-After: "));
	cr_assert_null(strstr(reply, "\nX-Scope-OrgID: "));
	fixture_close(f);
}

/* compatibility.md 1.3, 1.5: A's and B's paths are their own */
Test(dialect_gateway, no_other_dialect_asks_for_the_header_or_echoes_it)
{
	struct fixture *f = new_gateway();
	const char *reply;

	f->conf.protocols.obstack.enabled = true;
	f->conf.protocols.micromegas.enabled = true;
	fixture_start(f, -1, -1);
	for (unsigned i = 0; i < 2; i++) {
		const char *org = i ? ORG : "";
		char fields[200];

		snprintf(fields, sizeof(fields), "%s" PROTOBUF, org);
		reply = send_bytes(f, "/ingest/otlp/v1/traces", fields, one_span, sizeof(one_span));
		cr_assert_eq(fixture_status(reply), 202, "%s", reply);
		cr_assert_null(strstr(reply, "X-Scope-OrgID"));
		reply = send_bytes(f, "/ingestion/otlp/v1/traces", fields, one_span,
		                   sizeof(one_span));
		cr_assert_eq(fixture_status(reply), 200, "%s", reply);
		cr_assert_null(strstr(reply, "X-Scope-OrgID"));
	}
	fixture_close(f);
	f = fixture_open_all(); /* a native listener: none of D's own paths either */
	reply = push(f, "");
	cr_assert_eq(fixture_status(reply), 204);
	cr_assert_null(strstr(reply, "X-Scope-OrgID"));
	cr_assert_null(strstr(push(f, ORG), "X-Scope-OrgID"));
	cr_assert_eq(status_of(f, "/prometheus/api/v1/push", ORG PROTOBUF, "x", 1), 404);
	cr_assert_eq(status_of(f, "/tempo/v1/traces", ORG PROTOBUF, "x", 1), 404);
	fixture_close(f);
}

/* The reply of a preflight, which is of nobody, had an empty X-Scope-OrgID; and a browser that must
 * send the header was not told that it may. */
Test(dialect_gateway, a_preflight_allows_the_header_and_echoes_none)
{
	static const char *origins[] = { "http://app.example.com" };
	struct fixture *f = open_gateway();
	const char *reply;

	f->listener_confs[0].allowed_origins = (struct conf_list){ origins, 1 };
	reply = fixture_ask(f, "OPTIONS /v1/traces HTTP/1.1\r\nHost: x\r\n"
	                       "Origin: http://app.example.com\r\n"
	                       "Access-Control-Request-Method: POST\r\n\r\n");
	cr_assert_eq(fixture_status(reply), 204);
	cr_assert(fixture_has(reply, "Access-Control-Allow-Headers: content-type, authorization, "
	                             "x-requested-with, x-obstack-auth-token, x-api-key, "
	                             "x-scope-orgid"),
	          "%s", reply);
	cr_assert_null(strstr(reply, "X-Scope-OrgID:"));
	reply = push(f, ORG "Origin: http://app.example.com\r\n");
	cr_assert(fixture_has(reply, ECHO));
	cr_assert(fixture_has(reply, "Access-Control-Allow-Origin: http://app.example.com"));
	fixture_close(f);
}

/* The longest id there may be. */
Test(dialect_gateway, an_id_of_150_bytes_fits_the_reply)
{
	struct fixture *f = new_gateway();
	char fields[200] = "X-Scope-OrgID: ", line[180] = "X-Scope-OrgID: ";
	const char *reply;

	f->conf.disable_auth = true;
	fixture_start(f, -1, -1);
	memset(fields + 15, 'a', 150);
	memcpy(line + 15, fields + 15, 151);
	strcpy(fields + 165, "\r\n");
	reply = push(f, fields);
	cr_assert_eq(fixture_status(reply), 204);
	cr_assert(fixture_has(reply, line));
	fixture_close(f);
}
