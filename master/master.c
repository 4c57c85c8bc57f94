/* SPDX-License-Identifier: Apache-2.0 */
#include "master/master.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include "common/log.h"
#include "common/loop.h"
#include "master/certs.h"
#include "master/jwks.h"
#include "master/program.h"
#include "master/status.h"
#include "master/sync.h"
#include "master/talk.h"
#include "master/taps.h"

enum { TICKET_KEY_BYTES = TICKETS_BYTES / 3, BEAT_S = 1, EXIT_USAGE = 2 };
static const msec_t START_WITHIN_MS = 10000;

struct stats *master_stats(const struct master *m)
{
	return pages_stats(m->pages, PAGE_MASTER);
}

static void audit(struct master *m, const char *kind, const char *result)
{
	const struct generation *gen = m->workers.current;

	logfiles_audit(&m->logs, &(struct audit_event){ .kind = kind,
	                                                .result = result,
	                                                .actor_uid = -1,
	                                                .generation = gen ? gen->number : 0 });
}

/* ---- ticket keys ---- */

static int fill_ticket(uint8_t *key, struct err *err)
{
	return RAND_bytes(key, TICKET_KEY_BYTES) == 1
	               ? 0
	               : err_set(err, "no random bytes for ticket keys");
}

/* Previous, current, next: a ticket of the last hour still resumes, and a worker that hears of the
 * rotation late already knows the key that others use. */
static void on_rotate(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	uint8_t *keys = m->workers.tickets;
	struct err err;

	(void)fd, (void)what;
	memmove(keys, keys + TICKET_KEY_BYTES, 2 * TICKET_KEY_BYTES);
	if (fill_ticket(keys + 2 * TICKET_KEY_BYTES, &err) < 0) {
		/* Never a known key: the oldest one goes, and the next rotation tries again. */
		log_err("master", "ticket keys are not rotated", KV_S("err", err.text));
		return;
	}
	workers_send_tickets(&m->workers);
}

static void arm_rotation(struct master *m)
{
	msec_t each_ms = m->conf->tls.ticket_rotation;
	struct timeval each = { each_ms / 1000, each_ms % 1000 * 1000 };

	if (each_ms == m->rotation)
		return; /* else reloads, often enough, would put it off for ever */
	m->rotation = each_ms;
	if (event_add(&m->rotate, &each) < 0)
		out_of_memory();
}

/* ---- what is shown ---- */

static unsigned ready_workers(const struct master *m)
{
	return m->workers.current ? generation_count(m->workers.current, PROC_READY) : 0;
}

void master_say_status(struct master *m)
{
	const struct generation *gen = m->workers.current;
	const struct reload *r = &m->reload;

	if (r->last == RELOAD_OK && m->store_full)
		systemd_notify(
			m->systemd,
			"READY=1\nSTATUS=generation %llu, %u/%u workers ready, but the store "
			"is full and takes nothing: df -h %s; headgate.yaml(5): local.max_bytes",
			(unsigned long long)gen->number, ready_workers(m), gen->slots,
			m->conf->local.dir);
	else if (r->last == RELOAD_OK)
		systemd_notify(m->systemd, "READY=1\nSTATUS=generation %llu, %u/%u workers ready",
		               (unsigned long long)gen->number, ready_workers(m), gen->slots);
	else
		systemd_notify(m->systemd,
		               "READY=1\nSTATUS=reload failed, generation %llu stays live: %s%s%s",
		               (unsigned long long)gen->number, r->last_why,
		               r->last == RELOAD_CONFIG ? "; run: headgate -t -c " : "",
		               r->last == RELOAD_CONFIG ? m->args->file : "");
}

static void note_certificates(struct master *m)
{
	_Atomic uint64_t *flags = &stats_head(master_stats(m))->ready_flags;
	int64_t now = loop_wall_ns() / 1000000000;

	if (m->cert_first_end != INT64_MAX &&
	    m->cert_first_end - now < (int64_t)CERT_DEGRADED_DAYS * DAY_S)
		atomic_fetch_or(flags, READY_CERT_SOON);
	else
		atomic_fetch_and(flags, ~(uint64_t)READY_CERT_SOON);
}

static void note_store(struct master *m)
{
	uint64_t full = 0; /* the flag of any of them */

	for (struct proc *p = NULL; (p = workers_each(&m->workers, p));)
		if (p->state == PROC_READY)
			full |= atomic_load(&stats_head(pages_stats(m->pages, p->page))->ready_flags) &
			        READY_STORE_FULL;
	if ((full != 0) == m->store_full)
		return;
	m->store_full = full != 0;
	if (m->serving && !m->stopping)
		master_say_status(m);
}

void master_apply(struct master *m, const struct conf *conf, uint64_t generation)
{
	struct stats *own = master_stats(m);

	m->conf = conf;
	log_setup((enum log_level)conf->log.level, (enum log_format)conf->log.format,
	          conf->debug_modules[0] ? conf->debug_modules : NULL);
	m->cert_first_end = certs_first_end(conf);
	json_decref(m->certificates);
	m->certificates = status_certificates(conf);
	note_certificates(m);
	arm_rotation(m);
	jwks_configure(m->jwks, conf);
	atomic_store(&stats_head(own)->generation, generation);
	stats_set(own, STAT_GENERATION, 0, 0, generation);
	stats_set(own, STAT_RELOAD_SUCCESS, 0, 0, 1);
	stats_set(own, STAT_RELOAD_TIME, 0, 0, (uint64_t)(loop_wall_ns() / 1000000000));
}

/* ---- the loop's events ---- */

static void look_at_start(struct master *m)
{
	unsigned ready = ready_workers(m), slots;

	if (m->serving || m->stopping || !ready)
		return;
	slots = m->workers.current->slots;
	if (ready < slots && loop_now() - m->started_at < START_WITHIN_MS)
		return;
	m->serving = true;
	log_info("master", "serving", KV_U("workers", ready), KV_U("of", slots),
	         KV_I("after_ms", loop_now() - m->started_at));
	master_say_status(m);
	reload_look(m); /* somebody may have asked already */
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	struct stats *own = master_stats(m);

	(void)fd, (void)what;
	atomic_store(&stats_head(own)->heartbeat_ms, (uint64_t)loop_now());
	stats_add(own, STAT_LOOP_STALLS, 0, 0, (int64_t)loop_take_stalls());
	for (unsigned level = 0; level < ARRAY_LEN(m->log_counts); level++) {
		uint64_t lines = log_count((enum log_level)level);

		stats_add(own, STAT_LOG_MESSAGES, level, 0,
		          (int64_t)(lines - m->log_counts[level]));
		m->log_counts[level] = lines;
	}
	stats_set(own, STAT_METRICS_FOLDED, 0, 0, limits_folded(m->limits));
	note_certificates(m);
	note_store(m);
	if (m->conf)
		status_publish(m);
	look_at_start(m);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd, (void)what;
	systemd_notify(m->systemd, "WATCHDOG=1");
}

static void give_up(struct master *m, const char *why, int exit_code)
{
	audit(m, "stop", why);
	reload_stop(m);
	m->stopping = true;
	m->exit_code = exit_code;
	loop_stop(m->base);
}

/* At the first start there is nothing that serves: what no worker can do now would only be tried
 * again until it looks like a crash loop. */
static void look_at_failures(struct master *m)
{
	const struct generation *first = m->workers.current;

	if (m->serving || m->stopping || !first || !generation_could_not(first))
		return;
	log_err("master", "no worker could set up: giving up", KV_S("err", first->failed));
	give_up(m, "not_ready", first->failed_code);
}

static void on_changed(void *arg)
{
	struct master *m = arg;

	if (m->stopping && workers_none(&m->workers)) {
		loop_stop(m->base);
		return;
	}
	look_at_start(m);
	reload_look(m);
	look_at_failures(m);
}

static void on_gone(void *arg, struct generation *gen)
{
	struct master *m = arg;

	log_info("master", "a generation has ended", KV_U("gen", gen->number));
	if (m->conf == gen->conf) { /* the last one, at the end */
		tenants_close(m->tenants);
		m->tenants = NULL;
		m->workers.tables.generation = 0; /* it was theirs; an older generation may drain still */
		m->conf = NULL;
	}
	generation_free(gen);
	on_changed(m);
}

static void on_served(void *arg, uint64_t table)
{
	struct master *m = arg;

	if (!m->tenants)
		return; /* the end: a worker of an older generation still says what it maps */
	tenants_served(m->tenants, table);
	syncs_look(m->syncs);
}

static void on_crash_loop(void *arg)
{
	log_err("master", "workers die again and again soon after their start: giving up");
	give_up(arg, "crash_loop", EX_SOFTWARE);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	const struct control_client nobody = { .handle = 0, .uid = -1 };

	(void)sig, (void)what;
	reload_ask(arg, &nobody, &(struct control_reload){ .timeout = 0 });
}

/* Those of the configuration in force, which must be there; a failure is said in the log too. */
static int reopen_logs(struct master *m, struct err *err)
{
	struct logfiles fresh;

	if (logfiles_open(&fresh, m->conf, err) < 0) {
		log_err("master", "log files are not reopened, the old ones stay",
		        KV_S("err", err->text));
		return -1;
	}
	logfiles_replace(&m->logs, &fresh);
	workers_send_logs(&m->workers);
	log_info("master", "log files reopened");
	return 0;
}

static void on_usr1(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;
	struct err err;

	(void)sig, (void)what;
	if (m->conf)
		reopen_logs(m, &err); /* it has said what failed */
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	if (m->stopping) {
		log_warn("master", "stopping at once", KV_I("signal", sig));
		workers_kill(&m->workers);
		return;
	}
	m->stopping = true;
	log_info("master", "draining", KV_I("signal", sig));
	systemd_notify(m->systemd, "STOPPING=1\nSTATUS=draining");
	audit(m, "stop", "drain");
	reload_stop(m);
	workers_drain(&m->workers);
}

/* ---- hooks ---- */

static void on_status(void *arg, const struct control_client *from)
{
	struct master *m = arg;

	if (m->workers.current)
		control_answer(m->control, from->handle, status_object(m));
	else
		control_answer_error(m->control, from->handle, "headgate has stopped");
}

static void on_reload(void *arg, const struct control_client *from,
                      const struct control_reload *what)
{
	reload_ask(arg, from, what);
}

static void on_sync(void *arg, const struct control_client *from, msec_t timeout)
{
	struct master *m = arg;

	if (m->tenants)
		sync_ask(m->syncs, from, timeout);
	else
		control_answer_error(m->control, from->handle, "headgate has stopped");
}

static void on_reopen(void *arg, const struct control_client *from)
{
	struct master *m = arg;
	struct err err = { "" };

	if (!m->conf) {
		control_answer_error(m->control, from->handle, "headgate has stopped");
	} else if (reopen_logs(m, &err) < 0) {
		err_prefix(&err, "log files are not reopened, the old ones stay: ");
		control_answer_error(m->control, from->handle, err.text);
	} else {
		control_answer(m->control, from->handle,
		               json_pack("{s:b,s:o,s:o}", "ok", 1, "access_file",
		                         control_text(bytes_str(m->conf->log.access_file.path)),
		                         "audit_file",
		                         control_text(bytes_str(m->conf->log.audit_file.path))));
	}
}

static void on_tap(void *arg, const struct control_client *from, const struct json_t *what)
{
	struct master *m = arg;

	if (m->workers.current)
		taps_start(m->taps, from, what);
	else
		control_answer_error(m->control, from->handle, "headgate has stopped");
}

static void on_client_gone(void *arg, uint64_t client)
{
	struct master *m = arg;

	taps_gone(m->taps, client);
	syncs_gone(m->syncs, client);
}

static void on_set_up(void *arg, struct proc *p)
{
	struct master *m = arg;

	taps_set_up(m->taps, p);
	if (jwks_fd(m->jwks) >= 0)
		proc_send(p, MSG_JWKS, 0, 0, jwks_fd(m->jwks), BYTES_NONE);
}

static void on_key_sets(void *arg, int fd)
{
	struct master *m = arg;

	talk_broadcast(&m->workers, MSG_JWKS, 0, fd, BYTES_NONE);
}

static void on_jwks_wanted(void *arg, struct bytes source)
{
	struct master *m = arg;

	jwks_want(m->jwks, source);
}

static void on_tap_on(void *arg, uint64_t tap)
{
	struct master *m = arg;

	taps_on(m->taps, tap);
}

static void on_tapped(void *arg, uint64_t tap, struct bytes line)
{
	struct master *m = arg;

	taps_line(m->taps, tap, line);
}

static void on_tap_answer(void *arg, uint64_t client, struct json_t *object)
{
	struct master *m = arg;

	control_answer(m->control, client, object);
}

static void on_tap_line(void *arg, uint64_t client, struct bytes line)
{
	struct master *m = arg;

	control_line(m->control, client, line);
}

static void on_tap_audit(void *arg, const char *kind, int64_t uid, const char *tenant,
                         const char *what)
{
	struct master *m = arg;
	const struct generation *gen = m->workers.current;

	logfiles_audit(&m->logs,
	               &(struct audit_event){ .kind = kind,
	                                      .reason = what,
	                                      .tenant = *tenant ? bytes_str(tenant) : BYTES_NONE,
	                                      .actor_uid = uid,
	                                      .generation = gen ? gen->number : 0 });
}

static void on_publish(void *arg, const struct tables *now)
{
	struct master *m = arg;

	workers_tables(&m->workers, now);
}

static void on_tenants_audit(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	struct master *m = arg;
	const struct generation *gen = m->workers.current;

	logfiles_audit(&m->logs, &(struct audit_event){ .kind = what,
	                                                .tenant = tenant,
	                                                .token = token,
	                                                .actor_uid = -1,
	                                                .generation = gen ? gen->number : 0 });
}

static void on_retired(void *arg, uint32_t tenant_ordinal)
{
	struct master *m = arg;

	limits_clear(m->limits, tenant_ordinal);
}

static struct bytes on_tenant_name(void *arg, uint32_t ordinal)
{
	const struct master *m = arg;

	return m->tenants ? tenants_name(m->tenants, ordinal) : BYTES_NONE;
}

static const struct last_uses *on_uses(void *arg, bool anew)
{
	struct master *m = arg;

	return pages_uses(m->pages, anew);
}

static void on_read(void *arg)
{
	struct master *m = arg;

	syncs_look(m->syncs);
}

/* ---- start and end ---- */

static int open_shared(struct master *m, const struct conf *conf, struct err *err)
{
	unsigned metric_tenants = (unsigned)conf->metrics.max_tenants;

	m->pages = pages_open(metric_tenants + 2, err);
	if (!m->pages)
		return -1;
	log_last_errors(&stats_head(master_stats(m))->errors);
	pages_keep_uses(m->pages, conf->limits.max_tokens);
	m->workers.limits_fd = limits_memfd(conf->limits.max_tenants, metric_tenants, err);
	if (m->workers.limits_fd < 0)
		return -1;
	m->limits = limits_map(m->workers.limits_fd, conf->limits.max_tenants, metric_tenants, err);
	for (int i = 0; i < 3 && m->limits; i++)
		if (fill_ticket(m->workers.tickets + i * TICKET_KEY_BYTES, err) < 0)
			return -1;
	return m->limits ? 0 : -1;
}

static int open_workers(struct master *m, struct err *err)
{
	char path[4096];
	int exe = program_open(path, sizeof(path), err);

	if (exe < 0)
		return -1;
	m->workers.pages = m->pages;
	m->workers.logs = &m->logs;
	m->workers.hooks = (struct workers_hooks){ .changed = on_changed,
		                                   .gone = on_gone,
		                                   .served = on_served,
		                                   .crash_loop = on_crash_loop,
		                                   .set_up = on_set_up,
		                                   .tap_on = on_tap_on,
		                                   .tapped = on_tapped,
		                                   .tenant_name = on_tenant_name,
		                                   .jwks_wanted = on_jwks_wanted,
		                                   .arg = m };
	return workers_open(&m->workers, m->base, exe, err);
}

static void assign_events(struct master *m)
{
	event_assign(&m->beat, m->base, -1, EV_PERSIST, on_beat, m);
	event_assign(&m->watchdog, m->base, -1, EV_PERSIST, on_watchdog, m);
	event_assign(&m->rotate, m->base, -1, EV_PERSIST, on_rotate, m);
	event_assign(&m->hup, m->base, SIGHUP, EV_SIGNAL | EV_PERSIST, on_hup, m);
	event_assign(&m->usr1, m->base, SIGUSR1, EV_SIGNAL | EV_PERSIST, on_usr1, m);
	event_assign(&m->term, m->base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop, m);
	event_assign(&m->interrupt, m->base, SIGINT, EV_SIGNAL | EV_PERSIST, on_stop, m);
}

static void add_events(struct master *m)
{
	struct event *const signals[] = { &m->hup, &m->usr1, &m->term, &m->interrupt };
	msec_t half = systemd_watchdog(m->systemd) / 2;
	struct timeval beat = { BEAT_S, 0 }, watchdog = { half / 1000, half % 1000 * 1000 };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (event_add(signals[i], NULL) < 0)
			out_of_memory();
	if (event_add(&m->beat, &beat) < 0 || (half && event_add(&m->watchdog, &watchdog) < 0))
		out_of_memory();
}

/* The process as the service wants it: as many files as it may have, no core with keys in it. */
static void prepare_process(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN); /* kept for an upgrade in place (faults.md 8) */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			log_warn("master", "can't raise the limit of open files",
			         KV_U("limit", files.rlim_cur));
	}
#ifndef HEADGATE_ASAN /* LeakSanitizer traces its own process at the end */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warn("master", "can't forbid core dumps");
#endif
}

/* One line for the log, and for `systemctl status`, which keeps it when we are gone. */
static void say_refused(const struct master *m, const char *why)
{
	char check[512];

	snprintf(check, sizeof(check), "headgate -t -c %s", m->args->file);
	log_err("master", "can't start", KV_S("err", why), KV_S("run", check));
	systemd_notify(m->systemd, "STATUS=can't start: %s; run: %s", why, check);
}

static struct conf *load_first(const struct master *m, int *exit_code)
{
	struct conf_report report;
	struct conf *conf;

	conf_report_init(&report);
	conf = check_load(m->args, false, &report);
	/* As -t prints it: at a start somebody is reading. */
	if (report.text.n && fwrite(report.text.p, 1, report.text.n, stderr) != report.text.n)
		log_err("master", "can't write to stderr");
	*exit_code = report.usage ? EXIT_USAGE : EX_CONFIG;
	if (!conf) {
		struct bytes line = reload_first_error(buf_view(&report.text));
		char why[1024];

		snprintf(why, sizeof(why), "%.*s", (int)line.n, (const char *)line.p);
		say_refused(m, why);
	}
	conf_report_done(&report);
	return conf;
}

/* An address that somebody else has is for the configuration to give up, or for an operator to
 * free: the same start tried again and again would meet it again. */
static int exit_code_of(int cause)
{
	if (cause == EACCES || cause == EPERM)
		return EX_NOPERM;
	return cause == EADDRINUSE ? EX_CONFIG : EX_OSERR;
}

/* Takes conf. The order is that of what needs what; *exit_code says what kind of failure it was. */
static int start(struct master *m, struct conf *conf, int *exit_code, struct err *err)
{
	const struct control_hooks control = { .status = on_status,
		                               .reload = on_reload,
		                               .sync = on_sync,
		                               .reopen = on_reopen,
		                               .tap = on_tap,
		                               .gone = on_client_gone,
		                               .arg = m };
	const struct taps_hooks taps = {
		.answer = on_tap_answer, .line = on_tap_line, .audit = on_tap_audit, .arg = m
	};
	const struct jwks_hooks jwks = { .publish = on_key_sets, .arg = m };
	const struct tenants_hooks tenants = { .publish = on_publish,
		                               .audit = on_tenants_audit,
		                               .retired = on_retired,
		                               .uses = on_uses,
		                               .read = on_read,
		                               .arg = m };

	*exit_code = EX_CONFIG;
	if (check_providers(conf, err) < 0 || check_store(conf, err) < 0) {
		conf_free(conf);
		return -1;
	}
	m->taps = taps_open(m->base, &m->workers, &taps);
	m->syncs = syncs_open(m);
	m->listeners = listeners_open(m->systemd);
	errno = 0;
	if (open_shared(m, conf, err) < 0 ||
	    !(m->jwks = jwks_open(m->base, master_stats(m), &jwks, err)) ||
	    open_workers(m, err) < 0 ||
	    !(m->control = control_open(m->base, conf->control.socket, &control, err))) {
		*exit_code = exit_code_of(errno);
		conf_free(conf);
		return -1;
	}
	errno = 0;
	if (reload_first(m, conf, err) < 0) {
		*exit_code = exit_code_of(errno);
		return -1;
	}
	*exit_code = EX_CONFIG;
	m->tenants = tenants_open(m->base, m->conf, master_stats(m), &tenants, err);
	return m->tenants ? 0 : -1;
}

static void stop(struct master *m)
{
	tenants_close(m->tenants); /* before the configuration that it looks into */
	if (m->workers.base)
		workers_close(&m->workers);
	reload_done(m);
	jwks_close(m->jwks);
	control_close(m->control);
	taps_close(m->taps); /* its clients have gone */
	syncs_close(m->syncs);
	listeners_close(m->listeners);
	if (m->limits)
		limits_unmap(m->limits);
	close_fd_(&m->workers.limits_fd);
	close_fd_(&m->workers.exe_fd);
	log_last_errors(NULL);
	pages_close(m->pages);
	json_decref(m->certificates);
	free(m->facts);
	logfiles_close(&m->logs);
	systemd_close(m->systemd);
	event_del(&m->beat);
	event_del(&m->watchdog);
	event_del(&m->rotate);
	event_del(&m->hup);
	event_del(&m->usr1);
	event_del(&m->term);
	event_del(&m->interrupt);
	loop_close(m->base);
	OPENSSL_cleanse(m->workers.tickets, sizeof(m->workers.tickets));
}

int master_run(const struct master_args *args)
{
	struct master whole = { .args = args }, *m = &whole; /* as long as the process */
	struct err err = { "" };
	struct conf *conf;
	int exit_code;

	m->logs.fd[STREAM_ACCESS] = m->logs.fd[STREAM_AUDIT] = -1;
	m->workers.limits_fd = m->workers.exe_fd = m->workers.null_fd = -1;
	m->cert_first_end = INT64_MAX;
	log_identity(-1, 0);
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT,
	          args->debug_modules[0] ? args->debug_modules : NULL);
	prepare_process();
	m->systemd = systemd_open(&err);
	if (!m->systemd) {
		log_err("master", "can't start", KV_S("err", err.text));
		return EX_OSERR;
	}
	conf = load_first(m, &exit_code);
	m->base = conf ? loop_open(&err) : NULL;
	if (!m->base) {
		if (conf) {
			exit_code = EX_OSERR;
			say_refused(m, err.text);
		}
		conf_free(conf);
		systemd_close(m->systemd);
		return exit_code;
	}
	loop_tick();
	m->started_at = loop_now();
	m->started_wall = loop_wall_ns();
	assign_events(m);
	reload_init(m);
	if (start(m, conf, &m->exit_code, &err) < 0) {
		say_refused(m, err.text);
		stop(m);
		return m->exit_code;
	}
	m->exit_code = 0;
	audit(m, "start", NULL);
	if (args->disable_auth) {
		log_warn("master", "authentication is off (--disable-auth): everybody may write");
		audit(m, "disable-auth", args->any_address ? "any-address" : "loopback");
	}
	add_events(m);
	if (loop_run(m->base) < 0 && !m->exit_code) {
		log_err("master", "the event loop failed");
		m->exit_code = EX_OSERR;
	}
	log_info("master", "stopped", KV_I("exit_code", m->exit_code));
	exit_code = m->exit_code;
	stop(m);
	return exit_code;
}
