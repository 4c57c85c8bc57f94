/* SPDX-License-Identifier: Apache-2.0 */
#include "master/workers.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "common/log.h"
#include "common/loop.h"
#include "master/adopt.h"
#include "master/spawn.h"
#include "master/talk.h"

static const msec_t READY_WITHIN_MS = 10000, BEAT_WITHIN_MS = 10000, TICK_MS = 1000;
static const msec_t BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000, HEALTHY_MS = 60000;
static const msec_t EARLY_DEATH_MS = 5000, CRASH_LOOP_MS = 30000;
static const msec_t STOOD_STILL_MS = 5000; /* between two ticks, which are a second apart */
/* A worker ends its drain by itself at http.drain_timeout, then its libraries get 5 s to close; who
 * is still there after it does not obey. */
static const msec_t DRAIN_GRACE_MS = 6000;

static const char *const state_names[PROC_STATES] = { "empty", "starting", "ready", "draining" };

/* ---- the actions of the table ---- */

typedef void action(struct proc *p);

static void bug(struct proc *p)
{
	log_err("workers", "event out of place", KV_U("slot", p->slot),
	        KV_S("state", state_names[p->state]));
	assert(!"an event that cannot be in this state");
}

static void none(struct proc *p)
{
	(void)p;
}

static void enter(struct proc *p, enum proc_state state, msec_t late_at)
{
	p->state = state;
	p->since = loop_now();
	p->late_at = late_at;
	p->all->changed = true;
	workers_poke(p->all);
}

static void spawn_later(struct proc *p)
{
	p->spawn_at = loop_now() + p->backoff;
	p->backoff = p->backoff * 2 < BACKOFF_MAX_MS ? p->backoff * 2 : BACKOFF_MAX_MS;
	workers_poke(p->all);
}

static void spawn(struct proc *p)
{
	struct workers *w = p->all;
	struct err err;

	if (spawn_process(p, &err) < 0) {
		log_err("workers", "can't start a worker, retrying", KV_U("slot", p->slot),
		        KV_S("err", err.text), KV_I("in_ms", p->backoff));
		spawn_later(p);
		return;
	}
	p->page = pages_take(w->pages, p->slot, p->gen->number);
	atomic_store(&stats_head(pages_stats(w->pages, p->page))->pid, p->pid);
	p->pages_sent = p->setup_sent = 0;
	p->setup_done = p->killed = p->table_waits = false;
	p->table_sent = p->table_ok = p->base_sent = p->base_ok = p->beat = 0;
	p->spawned_at = loop_now();
	enter(p, PROC_STARTING, loop_now() + READY_WITHIN_MS);
	talk_open(p); /* writable at once: the set-up goes from there */
}

static void promote(struct proc *p)
{
	p->beat_at = loop_now();
	p->could_not = false;
	log_info("workers", "worker ready", KV_U("slot", p->slot), KV_U("gen", p->gen->number),
	         KV_I("pid", p->pid), KV_I("after_ms", loop_now() - p->since));
	enter(p, PROC_READY, INT64_MAX);
}

static void kill9(struct proc *p)
{
	p->killed = true;
	p->late_at = INT64_MAX;
	if (kill(p->pid, SIGKILL) < 0)
		log_err("workers", "can't kill a worker", KV_I("pid", p->pid),
		        KV_S("err", strerror(errno)));
}

static void retire(struct proc *p)
{
	enter(p, PROC_DRAINING, loop_now() + p->gen->conf->http.drain_timeout + DRAIN_GRACE_MS);
	proc_send(p, MSG_DRAIN, 0, 0, -1, BYTES_NONE);
}

/* ---- death ---- */

static void blame_one(struct proc *p, const struct stats_current *c, uint64_t active)
{
	uint32_t tenant = (uint32_t)(active - 1);
	struct workers *w = p->all;
	struct bytes name = tenant == UINT32_MAX || !w->hooks.tenant_name
	                            ? BYTES_NONE
	                            : w->hooks.tenant_name(w->hooks.arg, tenant);

	log_err("workers", "a worker died in a stage", KV_U("slot", p->slot),
	        KV_U("route", c->route), KV_U("encoding", c->encoding), KV_U("length", c->length),
	        KV_B("request_id",
	             bytes_of(c->request_id, strnlen(c->request_id, sizeof(c->request_id)))),
	        KV_B("tenant", name));
	if (tenant == UINT32_MAX || !poison_death(&w->poison, tenant, loop_now()))
		return;
	log_err("workers", "a tenant is put aside for 60 s: its requests kill workers",
	        KV_B("tenant", name));
	stats_add(pages_stats(w->pages, PAGE_MASTER), STAT_TENANTS_ASIDE, 0, 0, 1);
	talk_broadcast(w, MSG_ASIDE, tenant, -1, BYTES_NONE);
}

/* Only a request whose stage was running counts: what else was in flight is nobody's fault. Where
 * both threads were in one, either may be the culprit; a tenant that had both is blamed once. */
static void blame(struct proc *p)
{
	const struct stats_head *head = stats_head(pages_stats(p->all->pages, p->page));
	uint64_t current = atomic_load(&head->current.active),
		 beside = atomic_load(&head->beside.active);

	if (current)
		blame_one(p, &head->current, current);
	if (beside && beside != current)
		blame_one(p, &head->beside, beside);
}

static void say_death(const struct proc *p, msec_t again_in_ms)
{
	bool signalled = WIFSIGNALED(p->status);
	const struct kv kv[] = { KV_U("slot", p->slot),
		                 KV_U("gen", p->gen->number),
		                 KV_I("pid", p->pid),
		                 KV_S("state", state_names[p->state]),
		                 KV_S("how", signalled ? "signal" : "exit"),
		                 KV_I("code",
		                      signalled ? WTERMSIG(p->status) : WEXITSTATUS(p->status)),
		                 KV_S("by", p->killed ? "master" : "itself or others"),
		                 KV_I("again_in_ms", again_in_ms),
		                 { 0 } };

	log_write(p->status ? LOG_LEVEL_ERR : LOG_LEVEL_WARN, "workers", "worker ended unasked",
	          kv);
}

/* What every death brings, whatever the state: afterwards the place is EMPTY. */
static void bury(struct proc *p)
{
	struct workers *w = p->all;

	if (WIFSIGNALED(p->status))
		blame(p);
	talk_close(p);
	pages_fold(w->pages, p->page);
	adopt_forget(w, p);
	p->spawn_at = INT64_MAX;
	enter(p, PROC_EMPTY, INT64_MAX);
	talk_broadcast(w, MSG_GONE, p->slot, -1, BYTES_NONE);
}

static enum restart_reason restart_reason(const struct proc *p)
{
	if (p->state == PROC_STARTING)
		return RESTART_STARTUP;
	if (p->killed)
		return RESTART_STUCK;
	return WIFSIGNALED(p->status) ? RESTART_SIGNAL : RESTART_EXIT;
}

/* More than half of the slots dying soon after start, again and again for 30 s: nothing is served
 * that would be worth going on for, and the service manager shows it better than our log. */
static void look_for_crash_loop(struct workers *w)
{
	unsigned dying = 0;

	for (unsigned i = 0; i < w->current->slots; i++) {
		const struct proc *p = &w->current->procs[i];
		/* The row of early deaths has ended, though only its next death will say so. */
		bool lives = proc_is_live(p) && loop_now() - p->spawned_at >= EARLY_DEATH_MS;

		dying += p->early_since && !lives && loop_now() - p->early_since >= CRASH_LOOP_MS;
	}
	if (2 * dying > w->current->slots)
		w->hooks.crash_loop(w->hooks.arg);
}

static void respawn(struct proc *p)
{
	struct workers *w = p->all;
	msec_t now = loop_now();

	if (p->gen->retiring) {
		bury(p);
		return;
	}
	if (p->state == PROC_READY && now - p->since >= HEALTHY_MS)
		p->backoff = BACKOFF_FIRST_MS;
	if (now - p->spawned_at >= EARLY_DEATH_MS)
		p->early_since = 0;
	else if (!p->early_since)
		p->early_since = now;
	say_death(p, p->backoff);
	stats_add(pages_stats(w->pages, PAGE_MASTER), STAT_WORKER_RESTARTS, restart_reason(p), 0,
	          1);
	bury(p);
	spawn_later(p);
	if (p->gen == w->current)
		look_for_crash_loop(w);
}

static void forget(struct proc *p)
{
	if (p->status && !p->killed) /* whoever killed it has said so */
		say_death(p, -1);
	bury(p);
}

/* clang-format off */
static action *const table[PROC_STATES][PROC_EVENTS] = {
	/*                  SPAWN    READY     EXIT      RETIRE   LATE    */
	[PROC_EMPTY]    = { spawn,   bug,      bug,      none,    bug   },
	[PROC_STARTING] = { bug,     promote,  respawn,  kill9,   kill9 },
	[PROC_READY]    = { bug,     bug,      respawn,  retire,  kill9 },
	[PROC_DRAINING] = { bug,     none,     forget,   none,    kill9 },
};
/* clang-format on */

void proc_event(struct proc *p, enum proc_event event)
{
	table[p->state][event](p);
}

static void on_child(evutil_socket_t sig, short what, void *arg)
{
	struct workers *w = arg;

	(void)sig, (void)what;
	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		if (!proc_is_live(p) || waitpid(p->pid, &p->status, WNOHANG) != p->pid)
			continue;
		talk_read(p); /* its last words: FAILED says why */
		proc_event(p, PROC_EXIT);
	}
	talk_note_served(w); /* the late one may be the dead one */
}

/* ---- time ---- */

static bool heart_beats(struct proc *p, msec_t now)
{
	uint64_t beat = atomic_load(&stats_head(pages_stats(p->all->pages, p->page))->heartbeat_ms);

	if (beat != p->beat) {
		p->beat = beat;
		p->beat_at = now;
	}
	return now - p->beat_at < BEAT_WITHIN_MS;
}

/* What time brings to one place; the time of its next look. */
static msec_t proc_tick(struct proc *p, msec_t now)
{
	if (!proc_is_live(p)) {
		if (p->gen->retiring)
			return INT64_MAX;
		if (p->spawn_at <= now)
			proc_event(p, PROC_SPAWN);
		return proc_is_live(p) ? p->late_at : p->spawn_at;
	}
	if (p->late_at <= now) {
		log_err("workers", "a worker is late, it is killed", KV_U("slot", p->slot),
		        KV_I("pid", p->pid), KV_S("state", state_names[p->state]));
		proc_event(p, PROC_LATE);
	} else if (p->state != PROC_STARTING && !p->killed && !heart_beats(p, now)) {
		log_err("workers", "a worker's heart stands still, it is killed",
		        KV_U("slot", p->slot), KV_I("pid", p->pid),
		        KV_I("for_ms", now - p->beat_at));
		proc_event(p, PROC_LATE);
	}
	return p->late_at;
}

/* Who was frozen with its workers (a pause of the container, a Ctrl-Z) wakes up before they can say
 * that they live: what passed meanwhile counts against nobody. */
static void forgive(struct workers *w, msec_t now)
{
	msec_t stood = w->ticked ? now - w->ticked : 0;

	w->ticked = now;
	if (stood < STOOD_STILL_MS)
		return;
	log_warn("workers", "the master stood still", KV_I("for_ms", stood));
	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		p->beat_at = now;
		if (p->late_at != INT64_MAX)
			p->late_at += stood;
	}
}

static void count_states(struct workers *w)
{
	struct stats *own = pages_stats(w->pages, PAGE_MASTER);
	unsigned n[PROC_STATES] = { 0 };

	for (struct proc *p = NULL; (p = workers_each(w, p));)
		n[p->state]++;
	stats_set(own, STAT_WORKERS, WORKER_STARTING, 0, n[PROC_STARTING]);
	stats_set(own, STAT_WORKERS, WORKER_READY, 0, n[PROC_READY]);
	stats_set(own, STAT_WORKERS, WORKER_DRAINING, 0, n[PROC_DRAINING]);
}

static void release_ended(struct workers *w, struct generation **place)
{
	struct generation *gen = *place;

	if (!gen || !gen->retiring || generation_count(gen, PROC_EMPTY) < gen->slots)
		return;
	*place = NULL;
	w->hooks.gone(w->hooks.arg, gen);
}

void workers_tick(struct workers *w)
{
	msec_t now = loop_now(), next = now + TICK_MS, due;
	struct timeval wait;

	forgive(w, now);
	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		due = proc_tick(p, now);
		next = due < next ? due : next;
	}
	due = w->current && !w->current->retiring ? adopt_run(w, now) : INT64_MAX;
	next = due < next ? due : next;
	wait = (struct timeval){ next > now ? (next - now) / 1000 : 0,
		                 next > now ? (next - now) % 1000 * 1000 : 1000 };
	event_add(&w->tick, &wait);
	count_states(w);
	release_ended(w, &w->current);
	release_ended(w, &w->next);
	release_ended(w, &w->old);
	if (w->changed) {
		w->changed = false;
		w->hooks.changed(w->hooks.arg);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	workers_tick(arg);
}

void workers_poke(struct workers *w)
{
	event_active(&w->tick, EV_TIMEOUT, 0);
}

/* ---- generations ---- */

static void generation_event(struct generation *gen, enum proc_event event)
{
	for (unsigned i = 0; i < gen->slots; i++)
		proc_event(&gen->procs[i], event);
}

static void generation_retire(struct workers *w, struct generation *gen)
{
	gen->retiring = true;
	generation_event(gen, PROC_RETIRE);
	workers_poke(w);
}

void workers_start(struct workers *w, struct generation *gen)
{
	assert(gen->slots <= WORKERS_MAX && !w->next && !w->old);
	for (unsigned i = 0; i < gen->slots; i++) {
		gen->procs[i].all = w;
		gen->procs[i].backoff = BACKOFF_FIRST_MS;
	}
	if (w->current)
		w->next = gen;
	else
		w->current = gen;
	generation_event(gen, PROC_SPAWN);
}

void workers_commit(struct workers *w)
{
	assert(w->next && !w->old);
	w->old = w->current;
	w->current = w->next;
	w->next = NULL;
	adopt_reset(w); /* the old ones give all back by draining */
	adopt_run(w, loop_now());
	generation_retire(w, w->old);
}

void workers_abandon(struct workers *w)
{
	/* Those that are READY may have accepted clients: they drain like any other. */
	generation_retire(w, w->next);
}

void workers_drain(struct workers *w)
{
	struct generation *const all[] = { w->current, w->next, w->old };

	for (size_t g = 0; g < ARRAY_LEN(all); g++)
		if (all[g])
			generation_retire(w, all[g]);
}

void workers_kill(struct workers *w)
{
	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		p->gen->retiring = true;
		if (proc_is_live(p))
			kill9(p);
	}
	workers_poke(w);
}

bool workers_none(const struct workers *w)
{
	return !w->current && !w->next && !w->old;
}

/* ---- set-up ---- */

int workers_open(struct workers *w, struct event_base *base, int exe_fd, struct err *err)
{
	w->base = base;
	w->exe_fd = exe_fd;
	event_assign(&w->tick, base, -1, 0, on_tick, w);
	event_assign(&w->child, base, SIGCHLD, EV_SIGNAL | EV_PERSIST, on_child, w);
	w->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (w->null_fd < 0)
		return err_errno(err, "can't open /dev/null");
	return event_add(&w->child, NULL) < 0 ? err_set(err, "no event for SIGCHLD") : 0;
}

void workers_close(struct workers *w)
{
	struct generation *const all[] = { w->current, w->next, w->old };

	workers_kill(w);
	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		if (!proc_is_live(p))
			continue;
		talk_close(p);
		waitpid(p->pid, NULL, 0);
	}
	for (size_t g = 0; g < ARRAY_LEN(all); g++)
		generation_free(all[g]);
	w->current = w->next = w->old = NULL;
	event_del(&w->tick);
	event_del(&w->child);
	close_fd_(&w->null_fd);
}
