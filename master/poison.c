/* SPDX-License-Identifier: Apache-2.0 */
#include "master/poison.h"

static void put_aside(struct poison *p, uint32_t tenant, msec_t until)
{
	unsigned place = 0;

	for (unsigned i = 0; i < POISON_ASIDE_MAX; i++) {
		if (p->aside[i].tenant == tenant && p->aside[i].until) {
			place = i;
			break;
		}
		if (p->aside[i].until < p->aside[place].until)
			place = i;
	}
	p->aside[place].tenant = tenant;
	p->aside[place].until = until;
}

bool poison_death(struct poison *p, uint32_t tenant, msec_t now)
{
	unsigned deaths = 0;

	p->deaths[p->next].tenant = tenant;
	p->deaths[p->next].at = now;
	p->next = (p->next + 1) % POISON_DEATHS_KEPT;
	if (p->count < POISON_DEATHS_KEPT)
		p->count++;
	for (unsigned i = 0; i < p->count; i++)
		deaths += p->deaths[i].tenant == tenant && now - p->deaths[i].at < POISON_WINDOW_MS;
	if (deaths < POISON_DEATHS)
		return false;
	put_aside(p, tenant, now + POISON_WINDOW_MS);
	return true;
}

unsigned poison_aside(const struct poison *p, msec_t now, uint32_t tenants[static POISON_ASIDE_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < POISON_ASIDE_MAX; i++)
		if (now < p->aside[i].until)
			tenants[n++] = p->aside[i].tenant;
	return n;
}
