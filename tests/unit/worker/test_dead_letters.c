/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dead_letters.c"

#include "tests/unit/worker/otlp_bodies.h"

static struct fixture *f;

static void opens(void)
{
	f = fixture_new();
	f->conf.dead_letters.enabled = true;
	f->conf.dead_letters.topic = "dead";
	f->conf.dead_letters.per_tenant = 10;
	f->conf.workers = 1;
	f->conf.protocols.loki.enabled = true;
	f->conf.protocols.remote_write.enabled = true;
}

static void closes(void)
{
	fixture_close(f);
}

TestSuite(dead_letters, .init = opens, .fini = closes);

static void starts(void)
{
	fixture_start(f, -1, -1);
}

static uint64_t letters(enum letter what)
{
	return stats_get(f->w.stats, STAT_DEAD_LETTERS, what, 0);
}

#define OURS ACME PROTOBUF
static const uint8_t broken[] = { 0x0a, 0xff }; /* a length that never ends */

static int asks(const char *path, const char *fields, const void *body, size_t n)
{
	struct request q = request_of(path, fields, body, n);
	int status = fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX));

	free(q.p);
	return status;
}

static const char *header_of(unsigned i, const char *name)
{
	static char value[1100];
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "\n%s=", name);
	at = strstr(f->records[i].headers, line);
	if (!at)
		return NULL;
	at += strlen(line);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

/* R22 */
Test(dead_letters, a_body_that_is_no_valid_data_is_kept_with_the_reason)
{
	starts();
	cr_assert_eq(asks("/v1/traces", OURS, broken, sizeof(broken)), 400);
	cr_assert_eq(f->record_count, 1);
	cr_assert_str_eq(f->records[0].topic, "dead");
	cr_assert_str_eq(f->records[0].key, "acme");
	cr_assert_eq(f->records[0].value_n, sizeof(broken));
	cr_assert_arr_eq(f->records[0].value, broken, sizeof(broken));
	cr_assert_str_eq(header_of(0, "tenant_id"), "acme");
	cr_assert_str_eq(header_of(0, "signal"), "traces");
	cr_assert_str_eq(header_of(0, "format"), "otlp_proto");
	cr_assert_str_eq(header_of(0, "headgate-dlq-reason"), "hg-invalid");
	cr_assert_gt(strlen(header_of(0, "headgate-dlq-detail")), 0);
	cr_assert_str_eq(header_of(0, "headgate-dlq-topic"), "otlp_spans");
	cr_assert_eq(letters(LETTER_SENT), 1);
}

/* R22, F43 */
Test(dead_letters, a_body_that_does_not_decode_is_kept_raw)
{
	struct request gzip = gzip_of(one_span, sizeof(one_span));

	starts();
	cr_assert_eq(asks("/v1/traces", OURS "Content-Encoding: gzip\r\n", gzip.p, gzip.n - 3),
	             400);
	cr_assert_eq(f->record_count, 1);
	cr_assert_eq(f->records[0].value_n, gzip.n - 3);
	cr_assert_arr_eq(f->records[0].value, gzip.p, gzip.n - 3);
	cr_assert_str_eq(header_of(0, "headgate-dlq-reason"), "hg-inflate");
	free(gzip.p);
}

Test(dead_letters, a_body_that_decodes_is_kept_decoded)
{
	struct request gzip = gzip_of(broken, sizeof(broken));

	starts();
	cr_assert_eq(asks("/v1/traces", OURS "Content-Encoding: gzip\r\n", gzip.p, gzip.n), 400);
	cr_assert_eq(f->record_count, 1);
	cr_assert_eq(f->records[0].value_n, sizeof(broken));
	cr_assert_arr_eq(f->records[0].value, broken, sizeof(broken));
	cr_assert_str_eq(header_of(0, "headgate-dlq-reason"), "hg-invalid");
	free(gzip.p);
}

/* R22: JSON is what came, and what is kept. */
Test(dead_letters, json_that_would_have_been_transcoded_is_kept_as_json)
{
	static const char json[] = "{\"resourceSpans\":1}";

	starts();
	cr_assert_eq(
		asks("/v1/traces", ACME "Content-Type: application/json\r\n", json, strlen(json)),
		400);
	cr_assert_eq(f->record_count, 1);
	cr_assert_eq(f->records[0].value_n, strlen(json));
	cr_assert_arr_eq(f->records[0].value, json, strlen(json));
	cr_assert_str_eq(header_of(0, "content-type"), "application/json");
}

/* R22 */
Test(dead_letters, other_refusals_are_kept_nowhere)
{
	f->conf.limits.inflated = 4096;
	f->conf.record.max_bytes = 700; /* too little for any span */
	starts();
	cr_expect_eq(asks("/v1/traces", "Content-Type: application/x-protobuf\r\n", broken,
	                  sizeof(broken)),
	             401);
	cr_expect_eq(asks("/v1/traces", OURS "X-Scope-OrgID: other\r\n", broken, sizeof(broken)),
	             403);
	cr_expect_eq(asks("/v1/traces", OURS, one_span, sizeof(one_span)), 413);
	f->sink_says = V_OVERLOAD;
	((struct route *)f->r.route)->record_max = MIB;
	cr_expect_eq(asks("/v1/traces", OURS, one_span, sizeof(one_span)), 503);
	f->sink_says = V_ACCEPTED;
	cr_expect_eq(
		asks("/v1/traces", OURS "Content-Type: text/plain\r\n", one_span, sizeof(one_span)),
		400); /* for its head: two types */
	cr_assert_eq(f->record_count, 0);
	cr_assert_eq(letters(LETTER_SENT), 0);
	cr_assert_eq(letters(LETTER_DROPPED), 0);
}

Test(dead_letters, none_are_kept_unless_they_are_wanted)
{
	f->conf.dead_letters.enabled = false;
	starts();
	cr_assert_eq(asks("/v1/traces", OURS, broken, sizeof(broken)), 400);
	cr_assert_eq(f->record_count, 0);
	cr_assert_eq(letters(LETTER_DROPPED), 0);
}

/* Ten of 1.1 and three more: one more than there was room for. */
Test(dead_letters, every_header_there_can_be_fits)
{
	f->conf.record.headers = HEADERS_ALL;
	starts();
	cr_assert_eq(asks("/v1/traces",
	                  OURS "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"
	                       "00f067aa0ba902b7-01\r\n",
	                  broken, sizeof(broken)),
	             400);
	cr_assert_eq(f->record_count, 1);
	cr_assert_str_eq(header_of(0, "headgate-contract"), "1");
	cr_assert_str_eq(header_of(0, "traceparent"),
	                 "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	cr_assert_str_eq(header_of(0, "headgate-dlq-topic"), "otlp_spans");
}

/* A model with a queue of its own; records have this prefix. */
static void starts_with_model(const char *prefix)
{
	static const char text[] = "{\"name\":\"E\",\"columns\":[{\"name\":\"n\",\"data_type\":"
				   "\"Int8\",\"required\":true}],\"dead_letter_queue\":\"dead_e\"}";
	static struct conf_file file;

	file = (struct conf_file){ "e.json", bytes_str(text) };
	f->conf.protocols.models.enabled = true;
	f->conf.protocols.models.max_body = MIB;
	f->conf.protocols.models.namespace = "ns";
	f->conf.protocols.models.dir.v = &file;
	f->conf.protocols.models.dir.n = 1;
	f->conf.record.topic_prefix = prefix;
	starts();
}

/* A body for each kind of letter. */
static void both_name(const char *spans, const char *model)
{
	char topic[64];

	snprintf(topic, sizeof(topic), "\"topic\":\"%s\"", model);
	cr_assert_eq(asks("/v1/traces", OURS, broken, sizeof(broken)), 400);
	cr_assert_str_eq(header_of(0, "headgate-dlq-topic"), spans);
	cr_assert_eq(asks("/ingest/E", ACME "Content-Type: application/json\r\n", "{\"n\":300}", 9),
	             400);
	cr_assert_eq(f->record_count, 3);
	cr_assert_str_eq(f->records[0].topic, "dead");
	cr_assert_str_eq(f->records[1].topic, "dead_e");
	cr_assert(memmem(f->records[1].value, f->records[1].value_n, topic, strlen(topic)));
	cr_assert_str_eq(f->records[2].topic, "dead");
	cr_assert_str_eq(header_of(2, "headgate-dlq-topic"), model);
}

Test(dead_letters, they_name_the_topic_of_the_tenant_with_its_prefix)
{
	starts_with_model("p.{tenant}.");
	both_name("p.acme.otlp_spans", "p.acme.ns.E");
}

/* Their own topics have no prefix, whosever it is. */
Test(dead_letters, they_name_the_topic_with_the_tenant_s_own_prefix)
{
	f->topic_prefix = BYTES("own.");
	starts_with_model("p.");
	both_name("own.otlp_spans", "own.ns.E");
	cr_assert_eq(asks("/ingest/E", ACME "Content-Type: application/json\r\n", "{\"n\":30}", 8),
	             202);
	cr_assert_str_eq(f->records[3].topic, "own.ns.E");
}

/* A type of the client's may be as long as its head. */
Test(dead_letters, the_longest_headers_fit_into_their_memory)
{
	struct parcel *p;
	char value[1100];

	starts();
	memset(value, 'x', sizeof(value));
	p = parcel_get(&f->w);
	parcel_header_copy(p, "content-type", bytes_of(value, RECORD_TYPE_MAX));
	parcel_header_copy(p, "headgate-request-id", bytes_of(value, 32));
	parcel_header_copy(p, "headgate-received-ms", bytes_of(value, 20));
	parcel_header_copy(p, "traceparent", bytes_of(value, 55));
	parcel_header_copy(p, "headgate-dlq-detail", bytes_of(value, DETAIL_BYTES));
	cr_assert_eq(p->header_count, 5);
	parcel_close(p, V_NONE);
}

Test(dead_letters, a_tenant_has_its_rate_and_the_rest_is_counted)
{
	f->conf.dead_letters.per_tenant = 5;
	starts();
	for (unsigned i = 0; i < 9; i++)
		cr_expect_eq(asks("/v1/traces", OURS, broken, sizeof(broken)), 400);
	cr_expect_eq(f->record_count, 5);
	cr_expect_eq(letters(LETTER_SENT), 5);
	cr_expect_eq(letters(LETTER_DROPPED), 4);
	/* another tenant's are not touched by that, and time brings more */
	cr_expect_eq(asks("/v1/traces",
	                  "Authorization: Bearer secret-other\r\n"
	                  "Content-Type: application/x-protobuf\r\n",
	                  broken, sizeof(broken)),
	             400);
	cr_expect_eq(letters(LETTER_SENT), 6);
	loop_set_clock(INT64_C(1000) * 1000000000 + 400000000, FIXTURE_NOW_S * 1000000000);
	for (unsigned i = 0; i < 3; i++)
		asks("/v1/traces", OURS, broken, sizeof(broken));
	cr_expect_eq(letters(LETTER_SENT), 8);
}

Test(dead_letters, the_rate_is_shared_by_the_workers)
{
	f->conf.dead_letters.per_tenant = 4;
	f->conf.workers = 2;
	starts();
	for (unsigned i = 0; i < 9; i++)
		asks("/v1/traces", OURS, broken, sizeof(broken));
	cr_assert_eq(f->record_count, 2);
}

/* The answer is the same: nobody is refused for want of a dead letter. */
Test(dead_letters, what_the_sink_does_not_take_is_counted_as_dropped)
{
	starts();
	f->sink_says = V_TOPIC_UNAVAILABLE;
	cr_assert_eq(asks("/v1/traces", OURS, broken, sizeof(broken)), 400);
	cr_assert_eq(letters(LETTER_SENT), 0);
	cr_assert_eq(letters(LETTER_DROPPED), 1);
}

Test(dead_letters, what_is_too_large_for_a_record_is_dropped)
{
	uint8_t body[2000];

	f->conf.record.max_bytes = 2000;
	starts();
	memset(body, 0xff, sizeof(body));
	cr_assert_eq(asks("/v1/traces", OURS, body, sizeof(body)), 400);
	cr_assert_eq(f->record_count, 0);
	cr_assert_eq(letters(LETTER_DROPPED), 1);
}

Test(dead_letters, items_are_not_counted_as_accepted)
{
	starts();
	asks("/v1/traces", OURS, broken, sizeof(broken));
	for (unsigned slot = 0; slot < FIXTURE_METRIC_TENANTS; slot++)
		for (enum signal sig = 0; sig < SIGNAL_COUNT; sig++)
			cr_expect_eq(stats_tenant_get(f->w.stats, slot, sig, TS_ITEMS_ACCEPTED), 0);
}
