/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is large goes by the thread beside the loop, and nothing else differs: verdict, reply,
 * records, counts, budget.
 */
#include "worker/beside.c"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#include "common/stats_page.h"
#include "tests/unit/worker/prom_bodies.h"
#include "worker/charge.h"

enum { NAME = 900, SPANS = 2500, ENTRIES = 40000, OBJECTS = 5, OBJECT = 250000 };

struct outcome {
	enum verdict verdict;
	enum stage_index refused_at, left_at; /* left: the loop */
	char *reply;
	struct fixture_record records[FIXTURE_RECORDS];
	unsigned record_count, times_beside;
	uint64_t decoded, items, charged_after;
};

static struct fixture *f;
static int64_t on_loop_ns, in_all_ns; /* of the last request that went beside, while it was there */

struct one {
	struct job job;
	struct req *r;
};

static void run_one(struct job *job)
{
	beside_run(((struct one *)job)->r);
}

static void one_done(struct job *job)
{
	beside_back(((struct one *)job)->r);
	loop_stop(f->w.base);
}

static int64_t cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* As conn.c does. */
static void goes_beside(void)
{
	struct one one = { .job = { .run = run_one, .done = one_done }, .r = &f->r };

	on_loop_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	in_all_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);

	beside_push(&f->r, &one.job);
	cr_assert_eq(stats_get(f->w.stats, STAT_LARGE_WAITING, 0, 0), 1);
	cr_assert_eq(loop_run(f->w.base), 0);
	on_loop_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - on_loop_ns;
	in_all_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - in_all_ns;
	cr_assert_eq(stats_get(f->w.stats, STAT_LARGE_WAITING, 0, 0), 0);
	cr_assert_not(f->r.is_beside);
	cr_assert_eq(stats_head(f->w.stats)->beside.active, 0);
}

static void opens(void)
{
	struct err err;

	f = fixture_new();
	f->conf.protocols.loki.enabled = true;
	f->conf.dead_letters.enabled = true;
	f->conf.dead_letters.topic = "dead";
	f->conf.dead_letters.per_tenant = 1000;
	f->conf.workers = 1;
	fixture_start(f, -1, -1);
	f->w.base = loop_open(&err);
	cr_assert(f->w.base);
}

static void closes(void)
{
	beside_close(&f->w);
	loop_close(f->w.base);
	fixture_close(f);
}

TestSuite(beside, .init = opens, .fini = closes, .timeout = 120);

static void thread_starts(void)
{
	struct err err;

	cr_assert_eq(beside_open(&f->w, &err), 0);
}

/* Without what differs from request to request: its id, and when to come again. */
static void mask(char *reply, size_t n)
{
	char *at;

	while (f->r.request_id[0] && (at = memmem(reply, n, f->r.request_id, 32)))
		memset(at, 'x', 32);
	at = strstr(reply, "Retry-After: ");
	if (at) {
		at[13] = 'N';
		*strstr(reply, "\r\n\r\n") = '\0';
	}
}

static struct outcome ask(struct bytes in, size_t piece)
{
	struct outcome o = { V_NONE };

	fixture_begin(f, &f->public);
	in = bytes_from(in, fixture_feed(f, in.p, min_size(piece, in.n)));
	while ((f->step = stages_run(&f->r)) != STEP_DONE) {
		if (f->r.out.n)
			fixture_send_out(f);
		if (f->step == STEP_ROOM || f->step == STEP_TURN)
			continue;
		if (f->step == STEP_BESIDE) {
			o.times_beside++;
			o.left_at = f->r.at;
			goes_beside();
			continue;
		}
		cr_assert_eq(f->step, STEP_BYTES);
		cr_assert(in.n);
		in = bytes_from(in, fixture_feed(f, in.p, min_size(piece, in.n)));
	}
	req_finish(&f->r);
	o.verdict = f->r.verdict;
	o.refused_at = f->r.refused_at;
	mask(f->sent, f->sent_n);
	o.reply = strdup(f->sent);
	o.decoded = f->r.decoded_bytes;
	o.items = f->r.enriched.items;
	o.charged_after = budget_used(f->w.budget);
	o.record_count = f->record_count;
	memcpy(o.records, f->records, sizeof(o.records));
	f->record_count = 0;
	return o;
}

static void forget(struct outcome *o)
{
	for (unsigned i = 0; i < o->record_count; i++)
		free(o->records[i].value);
	free(o->reply);
}

static void same(const struct outcome *a, const struct outcome *b, const char *what)
{
	cr_assert_eq(a->verdict, b->verdict, "%s: %s, %s", what, verdict_get(a->verdict)->id,
	             verdict_get(b->verdict)->id);
	cr_assert_eq(a->refused_at, b->refused_at, "%s: %d, %d", what, a->refused_at,
	             b->refused_at);
	cr_assert_str_eq(a->reply, b->reply, "%s: %s, %s", what, a->reply, b->reply);
	cr_assert_eq(a->decoded, b->decoded, "%s", what);
	cr_assert_eq(a->items, b->items, "%s", what);
	cr_assert_eq(b->charged_after, 0, "%s", what);
	cr_assert_eq(a->record_count, b->record_count, "%s: %u, %u", what, a->record_count,
	             b->record_count);
	for (unsigned i = 0; i < a->record_count; i++) {
		cr_assert_str_eq(a->records[i].topic, b->records[i].topic);
		cr_assert_eq(a->records[i].value_n, b->records[i].value_n, "%s", what);
		cr_assert(memcmp(a->records[i].value, b->records[i].value, a->records[i].value_n) ==
		                  0,
		          "%s", what);
	}
}

/* ---- large bodies ---- */

static size_t put_varint(uint8_t *p, size_t v)
{
	size_t n = 0;

	for (; v > 127; v >>= 7)
		p[n++] = (uint8_t)(v | 128);
	p[n++] = (uint8_t)v;
	return n;
}

/* In front of the n bytes of p: a tag and their length. */
static size_t wrap(uint8_t *p, size_t n, uint8_t tag)
{
	uint8_t head[12] = { tag };
	size_t head_n = 1 + put_varint(head + 1, n);

	memmove(p + head_n, p, n);
	memcpy(p, head, head_n);
	return n + head_n;
}

/* resource_spans{scope_spans{spans{trace_id, span_id, name} ...}}, 2.3 MB of names */
static struct request spans(unsigned count)
{
	struct request q = { .p = xcalloc(count, NAME + 64) };

	for (unsigned i = 0; i < count; i++) {
		uint8_t *span = q.p + q.n;
		size_t n = 0;

		memcpy(span, one_span + 6, 28);
		n = 28;
		span[n++] = 0x2a;
		n += put_varint(span + n, NAME);
		memset(span + n, 'a' + (int)(i % 26), NAME);
		memcpy(span + n, &i, sizeof(i) - 2);
		for (unsigned k = 0; k < 2; k++)
			span[n + k] &= 0x7f;
		q.n += wrap(span, n + NAME, 0x12);
	}
	q.n = wrap(q.p, q.n, 0x12);
	q.n = wrap(q.p, q.n, 0x0a);
	return q;
}

static struct request json_spans(void)
{
	struct request q = { .p = xcalloc(SPANS, NAME) };

	q.n = (size_t)sprintf((char *)q.p, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[");
	for (unsigned i = 0; i < SPANS; i++)
		q.n += (size_t)sprintf(
			(char *)q.p + q.n,
			"%s{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
			"\"0102030405060708\",\"name\":\"%0500u\"}",
			i ? "," : "", i);
	q.n += (size_t)sprintf((char *)q.p + q.n, "]}]}]}");
	return q;
}

/* streams{labels, entries{timestamp, line} ...} */
static struct request entries(void)
{
	static const char labels[] = "\x0a\x07{a=\"b\"}", entry[] =
								  "\x12\x24\x0a\x02\x08\x01\x12\x1e"
								  "a line of thirty bytes, or so.";
	size_t n = sizeof(entry) - 1;
	struct request q = { .p = xcalloc(ENTRIES + 1, n), .n = sizeof(labels) - 1 };

	memcpy(q.p, labels, q.n);
	for (unsigned i = 0; i < ENTRIES; i++, q.n += n)
		memcpy(q.p + q.n, entry, n);
	q.n = wrap(q.p, q.n, 0x0a);
	return q;
}

/* By the loop alone, then with the thread: whole, and in pieces. */
static struct outcome both(const char *path, const char *fields, const struct request *body,
                           bool beside, const char *what)
{
	struct request q = request_of(path, fields, body->p, body->n);
	static const size_t pieces[] = { SIZE_MAX, 4000, 1 };
	struct outcome alone = ask(request_bytes(&q), SIZE_MAX);

	cr_assert_eq(alone.times_beside, 0);
	thread_starts();
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct outcome o = ask(request_bytes(&q), pieces[i]);

		same(&alone, &o, what);
		cr_assert_eq(o.times_beside, beside, "%s", what);
		forget(&o);
	}
	beside_close(&f->w);
	free(q.p);
	return alone;
}

#define JSON "Content-Type: application/json\r\n"
#define ZSTD "Content-Encoding: zstd\r\n"

/* B20 */
Test(beside, a_large_body_is_split_into_the_same_records)
{
	struct request body = spans(SPANS);
	struct outcome o = both("/v1/traces", ACME PROTOBUF, &body, true, "identity");

	cr_assert_eq(o.verdict, V_ACCEPTED);
	cr_assert_eq(o.record_count, 3);
	cr_assert_eq(o.items, SPANS);
	cr_assert_eq(stats_histogram_word(f->w.stats, STAT_LARGE_BODIES, f->r.route->index,
	                                  HISTOGRAM_COUNT),
	             3);
	forget(&o);
	free(body.p);
}

/* B20: of 2 MiB, 12 KiB are sent */
Test(beside, a_small_body_that_becomes_a_large_one_is_one)
{
	struct request body = spans(SPANS), z = gzip_of(body.p, body.n);
	struct outcome o = both("/v1/traces", ACME PROTOBUF GZIP, &z, true, "gzip");

	cr_assert_lt(z.n, body.n / 20);
	cr_assert_eq(o.verdict, V_ACCEPTED);
	cr_assert_eq(o.record_count, 3);
	forget(&o);
	free(z.p);
	free(body.p);
}

Test(beside, large_json_is_transcoded_there)
{
	struct request body = json_spans();
	struct outcome o = both("/v1/traces", ACME JSON, &body, true, "json");

	cr_assert_eq(o.verdict, V_ACCEPTED);
	cr_assert_gt(o.record_count, 1);
	forget(&o);
	free(body.p);
}

/* Of 8 histograms with 25 000 buckets each, which take 2 bytes in JSON and 8 in protobuf. */
Test(beside, small_json_that_becomes_large_is_transcoded_there)
{
	struct request body = { .p = xcalloc(1, MIB) }, q;
	struct outcome o;

	body.n = (size_t)sprintf((char *)body.p, "{\"resourceMetrics\":[{\"scopeMetrics\":[{"
	                                         "\"metrics\":[{\"histogram\":{\"dataPoints\":[");
	for (unsigned i = 0; i < 8; i++) {
		body.n += (size_t)sprintf((char *)body.p + body.n, "%s{\"bucketCounts\":[0",
		                          i ? "," : "");
		for (unsigned k = 1; k < 25000; k++)
			body.n += (size_t)sprintf((char *)body.p + body.n, ",0");
		body.n += (size_t)sprintf((char *)body.p + body.n, "]}");
	}
	body.n += (size_t)sprintf((char *)body.p + body.n, "]}}]}]}]}");
	cr_assert_lt(body.n, (size_t)BESIDE_FROM);
	o = both("/v1/metrics", ACME JSON, &body, true, "json");
	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.reply);
	cr_assert_eq(o.items, 8);
	forget(&o);
	q = request_of("/v1/metrics", ACME JSON, body.p, body.n);
	thread_starts();
	o = ask(request_bytes(&q), SIZE_MAX);
	cr_assert_eq(o.left_at, STAGE_ENRICH);
	forget(&o);
	free(q.p);
	free(body.p);
}

/* The outer coding is undone on the loop, where it is small; the inner one, once. */
Test(beside, of_two_codings_none_is_undone_twice)
{
	struct request body = entries(), block = snappy_of(body.p, body.n),
		       z = gzip_of(block.p, block.n);
	struct outcome o = both("/loki/api/v1/push", ACME PROTOBUF GZIP, &z, true, "gzip, snappy");

	cr_assert_lt(block.n, (size_t)BESIDE_FROM);
	cr_assert_gt(body.n, (size_t)BESIDE_FROM);
	cr_assert_eq(o.verdict, V_ACCEPTED, "%s", o.reply);
	cr_assert_eq(o.items, ENTRIES);
	forget(&o);
	free(body.p);
	free(block.p);
	free(z.p);
}

Test(beside, what_is_small_stays_on_the_loop)
{
	struct request body = spans(500), z = gzip_of(body.p, body.n);
	struct outcome o = both("/v1/traces", ACME PROTOBUF, &body, false, "identity");

	forget(&o);
	o = both("/v1/traces", ACME PROTOBUF GZIP, &z, false, "gzip");
	cr_assert_eq(o.verdict, V_ACCEPTED);
	forget(&o);
	free(z.p);
	free(body.p);
}

/* A small request up to its produce stage, and there with a large value. */
static void comes_to_produce(const struct request *value)
{
	struct request q = request_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span));

	thread_starts();
	fixture_begin(f, &f->public);
	for (size_t at = 0; at < q.n;)
		at += fixture_feed(f, q.p + at, q.n - at);
	while (f->r.at < STAGE_PRODUCE) {
		static enum step (*const runs[])(struct req * r) = {
			head_run, route_run, auth_run, admit_run, body_run, inflate_run, enrich_run
		};

		cr_assert_eq(runs[f->r.at](&f->r), STEP_NEXT);
		f->r.at++;
	}
	charge_swap(&f->r, charge_get(&f->r, value->n), BYTES_NONE);
	memcpy(f->r.body_mem->data, value->p, value->n);
	f->r.body = bytes_of(f->r.body_mem->data, value->n);
	free(q.p);
}

/* 60 000 objects of 800 KB became 2 MB of records, and what the records were was lost on the way.
 */
Test(beside, records_that_enrich_has_made_on_the_loop_stay_there)
{
	struct request value = spans(SPANS);

	comes_to_produce(&value);
	f->w.kit.slices.n = 0;
	for (unsigned i = 0; i < 3; i++)
		slices_add(&f->w.kit.slices, i * value.n / 3, value.n / 3, 1);
	f->r.enriched.items = 3;
	while ((f->step = stages_run(&f->r)) == STEP_ROOM)
		fixture_send_out(f);
	cr_assert_eq(f->step, STEP_DONE);
	req_finish(&f->r);
	cr_assert_eq(f->r.verdict, V_ACCEPTED);
	cr_assert_eq(f->record_count, 3);
	cr_assert_eq(f->records[0].value_n, value.n / 3);
	free(value.p);
}

/* The one before was refused, and left its records in the kit. */
Test(beside, a_value_that_became_large_on_the_loop_is_split_there)
{
	struct request value = spans(SPANS);

	comes_to_produce(&value);
	slices_add(&f->w.beside_kit.slices, 0, 10, 1);
	f->r.enriched.items = SPANS;
	cr_assert_eq(stages_run(&f->r), STEP_BESIDE);
	goes_beside();
	while ((f->step = stages_run(&f->r)) == STEP_ROOM)
		fixture_send_out(f);
	req_finish(&f->r);
	cr_assert_eq(f->r.verdict, V_ACCEPTED);
	cr_assert_eq(f->record_count, 3);
	free(value.p);
}

/* ---- refusals ---- */

Test(beside, a_refusal_there_is_the_loops_with_its_dead_letter)
{
	struct request body = spans(SPANS), z;
	struct outcome o;

	body.p[body.n - 1] = 0xff; /* of a name: no UTF-8 */
	o = both("/v1/traces", ACME PROTOBUF, &body, true, "utf-8");
	cr_assert_eq(o.verdict, V_INVALID);
	cr_assert_eq(o.refused_at, STAGE_ENRICH);
	cr_assert_eq(o.record_count, 0, "a dead letter of 2 MiB has no room");
	forget(&o);
	z = gzip_of(body.p, body.n);
	z.p[z.n - 6] ^= 1; /* of its checksum */
	o = both("/v1/traces", ACME PROTOBUF GZIP, &z, true, "gzip");
	cr_assert_eq(o.verdict, V_INFLATE);
	cr_assert_eq(o.refused_at, STAGE_INFLATE);
	cr_assert_eq(o.record_count, 1);
	cr_assert_str_eq(o.records[0].topic, "dead");
	forget(&o);
	free(z.p);
	free(body.p);
}

/* B20: they are read out of the whole body, twice. */
Test(beside, letters_of_a_large_body_of_objects_hold_nobody_up)
{
	static const char model[] =
		"{\"name\":\"E\",\"columns\":[{\"name\":\"n\",\"data_type\":"
		"\"Int8\",\"required\":true}],\"dead_letter_queue\":\"dead_e\"}";
	struct conf_file file = { "e.json", bytes_str(model) };
	struct request body = { .p = xcalloc(OBJECTS + 1, OBJECT) };
	struct outcome o;

	closes();
	f = fixture_new();
	f->conf.dead_letters.enabled = true;
	f->conf.workers = 1;
	f->conf.protocols.models.enabled = true;
	f->conf.protocols.models.max_body = 4 * MIB;
	f->conf.protocols.models.dir.v = &file;
	f->conf.protocols.models.dir.n = 1;
	fixture_start(f, -1, -1);
	f->w.base = loop_open(&(struct err){ "" });
	cr_assert(f->w.base);
	for (unsigned i = 0; i < OBJECTS; i++) { /* [{"n":1,"x":[0,0 ... 0]}, ... the last of 300 */
		char *at = (char *)body.p + body.n;

		memset(at, '0', OBJECT);
		for (size_t k = 16; k < OBJECT; k += 2)
			at[k] = ',';
		memcpy(at, i ? ",{\"n\":100,\"x\":[" : "[{\"n\":1  ,\"x\":[", 15);
		memcpy(at + OBJECT - 3, "0]}", 3);
		body.n += OBJECT;
	}
	memcpy(body.p + body.n - OBJECT + 6, "300", 3);
	body.p[body.n++] = ']';
	o = both("/ingest/E", ACME JSON, &body, true, "objects");
	cr_assert_eq(o.verdict, V_INVALID);
	cr_assert_eq(o.record_count, OBJECTS);
	cr_assert_str_eq(o.records[OBJECTS - 1].topic, "dead_e");
	cr_assert_lt(on_loop_ns, in_all_ns / 3, "%" PRId64 " us of %" PRId64, on_loop_ns / 1000,
	             in_all_ns / 1000);
	forget(&o);
	free(body.p);
}

/* R3 */
Test(beside, an_item_that_no_record_holds_is_refused_there)
{
	struct request body = { .p = xcalloc(3, MIB) };
	struct outcome o;

	memcpy(body.p, one_span + 6, 28);
	body.p[28] = 0x2a;
	body.n = 29 + put_varint(body.p + 29, 2 * MIB);
	memset(body.p + body.n, 'n', 2 * MIB);
	body.n = wrap(body.p, body.n + 2 * MIB, 0x12);
	body.n = wrap(body.p, body.n, 0x12);
	body.n = wrap(body.p, body.n, 0x0a);
	o = both("/v1/traces", ACME PROTOBUF, &body, true, "one span");
	cr_assert_eq(o.verdict, V_RECORD_SIZE);
	cr_assert_eq(o.refused_at, STAGE_PRODUCE);
	forget(&o);
	free(body.p);
}

static uint64_t taken_of_acme(enum limit_kind kind)
{
	return (limits_words(f->w.limits, f->r.who.tenant_ordinal)[kind] -
	        (uint64_t)loop_read_ns()) /
	       1000000;
}

/* R17: once alone, and three times beside the loop */
Test(beside, what_is_large_costs_its_tenant_the_same)
{
	struct request body = spans(SPANS), z = gzip_of(body.p, body.n);
	struct tenant_limits limits = {
		.rates = { { 1000, 1000000000 }, { 1000, 1000000000 }, { 1000, 1000000000 } }
	};
	struct outcome o;

	fixture_limit(f, &limits);
	o = both("/v1/traces", ACME PROTOBUF GZIP, &z, true, "within");
	cr_assert_eq(o.verdict, V_ACCEPTED);
	cr_assert_eq(taken_of_acme(LIMIT_REQUESTS), 4);
	cr_assert_eq(taken_of_acme(LIMIT_BYTES), 4 * body.n);
	cr_assert_eq(taken_of_acme(LIMIT_ITEMS), 4 * SPANS);
	forget(&o);
	limits.rates[LIMIT_ITEMS] = (struct gcra_rate){ 1000, SPANS - 1 };
	fixture_limit(f, &limits);
	o = both("/v1/traces", ACME PROTOBUF GZIP, &z, true, "items");
	cr_assert_eq(o.verdict, V_RATE_BURST);
	cr_assert_eq(o.refused_at, STAGE_ENRICH);
	cr_assert_eq(taken_of_acme(LIMIT_BYTES), 8 * body.n);
	cr_assert_eq(taken_of_acme(LIMIT_ITEMS), 4 * SPANS);
	forget(&o);
	limits.rates[LIMIT_BYTES] = (struct gcra_rate){ 1000, body.n - 1 };
	fixture_limit(f, &limits);
	limits_words(f->w.limits, f->r.who.tenant_ordinal)[LIMIT_BYTES] = 0;
	o = both("/v1/traces", ACME PROTOBUF GZIP, &z, true, "bytes");
	cr_assert_eq(o.verdict, V_RATE_BURST);
	cr_assert_eq(o.refused_at, STAGE_INFLATE);
	cr_assert_eq(o.record_count, 0);
	forget(&o);
	free(z.p);
	free(body.p);
}

/* R20 */
Test(beside, a_sink_that_refuses_leaves_nothing_charged)
{
	struct request body = spans(SPANS);
	struct outcome o;

	f->sink_says = V_OVERLOAD;
	o = both("/v1/traces", ACME PROTOBUF, &body, true, "overload");
	cr_assert_eq(o.verdict, V_OVERLOAD);
	forget(&o);
	free(body.p);
}

Test(beside, no_budget_is_503_there_too)
{
	struct request body = spans(SPANS);
	uint64_t rest = f->conf.limits.worker_bytes - 4 * MIB;
	struct request q = request_of("/v1/traces", ACME PROTOBUF, body.p, body.n);
	struct outcome o;

	thread_starts();
	cr_assert(budget_take(f->w.budget, 5, 0, rest)); /* of another tenant */
	o = ask(request_bytes(&q), SIZE_MAX);
	cr_assert_eq(o.times_beside, 1);
	cr_assert_eq(o.verdict, V_OVERLOAD, "%s", o.reply);
	cr_assert_eq(o.charged_after, rest);
	budget_give(f->w.budget, 5, rest);
	forget(&o);
	free(q.p);
	free(body.p);
}

struct gate { /* a job that holds up those behind it */
	struct job job;
	pthread_mutex_t shut;
};

static void waits_at_gate(struct job *job)
{
	struct gate *gate = (struct gate *)job;

	pthread_mutex_lock(&gate->shut);
	pthread_mutex_unlock(&gate->shut);
}

static void passes(struct job *job)
{
	(void)job;
}

static struct outcome asks_behind_the_gate(int64_t waits_ns)
{
	struct gate gate = { { .run = waits_at_gate, .done = passes }, PTHREAD_MUTEX_INITIALIZER };
	struct request body = spans(SPANS),
		       q = request_of("/v1/traces", ACME PROTOBUF, body.p, body.n);
	struct one one = { .job = { .run = run_one, .done = one_done }, .r = &f->r };
	struct bytes in = request_bytes(&q);
	struct outcome o = { V_NONE };

	pthread_mutex_lock(&gate.shut);
	offload_push(f->w.beside, &gate.job);
	fixture_begin(f, &f->public);
	while (in.n) {
		in = bytes_from(in, fixture_feed(f, in.p, in.n));
		f->step = stages_run(&f->r);
	}
	cr_assert_eq(f->step, STEP_BESIDE);
	beside_push(&f->r, &one.job);
	loop_set_clock(loop_read_ns() + waits_ns, FIXTURE_NOW_S * 1000000000);
	pthread_mutex_unlock(&gate.shut);
	cr_assert_eq(loop_run(f->w.base), 0);
	o.refused_at = f->r.refused_at;
	while ((f->step = stages_run(&f->r)) != STEP_DONE)
		if (f->r.out.n)
			fixture_send_out(f);
	o.verdict = f->r.verdict;
	req_finish(&f->r);
	o.charged_after = budget_used(f->w.budget);
	free(q.p);
	free(body.p);
	return o;
}

/* Large bodies come as small ones: without a bound some hundred of them hold up all others for
 * minutes. */
Test(beside, who_waited_for_a_minute_is_told_to_come_again)
{
	struct outcome o;

	thread_starts();
	o = asks_behind_the_gate(INT64_C(61) * 1000000000);
	cr_assert_eq(o.verdict, V_OVERLOAD);
	cr_assert_eq(o.refused_at, STAGE_ENRICH);
	cr_assert_eq(o.charged_after, 0);
	cr_assert_eq(f->record_count, 0);
	o = asks_behind_the_gate(INT64_C(59) * 1000000000);
	cr_assert_eq(o.verdict, V_ACCEPTED);
	cr_assert_eq(o.charged_after, 0);
}

/* ---- the end ---- */

static void stays(struct job *job)
{
	(void)job;
	cr_assert(!"nobody is told any more");
}

/* A worker that ends closes the thread first; what was handed over is finished like any other. */
Test(beside, a_request_handed_over_can_be_finished_once_the_thread_has_ended)
{
	struct request body = spans(SPANS),
		       q = request_of("/v1/traces", ACME PROTOBUF, body.p, body.n);
	struct one one = { .job = { .run = run_one, .done = stays }, .r = &f->r };
	struct bytes in = request_bytes(&q);

	thread_starts();
	fixture_begin(f, &f->public);
	while (in.n) {
		in = bytes_from(in, fixture_feed(f, in.p, in.n));
		f->step = stages_run(&f->r);
	}
	cr_assert_eq(f->step, STEP_BESIDE);
	beside_push(&f->r, &one.job);
	beside_close(&f->w);
	cr_assert_not(f->r.is_beside);
	if (f->r.at < STAGE_REPLY)
		req_expire(&f->r, V_GONE);
	req_finish(&f->r);
	cr_assert_eq(budget_used(f->w.budget), 0);
	free(q.p);
	free(body.p);
}
