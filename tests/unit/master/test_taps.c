/* SPDX-License-Identifier: Apache-2.0 */
#include "master/taps.c"

#include <criterion/criterion.h>

enum { WORKERS = 2 };

static struct fixture {
	struct event_base *base;
	struct workers w;
	struct taps *taps;
	int ends[WORKERS]; /* the workers' */
	json_t *answer; /* the last one */
	uint64_t answered; /* whom */
	char line[64], kind[16], tenant[32], what[200];
	unsigned audits;
	int64_t now_ns;
} f;

static void on_test_answer(void *arg, uint64_t client, struct json_t *object)
{
	(void)arg;
	json_decref(f.answer);
	f.answer = object;
	f.answered = client;
}

static void on_test_line(void *arg, uint64_t client, struct bytes line)
{
	(void)arg;
	f.answered = client;
	snprintf(f.line, sizeof(f.line), "%.*s", (int)line.n, (const char *)line.p);
}

static void on_test_audit(void *arg, const char *kind, int64_t uid, const char *tenant,
                          const char *what)
{
	(void)arg;
	cr_expect_eq(uid, 1000);
	snprintf(f.kind, sizeof(f.kind), "%s", kind);
	snprintf(f.tenant, sizeof(f.tenant), "%s", tenant);
	snprintf(f.what, sizeof(f.what), "%s", what);
	f.audits++;
}

static void set_up(void)
{
	const struct taps_hooks hooks = { on_test_answer, on_test_line, on_test_audit, NULL };
	struct err err = { "" };

	f.now_ns = 1000000000;
	loop_set_clock(f.now_ns, 0);
	f.base = loop_open(&err);
	f.w.current = generation_new(1, conf_new(), NULL, -1, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct proc *p = &f.w.current->procs[i];
		int fds[2];

		cr_assert(channel_pair(fds, &err) == 0);
		p->all = &f.w;
		p->state = PROC_READY;
		p->setup_done = true;
		p->channel = fds[0];
		f.ends[i] = fds[1];
	}
	f.taps = taps_open(f.base, &f.w, &hooks);
}

static void tear_down(void)
{
	taps_gone(f.taps, 7);
	taps_close(f.taps);
	for (unsigned i = 0; i < WORKERS; i++) {
		close(f.w.current->procs[i].channel);
		close(f.ends[i]);
	}
	generation_free(f.w.current);
	json_decref(f.answer);
	loop_close(f.base);
}

TestSuite(taps, .init = set_up, .fini = tear_down);

static void start(const char *question)
{
	const struct control_client from = { .handle = 7, .uid = 1000 };
	json_t *what = json_loads(question, 0, NULL);

	cr_assert(what, "%s", question);
	taps_start(f.taps, &from, what);
	json_decref(what);
}

/* What a worker was told last. */
static bool told(unsigned worker, struct channel_msg *m)
{
	struct err err;
	bool any = false;

	while (channel_recv(f.ends[worker], m, &err) > 0)
		any = true;
	return any;
}

static long long answer(const char *key)
{
	return json_integer_value(json_object_get(f.answer, key));
}

static const char *answer_text(const char *key)
{
	const char *text = json_string_value(json_object_get(f.answer, key));

	return text ? text : "";
}

static void pass(msec_t ms)
{
	f.now_ns += ms * 1000000;
	loop_set_clock(f.now_ns, 0);
}

Test(taps, the_client_is_answered_once_every_worker_has_the_filter)
{
	const struct tap_filter *filter;
	struct channel_msg m;

	start("{\"tenant\":\"acme\",\"signal\":\"logs\",\"request_id\":\"ctl-1*\",\"route\":\"r\","
	      "\"rate\":100,\"duration_ms\":5000}");
	cr_assert(told(0, &m) && told(1, &m));
	cr_assert_eq(m.type, MSG_TAP);
	cr_assert_eq(m.body_bytes, sizeof(*filter));
	filter = (const void *)m.body;
	cr_expect_str_eq(filter->tenant, "acme");
	cr_expect_str_eq(filter->request_id, "ctl-1*");
	cr_expect_str_eq(filter->route, "r");
	cr_expect_eq(filter->signal, SIGNAL_LOGS);
	cr_expect_eq(filter->rate, 100);
	cr_expect_eq(filter->duration, 5000);
	cr_expect_str_eq(f.kind, "tap.start");
	cr_expect_str_eq(f.tenant, "acme");
	cr_expect_null(f.answer);
	taps_on(f.taps, m.arg);
	cr_expect_null(f.answer);
	taps_on(f.taps, m.arg);
	cr_assert(f.answer);
	cr_expect_eq(answer("workers"), 2);
	cr_expect_eq(answer("late"), 0);
	cr_expect_eq(answer("tap"), (long long)m.arg);
}

Test(taps, a_worker_that_says_nothing_is_late_and_holds_nobody_up)
{
	struct channel_msg m;

	start("{}");
	cr_assert(told(0, &m));
	taps_on(f.taps, m.arg);
	pass(501);
	on_timer(-1, 0, &f.taps->v[0]);
	cr_assert(f.answer);
	cr_expect_eq(answer("workers"), 1);
	cr_expect_eq(answer("late"), 1);
}

Test(taps, lines_pass_as_they_came_at_the_rate_that_was_asked_for)
{
	struct channel_msg m;

	start("{\"rate\":2}");
	cr_assert(told(0, &m));
	taps_line(f.taps, m.arg, BYTES("{\"early\":1}"));
	cr_expect_str_eq(f.line, "", "not before the first answer");
	taps_on(f.taps, m.arg);
	taps_on(f.taps, m.arg);
	taps_line(f.taps, m.arg, BYTES("{\"a\":1}"));
	taps_line(f.taps, m.arg, BYTES("{\"b\":1}"));
	taps_line(f.taps, m.arg, BYTES("{\"c\":1}"));
	cr_expect_str_eq(f.line, "{\"b\":1}");
	pass(999);
	taps_line(f.taps, m.arg, BYTES("{\"c\":1}"));
	cr_expect_str_eq(f.line, "{\"b\":1}", "not in the same 1000 ms, whichever second it is");
	pass(1);
	taps_line(f.taps, m.arg, BYTES("{\"d\":1}"));
	cr_expect_str_eq(f.line, "{\"d\":1}");
	taps_line(f.taps, m.arg + 1, BYTES("{\"other\":1}"));
	cr_expect_str_eq(f.line, "{\"d\":1}");
}

/* O26 */
Test(taps, it_ends_by_itself_and_leaves_two_audit_records)
{
	struct channel_msg m;

	start("{\"duration_ms\":2000}");
	cr_assert(told(0, &m));
	taps_on(f.taps, m.arg);
	taps_on(f.taps, m.arg);
	taps_line(f.taps, m.arg, BYTES("{}"));
	pass(2000);
	on_timer(-1, 0, &f.taps->v[0]);
	cr_expect_str_eq(answer_text("end"), "duration");
	cr_expect_eq(answer("lines"), 1);
	cr_assert(told(0, &m));
	cr_expect_eq(m.type, MSG_TAP);
	cr_expect_eq(m.body_bytes, 0, "workers are told that it has ended");
	cr_expect_str_eq(f.kind, "tap.end");
	cr_expect_str_eq(f.what, "1 lines");
	cr_expect_eq(f.audits, 2);
	taps_gone(f.taps, 7);
	cr_expect_eq(f.audits, 2);
}

Test(taps, it_ends_when_its_client_goes)
{
	struct channel_msg m;

	start("{}");
	cr_assert(told(1, &m));
	taps_gone(f.taps, 8);
	cr_expect_eq(f.audits, 1);
	taps_gone(f.taps, 7);
	cr_expect_eq(f.audits, 2);
	cr_assert(told(1, &m));
	cr_expect_eq(m.body_bytes, 0);
}

Test(taps, a_worker_that_starts_meanwhile_is_told_what_time_is_left)
{
	struct channel_msg m;

	start("{\"duration_ms\":3000}");
	cr_assert(told(0, &m));
	pass(1000);
	taps_set_up(f.taps, &f.w.current->procs[0]);
	cr_assert(told(0, &m));
	cr_expect_eq(((const struct tap_filter *)(const void *)m.body)->duration, 2000);
}

Test(taps, eight_at_a_time_and_the_ninth_is_refused)
{
	for (unsigned i = 0; i < TAPS_MAX; i++)
		start("{}");
	cr_expect_eq(f.audits, TAPS_MAX);
	start("{}");
	cr_expect(strstr(answer_text("error"), "8 are on already"));
	cr_expect_eq(f.audits, TAPS_MAX);
}

Test(taps, what_is_out_of_bounds_is_refused_by_name)
{
	static const struct {
		const char *question, *word;
	} bad[] = {
		{ "{\"request_id\":\"a*b\"}", "request_id" },
		{ "{\"request_id\":\"*\"}", "request_id" },
		{ "{\"tenant\":7}", "tenant" },
		{ "{\"signal\":\"log\"}", "signal" },
		{ "{\"rate\":101}", "rate" },
		{ "{\"rate\":0}", "rate" },
		{ "{\"duration_ms\":600001}", "duration_ms" },
		{ "{\"route\":"
		  "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
		  "route" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		start(bad[i].question);
		cr_expect(strstr(answer_text("error"), bad[i].word), "%s: %s", bad[i].question,
		          answer_text("error"));
	}
	cr_expect_eq(f.audits, 0);
}
