/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/status_page.c"

#include "tests/unit/worker/fixture.h"

static const char *page(struct fixture *f)
{
	const char *reply = fixture_admin(f, "GET /status HTTP/1.0\r\nHost: localhost\r\n\r\n");

	cr_assert_eq(fixture_status(reply), 200);
	return reply;
}

static void expect(const char *body, const char *want)
{
	cr_assert(strstr(body, want), "no %s in %s", want, body);
}

/* O19 */
Test(status_page, it_is_html_without_script_or_anything_from_elsewhere)
{
	static const char *const bad[] = { "<script", "javascript:", "http://", "https://", "src=",
		                           "href=",   "onload",      "@import", "url(" };
	struct fixture *f = fixture_open();
	const char *reply = page(f);

	cr_assert(fixture_has(reply, "Content-Type: text/html; charset=utf-8"));
	cr_assert(fixture_has(reply, "Content-Security-Policy: default-src 'none'; style-src "
	                             "'unsafe-inline'"));
	expect(reply, "<meta http-equiv=\"refresh\" content=\"10\">");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_null(strcasestr(fixture_body(reply), bad[i]), "%s", bad[i]);
	cr_assert_str_eq(reply + strlen(reply) - 8, "</html>\n");
	fixture_close(f);
}

Test(status_page, other_pages_have_no_policy)
{
	struct fixture *f = fixture_open();

	page(f);
	cr_assert_null(strstr(fixture_admin(f, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	                      "Content-Security-Policy"));
	fixture_close(f);
}

/* O19 */
Test(status_page, an_error_text_is_escaped)
{
	struct fixture *f = fixture_open();
	struct last_error line = {
		.at = 3000000000, .worker = 5, .module = "<m>", .text = "x err=\"<b>&\\\"\""
	};
	const char *body;

	last_errors_add(&stats_head(f->w.pages[2])->errors, &line);
	body = fixture_body(page(f));
	expect(body, "<td>1970-01-01T00:00:03Z</td><td>worker 5</td><td>&lt;m&gt;</td>"
	             "<td>x err=&quot;&lt;b&gt;&amp;\\&quot;&quot;</td>");
	cr_assert_null(strstr(body, "<b>"));
	fixture_close(f);
}

Test(status_page, what_the_master_said_is_escaped_too)
{
	struct fixture *f = fixture_open();
	const char *body;

	facts_set(stats_facts(f->w.pages[0]),
	          BYTES("{\"started_at\":\"<a>\",\"started_at_s\":1763999940,"
	                "\"last_reload\":{\"result\":\"<b>\",\"at\":\"<c>\",\"why\":\"<d>\"},"
	                "\"tenants\":{\"source\":\"<e>\",\"state\":\"<f>\",\"last_error\":\"<g>\"},"
	                "\"jwks\":[{\"issuer\":\"<h>\",\"keys\":2,\"ok\":false,\"why\":\"<i>\"}],"
	                "\"certificates\":[{\"listener\":\"<j>\",\"file\":\"<k>\",\"not_after\":"
	                "\"<l>\",\"not_after_s\":1764777600}],\"left_out\":3}"));
	body = fixture_body(page(f));
	expect(body, "1 min, since &lt;a&gt;");
	expect(body, "&lt;b&gt;, &lt;c&gt;: &lt;d&gt;");
	expect(body, "&lt;e&gt;, &lt;f&gt;: &lt;g&gt;");
	expect(body, "<td>&lt;h&gt;</td><td class=\"n\">2</td><td>never</td><td>&lt;i&gt;</td>");
	expect(body, "<td>&lt;j&gt;</td><td>&lt;k&gt;</td><td>&lt;l&gt;</td><td class=\"n\">9");
	expect(body, "3 more issuers");
	fixture_close(f);
}

Test(status_page, what_there_is_none_of_is_said_in_words)
{
	struct fixture *f = fixture_open();
	struct snapshot *table = f->w.table;
	const char *body;

	f->w.table = NULL;
	body = fixture_body(page(f));
	expect(body, "<span class=\"fail\">not ready</span>");
	expect(body, "none was loaded yet");
	expect(body, "No tenant has sent anything");
	expect(body, "No issuer's keys are fetched.");
	expect(body, "No listener has a certificate.");
	expect(body, "None since the start.");
	f->w.table = table;
	fixture_close(f);
}

Test(status_page, each_kind_of_sink_has_its_rows)
{
	static const char *brokers[] = { "a<b:9092" };
	struct fixture *f = fixture_new();
	const char *body;

	f->conf.kafka.brokers.v = brokers;
	f->conf.kafka.brokers.n = 1;
	fixture_start(f, -1, -1);
	stats_set(f->w.stats, STAT_KAFKA_QUEUE_BYTES, 0, 0, 64 * MIB);
	stats_set(f->w.stats, STAT_KAFKA_QUEUE_CAPACITY, 0, 0, 256 * MIB);
	body = fixture_body(page(f));
	expect(body, "64.0 MiB of 256.0 MiB <svg");
	expect(body, "<rect class=\"part\" width=\"25\"");
	expect(body, "a&lt;b:9092: <span class=\"warn\">not connected</span>");
	expect(body, "topics missing");
	cr_assert_null(strstr(body, "quarantine"));
	stats_set(f->w.stats, STAT_KAFKA_BROKER_UP, 0, 0, 1);
	expect(fixture_body(page(f)), "<span class=\"ok\">up</span>");
	f->conf.sink = SINK_LOCAL;
	body = fixture_body(page(f));
	expect(body, "files in quarantine");
	cr_assert_null(strstr(body, "topics missing"));
	fixture_close(f);
}

Test(status_page, workers_and_tenants_have_their_numbers_and_bars)
{
	struct fixture *f = fixture_open();
	struct stats_head *head = stats_head(f->w.stats);
	unsigned slot = limits_metric_slot(f->w.limits, 1, BYTES("acme"));
	const char *body;

	atomic_store(&head->pid, 4711);
	atomic_store(&head->heartbeat_ms, (uint64_t)loop_now() - 40);
	stats_set(f->w.stats, STAT_WORKER_RSS, 0, 0, 3 * MIB);
	stats_tenant_add(f->w.stats, slot, SIGNAL_LOGS, TS_TENANT_REQUESTS, 2);
	stats_tenant_add(f->w.stats, slot, SIGNAL_LOGS, TS_TENANT_BYTES, 2048);
	body = fixture_body(page(f));
	expect(body, "<td class=\"n\">4711</td>");
	expect(body, "40 ms ago");
	expect(body, "3.0 MiB <svg");
	expect(body, "<td>acme</td><td class=\"n\">2</td>");
	expect(body, "2.0 KiB <svg");
	fixture_close(f);
}
