/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generation.c -- a configuration and the places of its workers, as workers.h has them; no process.
 */
#include "master/workers.h"

struct generation *generation_new(uint64_t number, struct conf *conf, struct listener_set *set,
                                  int conf_fd, unsigned slots)
{
	struct generation *gen = xcalloc(1, sizeof(*gen) + slots * sizeof(struct proc));

	gen->number = number;
	gen->conf = conf;
	gen->set = set;
	gen->conf_fd = conf_fd;
	gen->slots = slots;
	for (unsigned i = 0; i < slots; i++) {
		gen->procs[i].gen = gen;
		gen->procs[i].slot = i;
		gen->procs[i].channel = -1;
		gen->procs[i].late_at = INT64_MAX;
	}
	return gen;
}

void generation_free(struct generation *gen)
{
	if (!gen)
		return;
	conf_free(gen->conf);
	listener_set_free(gen->set);
	close(gen->conf_fd);
	free(gen);
}

unsigned generation_count(const struct generation *gen, enum proc_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < gen->slots; i++)
		n += gen->procs[i].state == state;
	return n;
}

bool generation_could_not(const struct generation *gen)
{
	for (unsigned i = 0; i < gen->slots; i++)
		if (!gen->procs[i].could_not)
			return false;
	return true;
}

struct proc *workers_each(const struct workers *w, struct proc *p)
{
	struct generation *const all[] = { w->current, w->next, w->old };
	size_t g = 0;

	if (p && p->slot + 1 < p->gen->slots)
		return p + 1;
	while (p && all[g++] != p->gen)
		continue;
	for (; g < ARRAY_LEN(all); g++)
		if (all[g])
			return &all[g]->procs[0];
	return NULL;
}
