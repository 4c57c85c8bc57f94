/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c -- gathers what a person or a script wants to know of this host at a glance, and prints
 * it as /status.json. Values from the configuration, and from other processes' memory, are texts
 * like any other; none of them is a secret.
 */
#include "worker/status.h"

#include <jansson.h>
#include <string.h>

#include "common/buf.h"
#include "common/loop.h"
#include "worker/admin.h"
#include "worker/budget.h"
#include "worker/sink.h"
#include "worker/status_tenants.h"
#include "worker/when.h"
#include "worker/worker.h"

enum { DAY_S = 86400, FOLD_READS_MAX = 100 };

struct status {
	const struct worker *w;
	json_t *doc;
	unsigned part;
	struct top_tenants top;
};

/* ---- values ---- */

static json_t *text_of(const char *s)
{
	struct bytes text = bytes_str(s);
	autofree char *copy = xstrndup(s, text.n);
	json_t *value;

	if (!bytes_is_utf8(text))
		for (char *c = copy; *c; c++)
			if (*c & 0x80)
				*c = '?';
	value = json_string(copy);
	if (!value)
		out_of_memory();
	return value;
}

static void put(json_t *o, const char *key, json_t *value)
{
	if (!value || json_object_set_new(o, key, value) < 0)
		out_of_memory();
}

static void put_text(json_t *o, const char *key, const char *text)
{
	put(o, key, text_of(text));
}

static void put_number(json_t *o, const char *key, uint64_t n)
{
	put(o, key, json_integer(n <= INT64_MAX ? (json_int_t)n : INT64_MAX));
}

static json_t *append(json_t *list)
{
	json_t *o = json_object();

	if (!o || json_array_append_new(list, o) < 0)
		out_of_memory();
	return o;
}

/* ---- of all stats pages ---- */

static uint64_t sum_of(const struct worker *w, enum stat_id id, unsigned a, unsigned b)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->page_count; i++)
		if (w->pages[i])
			sum += stats_get(w->pages[i], id, a, b);
	return sum;
}

static uint64_t most_of(const struct worker *w, enum stat_id id, unsigned a)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < w->page_count; i++)
		if (w->pages[i])
			most = max_size(most, stats_get(w->pages[i], id, a, 0));
	return most;
}

/* As in /metrics: of those who have looked, the one that sees least. */
static bool broker_is_up(const struct worker *w, unsigned broker)
{
	bool seen = false;

	for (unsigned i = 0; i < w->page_count; i++) {
		if (!w->pages[i] || !stats_is_set(w->pages[i], STAT_KAFKA_BROKER_UP, broker, 0))
			continue;
		seen = true;
		if (!stats_get(w->pages[i], STAT_KAFKA_BROKER_UP, broker, 0))
			return false;
	}
	return seen;
}

static uint64_t master_says(const struct worker *w, enum stat_id id, unsigned a)
{
	return w->pages[0] ? stats_get(w->pages[0], id, a, 0) : 0;
}

/* ---- parts ---- */

static void put_checks(const struct worker *w, json_t *doc)
{
	struct check checks[CHECKS_MAX];
	unsigned n = admin_checks(w, checks);
	json_t *list = json_array();
	bool ready = true;

	for (unsigned i = 0; i < n; i++) {
		json_t *o = append(list);

		put_text(o, "level", check_level_name(checks[i].level));
		put_text(o, "name", checks[i].name);
		put_text(o, "detail", checks[i].detail);
		ready = ready && checks[i].level != CHECK_FAIL;
	}
	put(doc, "ready", json_boolean(ready));
	put(doc, "checks", list);
}

static void put_table(const struct worker *w, json_t *doc)
{
	json_t *o = w->table ? json_object() : json_null();
	uint64_t skipped = 0;

	put(doc, "table", o);
	if (!w->table)
		return;
	put_number(o, "generation", snapshot_generation(w->table));
	put_number(o, "tenants", snapshot_tenants(w->table));
	put_number(o, "tokens", snapshot_tokens(w->table));
	put_number(o, "longest_probe", snapshot_longest(w->table));
	put(o, "fresh", json_boolean(worker_table_is_fresh(w)));
	put_number(o, "age_s", master_says(w, STAT_TABLE_AGE, 0));
	for (unsigned why = 0; why < stat_dim_size[DIM_SKIP_REASON]; why++)
		skipped += master_says(w, STAT_ROWS_SKIPPED, why);
	put_number(o, "rows_skipped", skipped);
	put_number(o, "rows_over_limit",
	           master_says(w, STAT_ROWS_OVER_LIMIT, ROW_TENANT) +
	                   master_says(w, STAT_ROWS_OVER_LIMIT, ROW_TOKEN));
}

static void put_brokers(const struct worker *w, json_t *sink)
{
	json_t *list = json_array();

	put(sink, "brokers", list);
	for (unsigned i = 0; i < w->conf->kafka.brokers.n; i++) {
		json_t *o = append(list);

		put_text(o, "broker", w->conf->kafka.brokers.v[i]);
		put(o, "up", json_boolean(broker_is_up(w, i)));
	}
}

static void put_delivery_errors(const struct worker *w, json_t *sink)
{
	uint64_t errors = 0;

	for (unsigned i = 0; i < stat_dim_size[DIM_KAFKA_ERROR]; i++)
		errors += sum_of(w, STAT_KAFKA_ERRORS, i, 0);
	put_number(sink, "delivery_errors", errors);
	put_number(sink, "topics_missing", most_of(w, STAT_KAFKA_TOPICS_MISSING, 0));
}

/* The local store, or Kafka's spool. */
static void put_store(const struct worker *w, json_t *o, unsigned which)
{
	put_number(o, "store_bytes", most_of(w, STAT_STORE_BYTES, which));
	put_number(o, "store_capacity_bytes", most_of(w, STAT_STORE_CAPACITY, which));
	put_number(o, "store_oldest_s", most_of(w, STAT_STORE_OLDEST, which));
	put_number(o, "store_quarantined", sum_of(w, STAT_STORE_QUARANTINED, which, 0));
}

/* "sink" is this worker's own, "sinks" what all of them have. */
static void put_sinks(const struct worker *w, json_t *doc)
{
	json_t *own = json_object(), *list = json_array(), *o = append(list);

	put(doc, "sink", own);
	put_text(own, "name", w->sink->ops->name);
	put_number(own, "bytes", budget_used(w->budget));
	put_number(own, "capacity_bytes", budget_capacity(w->budget));
	put(doc, "sinks", list);
	put_text(o, "name", w->sink->ops->name);
	put_number(o, "queue_messages", sum_of(w, STAT_KAFKA_QUEUE_MESSAGES, 0, 0));
	put_number(o, "queue_bytes", sum_of(w, STAT_KAFKA_QUEUE_BYTES, 0, 0));
	put_number(o, "queue_capacity_bytes", sum_of(w, STAT_KAFKA_QUEUE_CAPACITY, 0, 0));
	if (w->conf->sink == SINK_KAFKA) {
		put_brokers(w, o);
		put_delivery_errors(w, o);
		if (w->conf->spool.enabled)
			put_store(w, o, STORE_SPOOL);
	} else if (w->conf->sink == SINK_LOCAL) {
		put_store(w, o, STORE_LOCAL);
	}
}

static void put_worker(struct stats *page, json_t *o)
{
	struct stats_head *head = stats_head(page);
	uint64_t beat = atomic_load(&head->heartbeat_ms), now = (uint64_t)loop_now();

	put_number(o, "slot", (uint64_t)atomic_load(&head->slot));
	put_number(o, "pid", (uint64_t)atomic_load(&head->pid));
	put_number(o, "generation", atomic_load(&head->generation));
	put_number(o, "table", atomic_load(&head->table_generation));
	put_number(o, "heartbeat_age_ms", now > beat ? now - beat : 0);
	put_number(o, "resident_bytes", stats_get(page, STAT_WORKER_RSS, 0, 0));
}

/* Pages 0 and 1 are the master's and the base; one without a pid waits for its next owner. */
static void put_workers(const struct worker *w, json_t *doc)
{
	static const char *const states[] = { [WORKER_STARTING] = "starting",
		                              [WORKER_READY] = "ready",
		                              [WORKER_DRAINING] = "draining" };
	json_t *list = json_array(), *counts = json_object();
	uint64_t restarts = 0;

	for (unsigned i = 2; i < w->page_count; i++)
		if (w->pages[i] && atomic_load(&stats_head(w->pages[i])->pid) > 0)
			put_worker(w->pages[i], append(list));
	put(doc, "workers", list);
	put(doc, "worker_states", counts);
	for (unsigned i = 0; i < ARRAY_LEN(states); i++)
		put_number(counts, states[i], master_says(w, STAT_WORKERS, i));
	for (unsigned i = 0; i < stat_dim_size[DIM_RESTART_REASON]; i++)
		restarts += master_says(w, STAT_WORKER_RESTARTS, i);
	put_number(doc, "worker_restarts", restarts);
}

/* Twice is once while the master keeps a dead worker's lines: in the base, and still in its page.
 */
static unsigned read_errors(const struct worker *w, struct last_error *list)
{
	struct stats *base = w->page_count > 1 ? w->pages[1] : NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < FOLD_READS_MAX; i++) {
		uint32_t seq = base ? stats_read_begin(base) : 0;

		n = 0;
		for (unsigned page = 0; page < w->page_count; page++)
			if (w->pages[page])
				n = last_errors_merge(list, n, &stats_head(w->pages[page])->errors);
		if (!base || !stats_read_retry(base, seq))
			break;
	}
	return n;
}

static void put_errors(const struct worker *w, json_t *doc)
{
	struct last_error *list = xcalloc(LAST_ERRORS, sizeof(*list));
	unsigned n = read_errors(w, list);
	json_t *out = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *o = append(out);
		char when[WHEN_RFC3339_BYTES];

		when_rfc3339(list[i].at / 1000000000, when);
		put_text(o, "at", when);
		put(o, "worker", list[i].worker < 0 ? json_null() : json_integer(list[i].worker));
		put_number(o, "generation", list[i].generation);
		put_text(o, "module", list[i].module);
		put_text(o, "text", list[i].text);
	}
	put(doc, "errors", out);
	free(list);
}

/* ---- what the master said ---- */

static void put_uptime(json_t *doc)
{
	int64_t now = loop_wall_ns() / 1000000000;
	json_t *started = json_object_get(doc, "started_at_s");
	int64_t since = json_integer_value(started);

	put(doc, "uptime_s",
	    json_is_integer(started) ? json_integer(now > since ? now - since : 0) : json_null());
}

static void put_days_left(json_t *doc)
{
	int64_t now = loop_wall_ns() / 1000000000;
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(doc, "certificates"), i, one) {
		int64_t ends = json_integer_value(json_object_get(one, "not_after_s"));

		put(one, "days_left", json_integer((ends - now) / DAY_S));
	}
}

/* Its members become the document's; null where it has not spoken yet. */
static void put_facts(const struct worker *w, json_t *doc)
{
	static const char *const members[] = { "started_at", "started_at_s", "last_reload",
		                               "tenants",    "jwks",         "certificates",
		                               "left_out" };
	autofree char *text = w->pages[0] ? facts_get(stats_facts(w->pages[0])) : NULL;
	json_t *facts = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *value = json_object_get(facts, members[i]);

		put(doc, members[i], value ? json_incref(value) : json_null());
	}
	json_decref(facts);
	put_uptime(doc);
	put_days_left(doc);
}

static void put_top(const struct status *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->top.count; i++) {
		const struct top_tenant *t = &s->top.v[i];
		json_t *o = append(list);

		put_text(o, "tenant", limits_metric_name(s->w->limits, t->slot));
		for (unsigned k = 0; k < TENANT_SUMS; k++)
			put_number(o, tenant_sum_names[k], t->sums[k]);
	}
	put(s->doc, "top_tenants", list);
}

/* ---- turn by turn ---- */

static void put_head(const struct worker *w, json_t *doc)
{
	put(doc, "schema", json_integer(1));
	put_text(doc, "version", HEADGATE_VERSION);
	put_text(doc, "revision", HEADGATE_REVISION);
	put_number(doc, "generation", w->generation);
	put_number(doc, "worker", (uint64_t)w->slot);
	put_checks(w, doc);
	put_table(w, doc);
	put_sinks(w, doc);
}

static void (*const parts[])(const struct worker *w, json_t *doc) = { put_head, put_workers,
	                                                              put_facts, put_errors };

static void status_free(void *arg)
{
	struct status *s = arg;

	json_decref(s->doc);
}

struct status *status_new(struct req *r)
{
	struct status *s = pool_zalloc(r->pool, sizeof(*s));

	s->w = r->w;
	s->doc = json_object();
	if (!s->doc)
		out_of_memory();
	pool_on_free(r->pool, status_free, s);
	return s;
}

bool status_gather(struct status *s)
{
	if (s->part < ARRAY_LEN(parts)) {
		parts[s->part++](s->w, s->doc);
		return true;
	}
	if (top_tenants_more(&s->top, s->w))
		return true;
	put_top(s);
	return false;
}

const struct json_t *status_document(const struct status *s)
{
	return s->doc;
}

/* ---- /status.json ---- */

static bool json_more(struct req *r)
{
	struct status *s = r->more_arg;
	autofree char *text = NULL;

	if (status_gather(s))
		return true;
	text = json_dumps(s->doc, JSON_COMPACT);
	if (!text)
		out_of_memory();
	buf_str(&r->reply, text);
	buf_char(&r->reply, '\n');
	return false;
}

enum step status_run(struct req *r)
{
	r->page_type = "application/json";
	r->more = json_more;
	r->more_arg = status_new(r);
	return req_say(r, V_ADMIN);
}
