/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/stats_render.c"

enum { SLOTS = 2 + 2 };

static struct stats *pages[2];
static struct buf out;

static const char *dim_name(void *arg, enum stat_dim dim, unsigned i)
{
	(void)arg;
	if (dim == DIM_ROUTE)
		return i < 2 ? (const char *const[]){ "/v1/traces", "/v1/logs" }[i] : NULL;
	if (dim == DIM_LISTENER)
		return i == 0 ? "a\"b\\c\nd" : NULL;
	return NULL;
}

static const char *tenant_name(void *arg, unsigned slot)
{
	(void)arg;
	return (const char *const[SLOTS]){ "acme", NULL, "_other", "_none" }[slot];
}

static int code_of(void *arg, unsigned route, enum verdict v)
{
	(void)arg;
	return route == 1 && v == V_SCOPE ? 401 : verdict_get(v)->status;
}

static const struct stats_names names = { dim_name, tenant_name, code_of, NULL };

static void open_pages(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
		autoclose int fd = stats_memfd(SLOTS, NULL);

		pages[i] = stats_map(fd, true, SLOTS, NULL);
		cr_assert(pages[i]);
	}
	buf_init(&out, MIB);
}

static void close_pages(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++)
		stats_unmap(pages[i]);
	buf_done(&out);
}

TestSuite(stats_render, .init = open_pages, .fini = close_pages);

static const char *render(unsigned family, enum exposition form)
{
	buf_reset(&out);
	stats_render(&out, family, form, pages, ARRAY_LEN(pages), SLOTS, &names);
	buf_add(&out, "", 1);
	cr_assert_not(out.failed);
	return out.p;
}

static unsigned tenant_family_of(const char *name)
{
	for (unsigned i = STAT_COUNT; i < stats_families(); i++)
		if (strcmp(tenant_stat_info[tenant_family(i - STAT_COUNT)].name, name) == 0)
			return i;
	cr_assert_fail("no family %s", name);
	return 0;
}

Test(stats_render, a_counter_of_two_pages_is_one_sum_with_its_code)
{
	stats_add(pages[0], STAT_REQUESTS, 1, V_SCOPE, 2);
	stats_add(pages[1], STAT_REQUESTS, 1, V_SCOPE, 3);
	cr_assert_str_eq(render(STAT_REQUESTS, EXPOSITION_PROMETHEUS),
	                 "# HELP headgate_requests_total Requests answered, by route and verdict.\n"
	                 "# TYPE headgate_requests_total counter\n"
	                 "headgate_requests_total{route=\"/v1/"
	                 "logs\",verdict=\"hg-scope\",code=\"401\"} 5\n");
}

Test(stats_render, openmetrics_names_a_counters_family_without_total)
{
	stats_add(pages[0], STAT_LOOP_STALLS, 0, 0, 1);
	cr_assert_str_eq(render(STAT_LOOP_STALLS, EXPOSITION_OPENMETRICS),
	                 "# HELP headgate_loop_stalls Loop turns longer than 20 ms.\n"
	                 "# TYPE headgate_loop_stalls counter\n"
	                 "headgate_loop_stalls_total 1\n");
	cr_assert(strstr(render(STAT_GENERATION, EXPOSITION_OPENMETRICS),
	                 "# TYPE headgate_config_generation gauge\n"));
}

Test(stats_render, plain_families_appear_before_their_first_use)
{
	cr_assert(strstr(render(STAT_AUTH_REPLACED, EXPOSITION_PROMETHEUS),
	                 "\nheadgate_auth_replaced_total 0\n"));
	cr_assert(strstr(render(STAT_TABLE_GENERATION, EXPOSITION_PROMETHEUS),
	                 "\nheadgate_auth_cache_generation 0\n"));
}

Test(stats_render, counters_of_unused_places_are_left_out)
{
	cr_assert_null(strstr(render(STAT_REQUESTS, EXPOSITION_PROMETHEUS), "{"));
	cr_assert_null(strstr(render(STAT_AUTH, EXPOSITION_PROMETHEUS), "{"));
	cr_assert_null(strstr(render(STAT_REQUEST_DURATION, EXPOSITION_PROMETHEUS), "{"));
}

Test(stats_render, places_without_a_name_are_left_out)
{
	stats_add(pages[0], STAT_REQUESTS, 2, V_ACCEPTED, 2);
	cr_assert_null(strstr(render(STAT_REQUESTS, EXPOSITION_PROMETHEUS), "{"));
}

Test(stats_render, gauges_of_named_places_show_their_zero)
{
	cr_assert(strstr(render(STAT_REQUESTS_IN_FLIGHT, EXPOSITION_PROMETHEUS),
	                 "\nheadgate_requests_in_flight{route=\"/v1/traces\"} 0\n"));
	cr_assert(strstr(render(STAT_WORKERS, EXPOSITION_PROMETHEUS),
	                 "\nheadgate_workers{state=\"ready\"} 0\n"));
}

Test(stats_render, a_gauge_is_a_signed_sum)
{
	stats_add(pages[0], STAT_KAFKA_QUEUE_BYTES, 0, 0, -3);
	stats_add(pages[1], STAT_KAFKA_QUEUE_BYTES, 0, 0, 1);
	cr_assert(strstr(render(STAT_KAFKA_QUEUE_BYTES, EXPOSITION_PROMETHEUS),
	                 "\nheadgate_kafka_queue_bytes -2\n"));
}

Test(stats_render, the_oldest_table_is_that_of_a_page_that_has_one)
{
	stats_set(pages[1], STAT_TABLE_GENERATION, 0, 0,
	          7); /* the other page is the master's: never set */
	cr_assert(strstr(render(STAT_TABLE_GENERATION, EXPOSITION_PROMETHEUS), "generation 7\n"));
	stats_set(pages[0], STAT_TABLE_GENERATION, 0, 0, 5);
	cr_assert(strstr(render(STAT_TABLE_GENERATION, EXPOSITION_PROMETHEUS), "generation 5\n"));
	stats_set(pages[0], STAT_TABLE_ENTRIES, ROW_TOKEN, 0, 5);
	stats_set(pages[1], STAT_TABLE_ENTRIES, ROW_TOKEN, 0, 4);
	cr_assert(strstr(render(STAT_TABLE_ENTRIES, EXPOSITION_PROMETHEUS),
	                 "auth_cache_entries{kind=\"token\"} 5\n"));
}

Test(stats_render, processor_time_is_told_in_seconds)
{
	stats_add(pages[0], STAT_WORKER_CPU, 0, 0, 1500000);
	stats_add(pages[1], STAT_WORKER_CPU, 0, 0, 7);
	cr_assert(strstr(render(STAT_WORKER_CPU, EXPOSITION_PROMETHEUS),
	                 "headgate_worker_cpu_seconds_total 1.500007\n"));
	cr_assert(strstr(render(STAT_WORKER_CPU, EXPOSITION_OPENMETRICS),
	                 "# TYPE headgate_worker_cpu_seconds counter\n"));
}

Test(stats_render, label_values_are_escaped)
{
	stats_add(pages[0], STAT_CONNECTIONS_ACCEPTED, 0, 0, 1);
	cr_assert(strstr(render(STAT_CONNECTIONS_ACCEPTED, EXPOSITION_PROMETHEUS),
	                 "{listener=\"a\\\"b\\\\c\\nd\"} 1\n"));
	buf_reset(&out);
	write_value(&out, "bad\xff utf8");
	cr_assert(bytes_eq(buf_view(&out), BYTES("bad? utf8")));
}

Test(stats_render, a_histogram_is_cumulative_and_in_seconds)
{
	const char *text;

	stats_observe_us(pages[0], STAT_REQUEST_DURATION, 0, 400);
	stats_observe_us(pages[1], STAT_REQUEST_DURATION, 0, 1500000);
	stats_observe_us(pages[1], STAT_REQUEST_DURATION, 0, 40000000);
	text = render(STAT_REQUEST_DURATION, EXPOSITION_OPENMETRICS);
	cr_assert(strstr(text, "# TYPE headgate_request_duration_seconds histogram\n"));
	cr_assert(strstr(text, "_bucket{route=\"/v1/traces\",le=\"0.0005\"} 1\n"), "%s", text);
	cr_assert(strstr(text, "_bucket{route=\"/v1/traces\",le=\"1.0\"} 1\n"), "%s", text);
	cr_assert(strstr(text, "_bucket{route=\"/v1/traces\",le=\"2.5\"} 2\n"));
	cr_assert(strstr(text, "_bucket{route=\"/v1/traces\",le=\"30.0\"} 2\n"));
	cr_assert(strstr(text, "_bucket{route=\"/v1/traces\",le=\"+Inf\"} 3\n"));
	cr_assert(strstr(text, "_sum{route=\"/v1/traces\"} 41.500400\n"));
	cr_assert(strstr(text, "_count{route=\"/v1/traces\"} 3\n"));
}

Test(stats_render, a_histogram_without_fast_ones_is_shown)
{
	stats_observe_us(pages[0], STAT_REQUEST_DURATION, 1, 20000);
	cr_assert(strstr(render(STAT_REQUEST_DURATION, EXPOSITION_PROMETHEUS),
	                 "_count{route=\"/v1/logs\"} 1\n"));
}

Test(stats_render, the_bounds_are_written_as_they_are)
{
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
		cr_assert_eq(strtod(bound_text[i], NULL), histogram_bounds[i]);
}

Test(stats_render, a_rate_is_one_for_all_signals_of_its_tenant)
{
	unsigned rates = tenant_family_of("ratelimit_refused_total");

	stats_tenant_add(pages[0], 0, SIGNAL_LOGS, TS_RATE_BYTES, 2);
	stats_tenant_add(pages[1], 0, SIGNAL_TRACES, TS_RATE_BYTES, 3);
	stats_tenant_add(pages[1], 2, SIGNAL_LOGS, TS_RATE_BURST, 1);
	cr_assert_str_eq(
		render(rates, EXPOSITION_PROMETHEUS),
		"# HELP headgate_ratelimit_refused_total Requests refused by a limit of their "
		"tenant.\n"
		"# TYPE headgate_ratelimit_refused_total counter\n"
		"headgate_ratelimit_refused_total{tenant=\"acme\",kind=\"bytes\"} 5\n"
		"headgate_ratelimit_refused_total{tenant=\"_other\",kind=\"burst\"} 1\n");
}

Test(stats_render, a_tenants_families_begin_together)
{
	stats_tenant_add(pages[0], 0, SIGNAL_LOGS, TS_ITEMS_ACCEPTED, 2);
	stats_tenant_add(pages[1], 0, SIGNAL_LOGS, TS_ITEMS_IN_FLIGHT, 1);
	cr_assert_str_eq(render(tenant_family_of("items_delivered_total"), EXPOSITION_PROMETHEUS),
	                 "# HELP headgate_items_delivered_total Items persisted.\n"
	                 "# TYPE headgate_items_delivered_total counter\n"
	                 "headgate_items_delivered_total{tenant=\"acme\",signal=\"logs\"} 0\n");
	cr_assert(strstr(render(tenant_family_of("items_in_flight"), EXPOSITION_PROMETHEUS),
	                 "# TYPE headgate_items_in_flight gauge\n"
	                 "headgate_items_in_flight{tenant=\"acme\",signal=\"logs\"} 1\n"));
}

Test(stats_render, reasons_appear_when_used_and_free_slots_never)
{
	unsigned refused = tenant_family_of("items_refused_total");

	cr_assert_null(strstr(render(refused, EXPOSITION_PROMETHEUS), "{"));
	stats_tenant_add(pages[0], 2, SIGNAL_TRACES, TS_REFUSED_SIZE, 2);
	stats_tenant_add(pages[0], 2, SIGNAL_TRACES, TS_REFUSED_OTHER, 1);
	stats_tenant_add(pages[0], 1, SIGNAL_TRACES, TS_REFUSED_SIZE, 9); /* nobody's slot */
	cr_assert_str_eq(
		render(refused, EXPOSITION_OPENMETRICS),
		"# HELP headgate_items_refused Items of requests refused after they were counted.\n"
		"# TYPE headgate_items_refused counter\n"
		"headgate_items_refused_total{tenant=\"_other\",signal=\"traces\",reason=\"size\"} "
		"2\n"
		"headgate_items_refused_total{tenant=\"_other\",signal=\"traces\",reason=\"other\"}"
		" 1\n");
}

Test(stats_render, each_name_is_one_family)
{
	char heads[8192] = "";

	for (unsigned i = 0; i < stats_families(); i++) {
		const char *text = render(i, EXPOSITION_PROMETHEUS),
			   *type = strstr(text, "# TYPE ");
		char line[200];

		cr_assert(type);
		snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(type, "\n"), type);
		cr_assert_null(strstr(heads, line), "%s", line);
		cr_assert(strlen(heads) + strlen(line) < sizeof(heads));
		strcat(heads, line);
	}
}

Test(stats_render, each_place_of_a_fixed_dimension_has_a_text)
{
	for (int dim = DIM_NONE + 1; dim < DIM_COUNT; dim++) {
		if (!dim_text[dim][0] ||
		    dim == DIM_ENCODING) /* as many encodings as there are so far */
			continue;
		for (unsigned i = 0; i < stat_dim_size[dim]; i++)
			cr_assert(dim_text[dim][i], "%s %u", dim_label[dim], i);
	}
}

Test(stats_render, text_that_does_not_fit_fails_and_nothing_more)
{
	char small[64];
	struct buf fixed;

	buf_init_fixed(&fixed, small, sizeof(small));
	stats_render(&fixed, STAT_WORKERS, EXPOSITION_PROMETHEUS, pages, 2, SLOTS, &names);
	cr_assert(fixed.failed);
}
