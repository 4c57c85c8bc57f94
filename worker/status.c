/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c -- /status.json of the admin listener: what a person or a script wants to know of this
 * host at a glance. Values from the configuration are escaped; none of them is a secret.
 */
#include "common/buf.h"
#include "common/loop.h"
#include "worker/admin.h"
#include "worker/budget.h"
#include "worker/sink.h"
#include "worker/worker.h"

enum { STATUS_BYTES_MAX = 256 * KIB }; /* 512 workers of some 200 bytes, and the rest */

static void put_text(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "\"%s\":\"", key);
	buf_json(b, bytes_str(text), 256);
	buf_char(b, '"');
}

static void put_number(struct buf *b, const char *key, uint64_t value)
{
	buf_printf(b, "\"%s\":%llu", key, (unsigned long long)value);
}

static void put_flag(struct buf *b, const char *key, bool value)
{
	buf_printf(b, "\"%s\":%s", key, value ? "true" : "false");
}

static void write_checks(const struct worker *w, struct buf *b)
{
	struct check checks[CHECKS_MAX];
	unsigned n = admin_checks(w, checks);
	bool ready = true;

	for (unsigned i = 0; i < n; i++)
		ready = ready && checks[i].level != CHECK_FAIL;
	put_flag(b, "ready", ready);
	buf_str(b, ",\"checks\":[");
	for (unsigned i = 0; i < n; i++) {
		buf_str(b, i ? ",{" : "{");
		put_text(b, "level", check_level_name(checks[i].level));
		buf_char(b, ',');
		put_text(b, "name", checks[i].name);
		buf_char(b, ',');
		put_text(b, "detail", checks[i].detail);
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

static void write_table(const struct worker *w, struct buf *b)
{
	buf_str(b, ",\"table\":");
	if (!w->table) {
		buf_str(b, "null");
		return;
	}
	buf_char(b, '{');
	put_number(b, "generation", snapshot_generation(w->table));
	buf_char(b, ',');
	put_number(b, "tenants", snapshot_tenants(w->table));
	buf_char(b, ',');
	put_number(b, "tokens", snapshot_tokens(w->table));
	buf_char(b, ',');
	put_number(b, "longest_probe", snapshot_longest(w->table));
	buf_char(b, ',');
	put_flag(b, "fresh", worker_table_is_fresh(w));
	buf_char(b, '}');
}

static void write_worker(struct stats *page, struct buf *b)
{
	struct stats_head *head = stats_head(page);
	uint64_t beat = atomic_load(&head->heartbeat_ms), now = (uint64_t)loop_now();

	put_number(b, "slot", (uint64_t)atomic_load(&head->slot));
	buf_char(b, ',');
	put_number(b, "pid", (uint64_t)atomic_load(&head->pid));
	buf_char(b, ',');
	put_number(b, "generation", atomic_load(&head->generation));
	buf_char(b, ',');
	put_number(b, "table", atomic_load(&head->table_generation));
	buf_char(b, ',');
	put_number(b, "heartbeat_age_ms", now > beat ? now - beat : 0);
	buf_char(b, ',');
	put_number(b, "resident_bytes", stats_get(page, STAT_WORKER_RSS, 0, 0));
}

/* Pages 0 and 1 are the master's and the base; one without a pid waits for its next owner. */
static void write_workers(const struct worker *w, struct buf *b)
{
	const char *open = "{";

	buf_str(b, ",\"workers\":[");
	for (unsigned i = 2; i < w->page_count; i++) {
		if (!w->pages[i] || atomic_load(&stats_head(w->pages[i])->pid) <= 0)
			continue;
		buf_str(b, open);
		write_worker(w->pages[i], b);
		buf_char(b, '}');
		open = ",{";
	}
	buf_char(b, ']');
}

enum step status_run(struct req *r)
{
	const struct worker *w = r->w;
	struct buf b;

	buf_init(&b, STATUS_BYTES_MAX);
	buf_str(&b, "{\"schema\":1,");
	put_text(&b, "version", HEADGATE_VERSION);
	buf_char(&b, ',');
	put_text(&b, "revision", HEADGATE_REVISION);
	buf_char(&b, ',');
	put_number(&b, "generation", w->generation);
	buf_char(&b, ',');
	put_number(&b, "worker", (uint64_t)w->slot);
	buf_char(&b, ',');
	write_checks(w, &b);
	write_table(w, &b);
	buf_str(&b, ",\"sink\":{");
	put_text(&b, "name", w->sink->ops->name);
	buf_char(&b, ',');
	put_number(&b, "bytes", budget_used(w->budget));
	buf_char(&b, ',');
	put_number(&b, "capacity_bytes", budget_capacity(w->budget));
	buf_char(&b, '}');
	write_workers(w, &b);
	buf_str(&b, "}\n");
	assert(!b.failed); /* PAGES_MAX workers fit */
	r->page = pool_dup(r->pool, buf_view(&b));
	r->page_type = "application/json";
	buf_done(&b);
	return req_say(r, V_ADMIN);
}
