/* SPDX-License-Identifier: Apache-2.0 */
#include "master/sync.h"

#include <event2/event.h>
#include <jansson.h>
#include <string.h>
#include "common/loop.h"

enum {
	SYNCS_MAX = 64,
	LOOK_EACH_MS = 20, /* a worker that dies, or got READY with an older table, tells nobody */
};

struct sync {
	bool waits; /* else the place is free */
	bool was_read;
	uint64_t client, ticket;
	uint64_t table; /* once it was read: what workers must have */
	msec_t began, until;
};

struct syncs {
	struct master *m;
	struct event look;
	struct sync v[SYNCS_MAX];
};

/* ---- who has it ---- */

struct standing {
	unsigned workers, confirmed;
	json_t *late;
};

/* Draining ones too: they still answer on the connections that they have. And one that starts, if
 * the table it begins with is an older one: it may be READY, and asked, before it reads the next. */
static bool may_serve(const struct proc *p, uint64_t table)
{
	uint64_t begins_with = p->table_ok ? p->table_ok : p->table_sent;

	if (p->state == PROC_STARTING)
		return begins_with > 0 && begins_with < table;
	return p->state == PROC_READY || p->state == PROC_DRAINING;
}

static struct standing standing_of(const struct syncs *s, uint64_t table)
{
	struct standing st = { .late = json_array() };

	for (struct proc *p = NULL; (p = workers_each(&s->m->workers, p));) {
		if (!may_serve(p, table))
			continue;
		st.workers++;
		if (p->table_ok >= table)
			st.confirmed++;
		else
			json_array_append_new(st.late,
			                      json_pack("{s:i,s:i,s:I,s:I}", "slot", (int)p->slot,
			                                "pid", (int)p->pid, "generation",
			                                (json_int_t)p->gen->number, "table",
			                                (json_int_t)p->table_ok));
	}
	return st;
}

/* ---- answers ---- */

/* Takes what the standing holds. */
static void answer(struct syncs *s, struct sync *one, const char *result, struct standing *st)
{
	struct tenants_status t;
	json_t *o;

	tenants_status(s->m->tenants, &t);
	o = json_pack("{s:b,s:s,s:b,s:I,s:i,s:i,s:o,s:I,s:o}", "ok", strcmp(result, "ok") == 0,
	              "result", result, "read", one->was_read, "table", (json_int_t)one->table,
	              "workers", (int)st->workers, "confirmed", (int)st->confirmed, "late",
	              st->late, "ms", (json_int_t)(loop_now() - one->began), "why",
	              control_text(bytes_str(one->was_read ? "" : t.last_error)));
	one->waits = false; /* first: answering may close the client, and that comes back here */
	control_answer(s->m->control, one->client, o);
}

static void look_at(struct syncs *s, struct sync *one)
{
	enum tenants_synced synced = tenants_synced(s->m->tenants, one->ticket);
	struct standing st;

	if (!one->was_read && synced == SYNCED_READ) {
		one->was_read = true;
		one->table = tenants_table(s->m->tenants);
	}
	/* Without a read nothing is confirmed, whatever table they have. */
	st = standing_of(s, one->was_read ? one->table : UINT64_MAX);
	if (one->was_read && st.confirmed == st.workers)
		answer(s, one, "ok", &st);
	else if (!one->was_read && synced == SYNCED_REFUSED)
		answer(s, one, "refused", &st);
	else if (loop_now() >= one->until)
		answer(s, one, "timeout", &st);
	else
		json_decref(st.late);
}

void syncs_look(struct syncs *s)
{
	bool more = false;

	if (!s->m->tenants)
		return; /* the end: the clients see that their connection closes */
	for (unsigned i = 0; i < SYNCS_MAX; i++) {
		if (s->v[i].waits)
			look_at(s, &s->v[i]);
		more |= s->v[i].waits;
	}
	if (more && event_add(&s->look, &(struct timeval){ 0, LOOK_EACH_MS * 1000 }) < 0)
		out_of_memory();
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	syncs_look(arg);
}

void sync_ask(struct syncs *s, const struct control_client *from, msec_t timeout)
{
	struct sync *one = s->v;

	while (one < s->v + SYNCS_MAX && one->waits)
		one++;
	if (one == s->v + SYNCS_MAX) {
		control_answer_error(s->m->control, from->handle,
		                     "sync: too many wait already, try again");
		return;
	}
	*one = (struct sync){ .client = from->handle,
		              .began = loop_now(),
		              .until = loop_now() + timeout };
	one->ticket = tenants_sync(s->m->tenants);
	one->waits = true;
	syncs_look(s);
}

void syncs_gone(struct syncs *s, uint64_t client)
{
	for (unsigned i = 0; i < SYNCS_MAX; i++)
		if (s->v[i].client == client)
			s->v[i].waits = false;
}

struct syncs *syncs_open(struct master *m)
{
	struct syncs *s = xcalloc(1, sizeof(*s));

	s->m = m;
	event_assign(&s->look, m->base, -1, 0, on_look, s);
	return s;
}

void syncs_close(struct syncs *s)
{
	if (!s)
		return;
	event_del(&s->look);
	free(s);
}
