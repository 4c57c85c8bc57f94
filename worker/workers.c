/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers.c -- how many workers share what is configured for all of them.
 */
#include <sched.h>
#include "worker/worker.h"

unsigned workers_count(const struct conf *conf)
{
	cpu_set_t cpus;

	if (conf->workers)
		return (unsigned)conf->workers;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	return (unsigned)max_size((size_t)CPU_COUNT(&cpus), 1);
}
