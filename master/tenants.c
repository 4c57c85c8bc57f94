/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants.c -- between the source of tenants and the workers: rows become a set (tenants_set.c),
 * each commit that changed something one sealed table, and the gauges say how that went. The source
 * does its own waiting; here nothing blocks but the building of a table. Never looks at a token.
 */
#include "master/tenants.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "master/tenants_extra.h"
#include "master/tenants_set.h"

enum {
	TICK_MS = 1000,
	AUDIT_MAX = 1000, /* changes of one commit told one by one; then one line for the rest */
	PENDING_MAX = 64, /* tables that some worker has not mapped yet */
};

static const struct tenants_source *const sources[] = {
	[TENANTS_FILE] = &tenants_file,
	[TENANTS_POSTGRES] = &tenants_pg,
};

struct tenants {
	struct event_base *base;
	const struct conf *conf;
	struct stats *own;
	struct tenants_hooks hooks;
	const struct tenants_source *kind;
	void *source; /* NULL while its open() runs */
	struct event tick; /* each second: ages */
	struct event rebuild; /* ordinals became free: rows over the limit may fit */
	struct tenant_set *set;
	struct extras *extras; /* the configuration's own rows */
	bool extras_due; /* they changed in the middle of a read */
	uint64_t generation; /* of the last table tried */
	struct tables tables; /* generation 0: none yet */
	struct set_counts counts;
	bool in_read;
	bool behind; /* the set is newer than the table: the next commit builds, changes or not */
	int64_t read_began_ns;
	msec_t read_ms; /* when the source was last known to be read, -1: never */
	msec_t fresh_until;
	/* Tickets of tenants_sync(): the last one given; what the full read that runs will fulfil,
	 * what one did, what one that was refused would have. */
	uint64_t sync_asked, sync_reading, sync_read, sync_refused;
	bool connected;
	unsigned audited;
	struct pending { /* tables that took a right from somebody, until all workers map them */
		uint64_t generation;
		int64_t since_ns;
	} pending[PENDING_MAX];
	unsigned pending_count;
	char state[32];
	char last_error[256];
};

/* ---- what is shown ---- */

static msec_t age_ms(const struct tenants *t)
{
	if (t->read_ms < 0)
		return -1;
	/* A source that is always fresh is as good as read this moment. */
	return t->fresh_until == INT64_MAX ? 0 : loop_now() - t->read_ms;
}

static void show_age(struct tenants *t)
{
	msec_t age = age_ms(t);

	if (age < 0)
		return;
	stats_set(t->own, STAT_TABLE_AGE, 0, 0, (uint64_t)age / 1000);
	stats_head(t->own)->table_read_ms = loop_now() - age;
}

static void show_counts(struct tenants *t)
{
	const struct set_counts *c = &t->counts;

	stats_set(t->own, STAT_TABLE_ENTRIES, ROW_TENANT, 0, c->tenants);
	stats_set(t->own, STAT_TABLE_ENTRIES, ROW_TOKEN, 0, c->tokens);
	for (unsigned why = 0; why < SET_SKIP_REASONS; why++)
		stats_set(t->own, STAT_ROWS_SKIPPED, why, 0, c->skipped[why]);
	for (unsigned kind = ROW_TENANT; kind <= ROW_TOKEN; kind++)
		stats_set(t->own, STAT_ROWS_OVER_LIMIT, kind, 0, c->over[kind]);
	tenants_set_flag(t, READY_OVER_LIMIT, c->over[ROW_TENANT] + c->over[ROW_TOKEN] > 0);
}

static void say_counts(struct tenants *t, const struct set_counts *before)
{
	const struct set_counts *now = &t->counts;

	if (now->over[ROW_TENANT] > before->over[ROW_TENANT] ||
	    now->over[ROW_TOKEN] > before->over[ROW_TOKEN])
		log_err("tenants",
		        "rows beyond limits.max_tenants or limits.max_tokens are left out",
		        KV_U("tenants", now->over[ROW_TENANT]),
		        KV_U("tokens", now->over[ROW_TOKEN]));
	if (now->skipped[SKIP_ITERATIONS] > before->skipped[SKIP_ITERATIONS])
		log_err("tenants", "keys left out for their iterations: see auth.pbkdf2",
		        KV_U("tokens", now->skipped[SKIP_ITERATIONS]));
}

void tenants_set_flag(struct tenants *t, uint64_t ready_flag, bool on)
{
	struct stats_head *head = stats_head(t->own);

	/* The page has one writer: the others' flags cannot change in between. */
	head->ready_flags = on ? head->ready_flags | ready_flag : head->ready_flags & ~ready_flag;
}

void tenants_set_probe(struct tenants *t, bool works)
{
	stats_set(t->own, STAT_NOTIFY_PROBE, 0, 0, works);
}

void tenants_set_source(struct tenants *t, bool connected, const char *state, const char *error)
{
	t->connected = connected;
	snprintf(t->state, sizeof(t->state), "%s", state);
	if (error)
		snprintf(t->last_error, sizeof(t->last_error), "%s", error);
	stats_set(t->own, STAT_SOURCE_CONNECTED, 0, 0, connected);
	tenants_set_flag(t, READY_SOURCE_AWAY, !connected);
}

void tenants_fresh_until(struct tenants *t, msec_t monotonic_ms)
{
	t->fresh_until = monotonic_ms;
	stats_head(t->own)->fresh_until_ms = monotonic_ms;
	show_age(t);
}

struct bytes tenants_name(const struct tenants *t, uint32_t ordinal)
{
	return set_tenant_of(t->set, ordinal);
}

void tenants_status(const struct tenants *t, struct tenants_status *out)
{
	*out = (struct tenants_status){
		.source = t->kind->name,
		.state = t->state,
		.generation = t->tables.generation,
		.tenants = t->counts.tenants,
		.tokens = t->counts.tokens,
		.age_ms = age_ms(t),
		.fresh = t->tables.generation > 0 && loop_now() < t->fresh_until,
	};
	snprintf(out->last_error, sizeof(out->last_error), "%s", t->last_error);
}

/* ---- tables ---- */

/* A delta says what changed since the base; the base stays as it is until that is too much. */
static int build_base(struct tenants *t, struct set_counts *counts, struct err *err)
{
	int fd = set_build(t->set, t->generation, counts, err);

	if (fd < 0)
		return -1;
	close_fd_(&t->tables.base_fd);
	close_fd_(&t->tables.delta_fd);
	t->tables = (struct tables){ fd, -1, t->generation, t->generation };
	return 0;
}

static int build_delta(struct tenants *t, struct set_counts *counts, struct err *err)
{
	int fd = set_build_delta(t->set, t->generation, counts, err);

	if (fd < 0)
		return -1;
	close_fd_(&t->tables.delta_fd);
	t->tables.delta_fd = fd;
	t->tables.generation = t->generation;
	return 0;
}

static int build_and_publish(struct tenants *t, struct err *err)
{
	struct set_counts before = t->counts, counts;
	bool delta = set_delta_will_do(t->set);

	t->generation++;
	t->behind = delta && build_delta(t, &counts, err) < 0;
	if (t->behind)
		delta = set_delta_will_do(t->set); /* what it had to say may need a base */
	if (!delta)
		t->behind = build_base(t, &counts, err) < 0;
	loop_tick(); /* a large table takes a while */
	if (t->behind)
		return -1;
	t->counts = counts;
	show_counts(t);
	say_counts(t, &before);
	tenants_set_flag(t, READY_NO_TABLE, false);
	log_debug("tenants", delta ? "new delta" : "new base",
	          KV_U("generation", t->tables.generation), KV_U("tenants", counts.tenants),
	          KV_U("tokens", counts.tokens));
	if (t->hooks.publish)
		t->hooks.publish(t->hooks.arg, &t->tables);
	return 0;
}

uint64_t tenants_table(const struct tenants *t)
{
	return t->tables.generation;
}

bool tenants_behind(const struct tenants *t)
{
	return t->behind;
}

static void on_rebuild(evutil_socket_t fd, short what, void *arg)
{
	struct tenants *t = arg;
	struct err err;

	(void)fd;
	(void)what;
	if (t->in_read) {
		t->behind = true; /* its commit will build */
		return;
	}
	if (build_and_publish(t, &err) < 0)
		log_err("tenants", "no new table, the last one serves", KV_S("error", err.text));
}

static void pending_add(struct tenants *t, int64_t since_ns)
{
	if (t->pending_count ==
	    PENDING_MAX) /* a worker that hangs: the oldest stays, it tells the most */
		t->pending_count--;
	t->pending[t->pending_count++] = (struct pending){ t->tables.generation, since_ns };
}

void tenants_served(struct tenants *t, uint64_t generation)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < t->pending_count; i++) {
		const struct pending *p = &t->pending[i];

		if (p->generation > generation)
			t->pending[kept++] = *p;
		else
			stats_observe_us(t->own, STAT_REVOCATION, 0,
			                 (uint64_t)(loop_now_ns() - p->since_ns) / 1000);
	}
	t->pending_count = kept;
	/* Not from here: the caller is in the middle of what its workers said. */
	if (set_served(t->set, generation, t->hooks.retired, t->hooks.arg) &&
	    t->counts.over[ROW_TENANT] + t->counts.over[ROW_TOKEN] > 0)
		event_add(&t->rebuild, &(struct timeval){ 0, 0 });
}

/* ---- last uses ---- */

unsigned tenants_uses(struct tenants *t, struct token_use *out, unsigned max, bool *over)
{
	unsigned n = 0;

	if (t->hooks.uses)
		n = set_uses(t->set, t->hooks.uses(t->hooks.arg, set_uses_begin(t->set)), out, max);
	*over = set_uses_begin(t->set);
	return n;
}

void tenants_uses_stored(struct tenants *t, const struct token_use *uses, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		set_use_stored(t->set, &uses[i]);
}

/* ---- rows ---- */

void tenants_begin(struct tenants *t, bool full)
{
	assert(!t->in_read);
	t->in_read = true;
	t->read_began_ns = loop_now_ns();
	t->sync_reading = full ? t->sync_asked : 0;
	set_begin(t->set, full);
	extras_begin(t->extras, full);
}

void tenants_expect_doubles(struct tenants *t)
{
	assert(t->in_read);
	set_expect_doubles(t->set);
}

void tenants_put_tenant(struct tenants *t, const struct tenant_row *row)
{
	assert(t->in_read);
	extras_saw(t->extras, ROW_TENANT, row->id);
	set_put_tenant(t->set, row);
}

void tenants_put_token(struct tenants *t, const struct token_row *row)
{
	assert(t->in_read);
	extras_saw(t->extras, ROW_TOKEN, row->id);
	set_put_token(t->set, row);
}

void tenants_drop_tenant(struct tenants *t, struct bytes id)
{
	assert(t->in_read);
	if (!extras_lost(t->extras, ROW_TENANT, id))
		set_drop_tenant(t->set, id);
}

void tenants_drop_token(struct tenants *t, struct bytes id)
{
	assert(t->in_read);
	if (!extras_lost(t->extras, ROW_TOKEN, id))
		set_drop_token(t->set, id);
}

void tenants_skip(struct tenants *t, enum skip_reason why, struct bytes what)
{
	assert(t->in_read);
	extras_saw(t->extras, ROW_TOKEN, what);
	set_skip(t->set, why, what);
}

static void use_extras(struct tenants *t);

static void read_ended(struct tenants *t, enum snapshot_result result)
{
	t->in_read = false;
	stats_add(t->own, STAT_SNAPSHOTS, result, 0, 1);
	if (t->extras_due)
		use_extras(t);
}

void tenants_abort(struct tenants *t)
{
	set_abort(t->set);
	read_ended(t, SNAPSHOT_FAILED);
}

static void on_change(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	struct tenants *t = arg;

	if (t->audited++ < AUDIT_MAX)
		t->hooks.audit(t->hooks.arg, what, tenant, token);
}

/* The first read of all changes nothing: it finds what is there. */
static struct set_change apply(struct tenants *t)
{
	bool told = t->read_ms >= 0 && t->hooks.audit;
	struct set_change change;

	extras_put(t->extras, t->set);
	t->audited = 0;
	change = set_apply(t->set, told ? on_change : NULL, t);
	if (t->audited > AUDIT_MAX)
		t->hooks.audit(t->hooks.arg, "tenants.change", BYTES_NONE, BYTES_NONE);
	return change;
}

/* An empty table is no reason not to start: rows may come. */
static void warn_if_empty(const struct tenants *t)
{
	const struct conf *c = t->conf;
	bool others = c->auth.jwt.n || (c->auth.userinfo.url && *c->auth.userinfo.url);

	if (!t->counts.tokens && !others && !c->disable_auth)
		log_warn("tenants", "the table has no token: nobody can write yet");
}

int tenants_commit(struct tenants *t, int64_t since_ns, struct err *err)
{
	struct set_change change;

	assert(t->in_read);
	change = apply(t);
	if ((change.changes > 0 || t->tables.generation == 0 || t->behind) &&
	    build_and_publish(t, err) < 0) {
		read_ended(t, SNAPSHOT_FAILED);
		return -1;
	}
	if (change.lost)
		pending_add(t, since_ns);
	if (t->read_ms < 0)
		warn_if_empty(t);
	t->read_ms = loop_now();
	show_age(t);
	stats_observe_us(t->own, STAT_SNAPSHOT_DURATION, 0,
	                 (uint64_t)(loop_now_ns() - t->read_began_ns) / 1000);
	read_ended(t, SNAPSHOT_OK);
	if (t->sync_reading > t->sync_read)
		t->sync_read = t->sync_reading;
	if (t->hooks.read)
		t->hooks.read(t->hooks.arg);
	return 0;
}

static void commit_extras(struct tenants *t)
{
	struct set_change change;
	struct err err;

	set_begin(t->set, false);
	extras_begin(t->extras, false);
	change = apply(t);
	if (change.changes > 0 && build_and_publish(t, &err) < 0)
		log_err("tenants", "no new table, the last one serves", KV_S("error", err.text));
	else if (change.lost)
		pending_add(t, loop_now_ns());
}

/* What the configuration adds has changed: a commit of its own. The first read brings it too, and
 * in the middle of one it waits for the end. */
static void use_extras(struct tenants *t)
{
	t->extras_due = t->in_read;
	if (t->in_read)
		return;
	extras_want(t->extras, t->set, t->conf);
	if (t->tables.generation > 0)
		commit_extras(t);
}

void tenants_refused(struct tenants *t)
{
	t->sync_refused = t->sync_asked;
	if (t->hooks.read)
		t->hooks.read(t->hooks.arg);
}

/* ---- life ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	show_age(arg);
}

struct tenants *tenants_open(struct event_base *base, const struct conf *conf, struct stats *own,
                             const struct tenants_hooks *hooks, struct err *err)
{
	struct tenants *t = xcalloc(1, sizeof(*t));

	t->base = base;
	t->conf = conf;
	t->own = own;
	t->hooks = *hooks;
	t->tables.base_fd = t->tables.delta_fd = -1;
	t->read_ms = -1;
	t->kind = sources[conf->tenants.source];
	t->set = set_new(conf->limits.max_tenants, conf->limits.max_tokens);
	set_topic_bytes(t->set, conf->tenant_topic_bytes);
	set_prefixes(t->set, &conf->prefixes);
	set_max_iterations(t->set, conf->auth.pbkdf2.max_iterations);
	set_hosts(t->set, conf->limits.hosts);
	t->extras = extras_new();
	use_extras(t);
	event_assign(&t->tick, base, -1, EV_PERSIST, on_tick, t);
	event_assign(&t->rebuild, base, -1, 0, on_rebuild, t);
	event_add(&t->tick, &(struct timeval){ TICK_MS / 1000, 0 });
	tenants_set_flag(t, READY_NO_TABLE, true);
	tenants_set_source(t, false, "starting", NULL);
	t->source = t->kind->open(base, conf, t, err);
	if (!t->source) {
		tenants_close(t);
		return NULL;
	}
	t->kind->poke(t->source);
	/* The keys of the environment need no database whose table could not speak against them. */
	if (!t->in_read && t->tables.generation == 0 && conf->imported_table && conf->imported.n)
		commit_extras(t);
	return t;
}

void tenants_close(struct tenants *t)
{
	if (!t)
		return;
	if (t->source)
		t->kind->close(t->source);
	event_del(&t->tick);
	event_del(&t->rebuild);
	extras_free(t->extras);
	set_free(t->set);
	close_fd_(&t->tables.base_fd);
	close_fd_(&t->tables.delta_fd);
	free(t);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_source(const struct conf *a, const struct conf *b)
{
	return a->tenants.source == b->tenants.source &&
	       same_text(a->tenants.file.path, b->tenants.file.path) &&
	       same_text(a->tenants.dsn, b->tenants.dsn) &&
	       same_text(a->tenants.query, b->tenants.query) &&
	       same_text(a->tenants.channel, b->tenants.channel) &&
	       a->tenants.poll == b->tenants.poll &&
	       a->tenants.full_compare == b->tenants.full_compare &&
	       a->tenants.fresh_for == b->tenants.fresh_for;
}

/* Whose ids and prefixes make topics' names, which keys cost too much, and what of a rate is this
 * host's, are other questions now; all rows are at hand. */
static void use_settings(struct tenants *t, const struct conf *conf)
{
	bool changes = set_topic_bytes(t->set, conf->tenant_topic_bytes);

	changes |= set_prefixes(t->set, &conf->prefixes);
	changes |= set_max_iterations(t->set, conf->auth.pbkdf2.max_iterations);
	changes |= set_hosts(t->set, conf->limits.hosts);
	if (changes && t->tables.generation > 0)
		event_add(&t->rebuild, &(struct timeval){ 0, 0 });
	use_extras(t);
}

int tenants_reconfigure(struct tenants *t, const struct conf *conf, struct err *err)
{
	const struct tenants_source *kind = sources[conf->tenants.source];
	void *source;

	if (same_source(t->conf, conf)) {
		t->conf = conf;
		use_settings(t, conf);
		/* A reload reads the file again: a link may lead to where no watch is. */
		if (kind == &tenants_file)
			tenants_poke(t);
		return 0;
	}
	/* The new one first: if it cannot be, nothing has changed. */
	source = kind->open(t->base, conf, t, err);
	if (!source)
		return -1;
	t->kind->close(t->source);
	if (kind != t->kind) /* what the last source promised does not hold for this one */
		tenants_fresh_until(t, loop_now());
	t->kind = kind;
	t->source = source;
	t->conf = conf;
	use_settings(t, conf);
	t->kind->poke(t->source);
	return 0;
}

void tenants_poke(struct tenants *t)
{
	t->kind->poke(t->source);
}

uint64_t tenants_sync(struct tenants *t)
{
	uint64_t ticket = ++t->sync_asked;

	tenants_poke(t); /* may read at once */
	return ticket;
}

enum tenants_synced tenants_synced(const struct tenants *t, uint64_t ticket)
{
	if (t->sync_read >= ticket)
		return SYNCED_READ;
	return t->sync_refused >= ticket ? SYNCED_REFUSED : SYNCED_NOT_YET;
}
