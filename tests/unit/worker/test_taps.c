/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/taps.c"

#include <jansson.h>

#include "tests/unit/worker/fixture.h"
#include "tests/unit/worker/otlp_bodies.h"

static struct fixture *f;
static int master_end;
static struct tap_filter any;

static void set_up(void)
{
	struct err err;
	int fds[2];

	f = fixture_open();
	cr_assert(channel_pair(fds, &err) == 0);
	f->w.channel = fds[0];
	master_end = fds[1];
	f->w.taps = taps_new(&f->w);
	any = (struct tap_filter){ .signal = -1, .rate = 100, .duration = 60000 };
}

static void tear_down(void)
{
	taps_free(f->w.taps);
	close(f->w.channel);
	close(master_end);
	fixture_close(f);
}

TestSuite(taps, .init = set_up, .fini = tear_down);

static struct bytes filter_bytes(const struct tap_filter *filter)
{
	return bytes_of(filter, sizeof(*filter));
}

static void turn_on(uint64_t id, const struct tap_filter *filter)
{
	struct channel_msg m;
	struct err err;

	cr_assert(taps_set(f->w.taps, id, filter_bytes(filter), &err) == 0, "%s", err.text);
	cr_assert(channel_recv(master_end, &m, &err) == 1);
	cr_assert(m.type == MSG_TAP_OK && m.arg == id);
}

/* A request that is refused: no body, a token, an id of the client's. */
static void ask(const char *token, const char *id)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "POST /v1/logs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nX-Request-Id: "
	         "%s\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
	         token, id);
	fixture_ask(f, text);
}

/* The next line that went up, or NULL. */
static json_t *line(uint64_t *tap)
{
	struct channel_msg m;
	struct err err;
	json_t *o;

	if (channel_recv(master_end, &m, &err) != 1)
		return NULL;
	cr_assert_eq(m.type, MSG_TAPPED);
	*tap = m.arg;
	o = json_loadb((const char *)m.body, m.body_bytes, 0, NULL);
	cr_assert(o, "%.*s", (int)m.body_bytes, (const char *)m.body);
	return o;
}

static unsigned lines(void)
{
	unsigned n = 0;
	uint64_t tap;
	json_t *o;

	while ((o = line(&tap))) {
		json_decref(o);
		n++;
	}
	return n;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(null)";
}

Test(taps, a_refused_request_goes_up_with_what_became_of_it)
{
	uint64_t tap;
	json_t *o;

	turn_on(9, &any);
	ask("secret-acme", "abc-1");
	o = line(&tap);
	cr_assert(o);
	cr_expect_eq(tap, 9);
	cr_expect_str_eq(text(o, "client_request_id"), "abc-1");
	cr_expect_eq(strlen(text(o, "request_id")), 32);
	cr_expect_str_eq(text(o, "tenant"), "acme");
	cr_expect_str_eq(text(o, "route"), "otlp_logs");
	cr_expect_str_eq(text(o, "signal"), "logs");
	cr_expect_eq(json_integer_value(json_object_get(o, "code")), 415);
	cr_expect(json_is_null(json_object_get(o, "topic")));
	cr_expect(json_is_null(json_object_get(o, "offset")));
	cr_expect_eq(json_integer_value(json_object_get(o, "schema")), 1);
	json_decref(o);
}

Test(taps, filters_choose_by_request_id_tenant_route_and_signal)
{
	static const struct {
		struct tap_filter filter;
		unsigned lines; /* of the three requests below */
	} cases[] = {
		{ { .request_id = "abc-1", .signal = -1 }, 1 },
		{ { .request_id = "abc-*", .signal = -1 }, 2 },
		{ { .request_id = "abc", .signal = -1 }, 0 },
		{ { .tenant = "acme", .signal = -1 }, 2 },
		{ { .tenant = "other", .signal = -1 }, 1 },
		{ { .route = "otlp_logs", .signal = -1 }, 3 },
		{ { .route = "otlp_traces", .signal = -1 }, 0 },
		{ { .signal = SIGNAL_LOGS }, 3 },
		{ { .signal = SIGNAL_TRACES }, 0 },
		{ { .tenant = "acme", .request_id = "zz-3", .signal = -1 }, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tap_filter filter = cases[i].filter;
		struct err err;

		filter.rate = 100;
		filter.duration = 1000;
		turn_on(1, &filter);
		ask("secret-acme", "abc-1");
		ask("secret-acme", "abc-2");
		ask("secret-other", "zz-3");
		cr_expect_eq(lines(), cases[i].lines, "case %zu", i);
		cr_assert(taps_set(f->w.taps, 1, BYTES_NONE, &err) == 0);
	}
}

Test(taps, our_own_id_is_matched_too)
{
	uint64_t tap;
	json_t *o;

	turn_on(1, &any);
	ask("secret-acme", "x");
	o = line(&tap);
	snprintf(any.request_id, sizeof(any.request_id), "%.12s*", text(o, "request_id"));
	json_decref(o);
	turn_on(2, &any);
	ask("secret-acme", "x"); /* of the same clock, so of the same first digits */
	cr_expect_eq(lines(), 2, "by each of the two taps");
}

Test(taps, beyond_its_rate_lines_are_counted_and_the_next_one_says_how_many)
{
	uint64_t tap;
	json_t *o;

	any.rate = 2;
	turn_on(1, &any);
	for (int i = 0; i < 5; i++)
		ask("secret-acme", "x");
	cr_expect_eq(lines(), 2);
	loop_set_clock(INT64_C(1001) * 1000000000, FIXTURE_NOW_S * 1000000000);
	ask("secret-acme", "x");
	o = line(&tap);
	cr_assert(o);
	cr_expect_eq(json_integer_value(json_object_get(o, "lost")), 3);
	json_decref(o);
}

Test(taps, it_ends_by_its_own_clock_and_when_told)
{
	struct err err;

	any.duration = 1000;
	turn_on(1, &any);
	turn_on(2, &any);
	cr_assert(taps_set(f->w.taps, 2, BYTES_NONE, &err) == 0);
	cr_assert(taps_set(f->w.taps, 3, BYTES_NONE, &err) == 0, "one that it never had");
	ask("secret-acme", "x");
	cr_expect_eq(lines(), 1);
	loop_set_clock(INT64_C(1001) * 1000000000, FIXTURE_NOW_S * 1000000000);
	ask("secret-acme", "x");
	cr_expect_eq(lines(), 0);
	cr_expect_eq(f->w.taps->n, 0);
}

Test(taps, lines_leave_half_of_the_channel_to_other_messages)
{
	turn_on(1, &any);
	turn_on(2, &any);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 100; k++)
			ask("secret-acme", "x");
		loop_set_clock((INT64_C(1001) + i) * 1000000000, FIXTURE_NOW_S * 1000000000);
	}
	cr_expect(channel_send(f->w.channel, MSG_TABLE_OK, 1, 0, -1, BYTES_NONE) == 0,
	          "a table can still be confirmed");
	cr_expect_gt(f->w.taps->v[0].lost, 0);
}

Test(taps, a_filter_of_another_size_is_an_error)
{
	struct err err = { "" };

	cr_expect(taps_set(f->w.taps, 1, BYTES("short"), &err) < 0);
	memset(any.tenant, 'a', sizeof(any.tenant));
	cr_expect(taps_set(f->w.taps, 1, filter_bytes(&any), &err) < 0);
	cr_expect(strstr(err.text, "without end"));
}
