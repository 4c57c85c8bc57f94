/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage.h -- what each tenant sent, told in records of a topic of their own (records.md 1.5): each
 * interval one for each tenant and signal whose counters moved. They hold up nobody; one that was
 * not stored is sent again, as it was.
 */
#pragma once
#include "worker/worker.h"

struct usages *usages_open(struct worker *w); /* with the sink open; NULL: usage.enabled is off */
void usages_close(struct usages *u); /* after the sink; NULL is fine */
/* Draining, with no request left: tells what is untold, once. True while that is on its way. */
bool usages_last(struct usages *u);
