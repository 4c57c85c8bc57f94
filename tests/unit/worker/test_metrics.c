/* SPDX-License-Identifier: Apache-2.0 */
#undef HEADGATE_REVISION /* that of the build */
#define HEADGATE_REVISION "test"
#include "worker/metrics.c"

#include "tests/unit/worker/otlp_bodies.h"

/* The body with its chunk lines taken out; to be freed. */
static char *unchunked(const char *reply)
{
	const char *p = fixture_body(reply);
	char *out = xcalloc(strlen(p) + 1, 1);
	size_t n = 0, size;

	while ((size = strtoul(p, NULL, 16)) > 0) {
		p = strstr(p, "\r\n") + 2;
		memcpy(out + n, p, size);
		n += size;
		p += size;
		cr_assert_eq(strncmp(p, "\r\n", 2), 0);
		p += 2;
	}
	cr_assert_str_eq(p, "0\r\n\r\n");
	return out;
}

static char *scrape(struct fixture *f, const char *accept)
{
	char text[256];
	const char *reply;

	snprintf(text, sizeof(text), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n%s\r\n", accept);
	reply = fixture_admin(f, text);
	cr_assert_eq(fixture_status(reply), 200);
	return unchunked(reply);
}

static bool has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n';
}

#define REQUESTS "headgate_requests_total{route=\"otlp_traces\",verdict="

Test(metrics, what_happened_is_there_under_its_names)
{
	struct fixture *f = fixture_open();
	char *text;

	send_body(f, "/v1/traces", "", one_span, sizeof(one_span));
	send_body(f, "/v1/traces", "", "x", 1);
	fixture_ask(f, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	text = scrape(f, "");
	cr_assert(fixture_has(f->sent, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	cr_assert(has_line(text, "headgate_build_info{version=\"" HEADGATE_VERSION
	                         "\",revision=\"test\"} 1"));
	cr_assert(has_line(text, REQUESTS "\"accepted\",code=\"200\"} 1"), "%s", text);
	cr_assert(has_line(text, REQUESTS "\"hg-invalid\",code=\"400\"} 1"));
	cr_assert(has_line(
		text,
		"headgate_requests_total{route=\"none\",verdict=\"hg-route\",code=\"404\"} 1"));
	cr_assert(has_line(text,
	                   "headgate_items_accepted_total{tenant=\"acme\",signal=\"traces\"} 1"));
	cr_assert(has_line(text,
	                   "headgate_items_delivered_total{tenant=\"acme\",signal=\"traces\"} 1"));
	cr_assert(has_line(text, "headgate_auth_total{method=\"token\",result=\"ok\"} 2"));
	cr_assert(has_line(text, "# TYPE headgate_requests_total counter"));
	cr_assert_null(strstr(text, "# EOF"));
	free(text);
	fixture_close(f);
}

Test(metrics, openmetrics_is_given_to_who_asks_for_it)
{
	struct fixture *f = fixture_open();
	char *text = scrape(
		f, "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
	size_t n = strlen(text);

	cr_assert(fixture_has(
		f->sent,
		"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
	cr_assert_gt(n, (size_t)6);
	cr_assert_str_eq(text + n - 6, "# EOF\n");
	cr_assert(has_line(text, "# TYPE headgate_requests counter"));
	free(text);
	fixture_close(f);
}

Test(metrics, every_family_is_there_once_a_turn_each)
{
	struct fixture *f = fixture_open();
	unsigned turns = 0, families = 0;
	char *text;

	fixture_begin(f, &f->admin);
	fixture_feed(f, (const uint8_t *)"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 43);
	while (stages_run(&f->r) == STEP_ROOM) {
		fixture_send_out(f);
		turns++;
	}
	req_finish(&f->r);
	text = unchunked(f->sent);
	for (const char *p = text; (p = strstr(p, "# TYPE ")); p++)
		families++;
	cr_assert_eq(families, stats_families() + 1);
	cr_assert_eq(turns, stats_families() + 2); /* the head, build_info, each family */
	free(text);
	fixture_close(f);
}

Test(metrics, the_pages_of_all_processes_are_summed_and_missing_ones_skipped)
{
	struct fixture *f = fixture_open();
	struct stats *other = fixture_page();
	char *text;

	f->w.pages[4] = other; /* 3 is nobody's */
	f->w.page_count = 5;
	stats_add(other, STAT_LOOP_STALLS, 0, 0, 5);
	stats_add(f->w.stats, STAT_LOOP_STALLS, 0, 0, 2);
	stats_add(f->w.pages[1], STAT_LOOP_STALLS, 0, 0, 100);
	text = scrape(f, "");
	cr_assert(has_line(text, "headgate_loop_stalls_total 107"));
	free(text);
	stats_unmap(other);
	fixture_close(f);
}

Test(metrics, a_master_that_died_while_folding_does_not_stop_a_scrape)
{
	struct fixture *f = fixture_open();
	char *text;

	atomic_store(&stats_head(f->w.pages[1])->fold_seq, 1);
	text = scrape(f, "");
	cr_assert(has_line(text, "headgate_loop_stalls_total 0"));
	free(text);
	fixture_close(f);
}
