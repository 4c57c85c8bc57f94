/* SPDX-License-Identifier: Apache-2.0 */
#include "master/status.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/loop.h"
#include "master/certs.h"
#include "master/jwks.h"
#include "master/master.h"

static const char *const reload_names[] = { "ok", "config", "not_ready" };
static const char *const sink_names[] = { "local", "kafka", "discard" };

static json_t *text_of(const char *s)
{
	return control_text(bytes_str(s));
}

/* Of seconds: a certificate may end in the year 9999. */
static json_t *second_of(int64_t at_s)
{
	time_t s = (time_t)at_s;
	char text[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *time_of(unix_ns at)
{
	return second_of(at / 1000000000);
}

static const char *state_name(enum proc_state state)
{
	switch (state) {
	case PROC_EMPTY:
		return "waiting";
	case PROC_STARTING:
		return "starting";
	case PROC_READY:
		return "ready";
	case PROC_DRAINING:
		return "draining";
	case PROC_STATES:
		break;
	}
	assert(!"not a state");
	return "";
}

static json_t *workers_of(const struct master *m)
{
	json_t *list = json_array();

	for (struct proc *p = NULL; (p = workers_each(&m->workers, p));) {
		bool live = proc_is_live(p);
		const struct stats *page = live ? pages_stats(m->pages, p->page) : NULL;

		if (!live && p->gen->retiring)
			continue;
		json_array_append_new(
			list,
			json_pack("{s:i,s:I,s:s,s:o,s:I,s:I,s:I}", "slot", (int)p->slot,
		                  "generation", (json_int_t)p->gen->number, "state",
		                  state_name(p->state), "pid",
		                  live ? json_integer(p->pid) : json_null(), "for_ms",
		                  (json_int_t)(loop_now() - p->since), "rss_bytes",
		                  (json_int_t)(page ? stats_get(page, STAT_WORKER_RSS, 0, 0) : 0),
		                  "table", (json_int_t)(live ? p->table_ok : 0)));
	}
	return list;
}

static json_t *listeners_of(const struct master *m)
{
	const struct generation *gen = m->workers.current;
	json_t *list = json_array();

	for (size_t i = 0; i < gen->conf->listeners.n; i++) {
		const struct listener_conf *l = &gen->conf->listeners.v[i];

		json_array_append_new(list,
		                      json_pack("{s:s,s:o,s:o,s:b,s:b}", "name", l->name, "listen",
		                                text_of(l->listen), "addr",
		                                text_of(listener_set_addr(gen->set, i)->text),
		                                "tls", l->tls.pairs.n > 0, "admin", l->admin));
	}
	return list;
}

static json_t *tenants_of(const struct master *m)
{
	struct tenants_status t;

	tenants_status(m->tenants, &t);
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:b,s:o}", "source", t.source, "state", t.state,
	                 "table", (json_int_t)t.generation, "tenants", (json_int_t)t.tenants,
	                 "tokens", (json_int_t)t.tokens, "age_ms", (json_int_t)t.age_ms, "fresh",
	                 t.fresh, "last_error", text_of(t.last_error));
}

json_t *status_certificates(const struct conf *conf)
{
	json_t *list = json_array();

	for (size_t i = 0; i < conf->listeners.n; i++) {
		const struct listener_conf *l = &conf->listeners.v[i];

		for (size_t k = 0; k < l->tls.pairs.n; k++) {
			const struct conf_file *file = &l->tls.pairs.v[k].cert_file;
			int64_t ends = certs_not_after(file->content);

			if (ends == INT64_MAX)
				continue;
			json_array_append_new(list, json_pack("{s:s,s:o,s:o,s:I}", "listener",
			                                      l->name, "file", text_of(file->path),
			                                      "not_after", second_of(ends),
			                                      "not_after_s", (json_int_t)ends));
		}
	}
	return list;
}

static json_t *certificates_of(const struct master *m)
{
	int64_t now = loop_wall_ns() / 1000000000;
	json_t *list = json_deep_copy(m->certificates), *one;
	size_t i;

	if (!list)
		out_of_memory();
	json_array_foreach(list, i, one) {
		int64_t ends = json_integer_value(json_object_get(one, "not_after_s"));

		json_object_set_new(one, "days_left", json_integer((ends - now) / DAY_S));
	}
	return list;
}

static json_t *last_reload_of(const struct master *m)
{
	const struct reload *r = &m->reload;

	return json_pack("{s:s,s:o,s:o,s:b}", "result", reload_names[r->last], "at",
	                 time_of(r->last_at), "why", text_of(r->last_why), "running",
	                 r->state == RELOAD_STARTING);
}

/* How many of the workers that serve say that of their sink; /ready is told by each for itself. */
static unsigned workers_saying(const struct master *m, uint64_t flag)
{
	const struct generation *gen = m->workers.current;
	unsigned n = 0;

	for (unsigned i = 0; i < gen->slots; i++) {
		const struct proc *p = &gen->procs[i];
		struct stats *page = p->state == PROC_READY ? pages_stats(m->pages, p->page) : NULL;

		n += page && (atomic_load(&stats_head(page)->ready_flags) & flag);
	}
	return n;
}

/* The names are those of /ready. */
static json_t *not_ready_of(const struct master *m)
{
	static const char *const checks[] = { "store", "kafka", "discard" }; /* by enum sink */
	uint64_t flags = atomic_load(&stats_head(master_stats(m))->ready_flags);
	unsigned ready = generation_count(m->workers.current, PROC_READY);
	json_t *list = json_array();

	if (m->stopping)
		json_array_append_new(list, json_string("draining"));
	if (flags & READY_NO_TABLE)
		json_array_append_new(list, json_string("tenants"));
	if (!ready)
		json_array_append_new(list, json_string("workers"));
	else if (workers_saying(m, READY_SINK_FAILS) >= ready)
		json_array_append_new(list, json_string(checks[m->conf->sink]));
	return list;
}

static json_t *degraded_of(const struct master *m)
{
	static const struct {
		uint64_t flag;
		const char *text;
	} causes[] = {
		{ READY_SOURCE_AWAY, "the source of tenants is away: the last table serves" },
		{ READY_SUBSCRIBED, "tenants are fed by a subscription: read in full each 30 s" },
		{ READY_OVER_LIMIT,
		  "rows beyond limits.max_tenants or limits.max_tokens are left out" },
		{ READY_CERT_SOON, "a certificate ends within 14 days" },
		{ READY_JWKS_STALE, "keys of an issuer can't be refreshed: the last ones serve" },
	};
	uint64_t flags = atomic_load(&stats_head(master_stats(m))->ready_flags);
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (flags & causes[i].flag)
			json_array_append_new(list, json_string(causes[i].text));
	if (workers_saying(m, READY_SINK_FAILS))
		json_array_append_new(
			list, json_string("the sink of a worker takes nothing: /ready?verbose"));
	if (workers_saying(m, READY_SINK_WARNS))
		json_array_append_new(
			list,
			json_string("brokers are away or topics are missing: /ready?verbose"));
	return list;
}

json_t *status_object(const struct master *m)
{
	json_t *not_ready = not_ready_of(m), *o;

	o = json_pack("{s:b,s:s,s:i,s:I,s:I,s:b,s:o,s:o,s:s}", "ok", 1, "version", HEADGATE_VERSION,
	              "pid", (int)getpid(), "generation", (json_int_t)m->workers.current->number,
	              "uptime_s", (json_int_t)((loop_now() - m->started_at) / 1000), "ready",
	              json_array_size(not_ready) == 0, "not_ready", not_ready, "degraded",
	              degraded_of(m), "sink", sink_names[m->conf->sink]);
	json_object_set_new(o, "last_reload", last_reload_of(m));
	json_object_set_new(o, "workers_wanted", json_integer(m->workers.current->slots));
	json_object_set_new(o, "workers", workers_of(m));
	json_object_set_new(o, "listeners", listeners_of(m));
	json_object_set_new(o, "tenants", tenants_of(m));
	json_object_set_new(o, "certificates", certificates_of(m));
	json_object_set_new(o, "jwks", jwks_status(m->jwks));
	return o;
}

/* ---- for the workers ---- */

/* Nothing that changes by itself, with time: it would be written each second. */
static json_t *facts_of(const struct master *m)
{
	struct tenants_status t;
	json_t *o = json_pack("{s:o,s:I,s:o,s:o,s:o}", "started_at", time_of(m->started_wall),
	                      "started_at_s", (json_int_t)(m->started_wall / 1000000000),
	                      "last_reload", last_reload_of(m), "certificates",
	                      json_copy(m->certificates), "jwks", jwks_status(m->jwks));

	if (!o)
		out_of_memory();
	if (!m->tenants)
		return o;
	tenants_status(m->tenants, &t);
	json_object_set_new(o, "tenants",
	                    json_pack("{s:s,s:s,s:o}", "source", t.source, "state", t.state,
	                              "last_error", text_of(t.last_error)));
	return o;
}

/* 64 issuers with addresses of 4096 bytes would not fit: the longer list loses its last ones, and
 * the page says how many. */
static char *facts_text(json_t *o)
{
	json_int_t left_out = 0;

	for (;;) {
		json_t *keys = json_object_get(o, "jwks"),
		       *certs = json_object_get(o, "certificates");
		char *text = json_dumps(o, JSON_COMPACT);
		json_t *list = json_array_size(keys) > json_array_size(certs) ? keys : certs;

		if (!text)
			out_of_memory();
		if (strlen(text) <= FACTS_MAX)
			return text;
		free(text);
		assert(json_array_size(list) > 0); /* the rest is short */
		json_array_remove(list, json_array_size(list) - 1);
		json_object_set_new(o, "left_out", json_integer(++left_out));
	}
}

void status_publish(struct master *m)
{
	json_t *o = facts_of(m);
	char *text = facts_text(o);

	json_decref(o);
	if (m->facts && strcmp(m->facts, text) == 0) {
		free(text);
		return;
	}
	free(m->facts);
	m->facts = text;
	facts_set(stats_facts(master_stats(m)), bytes_str(text));
}
