/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/life.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sysexits.h>
#include "common/log.h"
#include "common/loop.h"
#include "common/token.h"
#include "common/uses.h"
#include "worker/audit.h"
#include "worker/auth.h"
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/conn.h"
#include "worker/dead_letters.h"
#include "worker/models.h"
#include "worker/route.h"
#include "worker/sandbox.h"
#include "worker/sink.h"
#include "worker/tables.h"
#include "worker/taps.h"
#include "worker/tls.h"
#include "worker/usage.h"

enum {
	START_TIMEOUT_MS = 10000, /* the master gives up on us then, too */
	CLOSE_TIMEOUT_S = 5, /* rd_kafka_destroy() may hang (faults.md 1): leave without it */
	DRAIN_LOOK_MS = 20, /* how soon after the last record and connection we are gone */
	EARLY_LISTENERS_MAX = 16 * 256, /* every listener's socket of every slot that is no more */
	ASIDE_MS = 60000,
	STUCK_MS = 60000, /* one large body: the dearest takes half a second, or ten with sanitizers */
};

/* What is on its way in before START, and what belongs to the process rather than to a request. */
struct life {
	struct worker *w;
	struct event channel_event, beat_event, drain_event, term_event;
	struct {
		uint64_t index, slot;
		int fd;
	} listeners[EARLY_LISTENERS_MAX];
	unsigned listener_count;
	int log_fds[2]; /* access, audit; -1: none */
	uint8_t tickets[TICKET_KEYS * TICKET_KEY_BYTES];
	bool have_tickets, started;
	bool table_due; /* the one that START told of is not here yet */
	int conf_fd, own_fd, limits_fd, statm_fd;
	int page_fds[PAGES_MAX];
	msec_t drain_until;
	uint64_t cpu_us, log_counts[4];
};

static int tell(struct worker *w, enum message type, uint64_t arg, const char *text)
{
	return channel_send(w->channel, type, arg, 0, -1, bytes_str(text));
}

/* ---- tables ---- */

bool worker_table_is_fresh(const struct worker *w)
{
	return w->table && w->pages[0] &&
	       loop_now() < atomic_load(&stats_head(w->pages[0])->fresh_until_ms);
}

bool worker_table_is_stale(const struct worker *w)
{
	return w->conf->tenants.max_stale > 0 && w->pages[0] &&
	       loop_now() - atomic_load(&stats_head(w->pages[0])->table_read_ms) >
	               w->conf->tenants.max_stale;
}

/* ---- tenants put aside ---- */

static void put_aside(struct worker *w, uint32_t ordinal)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < ASIDE_MAX; i++) {
		if (w->aside[i].ordinal == ordinal) {
			oldest = i;
			break;
		}
		if (w->aside[i].until < w->aside[oldest].until)
			oldest = i;
	}
	w->aside[oldest].ordinal = ordinal;
	w->aside[oldest].until = loop_now() + ASIDE_MS;
	w->aside_any = true;
}

bool worker_is_aside(const struct worker *w, uint32_t tenant_ordinal)
{
	for (unsigned i = 0; i < ASIDE_MAX; i++) {
		if (w->aside[i].ordinal == tenant_ordinal && loop_now() < w->aside[i].until)
			return true;
	}
	return false;
}

const char *worker_listener_name(const struct worker *w, unsigned index)
{
	return index < w->conf->listeners.n ? w->conf->listeners.v[index].name : NULL;
}

/* ---- drain and heartbeat ---- */

static void on_drain_look(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;
	struct worker *w = l->w;

	(void)fd, (void)what;
	if (loop_now() >= l->drain_until) {
		log_warn("life", "drain limit reached, ending with requests unanswered",
		         KV_I("limit_ms", w->conf->http.drain_timeout));
		loop_stop(w->base);
	} else if (conns_idle(w->conns) && w->sink->ops->idle(w->sink->state) &&
	           !usages_last(w->usages)) {
		loop_stop(w->base);
	}
}

static void drain(struct life *l)
{
	struct worker *w = l->w;
	struct timeval look = { 0, DRAIN_LOOK_MS * 1000 };

	if (w->draining)
		return;
	w->draining = true;
	l->drain_until = w->drain_ends = loop_now() + w->conf->http.drain_timeout;
	conns_drain(w->conns);
	event_add(&l->drain_event, &look);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	drain(arg);
}

static uint64_t resident_bytes(const struct life *l)
{
	char text[64];
	ssize_t n = pread(l->statm_fd, text, sizeof(text) - 1, 0);
	unsigned long long total, resident;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%llu %llu", &total, &resident) == 2
	               ? resident * (uint64_t)sysconf(_SC_PAGESIZE)
	               : 0;
}

/* What /ready says of the sink, for the master, which has none to ask. */
static void tell_sink(struct worker *w)
{
	char detail[200] = "";
	const char *check;
	uint64_t says = 0;

	if (!w->sink->ops->ready(w->sink->state, &check, detail, sizeof(detail)))
		says = READY_SINK_FAILS;
	else if (detail[0])
		says = READY_SINK_WARNS;
	stats_flags(w->stats, READY_SINK_FAILS | READY_SINK_WARNS, says);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;
	struct worker *w = l->w;
	struct rusage used;
	uint64_t cpu_us;

	(void)fd, (void)what;
	/* A thread that never comes back is as bad as a loop that does not. */
	if (offload_busy(w->beside) < STUCK_MS)
		atomic_store(&stats_head(w->stats)->heartbeat_ms, (uint64_t)loop_now());
	stats_set(w->stats, STAT_WORKER_RSS, 0, 0, resident_bytes(l));
	tell_sink(w);
	stats_add(w->stats, STAT_LOOP_STALLS, 0, 0, (int64_t)loop_take_stalls());
	if (getrusage(RUSAGE_SELF, &used) == 0) {
		cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
		         (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
		stats_add(w->stats, STAT_WORKER_CPU, 0, 0, (int64_t)(cpu_us - l->cpu_us));
		l->cpu_us = cpu_us;
	}
	for (unsigned level = 0; level < ARRAY_LEN(l->log_counts); level++) {
		uint64_t lines = log_count((enum log_level)level);

		stats_add(w->stats, STAT_LOG_MESSAGES, level, 0,
		          (int64_t)(lines - l->log_counts[level]));
		l->log_counts[level] = lines;
	}
}

/* ---- messages ---- */

static void keep_fd(int *where, struct channel_msg *m)
{
	if (*where >= 0)
		close(*where);
	*where = take_fd(&m->fd);
}

static int listen_on(struct life *l, uint64_t index, uint64_t slot, int fd, struct err *err)
{
	if (index >= l->w->conf->listeners.n)
		return err_set(err, "no listener %llu in this configuration",
		               (unsigned long long)index);
	return conns_listen(l->w->conns, (unsigned)index, slot, fd, err);
}

static int on_message(struct life *l, struct channel_msg *m, struct err *err)
{
	struct worker *w = l->w;

	switch (m->type) {
	case MSG_CONF:
		keep_fd(&l->conf_fd, m);
		return 0;
	case MSG_STATS_OWN:
		keep_fd(&l->own_fd, m);
		return 0;
	case MSG_STATS_PEER:
		if (m->arg >= PAGES_MAX)
			return err_set(err, "stats page %llu is out of range",
			               (unsigned long long)m->arg);
		if (!l->started) {
			keep_fd(&l->page_fds[m->arg], m);
			return 0;
		}
		stats_unmap(w->pages[m->arg]);
		w->pages[m->arg] =
			stats_map(m->fd, false, (unsigned)w->conf->metrics.max_tenants + 2, err);
		w->page_count = max_size(w->page_count, m->arg + 1);
		return w->pages[m->arg] ? 0 : -1;
	case MSG_LIMITS:
		keep_fd(&l->limits_fd, m);
		return 0;
	case MSG_LOG_FILE:
		if (m->arg > STREAM_AUDIT)
			return err_set(err, "no log stream %llu", (unsigned long long)m->arg);
		if (l->started)
			audit_reopen(w->audit, (enum stream)m->arg, take_fd(&m->fd));
		else
			keep_fd(&l->log_fds[m->arg], m);
		return 0;
	case MSG_TICKETS:
		if (m->body_bytes != sizeof(l->tickets))
			return err_set(err, "ticket keys of %zu bytes", m->body_bytes);
		memcpy(l->tickets, m->body, sizeof(l->tickets));
		l->have_tickets = true;
		if (l->started)
			tls_tickets(w->tls, l->tickets);
		return 0;
	case MSG_LISTENER:
		if (l->started)
			return listen_on(l, m->arg, m->slot, take_fd(&m->fd), err);
		if (l->listener_count == EARLY_LISTENERS_MAX)
			return err_set(err, "more than %d listening sockets", EARLY_LISTENERS_MAX);
		l->listeners[l->listener_count].index = m->arg;
		l->listeners[l->listener_count].slot = m->slot;
		l->listeners[l->listener_count++].fd = take_fd(&m->fd);
		return 0;
	case MSG_RELEASE:
		conns_release(w->conns, m->arg);
		return 0;
	case MSG_TABLE:
		tables_take_base(w, m->arg, m->slot != 0, m->fd);
		l->table_due = l->table_due && m->slot != 0; /* its delta is */
		return 0;
	case MSG_DELTA:
		tables_take_delta(w, m->arg, m->fd);
		l->table_due = false;
		return 0;
	case MSG_START:
		w->generation = m->arg;
		w->slot = (int)m->slot;
		l->table_due = m->body_bytes > 0;
		l->started = true;
		return 0;
	case MSG_DRAIN:
		drain(l);
		return 0;
	case MSG_ASIDE:
		put_aside(w, (uint32_t)m->arg);
		return 0;
	case MSG_GONE: /* before our own start: that looks for such files anyway */
		if (w->sink)
			sink_gone(w);
		return 0;
	case MSG_JWKS:
		auth_take_keys(w, m->fd);
		return 0;
	case MSG_TAP:
		return taps_set(w->taps, m->arg, bytes_of(m->body, m->body_bytes), err);
	case MSG_NONE:
	case MSG_READY:
	case MSG_FAILED:
	case MSG_TABLE_OK:
	case MSG_TABLE_BAD:
	case MSG_TAP_OK:
	case MSG_TAPPED:
	case MSG_JWKS_WANT:
	case MSG_COUNT:
		break;
	}
	return err_set(err, "message %s is not for a worker", message_name(m->type));
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct life *l = arg;
	struct channel_msg m;
	struct err err = { { 0 } };
	int rc;

	(void)what;
	while ((rc = channel_recv(fd, &m, &err)) > 0) {
		rc = on_message(l, &m, &err);
		close_fd_(&m.fd);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		return;
	if (err.text[0])
		log_err("life", "the master says nonsense, draining", KV_S("err", err.text));
	else
		log_warn("life", "the master is gone, draining");
	event_del(&l->channel_event);
	drain(l);
}

/* ---- set-up ---- */

/* A table may precede START: it is mapped once stats are there, so it is left in the socket's order
 * by the master; here only what comes up to START is read. */
static int receive_all(struct life *l, struct err *err)
{
	struct pollfd p = { .fd = l->w->channel, .events = POLLIN };

	while (!l->started) {
		struct channel_msg m;
		int rc = channel_recv(p.fd, &m, err);

		if (rc < 0)
			return -1;
		if (rc == 0) {
			rc = poll(&p, 1, START_TIMEOUT_MS);
			if (rc == 0)
				return err_set(err, "no START within %d ms", START_TIMEOUT_MS);
			if (rc < 0 && errno != EINTR)
				return err_errno(err, "can't wait for the master");
			continue;
		}
		if (m.type == MSG_TABLE || m.type == MSG_DELTA || m.type == MSG_DRAIN ||
		    m.type == MSG_RELEASE || m.type == MSG_TAP || m.type == MSG_JWKS)
			rc = err_set(err, "message %s before START", message_name(m.type));
		else
			rc = on_message(l, &m, err);
		close_fd_(&m.fd);
		if (rc < 0)
			return -1;
	}
	return l->conf_fd >= 0 && l->own_fd >= 0 && l->limits_fd >= 0
	               ? 0
	               : err_set(err, "START without configuration, stats or limits");
}

static int unpack_conf(struct life *l, struct err *err)
{
	struct worker *w = l->w;
	struct bytes packed;

	if (sealed_map(l->conf_fd, &packed, err) < 0)
		return -1;
	w->conf = conf_unpack(packed, err); /* the mapping stays: strings may point into it */
	if (!w->conf)
		return -1;
	log_setup((enum log_level)w->conf->log.level, (enum log_format)w->conf->log.format,
	          w->conf->debug_modules[0] ? w->conf->debug_modules : NULL);
	log_identity(w->slot, w->generation);
	return 0;
}

static int map_shared(struct life *l, struct err *err)
{
	struct worker *w = l->w;
	unsigned slots = (unsigned)w->conf->metrics.max_tenants + 2;

	w->stats = stats_map(l->own_fd, true, slots, err);
	if (w->stats)
		log_last_errors(&stats_head(w->stats)->errors);
	w->uses = w->stats ? uses_map(l->own_fd, w->conf->limits.max_tokens, err) : NULL;
	if (!w->uses)
		return -1;
	w->limits = limits_map(l->limits_fd, w->conf->limits.max_tenants,
	                       (unsigned)w->conf->metrics.max_tenants, err);
	if (!w->limits)
		return -1;
	for (unsigned i = 0; i < PAGES_MAX; i++) {
		if (l->page_fds[i] < 0)
			continue;
		w->pages[i] = stats_map(l->page_fds[i], false, slots, err);
		if (!w->pages[i])
			return -1;
		w->page_count = i + 1;
		close(take_fd(&l->page_fds[i]));
	}
	return 0;
}

static int open_parts(struct life *l, struct err *err)
{
	struct worker *w = l->w;

	w->hasher = hasher_open(err);
	if (!w->hasher)
		return -1;
	kit_open(&w->kit);
	w->bodies = bodies_new();
	w->taps = taps_new(w);
	w->budget = budget_new(w->conf->limits.worker_bytes, (unsigned)w->conf->limits.tenant_share,
	                       w->conf->limits.max_tenants);
	budget_show(w->budget, stats_in_flight(w->stats));
	w->siblings = workers_count(w->conf);
	if (!(w->models = models_open(w->conf, err)) || !(w->routes = routes_open(w, err))) {
		w->conf_refused = true;
		return -1;
	}
	w->dead_letters = dead_letters_open(w);
	if (!(w->auth = auth_open(w, err)) ||
	    !(w->audit = audit_open(w, l->log_fds[STREAM_ACCESS], l->log_fds[STREAM_AUDIT], err)) ||
	    !(w->tls = tls_open(w, err)) || !(w->conns = conns_open(w, err)))
		return -1;
	if (l->have_tickets)
		tls_tickets(w->tls, l->tickets);
	return 0;
}

static int enter_sandbox(struct life *l, struct err *err)
{
	const struct conf *conf = l->w->conf;
	int abi = 0;

	l->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (l->statm_fd < 0)
		return err_errno(err, "can't open /proc/self/statm");
	if (!conf->sandbox) {
		log_warn("life", "sandbox: false: this worker runs without seccomp and Landlock");
		return 0;
	}
	if (sandbox_enter(conf_store_dir(conf, NULL), &abi, err) < 0)
		return -1;
	if (abi == 0)
		log_warn("life", "this kernel has no Landlock: files are not restricted");
	return 0;
}

/* With the table first, no client of a reload meets a worker that knows nobody yet, however long
 * the master was kept from sending it. What lies in the channel besides is taken too. */
static int take_table(struct life *l, struct err *err)
{
	struct pollfd p = { .fd = l->w->channel, .events = POLLIN };

	on_channel(p.fd, EV_READ, l);
	while (l->table_due && !l->w->draining) {
		int rc = poll(&p, 1, START_TIMEOUT_MS);

		if (rc == 0)
			return err_set(err, "no tenant table within %d ms", START_TIMEOUT_MS);
		if (rc < 0 && errno != EINTR)
			return err_errno(err, "can't wait for the tenant table");
		on_channel(p.fd, EV_READ, l);
	}
	return 0;
}

static int start_events(struct life *l, struct err *err)
{
	struct worker *w = l->w;
	struct timeval beat = { 1, 0 };
	struct event_base *base = w->base;

	if (event_assign(&l->channel_event, base, w->channel, EV_READ | EV_PERSIST, on_channel, l) <
	            0 ||
	    event_assign(&l->beat_event, base, -1, EV_PERSIST, on_beat, l) < 0 ||
	    event_assign(&l->drain_event, base, -1, EV_PERSIST, on_drain_look, l) < 0 ||
	    event_assign(&l->term_event, base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term, l) < 0 ||
	    event_add(&l->channel_event, NULL) < 0 || event_add(&l->beat_event, &beat) < 0 ||
	    event_add(&l->term_event, NULL) < 0)
		return err_set(err, "libevent refuses an event");
	on_beat(-1, 0, l);
	if (take_table(l, err) < 0)
		return -1;
	for (unsigned i = 0; i < l->listener_count; i++) {
		if (listen_on(l, l->listeners[i].index, l->listeners[i].slot,
		              take_fd(&l->listeners[i].fd), err) < 0)
			return -1;
	}
	return 0;
}

static int set_up(struct life *l, struct err *err)
{
	struct worker *w = l->w;

	if (sandbox_early(err) < 0 || receive_all(l, err) < 0 || unpack_conf(l, err) < 0 ||
	    map_shared(l, err) < 0)
		return -1;
	w->base = loop_open(err);
	if (!w->base)
		return -1;
	loop_tick();
	if (open_parts(l, err) < 0 || enter_sandbox(l, err) < 0)
		return -1;
	/* After the sandbox: Landlock binds this thread and those that it starts. */
	if (beside_open(w, err) < 0 || sink_open(w, err) < 0)
		return -1;
	w->usages = usages_open(w);
	if (start_events(l, err) < 0)
		return -1;
	if (tell(w, MSG_READY, 0, "") < 0)
		return err_errno(err, "can't say READY");
	return 0;
}

static void on_close_timeout(int sig)
{
	(void)sig;
	_exit(0); /* everything that was answered is safe; only a library hangs */
}

static void close_all(struct life *l)
{
	struct worker *w = l->w;
	struct sigaction hang = { .sa_handler = on_close_timeout };

	sigaction(SIGALRM, &hang, NULL);
	alarm(CLOSE_TIMEOUT_S);
	beside_close(w);
	conns_close(w->conns);
	audit_close(w->audit); /* before what may hang: no line of it is lost */
	sink_close(w);
	usages_close(w->usages);
	tls_close(w->tls);
	auth_close(w->auth);
	routes_close(w->routes);
	models_close(w->models);
	dead_letters_close(w->dead_letters);
	tables_close(w);
	bodies_free(w->bodies);
	taps_free(w->taps);
	budget_free(w->budget);
	kit_close(&w->kit);
	hasher_close(w->hasher);
	event_del(&l->term_event);
	loop_close(w->base);
}

int worker_live(struct worker *w, int channel)
{
	struct life whole = { .w = w }, *l = &whole; /* lives as long as the process */
	struct err err = { { 0 } };

	l->conf_fd = l->own_fd = l->limits_fd = l->statm_fd = -1;
	l->log_fds[STREAM_ACCESS] = l->log_fds[STREAM_AUDIT] = -1;
	for (unsigned i = 0; i < PAGES_MAX; i++)
		l->page_fds[i] = -1;
	w->channel = channel;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* a terminal sends it to the whole group; the master decides */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	if (set_up(l, &err) < 0) {
		if (tell(w, MSG_FAILED, w->conf_refused ? EX_CONFIG : EX_SOFTWARE, err.text) < 0)
			log_err("life", "can't start", KV_S("err", err.text));
		return EX_SOFTWARE;
	}
	if (loop_run(w->base) < 0) {
		log_err("life", "the event loop failed");
		return EX_OSERR;
	}
	close_all(l);
	return 0;
}
