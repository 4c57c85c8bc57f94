/* SPDX-License-Identifier: Apache-2.0 */
#include "master/reload.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include "common/log.h"
#include "common/loop.h"
#include "master/candidate.h"
#include "master/master.h"

enum { CHANGES_MAX_BYTES = 256 * KIB };
enum { /* SIZE_ROUTE and so on: how far a dimension's index goes */
#define DIM(name, label, size) SIZE_##name = (size),
#include "common/stats.def"
#undef DIM
};
static const msec_t READY_WITHIN_MS = 10000;
static const char *const result_names[] = { "ok", "config",
	                                    "not_ready" }; /* by enum reload_result */

int reload_first(struct master *m, struct conf *conf, struct err *err)
{
	struct candidate c;

	if (candidate_make(m, conf, &c, err) < 0)
		return -1;
	listeners_commit(m->listeners, c.set);
	logfiles_replace(&m->logs, &c.logs);
	master_apply(m, c.conf, 1);
	candidate_start(m, &c, 1);
	m->reload.last_at = loop_wall_ns();
	return 0;
}

/* ---- those who asked ---- */

static void caller_answer(struct master *m, const struct reload_caller *c, json_t *answer)
{
	if (c->client.handle)
		control_answer(m->control, c->client.handle, json_incref(answer));
}

/* Answers those that this reload was for, and takes the object. */
static void answer_all(struct master *m, json_t *answer, bool later_too)
{
	struct reload *r = &m->reload;
	unsigned kept = 0;

	for (unsigned i = 0; i < r->caller_count; i++) {
		if (r->callers[i].later && !later_too)
			r->callers[kept++] = r->callers[i];
		else
			caller_answer(m, &r->callers[i], answer);
	}
	r->caller_count = kept;
	json_decref(answer);
}

static json_t *failure(const struct master *m, const char *result, struct bytes text)
{
	return json_pack("{s:b,s:s,s:o,s:I}", "ok", 0, "result", result, "errors",
	                 control_text(text), "generation", (json_int_t)m->workers.current->number);
}

static void arm_timer(struct master *m)
{
	struct reload *r = &m->reload;
	msec_t next = r->state == RELOAD_STARTING ? r->late_at : INT64_MAX, in;
	struct timeval wait;

	for (unsigned i = 0; i < r->caller_count; i++)
		if (r->callers[i].until < next)
			next = r->callers[i].until;
	event_del(&r->timer);
	if (next == INT64_MAX)
		return;
	in = next > loop_now() ? next - loop_now() : 1;
	wait = (struct timeval){ in / 1000, in % 1000 * 1000 };
	if (event_add(&r->timer, &wait) < 0)
		out_of_memory();
}

/* What was asked for and has not begun yet is done all the same, for nobody, as after a SIGHUP. */
static unsigned keep_asking(struct reload *r, struct reload_caller c, unsigned kept)
{
	if (r->state == RELOAD_STARTING && !c.later)
		return kept;
	for (unsigned i = 0; i < kept; i++)
		if (!r->callers[i].client.handle && r->callers[i].later == c.later)
			return kept;
	c.client.handle = 0;
	c.until = INT64_MAX;
	r->callers[kept] = c;
	return kept + 1;
}

static void drop_impatient(struct master *m)
{
	struct reload *r = &m->reload;
	unsigned kept = 0;

	for (unsigned i = 0; i < r->caller_count; i++) {
		json_t *answer;

		if (r->callers[i].until > loop_now()) {
			r->callers[kept++] = r->callers[i];
			continue;
		}
		answer = failure(m, "timeout",
		                 BYTES("the reload goes on, but took longer than --timeout"));
		caller_answer(m, &r->callers[i], answer);
		json_decref(answer);
		kept = keep_asking(r, r->callers[i], kept);
	}
	r->caller_count = kept;
}

static bool caller_add(struct master *m, const struct control_client *from, msec_t timeout,
                       bool later)
{
	struct reload *r = &m->reload;
	msec_t until = from->handle ? loop_now() + timeout : INT64_MAX;

	for (unsigned i = 0; !from->handle && i < r->caller_count; i++)
		if (!r->callers[i].client.handle && r->callers[i].later == later)
			return true; /* one SIGHUP asks for no less than ten */
	if (r->caller_count == RELOAD_CALLERS_MAX) {
		if (from->handle)
			control_answer_error(m->control, from->handle,
			                     "too many reloads are waiting");
		return false;
	}
	r->callers[r->caller_count++] = (struct reload_caller){ *from, until, later };
	arm_timer(m);
	return true;
}

/* ---- how it ended ---- */

static void note_result(struct master *m, enum reload_result result, const char *why)
{
	struct reload *r = &m->reload;
	int64_t uid = -1;

	for (unsigned i = 0; i < r->caller_count && uid < 0; i++)
		if (!r->callers[i].later)
			uid = r->callers[i].client.uid;
	r->state = RELOAD_IDLE;
	r->last = result;
	r->last_at = loop_wall_ns();
	snprintf(r->last_why, sizeof(r->last_why), "%s", why);
	stats_add(master_stats(m), STAT_RELOADS, result, 0, 1);
	stats_set(master_stats(m), STAT_RELOAD_SUCCESS, 0, 0, result == RELOAD_OK);
	logfiles_audit(&m->logs, &(struct audit_event){ .kind = "reload",
	                                                .result = result_names[result],
	                                                .reason = why[0] ? why : NULL,
	                                                .actor_uid = uid,
	                                                .generation = m->workers.current->number });
	if (m->serving)
		master_say_status(m);
}

static struct bytes first_line(struct bytes text)
{
	const uint8_t *end = text.n ? memchr(text.p, '\n', text.n) : NULL;

	return bytes_of(text.p, end ? (size_t)(end - text.p) : text.n);
}

static bool line_has(struct bytes line, const char *what)
{
	return line.n && memmem(line.p, line.n, what, strlen(what));
}

struct bytes reload_first_error(struct bytes text)
{
	struct bytes rest = text, line;

	for (; rest.n; rest = bytes_from(rest, line.n + 1)) {
		line = first_line(rest);
		if (line_has(line, ": error: "))
			return line;
	}
	return first_line(text);
}

/* text: all of it, as -t prints it; why: one line of it, for log and status. */
static void failed(struct master *m, enum reload_result result, struct bytes text)
{
	struct bytes line = reload_first_error(text);
	char why[512];

	snprintf(why, sizeof(why), "%.*s", (int)line.n, (const char *)line.p);
	note_result(m, result, why);
	log_err("reload", "reload failed, nothing has changed",
	        KV_S("result", result_names[result]), KV_U("gen", m->workers.current->number),
	        KV_S("err", why));
	answer_all(m, failure(m, result_names[result], text), false);
	arm_timer(m);
}

/* Errors and warnings with their places; source lines and carets are for whoever asked. */
static void log_lines(struct bytes text)
{
	struct bytes line;

	for (; text.n; text = bytes_from(text, line.n + 1)) {
		line = first_line(text);
		if (line_has(line, ": error: "))
			log_err("reload", "configuration refused", KV_B("error", line));
		else if (line_has(line, ": warning: "))
			log_warn("reload", "configuration warned of", KV_B("warning", line));
	}
}

static uint64_t requests_in_flight(const struct master *m, const struct generation *gen)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < gen->slots; i++)
		for (unsigned route = 0; gen->procs[i].state == PROC_READY && route < SIZE_ROUTE;
		     route++)
			n += stats_get(pages_stats(m->pages, gen->procs[i].page),
			               STAT_REQUESTS_IN_FLIGHT, route, 0);
	return n;
}

static void abandon(struct master *m, enum reload_result result, struct bytes text)
{
	workers_abandon(&m->workers);
	listeners_rollback(m->listeners);
	logfiles_close(&m->reload.logs);
	failed(m, result, text);
}

static void commit(struct master *m)
{
	struct reload *r = &m->reload;
	struct generation *gen = m->workers.next;
	uint64_t requests = requests_in_flight(m, m->workers.current);
	struct err err = { "" };
	json_t *answer;

	if (tenants_reconfigure(m->tenants, gen->conf, &err) < 0) {
		abandon(m, RELOAD_CONFIG, bytes_str(err.text));
		return;
	}
	workers_commit(&m->workers);
	listeners_commit(m->listeners, gen->set);
	logfiles_replace(&m->logs, &r->logs);
	workers_send_logs(&m->workers);
	master_apply(m, gen->conf, gen->number);
	note_result(m, RELOAD_OK, "");
	log_info("reload", "a new generation serves", KV_U("gen", gen->number),
	         KV_U("workers", gen->slots), KV_I("ready_in_ms", loop_now() - r->began_at),
	         KV_U("draining_requests", requests));
	answer = json_pack("{s:b,s:s,s:I,s:I,s:o,s:o,s:i,s:I,s:I}", "ok", 1, "result", "ok", "from",
	                   (json_int_t)m->workers.old->number, "generation",
	                   (json_int_t)gen->number, "changes", control_text(buf_view(&r->changes)),
	                   "warnings", control_text(buf_view(&r->notes)), "workers",
	                   (int)gen->slots, "ready_ms", (json_int_t)(loop_now() - r->began_at),
	                   "draining_requests", (json_int_t)requests);
	answer_all(m, answer, false);
	arm_timer(m);
}

/* ---- phase two ---- */

/* A checked configuration with what a reload may change; NULL: refused, and *r says why. dry:
 * nothing is made. */
static struct conf *load(struct master *m, struct conf_report *r, struct buf *changes, bool dry)
{
	struct conf *conf = check_load(m->args, false, r), *kept;
	struct err err = { "" };

	if (!conf)
		return NULL;
	if (changes)
		conf_diff(m->conf, conf, r, changes);
	kept = check_keep_restart(conf, m->conf, &err);
	if (!kept || check_providers(kept, &err) < 0 || (!dry && check_store(kept, &err) < 0))
		check_say(r, true, m->args->file, err.text);
	else if (dry)
		check_store_folder(kept, r, m->args->file);
	if (!r->errors)
		return kept;
	conf_free(kept);
	return NULL;
}

static void begin(struct master *m)
{
	struct reload *r = &m->reload;
	struct conf_report report;
	struct candidate c;
	struct err err = { "" };
	struct conf *conf;

	for (unsigned i = 0; i < r->caller_count; i++)
		r->callers[i].later = false;
	r->began_at = loop_now();
	systemd_reloading(m->systemd);
	buf_reset(&r->changes);
	conf_report_init(&report);
	conf = load(m, &report, &r->changes, false);
	if (conf && candidate_make(m, conf, &c, &err) < 0) {
		check_say(&report, true, m->args->file, err.text);
		conf = NULL;
	}
	log_lines(buf_view(&report.text));
	if (!conf) {
		failed(m, RELOAD_CONFIG, buf_view(&report.text));
		conf_report_done(&report);
		return;
	}
	buf_reset(&r->notes);
	buf_bytes(&r->notes, buf_view(&report.text));
	conf_report_done(&report);
	r->logs = c.logs;
	r->state = RELOAD_STARTING;
	r->late_at = loop_now() + READY_WITHIN_MS;
	candidate_start(m, &c, m->workers.current->number + 1);
	arm_timer(m);
}

void reload_look(struct master *m)
{
	struct reload *r = &m->reload;
	struct generation *next = m->workers.next;
	char why[600];

	if (m->stopping)
		return;
	if (r->state == RELOAD_IDLE) {
		/* Two generations at most: the next reload waits until the last one's elders are
		 * gone. */
		if (m->serving && r->caller_count && !m->workers.old && !next)
			begin(m);
		return;
	}
	if (generation_count(next, PROC_READY) == next->slots) {
		commit(m);
	} else if (next->failed[0]) {
		snprintf(why, sizeof(why), "a worker could not set up: %s", next->failed);
		abandon(m, RELOAD_NOT_READY, bytes_str(why));
	} else if (loop_now() >= r->late_at) {
		snprintf(why, sizeof(why), "%u of %u workers were ready after %lld s",
		         generation_count(next, PROC_READY), next->slots,
		         (long long)READY_WITHIN_MS / 1000);
		abandon(m, RELOAD_NOT_READY, bytes_str(why));
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd, (void)what;
	drop_impatient(m);
	reload_look(m);
	arm_timer(m);
}

/* ---- asked ---- */

/* What a reload would do, without doing it. */
static void dry_run(struct master *m, const struct control_client *from)
{
	struct conf_report report;
	struct buf changes;
	struct conf *conf;

	conf_report_init(&report);
	buf_init(&changes, CHANGES_MAX_BYTES);
	conf = load(m, &report, &changes, true);
	if (conf) {
		control_answer(m->control, from->handle,
		               json_pack("{s:b,s:s,s:I,s:o,s:o}", "ok", 1, "result", "dry_run",
		                         "generation", (json_int_t)m->workers.current->number,
		                         "changes", control_text(buf_view(&changes)), "warnings",
		                         control_text(buf_view(&report.text))));
	} else {
		control_answer(m->control, from->handle,
		               failure(m, "config", buf_view(&report.text)));
	}
	conf_free(conf);
	buf_done(&changes);
	conf_report_done(&report);
}

/* While an old generation drains, a bad file need not wait for its end to be told. */
static bool is_refused_now(struct master *m)
{
	struct conf_report report;
	struct conf *conf;

	conf_report_init(&report);
	conf = load(m, &report, NULL, true);
	if (!conf) {
		log_lines(buf_view(&report.text));
		failed(m, RELOAD_CONFIG, buf_view(&report.text));
	}
	conf_report_done(&report);
	conf_free(conf);
	return !conf;
}

void reload_ask(struct master *m, const struct control_client *from,
                const struct control_reload *what)
{
	struct reload *r = &m->reload;
	bool draining = m->workers.old || m->workers.next;

	if (m->stopping) {
		if (from->handle)
			control_answer_error(m->control, from->handle, "headgate is stopping");
		return;
	}
	if (what->dry_run) {
		dry_run(m, from);
		return;
	}
	if (!caller_add(m, from, what->timeout, r->state == RELOAD_STARTING))
		return;
	if (r->state == RELOAD_IDLE && m->serving && draining && is_refused_now(m))
		return;
	reload_look(m);
}

void reload_stop(struct master *m)
{
	if (m->reload.state == RELOAD_STARTING)
		logfiles_close(&m->reload.logs);
	m->reload.state = RELOAD_IDLE;
	answer_all(m, failure(m, "not_ready", BYTES("headgate is stopping")), true);
}

void reload_init(struct master *m)
{
	buf_init(&m->reload.changes, CHANGES_MAX_BYTES);
	buf_init(&m->reload.notes, CHANGES_MAX_BYTES);
	m->reload.logs = (struct logfiles){ .fd = { -1, -1 } };
	event_assign(&m->reload.timer, m->base, -1, 0, on_timer, m);
}

void reload_done(struct master *m)
{
	event_del(&m->reload.timer);
	buf_done(&m->reload.changes);
	buf_done(&m->reload.notes);
	logfiles_close(&m->reload.logs);
}
