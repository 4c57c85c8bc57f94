/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way of a request, from its first byte to its reply: what comes whole, byte by byte, or
 * cut anywhere must end in the same verdict, the same reply and the same record.
 */
#include "worker/stages.c"

#include "tests/unit/worker/otlp_bodies.h"

struct outcome {
	enum verdict verdict;
	enum stage_index refused_at;
	char *reply;
	uint8_t *value;
	size_t value_n;
	char headers[1024];
	uint64_t items, wire, decoded;
	bool close;
};

/* The reply without what differs from request to request. */
static char *masked(struct fixture *f)
{
	char *copy = xcalloc(f->sent_n + 1, 1), *at;

	memcpy(copy, f->sent, f->sent_n);
	while (f->r.request_id[0] && (at = memmem(copy, f->sent_n, f->r.request_id, 32)))
		memset(at, 'x', 32);
	at = strstr(copy, "Retry-After: ");
	if (at)
		at[13] = 'N';
	return copy;
}

/* Of 503s of OTLP the RetryInfo repeats the random Retry-After: they are compared without body. */
static void cut_body(char *reply)
{
	char *end = strstr(reply, "\r\n\r\n");

	if (end && strstr(reply, "Retry-After"))
		end[4] = '\0';
}

static struct outcome run(struct fixture *f, struct bytes in, size_t piece)
{
	struct outcome o = { V_NONE };
	const char *reply;
	char *mark;

	fixture_forget_records(f);
	reply = fixture_run(f, &f->public, in, piece);
	if (!reply) { /* the client ends before its request does */
		f->r.eof = true;
		while ((f->step = stages_run(&f->r)) == STEP_ROOM)
			fixture_send_out(f);
		cr_assert_eq(f->step, STEP_DONE);
		req_finish(&f->r);
	}
	o.verdict = f->r.verdict;
	o.refused_at = f->r.refused_at;
	o.reply = masked(f);
	cut_body(o.reply);
	o.items = f->r.enriched.items;
	o.wire = f->r.wire_bytes;
	o.decoded = f->r.decoded_bytes;
	o.close = f->r.close_after;
	if (f->record_count) {
		cr_assert_eq(f->record_count, 1);
		o.value_n = f->records[0].value_n;
		o.value = malloc(o.value_n + 1);
		memcpy(o.value, f->records[0].value, o.value_n);
		snprintf(o.headers, sizeof(o.headers), "%s", f->records[0].headers);
		mark = strstr(o.headers, "headgate-request-id=");
		cr_assert(mark);
		cr_assert_eq(strncmp(mark + 20, f->r.request_id, 32), 0); /* O21 */
		memset(mark + 20, 'x', 32);
	}
	return o;
}

static void forget(struct outcome *o)
{
	free(o->reply);
	free(o->value);
}

static void same(const struct outcome *a, const struct outcome *b, const char *what, size_t cut)
{
	cr_assert_eq(a->verdict, b->verdict, "%s at %zu: %d, %d", what, cut, a->verdict,
	             b->verdict);
	cr_assert_eq(a->refused_at, b->refused_at, "%s at %zu", what, cut);
	cr_assert_str_eq(a->reply, b->reply, "%s at %zu", what, cut);
	cr_assert_eq(a->close, b->close, "%s at %zu", what, cut);
	cr_assert_eq(a->value_n, b->value_n, "%s at %zu", what, cut);
	cr_assert(a->value_n == 0 || memcmp(a->value, b->value, a->value_n) == 0, "%s at %zu", what,
	          cut);
	cr_assert_str_eq(a->headers, b->headers, "%s at %zu", what, cut);
	cr_assert_eq(a->items, b->items, "%s at %zu", what, cut);
	cr_assert_eq(a->decoded, b->decoded, "%s at %zu", what, cut);
}

/* In pieces of every size from one byte on. */
static struct outcome walk(struct fixture *f, struct bytes in, const char *what)
{
	struct outcome whole = run(f, in, SIZE_MAX);

	for (size_t piece = 1; piece <= in.n; piece = piece < 16 ? piece + 1 : piece * 2) {
		struct outcome cut = run(f, in, piece);

		same(&whole, &cut, what, piece);
		forget(&cut);
	}
	return whole;
}

static struct request chunked_of(const char *path, const char *fields, const uint8_t *body,
                                 size_t n, size_t chunk)
{
	struct request q = { .p = malloc(4096 + 16 * n) };

	q.n = (size_t)sprintf((char *)q.p,
	                      "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%s\r\n",
	                      path, fields);
	for (size_t at = 0; at < n; at += chunk) {
		size_t size = min_size(chunk, n - at);

		q.n += (size_t)sprintf((char *)q.p + q.n, "%zx;a=\"b;\"\r\n", size);
		memcpy(q.p + q.n, body + at, size);
		q.n += size;
		q.n += (size_t)sprintf((char *)q.p + q.n, "\r\n");
	}
	q.n += (size_t)sprintf((char *)q.p + q.n, "0\r\nX-Trailer: y\r\n\r\n");
	return q;
}

static void accepted(struct fixture *f, const struct request *q, const char *what)
{
	struct outcome o = walk(f, request_bytes(q), what);

	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", what);
	cr_assert_eq(strncmp(o.reply, "HTTP/1.1 200 OK\r\n", 17), 0);
	cr_assert_eq(o.value_n, sizeof(one_span_stamped), "%s", what);
	cr_assert_arr_eq(o.value, one_span_stamped, o.value_n);
	cr_assert_eq(o.items, 1);
	cr_assert_eq(o.decoded, sizeof(one_span));
	forget(&o);
}

/* P22, P8 */
Test(stages, a_valid_request_gets_the_same_answer_however_it_is_cut)
{
	struct fixture *f = fixture_open();
	struct request z = gzip_of(one_span, sizeof(one_span)), q;
	static const size_t chunks[] = { 1, 7, 1000 };

	q = request_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span));
	accepted(f, &q, "identity");
	free(q.p);
	q = request_of("/otlp/v1/traces/", ACME PROTOBUF GZIP, z.p, z.n);
	accepted(f, &q, "gzip");
	free(q.p);
	q = request_of("/v1/traces", "Authorization: Basic OnNlY3JldC1hY21l\r\n" PROTOBUF, one_span,
	               sizeof(one_span));
	accepted(f, &q, "basic");
	free(q.p);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
		q = chunked_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span), chunks[i]);
		accepted(f, &q, "chunked");
		free(q.p);
		q = chunked_of("/v1/traces", ACME PROTOBUF GZIP, z.p, z.n, chunks[i]);
		accepted(f, &q, "chunked gzip");
		free(q.p);
	}
	free(z.p);
	fixture_close(f);
}

/* R1 */
Test(stages, the_record_has_the_headers_of_the_contract_in_their_order)
{
	struct fixture *f = fixture_open();
	struct request q = request_of(
		"/v1/traces",
		ACME PROTOBUF
		"X-Scope-OrgID: acme\r\nVersion: 1\r\n"
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
		one_span, sizeof(one_span));
	struct outcome o = walk(f, request_bytes(&q), "traceparent");

	cr_assert_str_eq(o.headers,
	                 "X-Scope-OrgID=acme\ntenant_id=acme\nsignal=traces\nformat=otlp_proto\n"
	                 "content-type=application/x-protobuf\n"
	                 "headgate-request-id=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
	                 "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n");
	forget(&o);
	free(q.p);
	fixture_close(f);
}

/* P2, P6: each refusal, cut anywhere */
Test(stages, a_refusal_is_the_same_however_it_is_cut)
{
	struct fixture *f = fixture_open();
	static const struct {
		const char *text;
		enum verdict verdict;
	} cases[] = {
		{ "POST /v1/traces HTTP/1.1\r\n\r\n", V_HTTP },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", V_HTTP },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n",
		  V_HTTP },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
		  V_HTTP_CODING },
		{ "POST /v1/traces HTTP/3.0\r\nHost: x\r\n\r\n", V_HTTP_VERSION },
		{ "POST /v2/traces HTTP/1.1\r\nHost: x\r\n" PROTOBUF "Content-Length: 0\r\n\r\n",
		  V_ROUTE },
		{ "DELETE /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n", V_METHOD },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		  V_CREDENTIAL },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
		  "secret-lazy\r\n\r\n",
		  V_TENANT_SUSPENDED },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME "X-Scope-OrgID: a|b\r\n\r\n",
		  V_ORG },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME "X-Scope-OrgID: b\r\n\r\n",
		  V_ORG_MISMATCH },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
		  "secret-logs\r\n\r\n",
		  V_SCOPE },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME "Content-Length: 0\r\n\r\n",
		  V_TYPE },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Content-Encoding: br\r\n\r\n",
		  V_ENCODING },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF "\r\n", V_LENGTH },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Content-Length: 67108865\r\n\r\n",
		  V_BODY_SIZE },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
		  "secret-stuck\r\n" PROTOBUF "Content-Length: 0\r\n\r\n",
		  V_BLOCKED },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		  V_FRAMING },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Transfer-Encoding: chunked\r\n\r\n4000001\r\n",
		  V_BODY_SIZE },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF GZIP
		  "Content-Length: 3\r\n\r\nabc",
		  V_INFLATE },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Content-Length: 3\r\n\r\nabc",
		  V_INVALID },
		{ "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		  "Content-Length: 9\r\n\r\nabc",
		  V_GONE },
		{ "POST /v1/traces HTTP/1.1\r\nHost", V_GONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome o = walk(f, bytes_str(cases[i].text), cases[i].text);

		cr_assert_eq(o.verdict, cases[i].verdict, "%s: %s", cases[i].text,
		             verdict_get(o.verdict)->id);
		cr_assert_eq(o.value_n, 0);
		if (o.verdict == V_GONE)
			cr_assert_str_eq(o.reply, "");
		forget(&o);
	}
	fixture_close(f);
}

/* P22: cut once, at each offset */
Test(stages, a_request_cut_once_anywhere_is_the_same_request)
{
	struct fixture *f = fixture_open();
	struct request q = chunked_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span), 9);
	struct outcome whole = run(f, request_bytes(&q), SIZE_MAX);

	for (size_t cut = 1; cut < q.n; cut++) {
		struct outcome o = run(f, request_bytes(&q), cut);

		same(&whole, &o, "cut", cut);
		forget(&o);
	}
	forget(&whole);
	free(q.p);
	fixture_close(f);
}

/* Every beginning of a valid request is no request yet: the client that ends there is gone. */
Test(stages, no_truncated_request_leaves_a_record)
{
	struct fixture *f = fixture_open();
	struct request q = request_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span));

	for (size_t n = 0; n < q.n; n++) {
		struct outcome o = run(f, bytes_of(q.p, n), 1);

		cr_assert_eq(o.verdict, V_GONE, "%zu", n);
		cr_assert_eq(o.value_n, 0);
		forget(&o);
	}
	free(q.p);
	fixture_close(f);
}

/* R20: what the sink refuses goes back, and its reply says when to come again */
Test(stages, a_sink_that_refuses_leaves_nothing_charged)
{
	struct fixture *f = fixture_open();
	struct request q = request_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span));
	static const enum verdict says[] = { V_OVERLOAD, V_TOPIC_UNAVAILABLE };

	for (size_t i = 0; i < ARRAY_LEN(says); i++) {
		struct outcome o;

		f->sink_says = says[i];
		o = walk(f, request_bytes(&q), "refused");
		cr_assert_eq(o.verdict, says[i]);
		cr_assert_eq(strncmp(o.reply, "HTTP/1.1 503 ", 13), 0);
		cr_assert(strstr(o.reply, "\r\nRetry-After: N\r\n"));
		cr_assert_eq(budget_used(f->w.budget), 0u);
		forget(&o);
	}
	free(q.p);
	fixture_close(f);
}

/* P5, F34: `100 Continue` comes when the body is wanted, and only then */
Test(stages, continue_is_said_after_admit_and_before_the_body)
{
	struct fixture *f = fixture_open();
	char head[512];

	snprintf(head, sizeof(head),
	         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" ACME PROTOBUF
	         "Content-Length: %zu\r\n\r\n",
	         sizeof(one_span));
	fixture_begin(f, &f->public);
	fixture_feed(f, (const uint8_t *)head, strlen(head));
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	cr_assert_eq(f->r.at, STAGE_BODY);
	fixture_send_out(f);
	cr_assert_str_eq(f->sent, "HTTP/1.1 100 Continue\r\n\r\n");
	for (size_t at = 0; at < sizeof(one_span);)
		at += fixture_feed(f, one_span + at, sizeof(one_span) - at);
	while ((f->step = stages_run(&f->r)) == STEP_ROOM)
		fixture_send_out(f);
	cr_assert_eq(f->step, STEP_DONE);
	cr_assert_eq(f->r.verdict, V_ACCEPTED);
	req_finish(&f->r);
	fixture_close(f);
}

Test(stages, each_stage_has_a_name)
{
	for (enum stage_index at = STAGE_HEAD; at < STAGE_COUNT; at++)
		cr_assert(stage_name(at)[0]);
	cr_assert_str_eq(stage_name(STAGE_COUNT), "done");
}
