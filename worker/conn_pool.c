/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_pool.c -- memory of connections, kept for reuse: a warmed worker asks for none. Idle
 * connections have only their own struct; a buffer and a request exist from the first byte of a
 * request to the last of its reply. Slots give requests their handles.
 */
#include "worker/conn_private.h"

enum { KEPT_MAX = 1024, KEPT_LARGE_MAX = 16, SLOTS_FIRST = 256, SLOT_NONE = UINT32_MAX };

struct kept { /* the first bytes of a buffer that nobody has */
	struct kept *next;
};

struct conn *conn_get(struct conns *cs)
{
	struct conn *c = cs->free_conns;

	if (c)
		cs->free_conns = c->next;
	else
		c = xcalloc(1, sizeof(*c));
	memset(c, 0, sizeof(*c));
	c->magic = CONN_MAGIC;
	c->cs = cs;
	c->fd = -1;
	c->deadline = DEADLINE_COUNT;
	cs->count++;
	return c;
}

void conn_put(struct conn *c)
{
	struct conns *cs = c->cs;

	c->magic = 0;
	c->next = cs->free_conns;
	cs->free_conns = c;
	cs->count--;
}

/* ---- buffers ---- */

void buffer_get(struct conn *c, uint32_t cap)
{
	void **list = cap == BUFFER_SMALL ? &c->cs->free_small : &c->cs->free_large;
	unsigned *count = cap == BUFFER_SMALL ? &c->cs->free_small_count : &c->cs->free_large_count;
	struct kept *kept = *list;

	assert(!c->buf);
	if (kept) {
		*list = kept->next;
		--*count;
		c->buf = (uint8_t *)kept;
	} else {
		/* Not zeroed: its pages are touched when they are used. */
		c->buf = xrealloc(NULL, 1, cap + BODY_SLACK);
	}
	c->buf_cap = cap;
	c->start = c->end = 0;
}

static void kept_put(struct conns *cs, void *buf, uint32_t cap)
{
	bool small = cap == BUFFER_SMALL;
	void **list = small ? &cs->free_small : &cs->free_large;
	unsigned *count = small ? &cs->free_small_count : &cs->free_large_count;
	struct kept *kept = buf;

	if (*count >= (small ? KEPT_MAX : KEPT_LARGE_MAX)) {
		free(buf);
		return;
	}
	kept->next = *list;
	*list = kept;
	++*count;
}

void buffer_put(struct conn *c)
{
	if (c->buf)
		kept_put(c->cs, c->buf, c->buf_cap);
	c->buf = NULL;
	c->start = c->end = 0;
}

void buffer_enlarge(struct conn *c, struct bytes *unread)
{
	uint8_t *old = c->buf;

	assert(c->buf_cap == BUFFER_SMALL && unread->p == old);
	c->buf = NULL;
	buffer_get(c, BUFFER_LARGE);
	memcpy(c->buf, old, unread->n);
	unread->p = c->buf;
	kept_put(c->cs, old, BUFFER_SMALL);
}

/* ---- requests ---- */

static void slots_grow(struct conns *cs)
{
	uint32_t count = cs->slot_count ? 2 * cs->slot_count : SLOTS_FIRST;

	cs->slots = xrealloc(cs->slots, count, sizeof(*cs->slots));
	for (uint32_t i = cs->slot_count; i < count; i++)
		cs->slots[i] = (struct slot){ NULL, 1, i + 1 < count ? i + 1 : SLOT_NONE };
	cs->slot_free = cs->slot_count;
	cs->slot_count = count;
}

struct active *active_get(struct conn *c)
{
	struct conns *cs = c->cs;
	struct active *a = cs->free_actives;
	struct slot *slot;
	uint32_t index;

	if (a) {
		cs->free_actives = a->next;
		cs->free_active_count--;
	} else {
		a = xcalloc(1, sizeof(*a));
	}
	if (cs->slot_count == 0 || cs->slot_free == SLOT_NONE)
		slots_grow(cs);
	index = cs->slot_free;
	slot = &cs->slots[index];
	cs->slot_free = slot->next_free;
	slot->active = a;
	req_start(&a->r, cs->w, c->listener);
	a->r.handle = index | (uint64_t)slot->generation << 32;
	a->c = c;
	a->step = STEP_NEXT;
	a->running = a->woken = a->left = false;
	a->window_bytes = 0;
	c->active = a;
	return a;
}

void active_put(struct active *a)
{
	struct conns *cs = a->c->cs;
	uint32_t index = (uint32_t)a->r.handle;
	struct slot *slot = &cs->slots[index];

	assert(slot->active == a);
	slot->active = NULL;
	slot->generation++;
	slot->next_free = cs->slot_free;
	cs->slot_free = index;
	a->c->active = NULL;
	a->c = NULL;
	if (cs->free_active_count >= KEPT_MAX) {
		pool_free(a->r.pool);
		free(a);
		return;
	}
	a->next = cs->free_actives;
	cs->free_actives = a;
	cs->free_active_count++;
}

struct active *active_find(const struct conns *cs, uint64_t handle)
{
	uint32_t index = (uint32_t)handle;

	if (index >= cs->slot_count || cs->slots[index].generation != handle >> 32)
		return NULL;
	return cs->slots[index].active;
}

static void kept_free(void *list)
{
	for (struct kept *k = list, *next; k; k = next) {
		next = k->next;
		free(k);
	}
}

void conn_pools_free(struct conns *cs)
{
	while (cs->free_conns) {
		struct conn *c = cs->free_conns;

		cs->free_conns = c->next;
		free(c);
	}
	while (cs->free_actives) {
		struct active *a = cs->free_actives;

		cs->free_actives = a->next;
		pool_free(a->r.pool);
		free(a);
	}
	kept_free(cs->free_small);
	kept_free(cs->free_large);
	free(cs->slots);
}
