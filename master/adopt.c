/* SPDX-License-Identifier: Apache-2.0 */
#include "master/adopt.h"

#include <string.h>
#include "common/log.h"

static bool is_ready(const struct generation *gen, unsigned slot)
{
	return slot < gen->slots && gen->procs[slot].state == PROC_READY;
}

/* The READY worker that serves the fewest sockets of others; NULL: none is READY. */
static struct proc *find_sibling(struct workers *w)
{
	struct generation *gen = w->current;
	unsigned slots = listener_set_slots(gen->set), fewest = UINT32_MAX;
	struct proc *best = NULL;

	for (unsigned i = 0; i < gen->slots; i++) {
		unsigned served = 0;

		if (!is_ready(gen, i))
			continue;
		for (unsigned slot = 0; slot < slots; slot++)
			served += w->adopt.by[slot] == &gen->procs[i];
		if (served < fewest) {
			fewest = served;
			best = &gen->procs[i];
		}
	}
	return best;
}

static void give(struct workers *w, unsigned slot)
{
	struct proc *to = find_sibling(w);

	if (!to)
		return; /* the next READY worker brings us back */
	w->adopt.by[slot] = to;
	if (slot < to->gen->slots)
		log_warn("adopt", "a slot without a worker is served by a sibling",
		         KV_U("slot", slot), KV_U("by", to->slot));
	for (size_t i = 0; i < to->gen->conf->listeners.n; i++) {
		int fd = listener_set_fd(to->gen->set, i, slot);

		if (!listener_set_is_shared(to->gen->set, i) && fd >= 0)
			proc_send(to, MSG_LISTENER, i, slot, fd, BYTES_NONE);
	}
}

static void take_back(struct workers *w, unsigned slot)
{
	struct proc *from = w->adopt.by[slot];

	w->adopt.by[slot] = NULL;
	w->adopt.alone_since[slot] = 0;
	if (from)
		proc_send(from, MSG_RELEASE, slot, 0, -1, BYTES_NONE);
}

msec_t adopt_run(struct workers *w, msec_t now)
{
	unsigned slots = w->current ? listener_set_slots(w->current->set) : 0;
	msec_t next = INT64_MAX;

	for (unsigned slot = 0; slot < slots; slot++) {
		msec_t *since = &w->adopt.alone_since[slot], due;

		if (is_ready(w->current, slot)) {
			take_back(w, slot);
			continue;
		}
		if (w->adopt.by[slot])
			continue;
		if (!*since)
			*since = now;
		due = slot < w->current->slots ? *since + ADOPT_AFTER_MS
		                               : now; /* no worker will come: at once */
		if (due <= now)
			give(w, slot);
		else if (due < next)
			next = due;
	}
	return next;
}

void adopt_reset(struct workers *w)
{
	memset(&w->adopt, 0, sizeof(w->adopt));
}

void adopt_forget(struct workers *w, const struct proc *p)
{
	for (unsigned slot = 0; slot < WORKERS_MAX; slot++)
		if (w->adopt.by[slot] == p)
			w->adopt.by[slot] = NULL; /* alone_since stays: another sibling at once */
}
